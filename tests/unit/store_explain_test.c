/* store_explain_test.c: a lookup that tells where it went. */
#include "tests/support/store_fixture.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct fixture fixture;
static char told[8192];

static void report_cb(void *arg, const char *name, const char *text) {
    size_t used = strlen(told);

    (void)arg;
    snprintf(told + used, sizeof told - used, "%s: %s\n", name, text);
}

static void explain(const char *key) {
    struct store_read read;
    enum status status;

    told[0] = '\0';
    store_read_begin(fixture.store, &read);
    status = store_explain(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(key), report_cb, NULL,
                           &fixture.error);
    store_read_end(&read);
    ck_assert_int_eq(status, STATUS_OK);
}

static void expect(const char *part) {
    ck_assert_msg(strstr(told, part) != NULL, "no '%s' in:\n%s", part, told);
}

static void begin(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "small", "value");
    fixture_put_bytes(&fixture, "large", 5000, 1);
}

static void flush(void) {
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
}

START_TEST(what_is_in_memory_is_found_in_the_memtable) {
    begin();
    explain("small");
    expect("memtable: 2 entries; holds version ");
    expect("value: beside the key, 5 bytes");
    expect("read: 5 bytes copied and verified, all from memory");
    explain("large");
    expect("value: in segment ");
    expect("read: 5000 bytes copied and verified");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(after_a_flush_level_table_and_block_are_named) {
    begin();
    flush();
    explain("small");
    expect("memtable: 0 entries; its hash has no such row");
    expect("level 0: table ");
    expect("block at ");
    expect("the value itself");
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
    explain("large");
    ck_assert_ptr_null(strstr(told, "level 0: table"));
    expect(": table ");
    expect("a reference to the log");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_absent_key_is_refused_by_the_filter_or_the_block) {
    begin();
    flush();
    explain("mmm");
    expect("result: no such key");
    explain("zzz");
    expect("whose keys lie elsewhere");
    expect("result: no such key");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_was_deleted_says_by_what) {
    struct store_range range;
    struct store_commit *commit;
    uint8_t to[8];

    begin();
    flush();
    fixture_delete(&fixture, "small");
    explain("small");
    expect("a deletion");
    expect("result: no such key");
    range = store_range_prefix(STORE_NAMESPACE_DEFAULT, slice_from_text("l"), to);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    explain("large");
    expect("range delete: of version ");
    expect("result: no such key");
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store explain", what_is_in_memory_is_found_in_the_memtable,
          after_a_flush_level_table_and_block_are_named,
          an_absent_key_is_refused_by_the_filter_or_the_block, what_was_deleted_says_by_what)
