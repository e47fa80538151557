/* range_obsolete_test.c: a range delete may be forgotten when no table has anything for it to hide.
 */
#include "storage/range_obsolete.h"
#include "tests/unit/table_fixture.h"

#include "protocol/base/memory.h"
#include "storage/range_row.h"

#define DELETED_AT 50u

static struct version_files files;
static struct table_source source;
static struct version *version;
static uint64_t next_number;

static void start(void) {
    source = (struct table_source){.dir = "d"};
    source.env = memory_env();
    ck_assert_int_eq(compression_create(&source.compression), STATUS_OK);
    ck_assert_int_eq(table_cache_create(&source, 4, &files.tables), STATUS_OK);
    ck_assert_int_eq(version_create_empty(&version), STATUS_OK);
    next_number = 1;
}

static void end(void) {
    version_unref(version);
    table_cache_destroy(files.tables);
    compression_destroy(source.compression);
    env_memory_destroy(source.env);
}

/* A table with rows from first to last, and what is known of it. */
static void add(uint32_t level, const char *first, const char *last, uint64_t version_min,
                uint64_t ranges_applied) {
    struct key smallest = key_at(first, version_min + 1);
    struct key largest = key_at(last, version_min);
    struct table_info info = {.number = next_number++,
                              .file_bytes = 1000,
                              .entries = 2,
                              .version_min = version_min,
                              .version_max = 99,
                              .ranges_applied = ranges_applied,
                              .smallest = key_slice(&smallest),
                              .largest = key_slice(&largest)};
    struct version_edit edit;
    struct version *next;

    version_edit_init(&edit);
    ck_assert_int_eq(version_edit_add_table(&edit, level, &info), STATUS_OK);
    ck_assert_int_eq(version_apply(&files, version, &edit, &next), STATUS_OK);
    version_unref(version);
    version = next;
    version_edit_deinit(&edit);
}

/* Of the rows from b to d, deleted at DELETED_AT; as rows, and as the row of a table says it. */
static bool is_obsolete(const char *from, const char *to) {
    struct key from_key = key_at(from, 1);
    struct key to_key = key_at(to, 1);
    struct key_range range = {NAMESPACE_DEFAULT, slice_from_text(from), slice_from_text(to)};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t key[RANGE_KEY_BYTES];
    bool by_row;
    bool by_rows = range_is_obsolete(version, key_row(&from_key), key_row(&to_key), DELETED_AT);

    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    by_row = range_row_is_obsolete(version, slice_make(key, sizeof key), buffer_slice(&value),
                                   DELETED_AT);
    ck_assert_int_eq(by_row, by_rows);
    buffer_deinit(&value);
    return by_row;
}

START_TEST(where_there_are_no_tables_there_is_nothing_to_hide) {
    start();
    ck_assert(is_obsolete("b", "d"));
    end();
}
END_TEST

START_TEST(a_table_with_older_rows_of_the_range_needs_it) {
    static const struct {
        const char *first;
        const char *last;
        bool needs;
    } cases[] = {{"a", "aa", false}, {"a", "b", true},  {"b", "b", true},  {"c", "c", true},
                 {"a", "z", true},   {"cz", "z", true}, {"d", "z", false}, {"e", "z", false}};

    for (uint32_t level = 0; level < LEVELS_MAX; level++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            start();
            add(level, cases[i].first, cases[i].last, DELETED_AT - 1, 0);
            ck_assert_int_eq(is_obsolete("b", "d"), !cases[i].needs);
            end();
        }
    }
}
END_TEST

START_TEST(newer_tables_and_those_that_have_applied_it_do_not) {
    start();
    add(1, "c", "c", DELETED_AT, 0);
    ck_assert(is_obsolete("b", "d"));
    add(2, "c", "c", 1, DELETED_AT);
    ck_assert(is_obsolete("b", "d"));
    add(3, "c", "c", 1, DELETED_AT - 1);
    ck_assert(!is_obsolete("b", "d"));
    end();
}
END_TEST

START_TEST(one_table_among_many_is_enough) {
    for (int needed = 0; needed < 5; needed++) {
        static const char *const words[] = {"a", "b", "c", "cc", "d"};
        start();
        for (int i = 0; i < 5; i++) {
            add(2, words[i], words[i], i == needed ? 1 : DELETED_AT, 0);
        }
        ck_assert_int_eq(is_obsolete("b", "d"), needed == 0 || needed == 4);
        end();
    }
}
END_TEST

START_TEST(a_range_without_an_end_ends_with_its_namespace) {
    struct key_range range = {NAMESPACE_DEFAULT, slice_from_text("b"), slice_from_text("")};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t key[RANGE_KEY_BYTES];
    struct slice key_slice = slice_make(key, sizeof key);

    start();
    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    ck_assert(range_row_is_obsolete(version, key_slice, buffer_slice(&value), DELETED_AT));
    add(1, "\xff\xff", "\xff\xff", 1, 0);
    ck_assert(!range_row_is_obsolete(version, key_slice, buffer_slice(&value), DELETED_AT));
    end();
    start();
    add(1, "a", "a", 1, 0);
    ck_assert(range_row_is_obsolete(version, key_slice, buffer_slice(&value), DELETED_AT));
    memory_fail_after(0, true);
    ck_assert(!range_row_is_obsolete(version, key_slice, buffer_slice(&value), DELETED_AT));
    memory_fail_never();
    value.len--; /* what cannot be read is kept */
    ck_assert(!range_row_is_obsolete(version, key_slice, buffer_slice(&value), DELETED_AT));
    end();
    buffer_deinit(&value);
}
END_TEST

UNIT_MAIN("range obsolete", where_there_are_no_tables_there_is_nothing_to_hide,
          a_table_with_older_rows_of_the_range_needs_it,
          newer_tables_and_those_that_have_applied_it_do_not, one_table_among_many_is_enough,
          a_range_without_an_end_ends_with_its_namespace)
