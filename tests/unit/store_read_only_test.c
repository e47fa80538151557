/* store_read_only_test.c: a store that is opened to be read, as a crash left it. */
#include "tests/support/store_fixture.h"

#include "storage/checksum.h"
#include "tests/unit/unit.h"

static struct fixture fixture;

static void begin(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "flushed", "in a table");
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
    fixture_put_bytes(&fixture, "separated", 5000, 7);
    fixture_put(&fixture, "logged", "only in the log");
}

static void crash_and_open_to_read(void) {
    static const struct power_cut cut = {.mode = POWER_CUT_KEEP_ALL,
                                         .entries = POWER_CUT_ENTRIES_KEEP};

    fixture_power_cut(&fixture, &cut);
    fixture.options.read_only = true;
    fixture_open(&fixture);
}

START_TEST(it_shows_what_is_in_tables_and_in_the_log) {
    begin();
    crash_and_open_to_read();
    fixture_expect(&fixture, "flushed", "in a table");
    fixture_expect_bytes(&fixture, "separated", 5000, 7);
    fixture_expect(&fixture, "logged", "only in the log");
    fixture_deinit(&fixture);
}
END_TEST

static enum status add_file_cb(void *arg, const char *name, uint64_t size_bytes) {
    uint64_t *sum = arg;

    *sum += checksum_of(slice_from_text(name)) ^ size_bytes; /* in no order */
    return STATUS_OK;
}

/* A number that changes with the name or size of any file. */
static uint64_t files(void) {
    uint64_t sum = 0;

    ck_assert_int_eq(env_list(fixture.env, fixture.dir, add_file_cb, &sum, &fixture.error),
                     STATUS_OK);
    return sum;
}

START_TEST(it_changes_nothing_on_disk) {
    uint64_t before;

    begin();
    crash_and_open_to_read();
    before = files();
    fixture_expect(&fixture, "logged", "only in the log");
    fixture_reopen(&fixture);
    ck_assert_uint_eq(files(), before);
    fixture.options.read_only = false;
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "logged", "only in the log");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(it_refuses_writes) {
    struct store_outcome outcome;

    begin();
    crash_and_open_to_read();
    outcome = fixture_put_if(&fixture, "key", slice_from_text("value"),
                             (struct store_condition){STORE_ALWAYS, 0}, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_READ_ONLY);
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_READ_ONLY);
    fixture_expect_absent(&fixture, "key");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(where_there_is_no_store_none_is_made) {
    fixture_init(&fixture, 1);
    fixture.options.read_only = true;
    ck_assert_int_eq(fixture_try_open(&fixture), STATUS_NOT_FOUND);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store read only", it_shows_what_is_in_tables_and_in_the_log, it_changes_nothing_on_disk,
          it_refuses_writes, where_there_is_no_store_none_is_made)
