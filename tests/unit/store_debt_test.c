/* store_debt_test.c: what deletes, expiry and range deletes free comes back without another write,
 * what nobody needs goes whole, and what a snapshot still sees stays, without endless work. */
#include "storage/file_name.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)
#define KEYS 200u

static struct fixture fixture;

static void start(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
}

static void end(void) {
    fixture_deinit(&fixture);
}

static uint64_t stat(const char *name) {
    return fixture_stat(&fixture, name);
}

static void flush(void) {
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
}

static void compact(void) {
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
}

static void name_key(char key[16], uint32_t number) {
    snprintf(key, 16, "key%03u", number);
}

static void put_keys(uint64_t ttl_ms) {
    for (uint32_t i = 0; i < KEYS; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT, .ttl_ms = ttl_ms};
        char key[16];
        name_key(key, i);
        put.key = slice_from_text(key);
        put.value = slice_from_text("some value that stands in the table itself");
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
}

static void delete_keys(uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        char key[16];
        name_key(key, i);
        fixture_delete(&fixture, key);
    }
}

static void delete_range(const char *from, const char *to) {
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .from = slice_from_text(from),
                                .to = slice_from_text(to)};
    struct store_commit *commit = fixture_commit_begin(&fixture);

    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

/* Time passes in which nobody writes: `seconds` of ticks. */
static void rest(uint32_t seconds) {
    uint64_t until = scheduler_sim_now_ns(fixture.scheduler) + seconds * SECOND_NS;

    while (scheduler_sim_now_ns(fixture.scheduler) < until) {
        ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
    }
    fixture_settle(&fixture);
}

START_TEST(a_table_that_has_expired_goes_whole) {
    uint64_t written;

    start();
    put_keys(1000);
    compact();
    ck_assert_uint_eq(stat("table_entries"), KEYS);
    written = stat("compaction_output_bytes");
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    rest(2);
    ck_assert_uint_eq(stat("table_entries"), 0);
    ck_assert_uint_gt(stat("dropped_tables"), 0);
    ck_assert_uint_eq(stat("compaction_output_bytes"), written);
    end();
}
END_TEST

START_TEST(a_table_under_a_range_delete_goes_whole) {
    uint64_t written;

    start();
    put_keys(0);
    compact();
    written = stat("compaction_output_bytes");
    delete_range("key", "kez");
    rest(3);
    ck_assert_uint_gt(stat("dropped_tables"), 0);
    ck_assert_uint_le(stat("table_entries"), 1); /* the row of the range delete, at most */
    ck_assert_uint_le(stat("compaction_output_bytes"), written + 4096);
    fixture_expect_absent(&fixture, "key007");
    fixture_reopen(&fixture);
    fixture_expect_absent(&fixture, "key007");
    end();
}
END_TEST

START_TEST(tombstones_go_without_further_writes) {
    start();
    put_keys(0);
    compact();
    delete_keys(0, KEYS / 2);
    rest(4);
    ck_assert_uint_eq(stat("table_entries"), KEYS / 2);
    ck_assert_uint_eq(stat("table_tombstones"), 0);
    fixture_expect_absent(&fixture, "key007");
    fixture_expect(&fixture, "key150", "some value that stands in the table itself");
    end();
}
END_TEST

START_TEST(the_rest_of_a_range_goes_out_of_tables_that_are_only_touched) {
    start();
    put_keys(0);
    compact();
    delete_range("key010", "key020");
    rest(4);
    ck_assert_uint_le(stat("table_entries"), KEYS - 10 + 1); /* and the row of the range delete */
    fixture_expect_absent(&fixture, "key015");
    fixture_expect(&fixture, "key020", "some value that stands in the table itself");
    end();
}
END_TEST

START_TEST(what_has_expired_in_part_is_rewritten) {
    start();
    put_keys(1000);
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%03ux", i);
        fixture_put(&fixture, key, "for ever");
    }
    compact();
    ck_assert_uint_eq(stat("table_entries"), 2 * KEYS);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    rest(2);
    ck_assert_uint_eq(stat("table_entries"), KEYS);
    fixture_expect(&fixture, "key007x", "for ever");
    end();
}
END_TEST

/* Asks again every second, and finds each time that nothing can be done. */
static void expect_rest(void) {
    uint64_t compactions;

    rest(5);
    compactions = stat("compactions");
    rest(20);
    ck_assert_uint_eq(stat("compactions"), compactions);
}

START_TEST(a_snapshot_holds_all_that_it_sees_without_endless_work) {
    struct store_snapshot_info snapshot;

    start();
    put_keys(3600 * 1000);
    compact();
    ck_assert_int_eq(store_snapshot_open(fixture.store, "test", 0, &snapshot), STATUS_OK);
    delete_keys(0, KEYS / 2);
    delete_range("key150", "key160");
    flush();
    env_memory_advance_clock(fixture.memory, 7200 * SECOND_NS);
    expect_rest();
    ck_assert_uint_ge(stat("table_entries"), KEYS);
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
    rest(5);
    ck_assert_uint_le(stat("table_entries"), 1);
    end();
}
END_TEST

START_TEST(a_snapshot_does_not_hold_what_came_and_went_after_it) {
    struct store_snapshot_info snapshot;

    start();
    fixture_put(&fixture, "old", "value");
    compact();
    ck_assert_int_eq(store_snapshot_open(fixture.store, "test", 0, &snapshot), STATUS_OK);
    put_keys(0);
    flush();
    delete_range("key", "kez");
    rest(5);
    ck_assert_uint_le(stat("table_entries"), 3); /* old, and two small rows of kvd's own */
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
    end();
}
END_TEST

/* Spoils the first block of every table that there is. */
static void damage_tables(void) {
    for (uint64_t number = 1; number < 100; number++) {
        char path[ENV_PATH_MAX];
        enum status status = file_path_make(fixture.options.dir, FILE_TABLE, number, path);
        ck_assert_int_eq(status, STATUS_OK);
        status =
            env_memory_poke(fixture.memory, path, 40, slice_from_text("not what was here before"));
        ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    }
}

static enum status health(void) {
    struct error error = {0};

    return store_health(fixture.store, &error);
}

START_TEST(damage_stops_what_meets_it_and_nothing_else) {
    uint64_t flushes;

    start();
    put_keys(0);
    compact();
    damage_tables();
    put_keys(0);
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_CORRUPT);
    ck_assert_int_eq(health(), STATUS_CORRUPT);
    flushes = stat("flushes");
    for (uint32_t i = 0; i < 10; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .key = slice_from_text("soon gone"),
                                .value = slice_from_text("value"),
                                .ttl_ms = 1000};
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
    flush();
    ck_assert_uint_gt(stat("flushes"), flushes);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    rest(3);
    ck_assert_uint_eq(stat("dropped_tables"), 1);
    ck_assert_int_eq(store_collect(fixture.store, &fixture.error), STATUS_OK);
    ck_assert_int_eq(store_close(fixture.store, &fixture.error), STATUS_CORRUPT);
    fixture.store = NULL;
    end();
}
END_TEST

UNIT_MAIN("store debt", a_table_that_has_expired_goes_whole,
          a_table_under_a_range_delete_goes_whole, tombstones_go_without_further_writes,
          the_rest_of_a_range_goes_out_of_tables_that_are_only_touched,
          what_has_expired_in_part_is_rewritten,
          a_snapshot_holds_all_that_it_sees_without_endless_work,
          a_snapshot_does_not_hold_what_came_and_went_after_it,
          damage_stops_what_meets_it_and_nothing_else)
