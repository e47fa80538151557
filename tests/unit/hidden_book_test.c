/* hidden_book_test.c: which hidden entries go together, in few buckets. */
#include "storage/hidden_book.h"
#include "tests/unit/unit.h"

#include "storage/random.h"

static struct hidden_book book;
static struct hidden_bucket buckets[HIDDEN_BUCKETS_MAX];

static void start(void) {
    book = (struct hidden_book){0};
}

static void add(uint64_t group, uint64_t version, uint64_t hider, uint64_t weight) {
    struct hidden_entry entry = {
        .version = version, .hider = hider, .newer = 1, .group = group, .weight = weight};

    hidden_book_add(&book, &entry);
}

static uint64_t weight_up_to(uint64_t hider, uint32_t count) {
    uint64_t weight = 0;

    for (uint32_t i = 0; i < count; i++) {
        weight += buckets[i].hider_max <= hider ? buckets[i].weight : 0;
    }
    return weight;
}

START_TEST(nothing_hidden_makes_no_bucket) {
    start();
    ck_assert_uint_eq(hidden_book_make(&book, buckets), 0);
}
END_TEST

START_TEST(up_to_sixteen_entries_stand_for_themselves) {
    start();
    for (uint64_t i = HIDDEN_BUCKETS_MAX; i > 0; i--) {
        add(i % 2, i, 100 + i, 10 * i);
    }
    ck_assert_uint_eq(hidden_book_make(&book, buckets), HIDDEN_BUCKETS_MAX);
    for (uint64_t i = 0; i < HIDDEN_BUCKETS_MAX; i++) {
        uint64_t version = i < 8 ? 2 * (i + 1) : 2 * (i - 8) + 1;
        ck_assert_uint_eq(buckets[i].version_min, version);
        ck_assert_uint_eq(buckets[i].hider_max, 100 + version);
        ck_assert_uint_eq(buckets[i].newer_min, 1);
        ck_assert_uint_eq(buckets[i].entries, 1);
        ck_assert_uint_eq(buckets[i].weight, 10 * version);
    }
}
END_TEST

START_TEST(a_bucket_has_the_extremes_of_its_entries) {
    struct hidden_entry entry = {.version = 9, .hider = 30, .newer = 4, .group = 1, .weight = 50};

    start();
    hidden_book_add(&book, &entry);
    for (uint64_t i = 0; i < 1000; i++) {
        add(0, 100 + i, 1000 + i, 10);
    }
    entry.version = 7;
    entry.newer = 2;
    hidden_book_add(&book, &entry);
    ck_assert_uint_eq(hidden_book_make(&book, buckets), HIDDEN_BUCKETS_MAX);
    ck_assert_uint_eq(buckets[HIDDEN_BUCKETS_MAX - 1].version_min, 7);
    ck_assert_uint_eq(buckets[HIDDEN_BUCKETS_MAX - 1].hider_max, 30);
    ck_assert_uint_eq(buckets[HIDDEN_BUCKETS_MAX - 1].newer_min, 2);
    ck_assert_uint_eq(buckets[HIDDEN_BUCKETS_MAX - 1].entries, 2);
    ck_assert_uint_eq(buckets[HIDDEN_BUCKETS_MAX - 1].weight, 100);
}
END_TEST

START_TEST(entries_held_by_the_same_are_not_mixed_with_others) {
    struct random random = {7};

    start();
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t group = random_below(&random, 5);
        add(group, 1000 * (group + 1), 10000 - 1000 * group + random_below(&random, 900), 10);
    }
    ck_assert_uint_eq(hidden_book_make(&book, buckets), HIDDEN_BUCKETS_MAX);
    for (uint32_t i = 0; i < HIDDEN_BUCKETS_MAX; i++) {
        uint64_t group = buckets[i].version_min / 1000 - 1;
        ck_assert_uint_ge(buckets[i].hider_max, 10000 - 1000 * group);
        ck_assert_uint_lt(buckets[i].hider_max, 10900 - 1000 * group);
    }
}
END_TEST

START_TEST(what_goes_with_time_is_seen_in_steps) {
    struct random random = {3};
    uint32_t count;

    start();
    for (uint32_t i = 0; i < 100000; i++) {
        add(0, 1, 2 + random_below(&random, 100000), 1);
    }
    count = hidden_book_make(&book, buckets);
    ck_assert_uint_eq(weight_up_to(UINT64_MAX, count), 100000);
    for (uint64_t hider = 10000; hider <= 100000; hider += 10000) {
        ck_assert_uint_le(weight_up_to(hider, count), hider + 1000);
        ck_assert_uint_ge(weight_up_to(hider, count) + 20000, hider);
    }
}
END_TEST

/* Ascending and descending places are the worst for who joins what comes. */
START_TEST(the_order_of_the_entries_does_not_matter_much) {
    for (uint32_t turn = 0; turn < 2; turn++) {
        uint32_t count;
        start();
        for (uint64_t i = 0; i < 50000; i++) {
            add(0, 1, turn == 0 ? 2 + i : 50002 - i, 1);
        }
        count = hidden_book_make(&book, buckets);
        ck_assert_uint_eq(weight_up_to(UINT64_MAX, count), 50000);
        ck_assert_uint_ge(weight_up_to(25000, count), 10000);
    }
}
END_TEST

START_TEST(weights_near_the_limit_do_not_overflow_a_choice) {
    start();
    for (uint64_t i = 0; i < 200; i++) {
        add(i / 50, 1, 2 + i, UINT64_MAX / 256);
    }
    ck_assert_uint_eq(hidden_book_make(&book, buckets), HIDDEN_BUCKETS_MAX);
    ck_assert_uint_eq(weight_up_to(UINT64_MAX, HIDDEN_BUCKETS_MAX), UINT64_MAX / 256 * 200);
}
END_TEST

UNIT_MAIN("hidden_book", nothing_hidden_makes_no_bucket, up_to_sixteen_entries_stand_for_themselves,
          a_bucket_has_the_extremes_of_its_entries,
          entries_held_by_the_same_are_not_mixed_with_others, what_goes_with_time_is_seen_in_steps,
          the_order_of_the_entries_does_not_matter_much,
          weights_near_the_limit_do_not_overflow_a_choice)
