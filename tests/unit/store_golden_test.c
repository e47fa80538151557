/* store_golden_test.c: stores written by earlier versions are read. tests/golden holds one store of
 * each format, as it lay on disk while it was open: tables, and a log that needs replay.
 *
 * KVD_GOLDEN_WRITE=DIR writes a new one there instead (when the format changes; see
 * docs/storage-format.md), for which DIR must not exist. */
#include "storage/env_posix.h"
#include "storage/manifest.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/golden/format-"
#define LARGE_BYTES 150000u
#define CENTURY_MS UINT64_C(3153600000000)

static void run(const char *format, const char *a, const char *b) {
    char command[1024];
    int failed;

    snprintf(command, sizeof command, format, a, b);
    failed = system(command);
    ck_assert_msg(failed == 0, "%s", command);
}

static void put_special(struct fixture *fixture) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.key = slice_make("\0\xFF", 2),
                            .value = slice_from_text("binary"),
                            .ttl_ms = CENTURY_MS,
                            .user_flags = 77};
    struct store_outcome outcome;
    enum status status =
        store_namespace(fixture->store, slice_from_text("golden"), true, &put.namespace_id);

    ck_assert_int_eq(status, STATUS_OK);
    status = store_commit_put(commit, &put);
    ck_assert_int_eq(status, STATUS_OK);
    outcome = fixture_commit_end(fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

static void put_large(struct fixture *fixture) {
    static uint8_t bytes[LARGE_BYTES];
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text("large")};
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_upload *upload;

    memset(bytes, 'L', sizeof bytes);
    ck_assert_int_eq(
        store_upload_begin(fixture->store, put.namespace_id, put.key, &upload, &fixture->error),
        STATUS_OK);
    ck_assert_int_eq(store_upload_append(upload, slice_make(bytes, sizeof bytes), &fixture->error),
                     STATUS_OK);
    ck_assert_int_eq(store_upload_finish(upload, &fixture->error), STATUS_OK);
    ck_assert_int_eq(store_commit_upload(commit, &put, upload), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
    store_upload_destroy(upload);
}

/* Deletes "range1" to "range8" at once, and gives "table199" an expiry: an alias of its value. */
static void delete_and_touch(struct fixture *fixture) {
    const struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                      .from = slice_from_text("range1"),
                                      .to = slice_from_text("range9")};
    struct store_commit *commit = fixture_commit_begin(fixture);

    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    ck_assert_int_eq(store_commit_expire(commit, STORE_NAMESPACE_DEFAULT,
                                         slice_from_text("table199"), CENTURY_MS, NULL),
                     STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

/* A namespace that keeps three versions, and five of one key. */
static void put_history(struct fixture *fixture) {
    const struct store_namespace_settings settings = {.keep_versions = 3};
    struct store_put put = {.key = slice_from_text("counter")};
    struct store_commit *commit = fixture_commit_begin(fixture);

    ck_assert_int_eq(store_commit_namespace_set(commit, slice_from_text("history"), &settings),
                     STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
    ck_assert_int_eq(
        store_namespace(fixture->store, slice_from_text("history"), false, &put.namespace_id),
        STATUS_OK);
    for (int i = 0; i < 5; i++) {
        char text[16];
        put.value = slice_make(text, (size_t)snprintf(text, sizeof text, "%d", i));
        commit = fixture_commit_begin(fixture);
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
}

/* What format 2 has brought, before a flush: and records that log GC has to move. */
static void write_format_2(struct fixture *fixture) {
    char key[32];

    put_large(fixture);
    put_history(fixture);
    for (uint32_t i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "range%u", i);
        fixture_put_bytes(fixture, key, 40, i);
    }
    for (uint32_t i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "dead%02u", i);
        fixture_put_bytes(fixture, key, 3000, i);
    }
    ck_assert_int_eq(store_flush(fixture->store, &fixture->error), STATUS_OK);
    delete_and_touch(fixture);
    for (uint32_t i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "dead%02u", i);
        fixture_delete(fixture, key);
    }
    ck_assert_int_eq(store_flush(fixture->store, &fixture->error), STATUS_OK);
    ck_assert_int_eq(store_compact(fixture->store, &fixture->error), STATUS_OK);
    ck_assert_int_eq(store_collect(fixture->store, &fixture->error), STATUS_OK);
    ck_assert_uint_gt(fixture_stat(fixture, "gc_survivor_bytes"), 0);
}

static void write_golden(const char *dir) {
    struct fixture fixture;
    char key[32];
    enum status status;

    fixture_init_on_disk(&fixture);
    fixture.options.segment_bytes = 64 * 1024;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "table%03u", i);
        fixture_put_bytes(&fixture, key, 10 + i * 20, i);
    }
    fixture_delete(&fixture, "table100");
    put_special(&fixture);
    write_format_2(&fixture);
    status = store_flush(fixture.store, &fixture.error);
    ck_assert_int_eq(status, STATUS_OK);
    fixture_put(&fixture, "log", "not flushed");
    fixture_put_bytes(&fixture, "log large", 30000, 5);
    fixture_delete(&fixture, "table101");
    run("cp -r '%s' '%s'", fixture.dir, dir);
    run("rm '%s%s'", dir, "/LOCK");
    fixture_deinit(&fixture);
}

