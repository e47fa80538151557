/* store_salvage_golden_test.c: stores of earlier versions are salvaged, on the disk and with
 * threads: tests/golden, with its manifest and without it. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_DIR "tests/golden/format-1"

static struct fixture fixture;
static char base[256]; /* of the folders "old" and "new" */

static void run(const char *command) {
    int failed = system(command);
    ck_assert_msg(failed == 0, "%s", command);
}

static void begin(bool manifest) {
    char command[1024];

    fixture_init_on_disk(&fixture);
    snprintf(base, sizeof base, "%s", fixture.dir);
    snprintf(command, sizeof command, "cp -r '%s' '%s/old'", GOLDEN_DIR, base);
    run(command);
    if (!manifest) {
        snprintf(command, sizeof command, "rm '%s'/old/MANIFEST-*", base);
        run(command);
    }
}

static void end(void) {
    char *dir = fixture.dir;

    fixture_close(&fixture);
    snprintf(dir, sizeof fixture.dir, "%s", base);
    fixture_deinit(&fixture);
}

static void report_cb(void *arg, const char *name, const char *text) {
    (void)name;
    (void)text;
    *(uint32_t *)arg += 1;
}

/* The fixture goes on with the new store. */
static struct store_salvage_result salvage(void) {
    struct store_salvage_result result = {0};
    char old_dir[300];
    uint32_t lines = 0;
    enum status status;

    snprintf(old_dir, sizeof old_dir, "%s/old", base);
    ck_assert_int_lt(snprintf(fixture.dir, sizeof fixture.dir, "%.240s/new", base), 256);
    fixture.options.dir = old_dir;
    status =
        store_salvage(&fixture.options, fixture.dir, report_cb, &lines, &result, &fixture.error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), fixture.error.text);
    ck_assert_uint_gt(lines, 0);
    fixture_open(&fixture);
    return result;
}

static void expect_special(void) {
    struct store_value_info info;
    struct store_read read;
    uint32_t namespace_id;
    enum status status =
        store_namespace(fixture.store, slice_from_text("golden"), false, &namespace_id);

    ck_assert_int_eq(status, STATUS_OK);
    buffer_clear(&fixture.value);
    store_read_begin(fixture.store, &read);
    status = store_get(&read, namespace_id, slice_make("\0\xFF", 2), STORE_WAIT_ALLOWED,
                       &fixture.value, &info, &fixture.error);
    store_read_end(&read);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(info.user_flags, 77);
    ck_assert_uint_gt(info.expiry_ms, UINT64_C(3153600000000)); /* a century away */
    ck_assert(slice_equal(buffer_slice(&fixture.value), slice_from_text("binary")));
}

static void expect_golden(bool manifest) {
    struct store_salvage_result result;
    char key[32];

    begin(manifest);
    result = salvage();
    ck_assert_uint_ge(result.files_read, manifest ? 3 : 2);
    ck_assert_uint_eq(result.entries_lost, 0);
    ck_assert_uint_eq(result.entries_kept, 201);
    ck_assert(result.has_order);
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
    expect_special();
    end();
}

START_TEST(a_store_of_format_1_is_salvaged) {
    expect_golden(true);
}
END_TEST

START_TEST(a_store_of_format_1_is_salvaged_without_its_manifest) {
    expect_golden(false);
}
END_TEST

UNIT_MAIN("store salvage golden", a_store_of_format_1_is_salvaged,
          a_store_of_format_1_is_salvaged_without_its_manifest)
