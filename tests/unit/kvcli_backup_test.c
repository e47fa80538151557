/* kvcli_backup_test.c: backup files in memory: written, read from start to end, looked up by their
 * index. */
#include "tests/unit/kvcli_backup_file.h"

static void expect_entry(struct backup_reader *reader, const char *key, const char *value) {
    struct backup_item item;
    struct error error;

    ck_assert_int_eq(backup_reader_next(reader, &item, &error), STATUS_OK);
    ck_assert_int_eq(item.event, BACKUP_EVENT_ENTRY);
    ck_assert(slice_equal(item.entry.key, slice_from_text(key)));
    ck_assert_int_eq(item.entry.deleted, value == NULL);
    if (value) {
        ck_assert(slice_equal(item.entry.value, slice_from_text(value)));
        ck_assert_uint_eq(item.entry.version, 7);
    }
}

static void expect_space(struct backup_reader *reader, const char *name) {
    struct backup_item item;
    struct error error;

    ck_assert_int_eq(backup_reader_next(reader, &item, &error), STATUS_OK);
    ck_assert_int_eq(item.event, BACKUP_EVENT_SPACE);
    ck_assert_str_eq(item.space.name, name);
    ck_assert_uint_eq(item.space.id, 9);
    ck_assert_uint_eq(item.space.settings.keep_versions, 3);
}

START_TEST(what_was_written_is_read) {
    struct file file;
    struct backup_reader *reader = NULL;
    struct backup_source source;
    struct backup_item item;
    struct error error;

    write_small(&file);
    source = source_of(&file);
    ck_assert_int_eq(backup_reader_create(&source, &reader, &error), STATUS_OK);
    ck_assert_uint_eq(backup_reader_header(reader)->version, 50);
    ck_assert_uint_eq(backup_reader_header(reader)->since, 40);
    ck_assert_str_eq(backup_reader_header(reader)->source, "kvd at home");
    expect_space(reader, "");
    expect_entry(reader, "apple", "red");
    expect_entry(reader, "banana", NULL);
    expect_entry(reader, "cherry", "");
    expect_space(reader, "empty");
    expect_space(reader, "other");
    expect_entry(reader, "apple", "green");
    ck_assert_int_eq(backup_reader_next(reader, &item, &error), STATUS_OK);
    ck_assert_int_eq(item.event, BACKUP_EVENT_END);
    ck_assert_uint_eq(item.end.values, 3);
    ck_assert_uint_eq(item.end.deletions, 1);
    ck_assert_uint_eq(backup_reader_bytes(reader), file.bytes.len);
    backup_reader_destroy(reader);
    buffer_deinit(&file.bytes);
}
END_TEST

/* What reading from the start, and the index, say of the namespaces of a file: 'n' new, 'o' not. */
static void expect_marks(struct file *file, const char *marks) {
    struct backup_source source = source_of(file);
    struct backup_reader *reader = NULL;
    struct backup_lookup *lookup = NULL;
    struct backup_item item = {0};
    struct error error;
    uint32_t count = 0;

    ck_assert_int_eq(backup_reader_create(&source, &reader, &error), STATUS_OK);
    ck_assert_int_eq(backup_lookup_create(&source, &lookup, &error), STATUS_OK);
    while (item.event != BACKUP_EVENT_END) {
        ck_assert_int_eq(backup_reader_next(reader, &item, &error), STATUS_OK);
        if (item.event == BACKUP_EVENT_SPACE) {
            struct backup_space found;
            ck_assert_int_eq(item.space.is_new, marks[count] == 'n');
            ck_assert_int_eq(backup_lookup_space(lookup, count, &found, &error), STATUS_OK);
            ck_assert_str_eq(found.name, item.space.name);
            ck_assert_int_eq(found.is_new, marks[count] == 'n');
            count++;
        }
    }
    ck_assert_uint_eq(count, strlen(marks));
    backup_lookup_destroy(lookup);
    backup_reader_destroy(reader);
}

