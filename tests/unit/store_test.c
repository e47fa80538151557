/* store_test.c: the store as its callers see it: stories without threads. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>

START_TEST(what_was_put_is_read) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "alpha", "1");
    fixture_put(&fixture, "beta", "");
    fixture_put_bytes(&fixture, "large", 100000, 7);
    fixture_expect(&fixture, "alpha", "1");
    fixture_expect(&fixture, "beta", "");
    fixture_expect_bytes(&fixture, "large", 100000, 7);
    fixture_expect_absent(&fixture, "gamma");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_was_put_is_there_after_reopening) {
    struct fixture fixture;

    fixture_init(&fixture, 2);
    fixture_open(&fixture);
    fixture_put(&fixture, "alpha", "1");
    fixture_put_bytes(&fixture, "large", 5000, 7);
    fixture_delete(&fixture, "alpha");
    fixture_put(&fixture, "beta", "2");
    fixture_reopen(&fixture);
    fixture_expect_absent(&fixture, "alpha");
    fixture_expect(&fixture, "beta", "2");
    fixture_expect_bytes(&fixture, "large", 5000, 7);
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "beta", "2");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(many_keys_survive_flush_compaction_and_reopening) {
    struct fixture fixture;
    char key[32];

    fixture_init(&fixture, 3);
    fixture_open(&fixture);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 2000; i++) {
            snprintf(key, sizeof key, "key%05u", i * 7919 % 2000);
            fixture_put_bytes(&fixture, key, 20 + (i * 7919 % 2000) % 2000, round + i % 5);
        }
    }
    fixture_settle(&fixture);
    ck_assert_uint_gt(fixture_stat(&fixture, "flushes"), 3);
    ck_assert_uint_gt(fixture_stat(&fixture, "compactions"), 0);
    fixture_reopen(&fixture);
    for (uint32_t i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key%05u", i * 7919 % 2000);
        fixture_expect_bytes(&fixture, key, 20 + (i * 7919 % 2000) % 2000, 2 + i % 5);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_scan_shows_live_keys_in_order_both_ways) {
    struct fixture fixture;
    char *keys;

    fixture_init(&fixture, 4);
    fixture_open(&fixture);
    fixture_put(&fixture, "c", "3");
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "b", "2");
    fixture_put(&fixture, "d", "4");
    fixture_delete(&fixture, "b");
    fixture_put(&fixture, "a", "5");
    keys = fixture_scan(&fixture, false);
    ck_assert_str_eq(keys, "a c d");
    memory_free(keys);
    fixture_reopen(&fixture);
    fixture_put(&fixture, "b", "9");
    fixture_delete(&fixture, "d");
    keys = fixture_scan(&fixture, true);
    ck_assert_str_eq(keys, "c b a");
    memory_free(keys);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(conditions_are_judged_before_anything_is_done) {
    struct store_condition absent = {STORE_IF_ABSENT, 0};
    struct store_condition present = {STORE_IF_PRESENT, 0};
    struct store_outcome outcome;
    struct fixture fixture;

    fixture_init(&fixture, 5);
    fixture_open(&fixture);
    outcome = fixture_put_if(&fixture, "k", slice_from_text("1"), present, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_ABSENT);
    outcome = fixture_put_if(&fixture, "k", slice_from_text("1"), absent, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    fixture_reopen(&fixture); /* now it is in a table, which the judge must read from the disk */
    outcome = fixture_put_if(&fixture, "k", slice_from_text("2"), absent, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_EXISTS);
    ck_assert_uint_eq(outcome.version, fixture.last_version);
    outcome = fixture_put_if(&fixture, "k", slice_from_text("2"),
                             (struct store_condition){STORE_IF_VERSION, fixture.last_version},
                             STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    outcome = fixture_put_if(&fixture, "k", slice_from_text("3"),
                             (struct store_condition){STORE_IF_VERSION, 1}, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_VERSION_MISMATCH);
    ck_assert_uint_eq(outcome.version, fixture.last_version);
    fixture_expect(&fixture, "k", "2");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_acknowledged_put_survives_a_power_cut) {
    struct power_cut cut = {.mode = POWER_CUT_DROP_ALL, .seed = 1};
    struct fixture fixture;

    fixture_init(&fixture, 6);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put_bytes(&fixture, "b", 50000, 3);
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    fixture_expect(&fixture, "a", "1");
    fixture_expect_bytes(&fixture, "b", 50000, 3);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(with_threads_on_the_disk) {
    struct fixture fixture;
    char key[32];

    fixture_init_on_disk(&fixture);
    fixture.options.memtable_bytes = 64 * 1024;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key%05u", i);
        fixture_put_bytes(&fixture, key, 700 + i * 10, i);
    }
    fixture_reopen(&fixture);
    for (uint32_t i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key%05u", i);
        fixture_expect_bytes(&fixture, key, 700 + i * 10, i);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store", what_was_put_is_read, what_was_put_is_there_after_reopening,
          many_keys_survive_flush_compaction_and_reopening,
          a_scan_shows_live_keys_in_order_both_ways, conditions_are_judged_before_anything_is_done,
          an_acknowledged_put_survives_a_power_cut, with_threads_on_the_disk)
