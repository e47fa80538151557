/* segment_test.c: values read by reference, and what is said when they are not there. */
#include "storage/segment.h"

#include "storage/env_fault.h"
#include "tests/unit/log_fixture.h"

#define VALUE_MAX (64 * 1024)

static struct log it;
static struct segment *segment;
static struct buffer scratch;
static uint8_t raw[VALUE_MAX];

static struct segment_source source_of(struct env *env) {
    return (struct segment_source){env, LOG_DIR, it.compression, STORE_ID_A};
}

static enum status open_segment(struct env *env, uint64_t number) {
    struct segment_source source = source_of(env);
    return segment_open(&source, number, &segment, &it.error);
}

/* Segment 1 with values of 1, 100, 5000 and 40000 bytes, compressed and not. */
static void start(void) {
    log_init(&it);
    buffer_init(&scratch, VALUE_BYTES_MAX);
    log_segment(&it, 1);
    log_group(&it, 2, 1);
    log_group(&it, 2, 100);
    log_group(&it, 2, 5000);
    log_group(&it, 2, 40000);
    ck_assert_int_eq(open_segment(it.env, 1), STATUS_OK);
}

static void finish(void) {
    segment_close(segment);
    segment = NULL;
    buffer_deinit(&scratch);
    log_deinit(&it);
}

static enum status read_as(const struct value_ref *ref, enum read_wait wait) {
    memset(raw, 0xEE, sizeof raw);
    return segment_read_value(segment, ref, wait, raw, &scratch, &it.error);
}

static void expect_value(const struct written *written) {
    uint8_t *expected = memory_alloc(written->ref.raw_bytes);
    fill_value(expected, written->ref.raw_bytes, written->version);
    ck_assert_mem_eq(raw, expected, written->ref.raw_bytes);
    ck_assert_uint_eq(raw[written->ref.raw_bytes], 0xEE); /* and nothing beyond */
    memory_free(expected);
}

START_TEST(every_value_is_read_waiting_or_not) {
    unsigned compressed = 0;
    start();
    ck_assert_uint_eq(segment_header(segment)->number, 1);
    for (size_t i = 0; i < it.written_count; i++) {
        const struct written *written = &it.written[i];
        ck_assert(written->has_ref);
        compressed += written->ref.compressed;
        ck_assert_int_eq(read_as(&written->ref, READ_WAIT_ALLOWED), STATUS_OK);
        expect_value(written);
        ck_assert_int_eq(read_as(&written->ref, READ_WAIT_NEVER), STATUS_OK);
        expect_value(written);
    }
    ck_assert_uint_gt(compressed, 1);
    ck_assert_uint_lt(compressed, it.written_count);
    finish();
}
END_TEST

START_TEST(value_of_no_bytes_is_read) {
    struct value_ref ref = {.segment = 1, .offset = SEGMENT_HEADER_BYTES};
    start();
    ref.checksum = checksum_of(slice_make("", 0));
    ck_assert_int_eq(read_as(&ref, READ_WAIT_ALLOWED), STATUS_OK);
    finish();
}
END_TEST

START_TEST(value_that_was_appended_after_opening_is_read) {
    start();
    log_group(&it, 1, 777);
    ck_assert_int_eq(read_as(&it.written[it.written_count - 1].ref, READ_WAIT_ALLOWED), STATUS_OK);
    expect_value(&it.written[it.written_count - 1]);
    finish();
}
END_TEST

START_TEST(damaged_value_is_refused_with_file_and_offset) {
    char path[ENV_PATH_MAX];
    start();
    segment_path(1, path);
    for (size_t i = 0; i < it.written_count; i++) {
        const struct value_ref *ref = &it.written[i].ref;
        const uint8_t wrong[4] = {0xFF, 0x00, 0xA5, 0x5A};
        size_t len = ref->stored_bytes < 4 ? ref->stored_bytes : 4;
        ck_assert_int_eq(env_memory_poke(it.env, path, ref->offset + ref->stored_bytes - len,
                                         slice_make(wrong, len)),
                         STATUS_OK);
        ck_assert_int_eq(read_as(ref, READ_WAIT_ALLOWED), STATUS_CORRUPT);
        ck_assert_str_eq(it.error.path, path);
        ck_assert_uint_eq(it.error.offset, ref->offset);
    }
    finish();
}
END_TEST

static void expect_bad_ref(struct value_ref ref) {
    ck_assert_int_eq(read_as(&ref, READ_WAIT_ALLOWED), STATUS_CORRUPT);
}

