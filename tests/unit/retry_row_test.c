/* retry_row_test.c: what is kept of a commit with a token: read again as it was written, and
 * nothing else is taken for it. */
#include "storage/retry_row.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <string.h>

#define BYTES_MAX (4u * RETRY_VALUE_BYTES_MAX)

static struct buffer value = {.cap = BYTES_MAX};
static struct buffer results = {.cap = BYTES_MAX};

static void expect_same(const struct retry_record *record, const int64_t *numbers) {
    struct retry_record read;

    buffer_clear(&value);
    buffer_clear(&results);
    ck_assert_int_eq(retry_value_store(record, numbers, &value), STATUS_OK);
    ck_assert_int_eq(retry_value_parse(buffer_slice(&value), &read, &results), STATUS_OK);
    ck_assert_uint_eq(read.sequence, record->sequence);
    ck_assert_int_eq(read.status, record->status);
    ck_assert_uint_eq(read.version, record->version);
    ck_assert_uint_eq(read.operation, record->operation);
    ck_assert_uint_eq(read.result_count, record->result_count);
    ck_assert(slice_equal(read.answer, record->answer));
    ck_assert_uint_eq(results.len, record->result_count * sizeof(int64_t));
    ck_assert(results.len == 0 || memcmp(results.data, numbers, results.len) == 0);
}

static void forget(void) {
    buffer_deinit(&value);
    buffer_deinit(&results);
}

START_TEST(what_is_written_is_read_again) {
    static const int64_t numbers[] = {0, 1, -1, 63, -64, 64, INT64_MAX, INT64_MIN};
    struct retry_record done = {.sequence = 1, .status = STATUS_OK, .result_count = 8};
    struct retry_record plain = {
        .sequence = UINT64_MAX, .status = STATUS_OK, .answer = slice_from_text("an answer")};
    struct retry_record refused = {.sequence = 0,
                                   .status = STATUS_VERSION_MISMATCH,
                                   .version = UINT64_MAX,
                                   .operation = UINT32_MAX};

    expect_same(&done, numbers);
    expect_same(&plain, NULL);
    expect_same(&refused, NULL);
    forget();
}
END_TEST

START_TEST(outcomes_that_may_change_are_not_kept) {
    static const enum status not_kept[] = {STATUS_NO_SPACE,   STATUS_NO_MEMORY, STATUS_BUSY,
                                           STATUS_LOG_FAILED, STATUS_READ_ONLY, STATUS_CORRUPT,
                                           STATUS_IO,         STATUS_UNKNOWN,   STATUS_DEADLINE};

    for (size_t i = 0; i < sizeof not_kept / sizeof not_kept[0]; i++) {
        ck_assert_msg(!retry_status_is_kept(not_kept[i]), "%s", status_name(not_kept[i]));
    }
    for (int status = 0; status < STATUS_COUNT; status++) {
        struct retry_record record = {.sequence = 7, .status = (enum status)status};
        if (retry_status_is_kept((enum status)status)) {
            expect_same(&record, NULL);
        }
    }
    forget();
}
END_TEST

START_TEST(sequences_share_a_place_with_those_a_round_later_only) {
    struct store_token token = {.client = "client of tests", .sequence = 5};
    uint8_t first[RETRY_KEY_BYTES];
    uint8_t other[RETRY_KEY_BYTES];

    retry_key_store(first, &token);
    for (uint64_t i = 1; i < STORE_RETRY_SEQUENCES; i++) {
        token.sequence = 5 + i;
        retry_key_store(other, &token);
        ck_assert_mem_ne(first, other, sizeof first);
    }
    token.sequence = 5 + STORE_RETRY_SEQUENCES;
    retry_key_store(other, &token);
    ck_assert_mem_eq(first, other, sizeof first);
    token.client[15] ^= 1;
    retry_key_store(other, &token);
    ck_assert_mem_ne(first, other, sizeof first);
}
END_TEST

START_TEST(truncations_and_bytes_too_many_are_corrupt) {
    static const int64_t numbers[] = {300, -300};
    struct retry_record record = {.sequence = 300,
                                  .status = STATUS_OK,
                                  .operation = 3,
                                  .result_count = 2,
                                  .answer = slice_from_text("answer")};
    struct retry_record read;

    buffer_clear(&results);
    ck_assert_int_eq(retry_value_store(&record, numbers, &value), STATUS_OK);
    for (size_t len = 0; len < value.len; len++) {
        ck_assert_int_eq(retry_value_parse(slice_make(value.data, len), &read, &results),
                         STATUS_CORRUPT);
        ck_assert_uint_eq(results.len, 0);
    }
    ck_assert_int_eq(buffer_append_u8(&value, 0), STATUS_OK);
    ck_assert_int_eq(retry_value_parse(buffer_slice(&value), &read, &results), STATUS_CORRUPT);
    forget();
}
END_TEST

START_TEST(an_unknown_code_is_corrupt) {
    static const uint8_t bytes[] = {1, 200, 0, 0, 0};
    struct retry_record read;

    ck_assert_int_eq(retry_value_parse(slice_make(bytes, sizeof bytes), &read, &results),
                     STATUS_CORRUPT);
}
END_TEST

START_TEST(more_results_than_fit_are_too_large) {
    uint32_t count = RETRY_VALUE_BYTES_MAX; /* a byte each, and the head */
    int64_t *numbers = memory_alloc_zeroed(count * sizeof *numbers);
    struct retry_record record = {.sequence = 1, .status = STATUS_OK, .result_count = count};

    ck_assert_ptr_nonnull(numbers);
    ck_assert_int_eq(retry_value_store(&record, numbers, &value), STATUS_TOO_LARGE);
    record.result_count = count - 16;
    buffer_clear(&value);
    ck_assert_int_eq(retry_value_store(&record, numbers, &value), STATUS_OK);
    memory_free(numbers);
    forget();
}
END_TEST

START_TEST(without_memory_nothing_is_read) {
    static const int64_t numbers[] = {1, 2};
    struct retry_record record = {.sequence = 1, .status = STATUS_OK, .result_count = 2};
    struct retry_record read;

    forget();
    ck_assert_int_eq(retry_value_store(&record, numbers, &value), STATUS_OK);
    memory_fail_after(0, true);
    ck_assert_int_eq(retry_value_parse(buffer_slice(&value), &read, &results), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_uint_eq(results.len, 0);
    forget();
}
END_TEST

UNIT_MAIN("retry_row", what_is_written_is_read_again, outcomes_that_may_change_are_not_kept,
          sequences_share_a_place_with_those_a_round_later_only,
          truncations_and_bytes_too_many_are_corrupt, an_unknown_code_is_corrupt,
          more_results_than_fit_are_too_large, without_memory_nothing_is_read)
