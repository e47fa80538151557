/* table_writer_test.c: the bytes of a table, the books kept on the way, and failures. */
#include "storage/table_writer.h"

#include "storage/block_frame.h"
#include "storage/checksum.h"
#include "storage/env_fault.h"
#include "storage/table_format.h"
#include "tests/unit/table_fixture.h"

static struct env *env;
static struct error error;

static struct fixture_table plain(void) {
    return (struct fixture_table){.env = env, .number = 5};
}

static uint8_t *file_content(const char *path, size_t *bytes_out) {
    struct env_file *file;
    uint64_t size;
    uint8_t *bytes;
    ck_assert_int_eq(env_open(env, path, ENV_READ_CACHED, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_size(file, &size, &error), STATUS_OK);
    bytes = memory_alloc(size);
    ck_assert_int_eq(env_read(file, 0, bytes, size, bytes_out, &error), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
    return bytes;
}

START_TEST(a_small_table_has_the_documented_bytes) {
    static const uint8_t data[] = {
        0,    5,  7, 2, 0,   0, 0,   1, 'a', 1, 'x', /* row, version 7, inline "x" */
        4,    1,  6, 2, 'b', 1, 'y',                 /* shares the namespace */
        0,    0,  0, 0, 1,   0, 0,   0,              /* one restart */
        0x00, 26, 0, 0, 0,                           /* data block, plain, 26 raw bytes */
    };
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    uint8_t *bytes;
    size_t size;

    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_value(writer, "a", 7, "x");
    add_value(writer, "b", 6, "y");
    info = finish_table(writer);
    bytes = file_content("d/0000000005.table", &size);
    ck_assert_uint_eq(size, info.file_bytes);
    ck_assert_int_eq(table_header_check(bytes, 5), STATUS_OK);
    ck_assert(memcmp(bytes + 48, data, sizeof data) == 0);
    ck_assert_uint_eq(
        load_u64(bytes + 48 + sizeof data),
        checksum_seeded(slice_make(bytes + 48, sizeof data), checksum_place_seed(5, 48)));
    ck_assert_uint_eq(load_u64(bytes + size - 72), 48 + 26 + 13); /* filter */
    ck_assert_uint_eq(load_u32(bytes + size - 72 + 8), 64 + 13);
    ck_assert_uint_eq(load_u64(bytes + size - 60), 48 + 39 + 77); /* index */
    ck_assert_uint_eq(bytes[48 + 39 + 64], 0x10);                 /* a filter, plain */
    ck_assert_uint_eq(load_u64(bytes + size - 8), info.footer_checksum);
    memory_free(bytes);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

static void add_entry(struct table_writer *writer, const char *word, uint64_t version,
                      const struct entry *entry) {
    struct key key = key_at(word, version);
    uint8_t bytes[ENTRY_REFERENCE_BYTES_MAX];
    ck_assert_int_eq(table_writer_add(writer, key_slice(&key),
                                      slice_make(bytes, entry_store(bytes, entry)), &error),
                     STATUS_OK);
}

static struct entry reference(uint64_t segment, uint32_t bytes) {
    return (struct entry){
        .kind = ENTRY_REFERENCE,
        .ref = {.segment = segment, .raw_bytes = bytes, .stored_bytes = bytes},
    };
}

START_TEST(the_books_are_right) {
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    struct entry gone = {.kind = ENTRY_TOMBSTONE};
    struct entry expiring = {.kind = ENTRY_INLINE, .expiry_ms = 5000};
    struct entry first;
    struct entry second;

    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    first = reference(9, 100);
    second = reference(3, 50);
    add_entry(writer, "a", 20, &first);
    add_entry(writer, "b", 10, &gone);
    add_entry(writer, "c", 15, &second);
    add_entry(writer, "c", 12, &first);
    add_entry(writer, "d", 11, &expiring);
    ck_assert_uint_eq(table_writer_entries(writer), 5);
    ck_assert_uint_eq(table_writer_log_bytes(writer), 250);
    expect_text(row_user_key(table_writer_last_row(writer)), "d");
    info = finish_table(writer);
    ck_assert_uint_eq(info.number, 5);
    ck_assert_uint_eq(info.entries, 5);
    ck_assert_uint_eq(info.tombstones, 1);
    ck_assert_uint_eq(info.expiring, 1);
    ck_assert_uint_eq(info.expiry_max_ms, UINT64_MAX);
    ck_assert_uint_eq(info.version_min, 10);
    ck_assert_uint_eq(info.version_max, 20);
    ck_assert_uint_eq(info.log_bytes, 250);
    ck_assert_uint_eq(info.share_count, 2);
    ck_assert_uint_eq(info.shares[0].segment, 3);
    ck_assert_uint_eq(info.shares[0].records, 1);
    ck_assert_uint_eq(info.shares[1].segment, 9);
    ck_assert_uint_eq(info.shares[1].records, 2);
    ck_assert_uint_eq(info.shares[1].bytes, 200);
    expect_text(row_user_key(ikey_row(info.smallest)), "a");
    expect_text(row_user_key(ikey_row(info.largest)), "d");
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

START_TEST(if_all_entries_expire_the_latest_expiry_is_known) {
    struct fixture_table how;
    struct entry early = {.kind = ENTRY_INLINE, .expiry_ms = 5000};
    struct entry late = {.kind = ENTRY_INLINE, .expiry_ms = 7000};
    struct table_writer *writer;
    struct table_info info;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_entry(writer, "a", 1, &late);
    add_entry(writer, "b", 2, &early);
    info = finish_table(writer);
    ck_assert_uint_eq(info.expiry_max_ms, 7000);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

START_TEST(references_into_many_segments_are_all_counted) {
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    for (unsigned i = 0; i < 1000; i++) {
        struct entry entry = reference(1 + i * 37 % 100, 10);
        char word[32];
        numbered_word(word, i);
        add_entry(writer, word, 1, &entry);
    }
    info = finish_table(writer);
    ck_assert_uint_eq(info.share_count, 100);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(info.shares[i].segment, i + 1);
        ck_assert_uint_eq(info.shares[i].records, 10);
        ck_assert_uint_eq(info.shares[i].bytes, 100);
    }
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

START_TEST(the_size_so_far_foretells_the_size) {
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    uint64_t foretold;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_numbered(writer, 0, 50000);
    foretold = table_writer_bytes(writer);
    info = finish_table(writer);
    ck_assert_uint_gt(info.file_bytes, foretold);
    ck_assert_uint_lt(info.file_bytes, foretold + foretold / 10);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

START_TEST(a_row_is_in_the_filter_once_however_many_versions_it_has) {
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    uint8_t *bytes;
    size_t size;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    for (uint64_t version = 500; version > 0; version--) {
        add_value(writer, "row", version, "value");
    }
    info = finish_table(writer);
    bytes = file_content("d/0000000005.table", &size);
    ck_assert_uint_eq(load_u32(bytes + size - 72 + 8), 64 + 13);
    memory_free(bytes);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

START_TEST(a_finished_table_survives_a_power_cut) {
    const struct power_cut how_cut = {
        .mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_KEEP, .block_bytes = 512};
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info info;
    struct env *after;
    uint8_t *bytes;
    uint8_t *bytes_after;
    size_t size;
    size_t size_after;

    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_numbered(writer, 0, 1000);
    info = finish_table(writer);
    bytes = file_content("d/0000000005.table", &size);
    ck_assert_int_eq(env_memory_clone(env, &how_cut, &after), STATUS_OK);
    env_memory_destroy(env);
    env = after;
    bytes_after = file_content("d/0000000005.table", &size_after);
    ck_assert_uint_eq(size_after, size);
    ck_assert(memcmp(bytes_after, bytes, size) == 0);
    memory_free(bytes);
    memory_free(bytes_after);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

static int count_files(void) {
    struct env_file *file;
    enum status status = env_open(env, "d/0000000005.table", ENV_READ_CACHED, &file, &error);
    if (status == STATUS_OK) {
        ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
    }
    return status == STATUS_OK;
}

START_TEST(an_abandoned_table_leaves_no_file) {
    struct fixture_table how;
    struct table_writer *writer;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_numbered(writer, 0, 10);
    ck_assert_int_eq(count_files(), 1);
    table_writer_abandon(writer);
    ck_assert_int_eq(count_files(), 0);
    table_writer_abandon(NULL);
    env_memory_destroy(env);
}
END_TEST

START_TEST(a_malformed_entry_is_corrupt) {
    struct fixture_table how;
    struct table_writer *writer;
    struct key key = key_at("a", 1);
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    ck_assert_int_eq(table_writer_add(writer, key_slice(&key), slice_from_text("\x03"), &error),
                     STATUS_CORRUPT);
    table_writer_abandon(writer);
    env_memory_destroy(env);
}
END_TEST

START_TEST(an_existing_file_is_not_touched) {
    struct fixture_table how;
    struct table_writer_options options;
    struct table_writer *writer = NULL;
    struct table_info info;
    env = memory_env();
    how = plain();
    writer = begin_table(&how);
    add_numbered(writer, 0, 10);
    info = finish_table(writer);
    options = (struct table_writer_options){.env = env, .dir = "d", .number = 5};
    ck_assert_int_eq(table_writer_open(&options, &writer, &error), STATUS_EXISTS);
    ck_assert_int_eq(count_files(), 1);
    table_info_deinit(&info);
    env_memory_destroy(env);
}
END_TEST

/* Writes a table of some blocks with whatever faults are set; the file is there only on OK. */
static enum status try_to_write(struct env *with, struct compression *compression) {
    const struct table_writer_options options = {
        .env = with, .dir = "d", .number = 5, .compression = compression};
    struct table_writer *writer = NULL;
    struct table_info info = {0};
    enum status status = table_writer_open(&options, &writer, &error);

    if (status != STATUS_OK) {
        return status;
    }
    for (unsigned i = 0; i < 2000 && status == STATUS_OK; i++) {
        struct entry entry = reference(1 + i % 40, 1000);
        uint8_t bytes[ENTRY_REFERENCE_BYTES_MAX];
        struct key key;
        char word[32];
        numbered_word(word, i);
        key = key_at(word, 1);
        status = table_writer_add(writer, key_slice(&key),
                                  slice_make(bytes, entry_store(bytes, &entry)), &error);
    }
    if (status == STATUS_OK) {
        status = table_writer_finish(writer, &info, &error);
    }
    if (status != STATUS_OK) {
        table_writer_abandon(writer);
    }
    table_info_deinit(&info);
    return status;
}

START_TEST(each_failing_call_fails_the_table_and_leaves_no_file) {
    struct env *faulty;
    uint64_t calls;
    env = memory_env();
    ck_assert_int_eq(env_fault_create(env, NULL, &faulty), STATUS_OK);
    ck_assert_int_eq(try_to_write(faulty, NULL), STATUS_OK);
    calls = env_fault_calls(faulty, FAULT_WRITES | FAULT_CLOSE);
    ck_assert_uint_ge(calls, 5); /* create, append, sync, finish, close */
    for (uint64_t n = 1; n <= calls; n++) {
        struct fault_rule rule = {.kinds = FAULT_WRITES | FAULT_CLOSE, .countdown = n};
        ck_assert_int_eq(env_remove(env, "d/0000000005.table", &error),
                         n == 1 ? STATUS_OK : STATUS_NOT_FOUND);
        env_fault_add(faulty, &rule);
        ck_assert_int_eq(try_to_write(faulty, NULL), STATUS_IO);
        ck_assert_str_eq(error.path, "d/0000000005.table");
        ck_assert_int_eq(count_files(), 0);
        env_fault_clear(faulty);
    }
    env_fault_destroy(faulty);
    env_memory_destroy(env);
}
END_TEST

START_TEST(each_failing_allocation_fails_the_table_and_leaves_no_file) {
    struct compression *compression;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;
    env = memory_env();
    for (n = 0; status != STATUS_OK; n++) {
        ck_assert_int_eq(compression_create(&compression), STATUS_OK);
        memory_fail_after(n, false);
        status = try_to_write(env, compression);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_int_eq(count_files(), status == STATUS_OK);
        compression_destroy(compression);
    }
    ck_assert_uint_gt(n, 15);
    env_memory_destroy(env);
}
END_TEST

UNIT_MAIN("table_writer", a_small_table_has_the_documented_bytes, the_books_are_right,
          if_all_entries_expire_the_latest_expiry_is_known,
          references_into_many_segments_are_all_counted, the_size_so_far_foretells_the_size,
          a_row_is_in_the_filter_once_however_many_versions_it_has,
          a_finished_table_survives_a_power_cut, an_abandoned_table_leaves_no_file,
          a_malformed_entry_is_corrupt, an_existing_file_is_not_touched,
          each_failing_call_fails_the_table_and_leaves_no_file,
          each_failing_allocation_fails_the_table_and_leaves_no_file)