static void expect_special(struct fixture *fixture) {
    struct store_value_info info;
    struct store_read read;
    uint32_t namespace_id;
    enum status status =
        store_namespace(fixture->store, slice_from_text("golden"), false, &namespace_id);

    ck_assert_int_eq(status, STATUS_OK);
    buffer_clear(&fixture->value);
    store_read_begin(fixture->store, &read);
    status = store_get(&read, namespace_id, slice_make("\0\xFF", 2), STORE_WAIT_ALLOWED,
                       &fixture->value, &info, &fixture->error);
    store_read_end(&read);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(info.user_flags, 77);
    ck_assert_uint_gt(info.expiry_ms, CENTURY_MS);
    ck_assert(slice_equal(buffer_slice(&fixture->value), slice_from_text("binary")));
}

static void open_golden(struct fixture *fixture, const char *version) {
    fixture_init_on_disk(fixture);
    run("cp -r '" GOLDEN "%s/.' '%s'", version, fixture->dir);
    fixture_open(fixture);
}

/* What stores of all formats have. */
static void expect_all(struct fixture *fixture) {
    char key[32];

    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "table%03u", i);
        if (i == 100 || i == 101) {
            fixture_expect_absent(fixture, key);
        } else {
            fixture_expect_bytes(fixture, key, 10 + i * 20, i);
        }
    }
    fixture_expect(fixture, "log", "not flushed");
    fixture_expect_bytes(fixture, "log large", 30000, 5);
    expect_special(fixture);
}

START_TEST(a_store_of_format_1_is_read) {
    struct fixture fixture;

    open_golden(&fixture, "1");
    expect_all(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

static void fault_cb(void *arg, const char *name, const char *text) {
    (void)arg;
    ck_abort_msg("%s: %s", name, text);
}

static enum status version_cb(void *arg, const struct store_version *version) {
    (void)version;
    *(uint32_t *)arg += 1;
    return STATUS_OK;
}

static void expect_history(struct fixture *fixture) {
    struct store_history_query query = {.key = slice_from_text("counter"), .limit = 100};
    struct store_read read;
    uint32_t versions = 0;

    ck_assert_int_eq(
        store_namespace(fixture->store, slice_from_text("history"), false, &query.namespace_id),
        STATUS_OK);
    store_read_begin(fixture->store, &read);
    ck_assert_int_eq(store_history(&read, &query, version_cb, &versions, &fixture->error),
                     STATUS_OK);
    store_read_end(&read);
    ck_assert_uint_eq(versions, 3);
}

static void expect_format_2(struct fixture *fixture) {
    struct store_verify_result verified;
    struct store_value_info info;
    struct store_read read;

    ck_assert_int_eq(fixture_get(fixture, "large"), STATUS_OK);
    ck_assert_uint_eq(fixture->value.len, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        ck_assert_int_eq(fixture->value.data[i], 'L');
    }
    fixture_expect_bytes(fixture, "range0", 40, 0);
    fixture_expect_absent(fixture, "range1");
    fixture_expect_absent(fixture, "range8");
    fixture_expect_bytes(fixture, "range9", 40, 9);
    fixture_expect_absent(fixture, "dead07");
    store_read_begin(fixture->store, &read);
    ck_assert_int_eq(store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text("table199"),
                               STORE_WAIT_ALLOWED, NULL, &info, &fixture->error),
                     STATUS_OK);
    store_read_end(&read);
    ck_assert_uint_gt(info.expiry_ms, CENTURY_MS);
    expect_history(fixture);
    ck_assert_int_eq(store_verify(fixture->store, NULL, fault_cb, NULL, &verified, &fixture->error),
                     STATUS_OK);
}

/* The store has what it is there for. */
static void expect_relocations(void) {
    struct manifest_load_report report;
    struct manifest_state state;
    struct error error = {0};
    struct env *env;

    ck_assert_int_eq(env_posix_create(&env), STATUS_OK);
    ck_assert_int_eq(manifest_load(env, GOLDEN "2", &state, &report, &error), STATUS_OK);
    ck_assert_uint_gt(state.relocation_count, 0);
    manifest_state_deinit(&state);
    env_posix_destroy(env);
}

START_TEST(a_store_of_format_2_is_read) {
    const char *write_dir = getenv("KVD_GOLDEN_WRITE");
    struct fixture fixture;

    if (write_dir) {
        write_golden(write_dir);
        return;
    }
    expect_relocations();
    open_golden(&fixture, "2");
    expect_all(&fixture);
    expect_format_2(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_golden", a_store_of_format_1_is_read, a_store_of_format_2_is_read)
