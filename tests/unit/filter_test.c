/* filter_test.c: never a wrong no, and few wrong yeses. */
#include "storage/filter.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "tests/unit/unit.h"

static uint64_t row_hash(uint64_t number) {
    uint8_t bytes[8];
    store_u64(bytes, number);
    return checksum_of(slice_make(bytes, sizeof bytes));
}

static uint8_t *built(size_t rows, size_t *bytes_out) {
    uint64_t *hashes = memory_alloc_array(rows + 1, sizeof *hashes);
    uint8_t *lines;
    for (size_t i = 0; i < rows; i++) {
        hashes[i] = row_hash(i);
    }
    *bytes_out = filter_bytes(rows);
    lines = memory_alloc_zeroed(*bytes_out);
    filter_build(lines, *bytes_out, hashes, rows);
    memory_free(hashes);
    return lines;
}

static void expect_all_found(size_t rows) {
    size_t bytes;
    uint8_t *lines = built(rows, &bytes);
    ck_assert(filter_size_is_valid(bytes));
    for (size_t i = 0; i < rows; i++) {
        ck_assert(filter_may_contain(slice_make(lines, bytes), row_hash(i)));
    }
    memory_free(lines);
}

START_TEST(what_was_built_in_is_always_found) {
    expect_all_found(0);
    expect_all_found(1);
    expect_all_found(51);
    expect_all_found(52);
    expect_all_found(10000);
}
END_TEST

START_TEST(about_one_absent_row_in_a_hundred_passes) {
    size_t bytes;
    size_t passed = 0;
    uint8_t *lines = built(20000, &bytes);
    ck_assert_uint_le(bytes * 8, 20000 * 101 / 10);
    for (uint64_t i = 0; i < 100000; i++) {
        passed += filter_may_contain(slice_make(lines, bytes), row_hash(1000000 + i));
    }
    ck_assert_uint_lt(passed, 1500);
    ck_assert_uint_gt(passed, 300);
    memory_free(lines);
}
END_TEST

START_TEST(an_empty_filter_refuses_all) {
    size_t bytes;
    uint8_t *lines = built(0, &bytes);
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert(!filter_may_contain(slice_make(lines, bytes), row_hash(i)));
    }
    memory_free(lines);
}
END_TEST

START_TEST(only_whole_lines_are_a_filter) {
    ck_assert(!filter_size_is_valid(0));
    ck_assert(!filter_size_is_valid(63));
    ck_assert(filter_size_is_valid(64));
    ck_assert(!filter_size_is_valid(65));
}
END_TEST

UNIT_MAIN("filter", what_was_built_in_is_always_found, about_one_absent_row_in_a_hundred_passes,
          an_empty_filter_refuses_all, only_whole_lines_are_a_filter)
