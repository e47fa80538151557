/* table_corruption_test.c: every byte of a small table is damaged in several ways; each read gives
 * an error or the right answer: never a wrong one, never a missing key, never a crash. */
#include "tests/unit/open_table.h"

#define ROWS 60
#define BLOCK_BYTES 400 /* so that there are some blocks */
#define PATH "d/0000000005.table"

static struct open_table fixture;
static struct model model;

static void expect_error(enum status status) {
    ck_assert_msg(status == STATUS_CORRUPT || status == STATUS_NEWER_FORMAT, "status %s",
                  status_name(status));
}

static void expect_value_of(struct slice bytes, unsigned number) {
    char value[64];
    (void)snprintf(value, sizeof value, "value of %u", 2 * number);
    expect_text(entry_value(bytes), value);
}

/* Gets every row; returns how many gave an error. */
static unsigned get_all(const struct table *table) {
    unsigned errors = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        struct table_target target = table_target_make(key_row(&model.keys[i]), 7);
        struct table_hit hit;
        struct error error;
        enum status status = table_get(table, READ_WAIT_ALLOWED, &target, &hit, NULL, &error);
        if (status == STATUS_OK) {
            expect_value_of(hit.entry, i);
            table_hit_release(&hit);
        } else {
            expect_error(status);
            ck_assert_str_eq(error.path, PATH);
            errors++;
        }
    }
    return errors;
}

/* Walks from the first; returns whether that ended in an error. */
static bool walk_all(const struct table *table, unsigned flags) {
    struct iterator *iter;
    enum status status;
    unsigned count = 0;
    ck_assert_int_eq(table_iterator_create(table, READ_WAIT_ALLOWED, flags, &iter), STATUS_OK);
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        ck_assert(slice_equal(iter->key, key_slice(&model.keys[count])));
        expect_value_of(iter->entry, count);
        count++;
        status = iterator_next(iter);
    }
    if (status == STATUS_END) {
        ck_assert_uint_eq(count, ROWS);
    } else {
        expect_error(status);
        ck_assert_str_eq(iter->error.path, PATH);
    }
    iterator_destroy(iter);
    return status != STATUS_END;
}

/* Opens the damaged file and reads all; returns whether the damage was noticed. */
static bool damage_is_noticed(void) {
    struct table *table = NULL;
    struct error error;
    bool noticed = false;
    enum status status = table_open(&fixture.source, &fixture.info, &table, &error);

    if (status != STATUS_OK) {
        expect_error(status);
        ck_assert_str_eq(error.path, PATH);
        return true;
    }
    noticed |= get_all(table) > 0;
    noticed |= walk_all(table, 0);
    noticed |= walk_all(table, TABLE_ITERATOR_SEQUENTIAL);
    table_close(table);
    return noticed;
}

static void start(bool compress) {
    struct table_writer *writer;
    open_table_begin(&fixture);
    fixture.block_bytes = BLOCK_BYTES;
    writer = open_table_writer(&fixture, compress);
    add_numbered(writer, 0, ROWS);
    open_table_finish(&fixture, writer);
    model = numbered_model(ROWS);
    table_close(fixture.table);
    fixture.table = NULL;
    fixture.source.cache = NULL; /* each try reads the file */
    ck_assert(!damage_is_noticed());
}

static void end(void) {
    model_free(&model);
    open_table_end(&fixture);
}

static uint8_t byte_at(uint64_t offset) {
    struct env_file *file;
    uint8_t byte;
    size_t got;
    ck_assert_int_eq(env_open(fixture.memory, PATH, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, offset, &byte, 1, &got, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return byte;
}

static void set_byte(uint64_t offset, uint8_t byte) {
    ck_assert_int_eq(env_memory_poke(fixture.memory, PATH, offset, slice_make(&byte, 1)),
                     STATUS_OK);
}

static void flip_every_byte(void) {
    static const uint8_t masks[] = {0x01, 0x80, 0x55, 0xFF};
    for (uint64_t offset = 0; offset < fixture.info.file_bytes; offset++) {
        uint8_t byte = byte_at(offset);
        for (size_t i = 0; i < sizeof masks; i++) {
            set_byte(offset, byte ^ masks[i]);
            ck_assert_msg(damage_is_noticed(), "byte %lu", (unsigned long)offset);
        }
        set_byte(offset, byte);
    }
    ck_assert(!damage_is_noticed());
}

START_TEST(every_flipped_byte_of_plain_blocks_is_noticed) {
    start(false);
    flip_every_byte();
    end();
}
END_TEST

START_TEST(every_flipped_byte_of_compressed_blocks_is_noticed) {
    start(true);
    flip_every_byte();
    end();
}
END_TEST

START_TEST(every_truncation_is_noticed) {
    start(false);
    for (uint64_t size = fixture.info.file_bytes; size-- > 0;) {
        ck_assert_int_eq(env_memory_truncate(fixture.memory, PATH, size), STATUS_OK);
        ck_assert(damage_is_noticed());
    }
    end();
}
END_TEST

/* The same rows in a file of another number, put under this name: as if a stale file came back. */
START_TEST(another_tables_bytes_under_this_name_are_noticed) {
    struct fixture_table how;
    struct table_writer *writer;
    struct table_info other;
    start(false);
    how = (struct fixture_table){.env = fixture.env, .number = 6, .block_bytes = BLOCK_BYTES};
    writer = begin_table(&how);
    add_numbered(writer, 0, ROWS);
    other = finish_table(writer);
    ck_assert_uint_eq(other.file_bytes, fixture.info.file_bytes);
    for (uint64_t offset = 0; offset < other.file_bytes; offset++) {
        struct env_file *file;
        uint8_t byte;
        size_t got;
        ck_assert_int_eq(
            env_open(fixture.memory, "d/0000000006.table", ENV_READ_CACHED, &file, NULL),
            STATUS_OK);
        ck_assert_int_eq(env_read(file, offset, &byte, 1, &got, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
        set_byte(offset, byte);
    }
    ck_assert(damage_is_noticed());
    table_info_deinit(&other);
    end();
}
END_TEST

UNIT_MAIN("table_corruption", every_flipped_byte_of_plain_blocks_is_noticed,
          every_flipped_byte_of_compressed_blocks_is_noticed, every_truncation_is_noticed,
          another_tables_bytes_under_this_name_are_noticed)
