/* range_row_test.c: range deletes as rows: what is written is read again, and nothing else is. */
#include "storage/range_row.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/ikey.h"

static struct buffer value;
static uint8_t key[RANGE_KEY_BYTES];

static struct key_range range_of(const char *from, const char *to) {
    return (struct key_range){NAMESPACE_DEFAULT, slice_from_text(from), slice_from_text(to)};
}

static void write_range(const struct key_range *range) {
    buffer_deinit(&value);
    buffer_init(&value, RANGE_VALUE_BYTES_MAX);
    ck_assert_int_eq(range_row_store(range, key, &value), STATUS_OK);
}

static enum status read_range(struct key_range *range_out) {
    return range_row_parse(slice_make(key, sizeof key), buffer_slice(&value), range_out);
}

static void expect_same(const struct key_range *range) {
    struct key_range read;

    write_range(range);
    ck_assert_int_eq(read_range(&read), STATUS_OK);
    ck_assert_uint_eq(read.namespace_id, range->namespace_id);
    ck_assert(slice_equal(read.from, range->from));
    ck_assert(slice_equal(read.to, range->to));
    buffer_deinit(&value);
}

START_TEST(what_is_written_is_read_again) {
    uint8_t *longest = memory_alloc(KEY_BYTES_MAX);
    struct key_range range = range_of("b", "bx");

    ck_assert_ptr_nonnull(longest);
    memset(longest, 0xFF, KEY_BYTES_MAX);
    expect_same(&range);
    range = range_of("", "");
    expect_same(&range);
    range.namespace_id = UINT32_MAX - 1;
    range.from = slice_make(longest, KEY_BYTES_MAX - 1);
    range.to = slice_make(longest, KEY_BYTES_MAX);
    expect_same(&range);
    write_range(&range);
    ck_assert_uint_le(value.len, RANGE_VALUE_BYTES_MAX);
    buffer_deinit(&value);
    memory_free(longest);
}
END_TEST

START_TEST(a_range_is_named_by_what_it_is) {
    struct key_range range = range_of("b", "c");
    uint8_t first[RANGE_KEY_BYTES];

    write_range(&range);
    memcpy(first, key, sizeof key);
    ck_assert(range_row_is_key(slice_make(first, sizeof first)));
    write_range(&range);
    ck_assert_mem_eq(first, key, sizeof key);
    range.namespace_id++;
    write_range(&range);
    ck_assert_mem_ne(first, key, sizeof key);
    buffer_deinit(&value);
}
END_TEST

START_TEST(every_flipped_bit_and_every_truncation_is_corrupt) {
    struct key_range range = range_of("from here", "to there");
    struct key_range read;

    write_range(&range);
    for (size_t bit = 0; bit < 8 * value.len; bit++) {
        value.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(read_range(&read), STATUS_CORRUPT);
        value.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(read_range(&read), STATUS_CORRUPT);
        key[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(read_range(&read), STATUS_OK);
    ck_assert_int_eq(buffer_append_u8(&value, 0), STATUS_OK);
    checksum_wide_store(key + RANGE_KEY_PREFIX_BYTES, buffer_slice(&value));
    ck_assert_int_eq(read_range(&read), STATUS_CORRUPT); /* more than a range */
    while (value.len > 0) {
        value.len--;
        ck_assert_int_eq(read_range(&read), STATUS_CORRUPT);
    }
    buffer_deinit(&value);
}
END_TEST

START_TEST(what_may_not_be_deleted_is_not_valid) {
    struct key_range range = range_of("b", "c");

    ck_assert(key_range_is_valid(&range));
    range.namespace_id = NAMESPACE_SYSTEM;
    ck_assert(!key_range_is_valid(&range));
    range.namespace_id = UINT32_MAX;
    ck_assert(!key_range_is_valid(&range));
    range = range_of("b", "b");
    ck_assert(!key_range_is_valid(&range));
    range = range_of("c", "b");
    ck_assert(!key_range_is_valid(&range));
    range = range_of("c", "");
    ck_assert(key_range_is_valid(&range));
    range.from.len = (size_t)KEY_BYTES_MAX + 1;
    ck_assert(!key_range_is_valid(&range));
}
END_TEST

static bool covers(const struct key_range *range, uint32_t namespace_id, const char *text) {
    uint8_t row[64];
    size_t len = row_store(row, namespace_id, slice_from_text(text));

    return range_covers_row(range, slice_make(row, len));
}

START_TEST(a_range_has_its_first_key_and_not_its_last) {
    struct key_range range = range_of("b", "d");

    ck_assert(covers(&range, 1, "b"));
    ck_assert(covers(&range, 1, "c\xff\xff"));
    ck_assert(!covers(&range, 1, "d"));
    ck_assert(!covers(&range, 1, "a\xff"));
    ck_assert(!covers(&range, 2, "c"));
    range = range_of("", "");
    ck_assert(covers(&range, 1, ""));
    ck_assert(covers(&range, 1, "\xff\xff\xff"));
    ck_assert(!covers(&range, 2, ""));
}
END_TEST

START_TEST(want_of_memory_leaves_the_value_as_it_was) {
    struct key_range range = range_of("b", "d");

    buffer_init(&value, RANGE_VALUE_BYTES_MAX);
    memory_fail_after(0, true);
    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_uint_eq(value.len, 0);
    buffer_init(&value, 5);
    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    value.len = 2;
    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_TOO_LARGE);
    ck_assert_uint_eq(value.len, 2);
    buffer_deinit(&value);
}
END_TEST

UNIT_MAIN("range row", what_is_written_is_read_again, a_range_is_named_by_what_it_is,
          every_flipped_bit_and_every_truncation_is_corrupt, what_may_not_be_deleted_is_not_valid,
          a_range_has_its_first_key_and_not_its_last, want_of_memory_leaves_the_value_as_it_was)
