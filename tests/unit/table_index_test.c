/* table_index_test.c: separators, search, and damaged index blocks. */
#include "storage/table_index.h"

#include "storage/block_frame.h"
#include "storage/block_writer.h"
#include "tests/unit/table_fixture.h"

#define START 48

static struct buffer raw;
static struct table_index table_index;

static void start(uint32_t count) {
    buffer_init(&raw, 1 << 20);
    ck_assert_int_eq(buffer_append_u32(&raw, count), STATUS_OK);
}

static void end(void) {
    table_index_deinit(&table_index);
    buffer_deinit(&raw);
}

/* A block that begins with `first`, after one that ended with `last` (NULL: the first block). */
static void add(const char *last, uint64_t last_version, const char *first, uint64_t version) {
    struct key before = {.len = 0};
    struct key after = key_at(first, version);
    if (last) {
        before = key_at(last, last_version);
    }
    ck_assert_int_eq(table_index_append_separator(&raw, key_slice(&before), key_slice(&after)),
                     STATUS_OK);
    ck_assert_int_eq(buffer_append_varint(&raw, 100), STATUS_OK);
}

static void load(uint32_t blocks) {
    ck_assert_int_eq(
        table_index_load(buffer_slice(&raw), START, START + 100 * blocks, &table_index), STATUS_OK);
}

static uint32_t find(const char *word, uint64_t version) {
    struct key key = key_at(word, version);
    return table_index_find(&table_index, key_row(&key), version);
}

static void three_blocks(void) {
    start(3);
    add(NULL, 0, "apple", 9);
    add("bear", 4, "bison", 7); /* separator "bi" */
    add("cat", 5, "cat", 3);    /* the row goes on */
    load(3);
}

START_TEST(the_separator_is_as_short_as_can_be) {
    static const uint8_t second[] = {14, 0, 0, 0, 1, 'b', 'i', 0, 0, 0, 0, 0, 0, 0, 0, 100};
    three_blocks();
    /* count; namespace and version field; stored bytes */
    ck_assert(memcmp(raw.data + 4 + 1 + 12 + 1, second, sizeof second) == 0);
    end();
}
END_TEST

START_TEST(a_key_is_found_in_the_block_that_can_hold_it) {
    three_blocks();
    ck_assert_uint_eq(find("", 9), 0);
    ck_assert_uint_eq(find("apple", 9), 0);
    ck_assert_uint_eq(find("bear", 4), 0);
    ck_assert_uint_eq(find("bh", 4), 0);
    ck_assert_uint_eq(find("bi", VERSION_MAX), 1);
    ck_assert_uint_eq(find("bison", 7), 1);
    ck_assert_uint_eq(find("cat", 4), 1);
    ck_assert_uint_eq(find("cat", 3), 2);
    ck_assert_uint_eq(find("dog", 1), 2);
    end();
}
END_TEST

START_TEST(a_row_that_goes_on_is_known) {
    struct key cat = key_at("cat", 1);
    struct key bi = key_at("bison", 1);
    three_blocks();
    ck_assert(table_index_continues(&table_index, 2, key_row(&cat)));
    ck_assert(!table_index_continues(&table_index, 1, key_row(&bi)));
    ck_assert(!table_index_continues(&table_index, 3, key_row(&cat)));
    end();
}
END_TEST

START_TEST(separators_between_namespaces_are_whole_keys) {
    struct key last = key_at("zzz", 1);
    struct key first = {.len = 0};
    uint8_t row[16];
    first.len = ikey_store(first.bytes,
                           slice_make(row, row_store(row, 0x01000000, slice_from_text("a"))), 5);
    start(1);
    ck_assert_int_eq(table_index_append_separator(&raw, key_slice(&last), key_slice(&first)),
                     STATUS_OK);
    ck_assert_uint_eq(raw.data[4], IKEY_BYTES_MIN);
    ck_assert_uint_eq(raw.data[5], 1);
    end();
}
END_TEST

START_TEST(every_truncation_is_corrupt) {
    three_blocks();
    table_index_deinit(&table_index);
    for (size_t len = 0; len < raw.len; len++) {
        ck_assert_int_eq(
            table_index_load(slice_make(raw.data, len), START, START + 300, &table_index),
            STATUS_CORRUPT);
    }
    end();
}
END_TEST

START_TEST(no_flipped_byte_leads_outside_the_data) {
    three_blocks();
    table_index_deinit(&table_index);
    for (size_t i = 0; i < raw.len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            raw.data[i] ^= (uint8_t)flip;
            if (table_index_load(buffer_slice(&raw), START, START + 300, &table_index) ==
                STATUS_OK) {
                ck_assert_uint_eq(table_index.offsets[table_index.count], START + 300);
                ck_assert_uint_lt(find("cat", 4), table_index.count);
                table_index_deinit(&table_index);
            }
            raw.data[i] ^= (uint8_t)flip;
        }
    }
    end();
}
END_TEST

START_TEST(lengths_that_do_not_fill_the_data_are_corrupt) {
    three_blocks();
    table_index_deinit(&table_index);
    ck_assert_int_eq(table_index_load(buffer_slice(&raw), START, START + 299, &table_index),
                     STATUS_CORRUPT);
    ck_assert_int_eq(table_index_load(buffer_slice(&raw), START, START + 301, &table_index),
                     STATUS_CORRUPT);
    end();
}
END_TEST

START_TEST(without_memory_it_says_so) {
    three_blocks();
    table_index_deinit(&table_index);
    memory_fail_after(0, false);
    ck_assert_int_eq(table_index_load(buffer_slice(&raw), START, START + 300, &table_index),
                     STATUS_NO_MEMORY);
    memory_fail_never();
    end();
}
END_TEST

UNIT_MAIN("table_index", the_separator_is_as_short_as_can_be,
          a_key_is_found_in_the_block_that_can_hold_it, a_row_that_goes_on_is_known,
          separators_between_namespaces_are_whole_keys, every_truncation_is_corrupt,
          no_flipped_byte_leads_outside_the_data, lengths_that_do_not_fill_the_data_are_corrupt,
          without_memory_it_says_so)
