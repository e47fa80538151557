/* store_why_space_test.c: every byte on disk has somebody who keeps it. */
#include "tests/support/store_fixture.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define VALUE_BYTES 4000u
#define KEYS 20

static struct fixture fixture;

struct told {
    uint64_t sum;
    uint64_t live;
    uint64_t dead_values;
    uint64_t dead_log;
    uint64_t memory_log;
    uint64_t tables;
    uint64_t snapshot;
    uint64_t retention;
    uint64_t relocations;
    char snapshot_holder[400];
    char retention_holder[400];
};

static void space_cb(void *arg, const char *kind, const char *holder, uint64_t bytes) {
    struct told *told = arg;

    told->sum += bytes;
    if (strcmp(kind, "live values in the log") == 0) {
        told->live += bytes;
    } else if (strncmp(kind, "dead values", 11) == 0) {
        told->dead_values += bytes;
    } else if (strncmp(kind, "dead bytes of the log", 21) == 0) {
        told->dead_log += bytes;
    } else if (strcmp(kind, "log of what is in memory") == 0) {
        told->memory_log += bytes;
    } else if (strcmp(kind, "tables") == 0) {
        told->tables += bytes;
    } else if (strncmp(kind, "maps", 4) == 0) {
        told->relocations += bytes;
    } else if (strstr(kind, "snapshot")) {
        told->snapshot += bytes;
        snprintf(told->snapshot_holder, sizeof told->snapshot_holder, "%s", holder);
    } else if (strstr(kind, "retention")) {
        told->retention += bytes;
        snprintf(told->retention_holder, sizeof told->retention_holder, "%s", holder);
    }
}

static enum status size_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)name;
    *(uint64_t *)arg += size_bytes;
    return STATUS_OK;
}

/* What is told, whose sum is what the directory says. */
static struct told why(void) {
    struct told told = {0};
    uint64_t disk_bytes = 0;

    fixture_settle(&fixture);
    ck_assert_int_eq(store_why_space(fixture.store, space_cb, &told, &fixture.error), STATUS_OK);
    ck_assert_int_eq(env_list(fixture.env, fixture.dir, size_cb, &disk_bytes, &fixture.error),
                     STATUS_OK);
    ck_assert_uint_eq(told.sum, disk_bytes);
    return told;
}

static void begin(void) {
    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
}

static void put_all(uint64_t seed) {
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%02d", i);
        fixture_put_bytes(&fixture, key, VALUE_BYTES, seed + (uint64_t)i);
    }
}

static void flush(void) {
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
}

static void compact(void) {
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
}

START_TEST(a_fresh_store_adds_up) {
    begin();
    why();
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(live_values_are_counted_to_the_byte) {
    struct told told;

    begin();
    put_all(1);
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    flush();
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    ck_assert_uint_gt(told.tables, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_was_replaced_is_not_alive_and_goes) {
    struct told told;

    begin();
    put_all(1);
    flush();
    put_all(100);
    flush();
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    ck_assert_uint_le(told.dead_values, KEYS * VALUE_BYTES);
    compact();
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    ck_assert_uint_eq(told.dead_values, 0);
    ck_assert_int_eq(store_collect(fixture.store, &fixture.error), STATUS_OK);
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    ck_assert_uint_lt(told.dead_log, KEYS * VALUE_BYTES);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_snapshot_is_named_with_its_owner_and_what_it_alone_keeps) {
    struct store_snapshot_info snapshot;
    struct told told;

    begin();
    put_all(1);
    ck_assert_int_eq(store_snapshot_open(fixture.store, "a test", 0, &snapshot), STATUS_OK);
    put_all(100);
    flush();
    compact();
    told = why();
    ck_assert_uint_eq(told.snapshot, KEYS * VALUE_BYTES);
    ck_assert_ptr_nonnull(strstr(told.snapshot_holder, "a test"));
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
    told = why();
    ck_assert_uint_eq(told.snapshot, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(retention_is_named_with_its_namespace) {
    const struct store_namespace_settings settings = {.keep_versions = 2};
    struct store_commit *commit;
    struct told told;

    begin();
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_namespace_set(commit, slice_make(NULL, 0), &settings), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    put_all(1);
    flush();
    put_all(100);
    flush();
    compact();
    told = why();
    ck_assert_uint_eq(told.live, KEYS * VALUE_BYTES);
    ck_assert_uint_eq(told.retention, KEYS * VALUE_BYTES);
    ck_assert_str_eq(told.retention_holder, "namespace (default)");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_touched_value_is_counted_once) {
    struct store_commit *commit;
    struct told told;

    begin();
    fixture_put_bytes(&fixture, "key", VALUE_BYTES, 1);
    flush();
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(
        store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, slice_from_text("key"), 3600000, NULL),
        STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    told = why();
    ck_assert_uint_eq(told.live, VALUE_BYTES);
    ck_assert_uint_eq(told.dead_values, 0);
    fixture_deinit(&fixture);
}
END_TEST

static void default_cb(void *arg, const struct store_namespace_info *info) {
    if (info->id == STORE_NAMESPACE_DEFAULT) {
        *(struct store_namespace_info *)arg = *info;
    }
}

START_TEST(the_list_of_namespaces_tells_what_is_alive_from_what_is_pinned) {
    struct store_namespace_info info = {0};
    struct store_snapshot_info snapshot;

    begin();
    put_all(1);
    ck_assert_int_eq(store_snapshot_open(fixture.store, "a test", 0, &snapshot), STATUS_OK);
    put_all(100);
    fixture_delete(&fixture, "key00");
    flush();
    ck_assert_int_eq(store_namespace_list(fixture.store, default_cb, &info, &fixture.error),
                     STATUS_OK);
    ck_assert_uint_eq(info.keys, KEYS - 1);
    ck_assert_uint_gt(info.live_bytes, (KEYS - 1) * VALUE_BYTES);
    ck_assert_uint_lt(info.live_bytes, KEYS * VALUE_BYTES + KEYS * 100);
    ck_assert_uint_gt(info.pinned_bytes, KEYS * VALUE_BYTES);
    ck_assert_uint_lt(info.pinned_bytes, KEYS * VALUE_BYTES + KEYS * 100);
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store why space", a_fresh_store_adds_up, live_values_are_counted_to_the_byte,
          what_was_replaced_is_not_alive_and_goes,
          a_snapshot_is_named_with_its_owner_and_what_it_alone_keeps,
          retention_is_named_with_its_namespace,
          the_list_of_namespaces_tells_what_is_alive_from_what_is_pinned,
          a_touched_value_is_counted_once)
