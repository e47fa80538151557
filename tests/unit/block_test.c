/* block_test.c: data blocks: what the writer writes, the reader and its cursor find, whatever the
 * bytes. */
#include "storage/block.h"

#include "storage/block_writer.h"
#include "tests/unit/iterator_model.h"

static struct block_writer writer;
static struct block block;
static struct slice raw;

static void start(void) {
    block_writer_init(&writer);
}

static void end(void) {
    block_writer_deinit(&writer);
}

static void add(const char *word, uint64_t version, const char *entry) {
    struct key key = key_at(word, version);
    ck_assert_int_eq(block_writer_add(&writer, key_row(&key), version, slice_from_text(entry)),
                     STATUS_OK);
}

static void finish(void) {
    size_t foretold = block_writer_bytes(&writer);
    ck_assert_int_eq(block_writer_end(&writer, &raw), STATUS_OK);
    ck_assert_uint_eq(raw.len, foretold);
    ck_assert_int_eq(block_open(raw, &block), STATUS_OK);
}

static enum status find(const char *word, uint64_t version, uint64_t *version_out,
                        struct slice *entry_out) {
    struct key key = key_at(word, version);
    return block_find(&block, key_row(&key), version, version_out, entry_out);
}

static void expect_found(const char *word, uint64_t version, uint64_t found, const char *entry) {
    struct slice entry_found;
    uint64_t version_found;
    ck_assert_int_eq(find(word, version, &version_found, &entry_found), STATUS_OK);
    ck_assert_uint_eq(version_found, found);
    expect_text(entry_found, entry);
}

static void expect_status(const char *word, uint64_t version, enum status expected) {
    struct slice entry;
    uint64_t found;
    ck_assert_int_eq(find(word, version, &found, &entry), expected);
}

START_TEST(the_bytes_are_as_documented) {
    static const uint8_t expected[] = {
        0, 6, 9, 1, 0,   0,   0, 1, 'a', 'b', 'X', /* whole row, version 9, entry of 1 byte */
        6, 0, 3, 2, 'Y', 'Z',                      /* same row, version 3 */
        5, 2, 7, 0, 'c', 'd',                      /* shares "a" */
        0, 0, 0, 0,                                /* one restart, at 0 */
        1, 0, 0, 0,
    };
    start();
    add("ab", 9, "X");
    add("ab", 3, "YZ");
    add("acd", 7, "");
    finish();
    ck_assert_uint_eq(raw.len, sizeof expected);
    ck_assert(memcmp(raw.ptr, expected, sizeof expected) == 0);
    end();
}
END_TEST

START_TEST(find_gives_the_newest_version_not_above_the_asked_one) {
    start();
    add("ab", 9, "nine");
    add("ab", 3, "three");
    add("b", 5, "five");
    finish();
    expect_found("ab", VERSION_MAX, 9, "nine");
    expect_found("ab", 9, 9, "nine");
    expect_found("ab", 8, 3, "three");
    expect_found("b", 5, 5, "five");
    expect_status("ab", 2, STATUS_NOT_FOUND);
    expect_status("b", 4, STATUS_END);
    expect_status("a", 9, STATUS_NOT_FOUND);
    expect_status("abc", 9, STATUS_NOT_FOUND);
    expect_status("c", 9, STATUS_END);
    expect_status("", 9, STATUS_NOT_FOUND);
    end();
}
END_TEST

/* Rows that share beginnings in every way, with several versions, over many restarts. */
static struct model model_of_similar_rows(void) {
    struct random random = random_make(1);
    struct model model = {0};
    for (unsigned i = 0; i < 600; i++) {
        char word[16];
        size_t len = random_below(&random, 9);
        struct key key;
        for (size_t j = 0; j < len; j++) {
            word[j] = (char)('a' + random_below(&random, 3));
        }
        word[len] = '\0';
        key = key_at(word, 1 + random_below(&random, 40));
        model_add(&model, &key);
    }
    model_sort(&model);
    return model;
}

