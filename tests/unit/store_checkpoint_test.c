/* store_checkpoint_test.c: a second store beside a running one. */
#include "tests/support/store_fixture.h"

#include "storage/file_name.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct fixture fixture;

static void begin(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "flushed", "in a table");
    fixture_put_bytes(&fixture, "separated", 5000, 7);
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
    fixture_put(&fixture, "logged", "only in the log");
    fixture_delete(&fixture, "flushed");
}

static void checkpoint(const char *dir) {
    ck_assert_int_eq(store_checkpoint(fixture.store, dir, &fixture.error), STATUS_OK);
}

/* The fixture goes on with the copy. */
static void turn_to(const char *dir) {
    fixture_close(&fixture);
    snprintf(fixture.dir, sizeof fixture.dir, "%s", dir);
    fixture.options.dir = fixture.dir;
    fixture_open(&fixture);
}

START_TEST(it_has_what_was_there_and_nothing_later) {
    begin();
    checkpoint("/copy");
    fixture_put(&fixture, "later", "not in the copy");
    fixture_put(&fixture, "logged", "changed");
    turn_to("/copy");
    fixture_expect(&fixture, "logged", "only in the log");
    fixture_expect_bytes(&fixture, "separated", 5000, 7);
    fixture_expect_absent(&fixture, "flushed");
    fixture_expect_absent(&fixture, "later");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(both_stores_go_on_by_themselves) {
    begin();
    checkpoint("/copy");
    for (int i = 0; i < 200; i++) {
        fixture_put_bytes(&fixture, "separated", 5000, (uint64_t)i);
    }
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
    fixture_reopen(&fixture);
    fixture_expect_bytes(&fixture, "separated", 5000, 199);
    turn_to("/copy");
    fixture_expect_bytes(&fixture, "separated", 5000, 7);
    fixture_put(&fixture, "new", "in the copy");
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "new", "in the copy");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_directory_that_is_there_is_refused) {
    begin();
    checkpoint("/copy");
    ck_assert_int_eq(store_checkpoint(fixture.store, "/copy", &fixture.error), STATUS_EXISTS);
    ck_assert_str_eq(fixture.error.path, "/copy");
    ck_assert_int_eq(store_checkpoint(fixture.store, "/no/such/parent", &fixture.error),
                     STATUS_NOT_FOUND);
    fixture_expect(&fixture, "logged", "only in the log");
    fixture_deinit(&fixture);
}
END_TEST

static enum status manifest_cb(void *arg, const char *name, uint64_t size_bytes) {
    enum file_kind kind;
    uint64_t number;

    (void)size_bytes;
    *(bool *)arg |= file_name_parse(name, &kind, &number) && kind == FILE_MANIFEST;
    return STATUS_OK;
}

/* The machine dies at the n-th change of a file: the copy is whole, or no store. */
START_TEST(a_crash_leaves_a_whole_copy_or_none) {
    static const struct power_cut cut = {.mode = POWER_CUT_DROP_ALL,
                                         .entries = POWER_CUT_ENTRIES_DROP};
    enum status status = STATUS_IO;

    for (uint64_t n = 1; status != STATUS_OK; n++) {
        bool manifest = false;
        begin();
        env_memory_set_crash_point(fixture.memory, n);
        status = store_checkpoint(fixture.store, "/copy", &fixture.error);
        fixture_power_cut(&fixture, &cut);
        (void)env_list(fixture.env, "/copy", manifest_cb, &manifest, NULL);
        if (status == STATUS_OK) {
            ck_assert(manifest);
        }
        fixture_open(&fixture);
        fixture_expect(&fixture, "logged", "only in the log");
        fixture_close(&fixture);
        if (manifest) {
            snprintf(fixture.dir, sizeof fixture.dir, "/copy");
            fixture.options.dir = fixture.dir;
            if (fixture_try_open(&fixture) == STATUS_OK) {
                fixture_expect(&fixture, "logged", "only in the log");
                fixture_expect_bytes(&fixture, "separated", 5000, 7);
            } else {
                ck_assert_int_ne(status, STATUS_OK);
            }
        }
        fixture_deinit(&fixture);
    }
}
END_TEST

UNIT_MAIN("store checkpoint", it_has_what_was_there_and_nothing_later,
          both_stores_go_on_by_themselves, a_directory_that_is_there_is_refused,
          a_crash_leaves_a_whole_copy_or_none)