START_TEST(reference_that_is_wrong_in_any_field_is_refused) {
    struct value_ref good;
    struct value_ref ref;
    start();
    good = it.written[3].ref; /* 100 bytes, not compressed */
    ck_assert(!good.compressed);
    ck_assert_int_eq(read_as(&good, READ_WAIT_ALLOWED), STATUS_OK);
    ref = good;
    ref.offset = SEGMENT_HEADER_BYTES - 1;
    expect_bad_ref(ref);
    ref.offset = good.offset + 1;
    expect_bad_ref(ref);
    ref.offset = 1 << 30; /* beyond the file */
    expect_bad_ref(ref);
    ref.offset = UINT64_MAX - 10;
    expect_bad_ref(ref);
    ref = good;
    ref.raw_bytes--;
    expect_bad_ref(ref); /* two lengths */
    ref.stored_bytes--;
    expect_bad_ref(ref);
    ref.raw_bytes = VALUE_BYTES_MAX + 1;
    ref.stored_bytes = VALUE_BYTES_MAX + 1;
    expect_bad_ref(ref);
    ref = good;
    ref.checksum ^= 1;
    expect_bad_ref(ref);
    ref = good;
    ref.compressed = true;
    expect_bad_ref(ref);
    finish();
}
END_TEST

START_TEST(cold_value_is_not_waited_for_unless_allowed) {
    const struct fault_rule cold = {.kinds = FAULT_READ_NOWAIT,
                                    .countdown = 1,
                                    .for_ever = true,
                                    .fault = FAULT_IS_WOULD_BLOCK};
    struct env *env;
    start();
    segment_close(segment);
    ck_assert_int_eq(env_fault_create(it.env, NULL, &env), STATUS_OK);
    env_fault_add(env, &cold);
    ck_assert_int_eq(open_segment(env, 1), STATUS_OK);
    ck_assert_int_eq(read_as(&it.written[5].ref, READ_WAIT_NEVER), STATUS_WOULD_BLOCK);
    ck_assert_int_eq(read_as(&it.written[5].ref, READ_WAIT_ALLOWED), STATUS_OK);
    segment_close(segment);
    segment = NULL;
    env_fault_destroy(env);
    finish();
}
END_TEST

START_TEST(opening_checks_name_store_and_header) {
    char path[ENV_PATH_MAX];
    const uint8_t wrong = 0x77;
    struct segment_source source;
    struct segment *other = NULL;
    static uint8_t bytes[LOG_FILE_BYTES_MAX];
    size_t len;
    start();
    source = source_of(it.env);
    ck_assert_int_eq(segment_open(&source, 9, &other, &it.error), STATUS_CORRUPT);
    source.store_id[2] ^= 1;
    ck_assert_int_eq(segment_open(&source, 1, &other, &it.error), STATUS_CORRUPT);
    source = source_of(it.env);
    len = file_get(it.env, 1, bytes);
    file_put(it.env, 2, bytes, len);
    ck_assert_int_eq(segment_open(&source, 2, &other, &it.error), STATUS_CORRUPT);
    file_put(it.env, 3, bytes, SEGMENT_HEADER_BYTES - 1);
    ck_assert_int_eq(segment_open(&source, 3, &other, &it.error), STATUS_CORRUPT);
    segment_path(1, path);
    ck_assert_int_eq(env_memory_poke(it.env, path, 30, slice_make(&wrong, 1)), STATUS_OK);
    ck_assert_int_eq(segment_open(&source, 1, &other, &it.error), STATUS_CORRUPT);
    ck_assert_ptr_null(other);
    finish();
}
END_TEST

START_TEST(nth_io_failing_is_an_error_never_a_wrong_value) {
    const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_SHORT};
    start();
    segment_close(segment);
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t n = 1; n <= 3; n++) { /* open, header, value */
            struct fault_rule rule = {.kinds = FAULT_OPEN | FAULT_READ, .countdown = n};
            struct env *env;
            enum status status;
            rule.fault = faults[kind];
            segment = NULL;
            ck_assert_int_eq(env_fault_create(it.env, NULL, &env), STATUS_OK);
            env_fault_add(env, &rule);
            status = open_segment(env, 1);
            if (status == STATUS_OK) {
                status = read_as(&it.written[4].ref, READ_WAIT_ALLOWED);
            }
            ck_assert(status == STATUS_IO || status == STATUS_CORRUPT);
            segment_close(segment);
            env_fault_destroy(env);
        }
    }
    segment = NULL;
    finish();
}
END_TEST

START_TEST(nth_allocation_failing_is_told) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;
    start();
    segment_close(segment);
    for (n = 0; status == STATUS_NO_MEMORY; n++) {
        segment = NULL;
        memory_fail_after(n, false);
        status = open_segment(it.env, 1);
        if (status == STATUS_OK) {
            status = read_as(&it.written[6].ref, READ_WAIT_ALLOWED); /* compressed */
        }
        memory_fail_never();
        if (status != STATUS_OK) {
            segment_close(segment);
        }
    }
    ck_assert(it.written[6].ref.compressed);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(n, 2);
    finish();
}
END_TEST

UNIT_MAIN("segment", every_value_is_read_waiting_or_not, value_of_no_bytes_is_read,
          value_that_was_appended_after_opening_is_read,
          damaged_value_is_refused_with_file_and_offset,
          reference_that_is_wrong_in_any_field_is_refused,
          cold_value_is_not_waited_for_unless_allowed, opening_checks_name_store_and_header,
          nth_io_failing_is_an_error_never_a_wrong_value, nth_allocation_failing_is_told)
