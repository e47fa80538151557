/* base_checked_test.c: sums and products that say when they overflow. */
#include "protocol/base/checked.h"

#include "tests/unit/unit.h"

START_TEST(size_sum_up_to_the_maximum_is_exact) {
    size_t sum = 0;

    ck_assert(checked_add_size(SIZE_MAX - 1, 1, &sum));
    ck_assert_uint_eq(sum, SIZE_MAX);
    ck_assert(checked_add_size(0, 0, &sum));
    ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(size_sum_beyond_the_maximum_is_refused_and_writes_nothing) {
    size_t sum = 42;

    ck_assert(!checked_add_size(SIZE_MAX, 1, &sum));
    ck_assert(!checked_add_size(SIZE_MAX, SIZE_MAX, &sum));
    ck_assert_uint_eq(sum, 42);
}
END_TEST

START_TEST(u64_sum_up_to_the_maximum_is_exact) {
    uint64_t sum = 0;

    ck_assert(checked_add_u64(UINT64_MAX, 0, &sum));
    ck_assert_uint_eq(sum, UINT64_MAX);
}
END_TEST

START_TEST(u64_sum_beyond_the_maximum_is_refused_and_writes_nothing) {
    uint64_t sum = 42;

    ck_assert(!checked_add_u64(UINT64_MAX, 1, &sum));
    ck_assert_uint_eq(sum, 42);
}
END_TEST

START_TEST(product_up_to_the_maximum_is_exact) {
    size_t product = 1;

    ck_assert(checked_multiply_size(SIZE_MAX, 1, &product));
    ck_assert_uint_eq(product, SIZE_MAX);
    ck_assert(checked_multiply_size(SIZE_MAX, 0, &product));
    ck_assert_uint_eq(product, 0);
}
END_TEST

START_TEST(product_beyond_the_maximum_is_refused_and_writes_nothing) {
    size_t product = 42;

    ck_assert(!checked_multiply_size(SIZE_MAX, 2, &product));
    ck_assert(!checked_multiply_size(SIZE_MAX / 2 + 1, 2, &product));
    ck_assert_uint_eq(product, 42);
}
END_TEST

UNIT_MAIN("base_checked", size_sum_up_to_the_maximum_is_exact,
          size_sum_beyond_the_maximum_is_refused_and_writes_nothing,
          u64_sum_up_to_the_maximum_is_exact,
          u64_sum_beyond_the_maximum_is_refused_and_writes_nothing,
          product_up_to_the_maximum_is_exact,
          product_beyond_the_maximum_is_refused_and_writes_nothing)
