/* nearest_test.c: distances between names, and how far is near. */
#include "server/nearest.h"

#include "tests/unit/unit.h"

#include <stdint.h>
#include <string.h>

static void expect_distance(const char *a, const char *b, size_t distance) {
    ck_assert_uint_eq(nearest_distance(a, b), distance);
    ck_assert_uint_eq(nearest_distance(b, a), distance);
}

START_TEST(insertions_deletions_replacements_and_swaps_count_one) {
    expect_distance("", "", 0);
    expect_distance("listen", "listen", 0);
    expect_distance("", "abc", 3);
    expect_distance("listen", "lisen", 1);
    expect_distance("listen", "lissten", 1);
    expect_distance("listen", "lixten", 1);
    expect_distance("listen", "litsen", 1);
    expect_distance("kitten", "sitting", 3);
    expect_distance("ab", "ba", 1);
    expect_distance("abcd", "badc", 2);
}
END_TEST

START_TEST(too_long_a_name_is_near_to_nothing) {
    char name[NEAREST_NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[NEAREST_NAME_MAX] = '\0';
    ck_assert_uint_eq(nearest_distance(name, name), 0);
    name[NEAREST_NAME_MAX] = 'a';
    name[NEAREST_NAME_MAX + 1] = '\0';
    ck_assert_uint_eq(nearest_distance(name, "a"), SIZE_MAX);
    ck_assert(!nearest_is_near(name, SIZE_MAX));
}
END_TEST

START_TEST(near_is_two_or_a_third) {
    ck_assert(nearest_is_near("ab", 2));
    ck_assert(!nearest_is_near("ab", 3));
    ck_assert(nearest_is_near("123456789012", 4));
    ck_assert(!nearest_is_near("123456789012", 5));
}
END_TEST

UNIT_MAIN("nearest", insertions_deletions_replacements_and_swaps_count_one,
          too_long_a_name_is_near_to_nothing, near_is_two_or_a_third)
