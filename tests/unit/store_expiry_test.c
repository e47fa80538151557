/* store_expiry_test.c: keys that expire: gone at once, dropped later, and never back (R15). */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)
#define HOUR_MS UINT64_C(3600000)

static void put_for(struct fixture *fixture, const char *key, const char *value, uint64_t ttl_ms) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text(key),
                            .value = slice_from_text(value),
                            .ttl_ms = ttl_ms};
    enum status status = store_commit_put(commit, &put);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static void flush(struct fixture *fixture) {
    struct error error;
    enum status status = store_flush(fixture->store, &error);
    ck_assert_int_eq(status, STATUS_OK);
}

static void compact(struct fixture *fixture) {
    struct error error;
    enum status status = store_compact(fixture->store, &error);
    ck_assert_int_eq(status, STATUS_OK);
}

static void set_clock_back(struct fixture *fixture) {
    env_memory_set_wall_clock(fixture->memory, env_wall_clock_ms(fixture->memory) - HOUR_MS);
}

START_TEST(an_expired_key_is_absent_at_once) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 1000);
    env_memory_advance_clock(fixture.memory, SECOND_NS - 1000000);
    fixture_expect(&fixture, "a", "1");
    env_memory_advance_clock(fixture.memory, 1000000);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_expired_key_is_no_key_for_a_condition) {
    struct store_condition absent = {STORE_IF_ABSENT, 0};
    struct store_outcome outcome;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 1000);
    env_memory_advance_clock(fixture.memory, SECOND_NS);
    outcome = fixture_put_if(&fixture, "a", slice_from_text("2"), absent, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_expired_key_hides_what_was_there_before) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "old");
    compact(&fixture);
    put_for(&fixture, "a", "new", 1000);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    flush(&fixture); /* becomes a tombstone: the old value lies below */
    fixture_expect_absent(&fixture, "a");
    ck_assert_uint_eq(fixture_stat(&fixture, "table_tombstones"), 1);
    fixture_reopen(&fixture);
    fixture_expect_absent(&fixture, "a");
    compact(&fixture);
    fixture_expect_absent(&fixture, "a");
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(compaction_drops_what_has_expired_with_its_log) {
    struct fixture fixture;
    char key[16];

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 100; i++) {
        char value[3000];
        snprintf(key, sizeof key, "key%02u", i);
        snprintf(value, sizeof value, "%02999u", i);
        put_for(&fixture, key, value, 1000);
    }
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 100);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    fixture_put(&fixture, "key05", "x");
    fixture_put(&fixture, "key99", "x");
    flush(&fixture);
    compact(&fixture);
    ck_assert_uint_le(fixture_stat(&fixture, "table_entries"), 100);
    fixture_expect(&fixture, "key05", "x");
    fixture_expect_absent(&fixture, "key06");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_clock_set_back_revives_nothing) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 1000);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    fixture_expect_absent(&fixture, "a");
    set_clock_back(&fixture);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_clock_set_back_while_the_store_was_closed_revives_nothing) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 5000);
    flush(&fixture);
    env_memory_advance_clock(fixture.memory, 6 * SECOND_NS);
    fixture_expect_absent(&fixture, "a");
    fixture_close(&fixture); /* with nothing to flush */
    set_clock_back(&fixture);
    fixture_open(&fixture);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_clock_set_back_after_a_crash_revives_nothing_that_was_seen_expired) {
    struct power_cut cut = {.mode = POWER_CUT_DROP_ALL, .seed = 1};
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 5000);
    env_memory_advance_clock(fixture.memory, 6 * SECOND_NS);
    fixture_expect_absent(&fixture, "a");
    for (uint32_t i = 0; i < 60; i++) { /* steps of all that ticks */
        scheduler_sim_run_one(fixture.scheduler, true);
    }
    fixture_power_cut(&fixture, &cut);
    set_clock_back(&fixture);
    fixture_open(&fixture);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_ttl_beyond_all_time_is_refused) {
    struct fixture fixture;
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT, .ttl_ms = UINT64_MAX};
    struct store_commit *commit;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_INVALID);
    store_commit_destroy(commit);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store expiry", an_expired_key_is_absent_at_once,
          an_expired_key_is_no_key_for_a_condition, an_expired_key_hides_what_was_there_before,
          compaction_drops_what_has_expired_with_its_log, a_clock_set_back_revives_nothing,
          a_clock_set_back_while_the_store_was_closed_revives_nothing,
          a_clock_set_back_after_a_crash_revives_nothing_that_was_seen_expired,
          a_ttl_beyond_all_time_is_refused)