static void write_model(const struct model *model) {
    for (size_t i = 0; i < model->count; i++) {
        struct slice key = key_slice(&model->keys[i]);
        ck_assert_int_eq(block_writer_add(&writer, ikey_row(key), ikey_version(key),
                                          slice_make(key.ptr, key.len)),
                         STATUS_OK);
    }
    finish();
}

START_TEST(find_agrees_with_a_plain_search) {
    struct model model = model_of_similar_rows();
    start();
    write_model(&model);
    for (size_t i = 0; i < model.count; i++) {
        struct slice row = key_row(&model.keys[i]);
        for (uint64_t version = 0; version < 42; version++) {
            struct key sought;
            struct slice entry;
            uint64_t found;
            size_t at;
            enum status status = block_find(&block, row, version, &found, &entry);
            sought.len = ikey_store(sought.bytes, row, version);
            at = model_below(&model, key_slice(&sought));
            if (at == model.count) {
                ck_assert_int_eq(status, STATUS_END);
            } else if (!slice_equal(key_row(&model.keys[at]), row)) {
                ck_assert_int_eq(status, STATUS_NOT_FOUND);
            } else {
                ck_assert_int_eq(status, STATUS_OK);
                ck_assert(slice_equal(entry, key_slice(&model.keys[at])));
            }
        }
    }
    model_free(&model);
    end();
}
END_TEST

/* The cursor as an iterator, for the model. */
struct cursor_iterator {
    struct iterator base;
    struct block_cursor cursor;
};

static enum status arrive(struct cursor_iterator *self, enum status status) {
    self->base.key = buffer_slice(&self->cursor.key);
    self->base.entry = self->cursor.entry;
    return status;
}

static enum status op_seek(struct iterator *iter, struct slice ikey) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_seek(&self->cursor, ikey));
}

static enum status op_seek_before(struct iterator *iter, struct slice ikey) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_seek_before(&self->cursor, ikey));
}

static enum status op_first(struct iterator *iter) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_first(&self->cursor));
}

static enum status op_last(struct iterator *iter) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_last(&self->cursor));
}

static enum status op_next(struct iterator *iter) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_next(&self->cursor));
}

static enum status op_prev(struct iterator *iter) {
    struct cursor_iterator *self = (struct cursor_iterator *)iter;
    return arrive(self, block_cursor_prev(&self->cursor));
}

static const struct iterator_ops cursor_ops = {
    .seek = op_seek,
    .seek_before = op_seek_before,
    .seek_first = op_first,
    .seek_last = op_last,
    .next = op_next,
    .prev = op_prev,
};

START_TEST(the_cursor_walks_as_the_model_does) {
    struct model model = model_of_similar_rows();
    struct cursor_iterator iter = {.base.ops = &cursor_ops};
    start();
    write_model(&model);
    block_cursor_init(&iter.cursor);
    block_cursor_set(&iter.cursor, &block);
    model_walk(&model, &iter.base, 2, 20000);
    block_cursor_deinit(&iter.cursor);
    model_free(&model);
    end();
}
END_TEST

START_TEST(a_restart_comes_every_16_entries) {
    start();
    for (unsigned i = 0; i < 33; i++) {
        char word[32];
        numbered_word(word, i);
        add(word, 1, "x");
    }
    finish();
    ck_assert_uint_eq(block.restart_count, 3);
    expect_found("key-000000", 1, 1, "x");
    expect_found("key-000015", 1, 1, "x");
    expect_found("key-000016", 1, 1, "x");
    expect_found("key-000032", 1, 1, "x");
    end();
}
END_TEST

START_TEST(the_longest_row_and_an_entry_of_a_megabyte_fit) {
    struct block_cursor cursor;
    uint8_t *row = memory_alloc_zeroed(ROW_BYTES_MAX);
    uint8_t *entry = memory_alloc_zeroed(1 << 20);
    struct slice found;
    uint64_t version;
    start();
    ck_assert_int_eq(block_writer_add(&writer, slice_make(row, ROW_BYTES_MAX), VERSION_MAX,
                                      slice_make(entry, 1 << 20)),
                     STATUS_OK);
    finish();
    ck_assert_int_eq(
        block_find(&block, slice_make(row, ROW_BYTES_MAX), VERSION_MAX, &version, &found),
        STATUS_OK);
    ck_assert_uint_eq(found.len, 1 << 20);
    block_cursor_init(&cursor);
    block_cursor_set(&cursor, &block);
    ck_assert_int_eq(block_cursor_last(&cursor), STATUS_OK);
    ck_assert_uint_eq(cursor.key.len, IKEY_BYTES_MAX);
    block_cursor_deinit(&cursor);
    memory_free(row);
    memory_free(entry);
    end();
}
END_TEST

