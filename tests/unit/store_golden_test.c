/* store_golden_test.c: stores written by earlier versions are read. tests/golden holds one store of
 * each format, as it lay on disk while it was open: tables, and a log that needs replay.
 *
 * KVD_GOLDEN_WRITE=DIR writes a new one there instead (when the format changes; see
 * docs/storage-format.md), for which DIR must not exist. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_DIR "tests/golden/format-1"
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

static void write_golden(const char *dir) {
    struct fixture fixture;
    char key[32];
    enum status status;

    fixture_init_on_disk(&fixture);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "table%03u", i);
        fixture_put_bytes(&fixture, key, 10 + i * 20, i);
    }
    fixture_delete(&fixture, "table100");
    put_special(&fixture);
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

START_TEST(a_store_of_format_1_is_read) {
    const char *write_dir = getenv("KVD_GOLDEN_WRITE");
    struct fixture fixture;
    char key[32];

    if (write_dir) {
        write_golden(write_dir);
        return;
    }
    fixture_init_on_disk(&fixture);
    run("cp -r '%s/.' '%s'", GOLDEN_DIR, fixture.dir);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "table%03u", i);
        if (i == 100 || i == 101) {
            fixture_expect_absent(&fixture, key);
        } else {
            fixture_expect_bytes(&fixture, key, 10 + i * 20, i);
        }
    }
    fixture_expect(&fixture, "log", "not flushed");
    fixture_expect_bytes(&fixture, "log large", 30000, 5);
    expect_special(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_golden", a_store_of_format_1_is_read)
