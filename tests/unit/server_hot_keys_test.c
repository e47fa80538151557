/* server_hot_keys_test.c: which keys are asked for most. */
#include "protocol/base/memory.h"
#include "server/hot_keys.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SEED 4711

static struct hot_keys *fresh(void) {
    struct hot_keys *keys;

    ck_assert_int_eq(hot_keys_create(0, SEED, &keys), STATUS_OK);
    return keys;
}

static void sample(struct hot_keys *keys, const char *key, int times) {
    for (int i = 0; i < times; i++) {
        hot_keys_sample(keys, slice_make(NULL, 0), slice_from_text(key), false);
    }
}

struct report {
    struct hot_key_view *views;
    uint32_t count;
};

static struct report report_of(struct hot_keys *keys, uint64_t now_ms) {
    struct hot_keys *const all[] = {NULL, keys};
    struct report report;

    ck_assert_int_eq(hot_keys_collect(all, 2, now_ms, &report.views, &report.count), STATUS_OK);
    return report;
}

static void check_key(const struct hot_key_view *view, const char *key) {
    ck_assert_uint_eq(view->key_len, strlen(key));
    ck_assert_int_eq(memcmp(view->key, key, strlen(key)), 0);
}

START_TEST(distances_are_sixty_four_on_average) {
    struct hot_keys *keys = fresh();
    uint64_t sum = 0;

    for (int i = 0; i < 100000; i++) {
        uint32_t distance = hot_keys_distance(keys);
        ck_assert(distance >= 1 && distance <= 127);
        sum += distance;
    }
    ck_assert(sum > 6300000 && sum < 6500000);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(the_hottest_comes_first_with_its_rates) {
    struct hot_keys *keys = fresh();
    struct report report;

    sample(keys, "warm", 4);
    sample(keys, "hot", 10);
    hot_keys_sample(keys, slice_make(NULL, 0), slice_from_text("hot"), true);
    report = report_of(keys, 500);
    ck_assert_uint_eq(report.count, 2);
    check_key(&report.views[0], "hot");
    ck_assert(report.views[0].reads_per_s > 1279 && report.views[0].reads_per_s < 1281);
    ck_assert(report.views[0].writes_per_s > 127 && report.views[0].writes_per_s < 129);
    check_key(&report.views[1], "warm");
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(what_was_seen_once_or_twice_is_chance) {
    struct hot_keys *keys = fresh();
    struct report report;

    sample(keys, "once", 1);
    sample(keys, "twice", 2);
    report = report_of(keys, 1000);
    ck_assert_uint_eq(report.count, 0);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(a_hot_key_stays_though_ever_new_ones_come) {
    struct hot_keys *keys = fresh();
    struct report report;
    char key[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "cold%d", i);
        sample(keys, key, 1);
        if (i % 50 == 0) {
            sample(keys, "hot", 1);
        }
    }
    report = report_of(keys, 1000);
    ck_assert_uint_eq(report.count, 1);
    check_key(&report.views[0], "hot");
    ck_assert(report.views[0].reads_per_s <= 400 * 64); /* never too many */
    ck_assert(report.views[0].reads_per_s > 300 * 64);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(a_steady_rate_is_the_same_after_a_second_and_after_a_minute) {
    struct hot_keys *keys = fresh();

    for (uint64_t second = 1; second <= 60; second++) {
        struct report report;
        sample(keys, "steady", 100);
        report = report_of(keys, second * 1000 - 1);
        ck_assert(report.views[0].reads_per_s > 6399 && report.views[0].reads_per_s < 6500);
        memory_free(report.views);
        hot_keys_age(keys, second * 1000);
    }
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(what_is_not_asked_for_any_more_is_forgotten) {
    struct hot_keys *keys = fresh();
    struct report report;

    sample(keys, "old", 1000);
    hot_keys_age(keys, 999);
    report = report_of(keys, 999);
    ck_assert_uint_eq(report.count, 1);
    memory_free(report.views);
    hot_keys_age(keys, UINT64_C(1) << 50); /* after a long sleep, in no time */
    report = report_of(keys, UINT64_C(1) << 50);
    ck_assert_uint_eq(report.count, 0);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(loops_are_added_up) {
    struct hot_keys *keys[2] = {fresh(), fresh()};
    struct report report;

    sample(keys[0], "both", 5);
    sample(keys[1], "both", 5);
    sample(keys[1], "one", 6);
    ck_assert_int_eq(hot_keys_collect(keys, 2, 1000, &report.views, &report.count), STATUS_OK);
    ck_assert_uint_eq(report.count, 2);
    check_key(&report.views[0], "both");
    ck_assert(report.views[0].reads_per_s > 639 && report.views[0].reads_per_s < 641);
    memory_free(report.views);
    hot_keys_destroy(keys[0]);
    hot_keys_destroy(keys[1]);
}
END_TEST

START_TEST(namespace_and_key_tell_keys_apart) {
    struct hot_keys *keys = fresh();
    struct report report;

    for (int i = 0; i < 5; i++) {
        hot_keys_sample(keys, slice_from_text("ab"), slice_from_text("c"), false);
        hot_keys_sample(keys, slice_from_text("a"), slice_from_text("bc"), false);
        hot_keys_sample(keys, slice_make(NULL, 0), slice_from_text("abc"), false);
    }
    report = report_of(keys, 1000);
    ck_assert_uint_eq(report.count, 3);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(of_long_keys_the_beginning_is_kept_and_all_of_it_counts) {
    struct hot_keys *keys = fresh();
    struct report report;
    char key[HOT_KEYS_KEY_BYTES_MAX + 2];

    memset(key, 'k', sizeof key);
    for (int i = 0; i < 5; i++) {
        hot_keys_sample(keys, slice_make(NULL, 0), slice_make(key, sizeof key), false);
        hot_keys_sample(keys, slice_make(NULL, 0), slice_make(key, sizeof key - 1), false);
    }
    report = report_of(keys, 1000);
    ck_assert_uint_eq(report.count, 2);
    ck_assert_uint_ge(report.views[0].key_len, HOT_KEYS_KEY_BYTES_MAX + 1);
    ck_assert_int_eq(memcmp(report.views[0].key, key, HOT_KEYS_KEY_BYTES_MAX), 0);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(clearing_begins_anew) {
    struct hot_keys *keys = fresh();
    struct report report;

    sample(keys, "before", 100);
    hot_keys_age(keys, 5000);
    hot_keys_clear(keys, 5000);
    sample(keys, "after", 5);
    report = report_of(keys, 6000);
    ck_assert_uint_eq(report.count, 1);
    check_key(&report.views[0], "after");
    ck_assert(report.views[0].reads_per_s > 319 && report.views[0].reads_per_s < 321);
    memory_free(report.views);
    hot_keys_destroy(keys);
}
END_TEST

START_TEST(without_memory_there_is_neither_a_table_nor_a_report) {
    struct hot_keys *keys = fresh();
    struct hot_keys *more;
    struct report report;

    memory_fail_after(0, true);
    ck_assert_int_eq(hot_keys_create(0, SEED, &more), STATUS_NO_MEMORY);
    ck_assert_int_eq(hot_keys_collect(&keys, 1, 0, &report.views, &report.count), STATUS_NO_MEMORY);
    memory_fail_never();
    hot_keys_destroy(keys);
    hot_keys_destroy(NULL);
}
END_TEST

static void *count_many(void *arg) {
    for (int i = 0; i < 3000; i++) {
        sample(arg, "key", 1);
        hot_keys_age(arg, (uint64_t)i * 10);
    }
    return NULL;
}

START_TEST(others_read_and_clear_while_a_loop_counts) {
    struct hot_keys *keys = fresh();
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, count_many, keys), 0);
    for (int i = 0; i < 100; i++) {
        struct report report = report_of(keys, 0);
        ck_assert_uint_le(report.count, 1);
        memory_free(report.views);
        if (i % 10 == 0) {
            hot_keys_clear(keys, 0);
        }
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    hot_keys_destroy(keys);
}
END_TEST

UNIT_MAIN("server_hot_keys", distances_are_sixty_four_on_average,
          the_hottest_comes_first_with_its_rates, what_was_seen_once_or_twice_is_chance,
          a_hot_key_stays_though_ever_new_ones_come,
          a_steady_rate_is_the_same_after_a_second_and_after_a_minute,
          what_is_not_asked_for_any_more_is_forgotten, loops_are_added_up,
          namespace_and_key_tell_keys_apart,
          of_long_keys_the_beginning_is_kept_and_all_of_it_counts, clearing_begins_anew,
          without_memory_there_is_neither_a_table_nor_a_report,
          others_read_and_clear_while_a_loop_counts)