START_TEST(namespaces_that_are_new_are_told_from_others) {
    struct file file;
    struct backup_writer *writer = begin_marking(&file, 40, true);

    space(writer, "");
    delete (writer, "banana");
    new_space(writer, "made");
    put(writer, "apple", "red");
    space(writer, "old");
    delete (writer, "banana");
    new_space(writer, "z");
    finish(writer);
    expect_marks(&file, "onon");
    buffer_deinit(&file.bytes);
    write_small(&file);
    expect_marks(&file, "ooo");
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(many_keys_and_a_long_value_are_read) {
    struct file file;
    struct counts counts;

    write_many(&file);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    ck_assert_uint_eq(counts.values, MANY + 3);
    ck_assert_uint_eq(counts.spaces, 3);
    ck_assert_uint_eq(counts.piece_bytes, LONG_BYTES);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_backup_of_nothing_is_sound) {
    struct file file;
    struct counts counts;
    struct backup_lookup *lookup = NULL;
    struct backup_source source;
    struct error error;

    ck_assert_uint_eq(finish(begin(&file, 0)).blocks, 0);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    source = source_of(&file);
    ck_assert_int_eq(backup_lookup_create(&source, &lookup, &error), STATUS_OK);
    ck_assert_int_eq(backup_lookup_use(lookup, "", &error), STATUS_NOT_FOUND);
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
}
END_TEST

/* --- by the index --- */

static struct backup_lookup *look(struct file *file, const char *name) {
    struct backup_source source = source_of(file);
    struct backup_lookup *lookup = NULL;
    struct error error;

    ck_assert_int_eq(backup_lookup_create(&source, &lookup, &error), STATUS_OK);
    ck_assert_int_eq(backup_lookup_use(lookup, name, &error), STATUS_OK);
    return lookup;
}

static void expect_found(struct backup_lookup *lookup, const char *sought, const char *found) {
    struct backup_entry entry;
    struct error error;

    ck_assert_int_eq(backup_lookup_seek(lookup, slice_from_text(sought), false, &entry, &error),
                     STATUS_OK);
    ck_assert(slice_equal(entry.key, slice_from_text(found)));
}

START_TEST(each_key_is_found_by_the_index) {
    struct file file;
    struct backup_lookup *lookup;
    struct backup_entry entry;
    struct error error;
    char key[32];
    char next[32];

    write_many(&file);
    lookup = look(&file, "many");
    for (uint32_t i = 0; i < MANY; i += 7) {
        key_of(key, 2 * i);
        expect_found(lookup, key, key);
    }
    for (uint32_t i = 1; i + 2 < MANY; i += 501) {
        key_of(key, 2 * i + 1);
        key_of(next, 2 * i + 2);
        expect_found(lookup, key, next);
    }
    ck_assert_int_eq(backup_lookup_seek(lookup, slice_from_text("z"), false, &entry, &error),
                     STATUS_END);
    ck_assert_int_eq(backup_lookup_use(lookup, "none", &error), STATUS_NOT_FOUND);
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
}
END_TEST

typedef enum status (*step)(struct backup_lookup *lookup, struct backup_entry *entry_out,
                            struct error *error);

/* Walks all keys of the namespace; how many there are. */
static uint64_t walk(struct backup_lookup *lookup, bool reverse) {
    step next = reverse ? backup_lookup_prev : backup_lookup_next;
    struct backup_entry entry;
    struct error error;
    uint8_t last[64];
    size_t last_len = 0;
    uint64_t count = 0;
    enum status status = backup_lookup_seek(lookup, slice_make(NULL, 0), reverse, &entry, &error);

    for (; status == STATUS_OK; status = next(lookup, &entry, &error)) {
        int order = slice_compare(entry.key, slice_make(last, last_len));
        ck_assert(count == 0 || (reverse ? order < 0 : order > 0));
        last_len = entry.key.len;
        memcpy(last, entry.key.ptr, last_len);
        count++;
    }
    ck_assert_int_eq(status, STATUS_END);
    return count;
}

START_TEST(a_walk_sees_each_key_of_its_namespace_once_both_ways) {
    struct file file;
    struct backup_lookup *lookup;
    struct error error;

    write_many(&file);
    lookup = look(&file, "many");
    ck_assert_uint_eq(walk(lookup, false), MANY + 1);
    ck_assert_uint_eq(walk(lookup, true), MANY + 1);
    ck_assert_int_eq(backup_lookup_use(lookup, "next", &error), STATUS_OK);
    ck_assert_uint_eq(walk(lookup, false), 1);
    ck_assert_uint_eq(walk(lookup, true), 1);
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
    write_small(&file);
    lookup = look(&file, "empty");
    ck_assert_uint_eq(walk(lookup, false), 0);
    ck_assert_uint_eq(walk(lookup, true), 0);
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_walk_back_begins_below_the_key) {
    struct file file;
    struct backup_lookup *lookup;
    struct backup_entry entry;
    struct error error;

    write_small(&file);
    lookup = look(&file, "");
    ck_assert_int_eq(backup_lookup_seek(lookup, slice_from_text("cherry"), true, &entry, &error),
                     STATUS_OK);
    ck_assert(slice_equal(entry.key, slice_from_text("banana")));
    ck_assert_int_eq(backup_lookup_seek(lookup, slice_from_text("a"), true, &entry, &error),
                     STATUS_END);
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
}
END_TEST

static enum status compare_piece(void *arg, struct slice piece) {
    const uint8_t **at = arg;
    bool same = memcmp(*at, piece.ptr, piece.len) == 0;

    *at += piece.len;
    return same ? STATUS_OK : STATUS_CORRUPT;
}

START_TEST(a_long_value_is_found_and_read) {
    struct file file;
    struct backup_lookup *lookup;
    struct backup_entry entry;
    struct error error;
    uint8_t *bytes = long_value();
    const uint8_t *at = bytes;
    uint64_t checksum = 0;
    char key[32];

    write_many(&file);
    key_of(key, MANY);
    memcpy(key + strlen(key), "+", 2);
    lookup = look(&file, "many");
    ck_assert_int_eq(backup_lookup_seek(lookup, slice_from_text(key), false, &entry, &error),
                     STATUS_OK);
    ck_assert(entry.is_long && entry.length == LONG_BYTES);
    ck_assert_int_eq(backup_lookup_long(lookup, compare_piece, &at, &checksum, &error), STATUS_OK);
    ck_assert_ptr_eq(at, bytes + LONG_BYTES);
    ck_assert_uint_eq(checksum, backup_checksum(slice_make(bytes, LONG_BYTES), 0));
    backup_lookup_destroy(lookup);
    buffer_deinit(&file.bytes);
    memory_free(bytes);
}
END_TEST

/* Each block of entries holds three keys, each block of the index four. */
START_TEST(an_index_of_long_keys_has_many_levels) {
    struct file file;
    struct backup_writer *writer = begin(&file, 0);
    struct backup_lookup *lookup;
    struct backup_entry entry = {0};
    struct error error;
    struct counts counts;
    uint8_t *key = memory_alloc(100000);

    ck_assert_ptr_nonnull(key);
    memset(key, 'k', 100000);
    space(writer, "");
    for (uint32_t i = 0; i < 400; i++) {
        key[0] = (uint8_t)(i / 256);
        key[1] = (uint8_t)i;
        entry = value_entry(slice_make(key, 100000), slice_make("x", 1));
        ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_OK);
    }
    finish(writer);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    lookup = look(&file, "");
    for (uint32_t i = 0; i < 400; i++) {
        key[0] = (uint8_t)(i / 256);
        key[1] = (uint8_t)i;
        ck_assert_int_eq(backup_lookup_seek(lookup, slice_make(key, 100000), false, &entry, &error),
                         STATUS_OK);
        ck_assert(slice_equal(entry.key, slice_make(key, 100000)));
    }
    backup_lookup_destroy(lookup);
    memory_free(key);
    buffer_deinit(&file.bytes);
}
END_TEST

UNIT_MAIN("kvcli_backup", what_was_written_is_read, namespaces_that_are_new_are_told_from_others,
          many_keys_and_a_long_value_are_read, a_backup_of_nothing_is_sound,
          each_key_is_found_by_the_index, a_walk_sees_each_key_of_its_namespace_once_both_ways,
          a_walk_back_begins_below_the_key, a_long_value_is_found_and_read,
          an_index_of_long_keys_has_many_levels)