START_TEST(a_cleared_writer_starts_anew) {
    start();
    add("aaaa", 1, "x");
    block_writer_clear(&writer);
    add("aaab", 1, "y");
    finish();
    expect_found("aaab", 1, 1, "y");
    expect_status("aaaa", 1, STATUS_NOT_FOUND);
    end();
}
END_TEST

static void use_every_way(struct slice bytes) {
    struct key key = key_at("key-000010", 5);
    struct block_cursor cursor;
    struct block opened;
    struct slice entry;
    uint64_t version;
    enum status status;
    unsigned steps = 0;

    if (block_open(bytes, &opened) != STATUS_OK) {
        return;
    }
    status = block_find(&opened, key_row(&key), 5, &version, &entry);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_END ||
              status == STATUS_CORRUPT);
    block_cursor_init(&cursor);
    block_cursor_set(&cursor, &opened);
    status = block_cursor_seek(&cursor, key_slice(&key));
    while (status == STATUS_OK && steps++ < 1000) {
        status = block_cursor_next(&cursor);
    }
    status = block_cursor_last(&cursor);
    while (status == STATUS_OK && steps++ < 2000) {
        status = block_cursor_prev(&cursor);
    }
    status = block_cursor_seek_before(&cursor, key_slice(&key));
    block_cursor_deinit(&cursor);
}

/* The checksum keeps such bytes away; here it is shown that they would do no harm. */
START_TEST(no_bytes_make_a_reader_leave_the_block) {
    uint8_t *copy;
    start();
    for (unsigned i = 0; i < 40; i++) {
        char word[32];
        numbered_word(word, i);
        add(word, 5, "value");
    }
    finish();
    for (size_t i = 0; i < raw.len; i++) {
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            copy = memory_alloc(raw.len);
            memcpy(copy, raw.ptr, raw.len);
            copy[i] ^= (uint8_t)flip;
            use_every_way(slice_make(copy, raw.len));
            memory_free(copy);
        }
        copy = memory_alloc(i + 1);
        memcpy(copy, raw.ptr, i + 1);
        use_every_way(slice_make(copy, i + 1));
        memory_free(copy);
    }
    end();
}
END_TEST

START_TEST(tiny_and_empty_bytes_are_corrupt) {
    static const uint8_t zeros[8] = {0};
    for (size_t len = 0; len <= sizeof zeros; len++) {
        ck_assert_int_eq(block_open(slice_make(zeros, len), &block), STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(a_failed_add_leaves_the_block_as_it_was) {
    start();
    add("a", 1, "x");
    for (uint64_t n = 0; n < 2; n++) {
        char entry[2000];
        struct key key = key_at("b", 1);
        memset(entry, 'e', sizeof entry);
        memory_fail_after(0, false);
        ck_assert_int_eq(
            block_writer_add(&writer, key_row(&key), 1, slice_make(entry, sizeof entry)),
            STATUS_NO_MEMORY);
        memory_fail_never();
    }
    add("c", 1, "z");
    finish();
    expect_found("a", 1, 1, "x");
    expect_found("c", 1, 1, "z");
    expect_status("b", 1, STATUS_NOT_FOUND);
    end();
}
END_TEST

UNIT_MAIN("block", the_bytes_are_as_documented,
          find_gives_the_newest_version_not_above_the_asked_one, find_agrees_with_a_plain_search,
          the_cursor_walks_as_the_model_does, a_restart_comes_every_16_entries,
          the_longest_row_and_an_entry_of_a_megabyte_fit, a_cleared_writer_starts_anew,
          no_bytes_make_a_reader_leave_the_block, tiny_and_empty_bytes_are_corrupt,
          a_failed_add_leaves_the_block_as_it_was)
