/* kvcli_backup_damage_test.c: backup files with every byte damaged and cut at every length; what a
 * writer refuses; writes, reads and allocations that fail. */
#include "tests/unit/kvcli_backup_file.h"

/* --- damage --- */

/* A lookup of a damaged file may fail; what it finds is right. */
static void look_at_damaged(struct file *file) {
    struct backup_source source = source_of(file);
    struct backup_lookup *lookup = NULL;
    struct backup_entry entry;
    struct error error;
    enum status status = backup_lookup_create(&source, &lookup, &error);

    if (status == STATUS_OK) {
        status = backup_lookup_use(lookup, "", &error);
        ck_assert_int_ne(status, STATUS_NOT_FOUND);
    }
    if (status == STATUS_OK) {
        status = backup_lookup_seek(lookup, slice_from_text("apple"), false, &entry, &error);
    }
    if (status == STATUS_OK) {
        ck_assert(slice_equal(entry.key, slice_from_text("apple")));
        ck_assert(slice_equal(entry.value, slice_from_text("red")));
    } else {
        ck_assert_int_ne(status, STATUS_END);
        ck_assert_uint_gt(strlen(error.text), 0);
    }
    backup_lookup_destroy(lookup);
}

START_TEST(every_damaged_byte_is_found) {
    struct file file;
    struct counts counts;

    write_small(&file);
    for (size_t i = 0; i < file.bytes.len; i++) {
        static const uint8_t flips[] = {0x01, 0x80, 0xFF, 0x10};
        for (size_t j = 0; j < sizeof flips; j++) {
            file.bytes.data[i] ^= flips[j];
            ck_assert_msg(read_all(&file, &counts) != STATUS_OK, "byte %zu", i);
            look_at_damaged(&file);
            file.bytes.data[i] ^= flips[j];
        }
    }
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_file_cut_at_any_length_is_found) {
    struct file file;
    struct counts counts;
    size_t whole;

    write_small(&file);
    whole = file.bytes.len;
    for (size_t i = 0; i < whole; i++) {
        struct backup_lookup *lookup = NULL;
        struct backup_source source;
        struct error error;
        file.bytes.len = i;
        ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
        source = source_of(&file);
        ck_assert_int_eq(backup_lookup_create(&source, &lookup, &error), STATUS_CORRUPT);
    }
    file.bytes.len = whole;
    ck_assert_int_eq(buffer_append(&file.bytes, "", 1), STATUS_OK);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    look_at_damaged(&file);
    buffer_deinit(&file.bytes);
}
END_TEST

/* Two backups that differ in nothing but their version: blocks of one are no blocks of the other.
 */
START_TEST(a_block_of_another_backup_is_refused) {
    const struct backup_header header = {.version = 51, .since = 40, .time_ms = 1000};
    struct file file;
    struct file other;
    struct counts counts;
    struct backup_sink sink = sink_of(&other);
    struct backup_writer *writer = NULL;
    struct error error;

    write_small(&file);
    open_file(&other);
    ck_assert_int_eq(backup_writer_create(&sink, &header, &writer, &error), STATUS_OK);
    space(writer, "");
    put(writer, "apple", "red");
    finish(writer);
    for (size_t block = BACKUP_HEADER_BYTES_MIN;; block++) { /* the first block of the other */
        if (other.bytes.data[block] == BACKUP_SPACE &&
            load_u64(other.bytes.data + block + 24) == block) {
            memcpy(file.bytes.data + block, other.bytes.data + block, BACKUP_BLOCK_HEAD_BYTES + 24);
            break;
        }
    }
    ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    buffer_deinit(&file.bytes);
    buffer_deinit(&other.bytes);
}
END_TEST

/* Ends the file with other totals, sealed as if they were right. */
static void forge_end(struct file *file, const struct backup_end *end, uint64_t seed) {
    struct backup_block_head head = {.kind = BACKUP_END};
    uint8_t content[BACKUP_END_BYTES];
    struct backup_codec codec;
    struct slice bytes;

    head.offset = file->bytes.len - BACKUP_BLOCK_HEAD_BYTES - BACKUP_END_BYTES;
    head.number = load_u64(file->bytes.data + head.offset + 16);
    backup_end_store(content, end);
    backup_codec_init(&codec, seed);
    ck_assert_int_eq(backup_block_seal(&codec, &head, slice_make(content, sizeof content), &bytes),
                     STATUS_OK);
    memcpy(file->bytes.data + head.offset, bytes.ptr, bytes.len);
    backup_codec_deinit(&codec);
}

START_TEST(totals_that_are_not_of_these_blocks_are_refused) {
    struct file file;
    struct counts counts;
    struct backup_header header;
    struct backup_source source;
    struct backup_end right;
    struct error error;
    uint64_t seed;
    size_t length;

    write_small(&file);
    source = source_of(&file);
    ck_assert_int_eq(backup_header_read(&source, &header, &seed, &length, &error), STATUS_OK);
    backup_end_load(file.bytes.data + file.bytes.len - BACKUP_END_BYTES, &right);
    forge_end(&file, &right, seed);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    for (size_t i = 0; i < BACKUP_END_BYTES / 8; i++) {
        struct backup_end wrong = right;
        uint64_t *const totals[] = {&wrong.root,   &wrong.blocks,    &wrong.namespaces,
                                    &wrong.values, &wrong.deletions, &wrong.bytes,
                                    &wrong.digest};
        (*totals[i])++;
        forge_end(&file, &wrong, seed);
        ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    }
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_later_format_is_said_to_be_one) {
    struct file file;
    struct counts counts;

    write_small(&file);
    file.bytes.data[8]++;
    ck_assert_int_eq(read_all(&file, &counts), STATUS_UNSUPPORTED);
    buffer_deinit(&file.bytes);
}
END_TEST

/* The first block of the file, a namespace, sealed anew with these flags. */
static void forge_flags(struct file *file, uint8_t flags) {
    struct backup_block_head head = {.kind = BACKUP_SPACE};
    struct backup_source source = source_of(file);
    struct backup_header header;
    struct backup_block block;
    struct backup_codec codec;
    struct slice bytes;
    struct error error;
    size_t length;
    uint64_t seed;

    ck_assert_int_eq(backup_header_read(&source, &header, &seed, &length, &error), STATUS_OK);
    head.offset = length;
    backup_codec_init(&codec, seed);
    backup_block_init(&block);
    ck_assert_int_eq(backup_block_read(&codec, &source, length, 0, &block, &error), STATUS_OK);
    block.content.data[24] = flags;
    ck_assert_int_eq(backup_block_seal(&codec, &head, buffer_slice(&block.content), &bytes),
                     STATUS_OK);
    ck_assert_uint_eq(length + bytes.len, backup_block_after(&block.head));
    memcpy(file->bytes.data + length, bytes.ptr, bytes.len);
    backup_block_deinit(&block);
    backup_codec_deinit(&codec);
}

START_TEST(flags_of_a_namespace_that_cannot_be_are_refused) {
    struct file file;
    struct counts counts;
    struct backup_writer *writer = begin_marking(&file, 40, true);

    space(writer, "name");
    delete (writer, "banana");
    finish(writer);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    forge_flags(&file, 1); /* new, but with a deletion */
    ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    ck_assert_uint_eq(counts.spaces, 1);
    ck_assert_uint_eq(counts.deletions, 0);
    forge_flags(&file, 2);
    ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    ck_assert_uint_eq(counts.spaces, 0);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_namespace_without_its_flags_is_refused) {
    const uint8_t content[25] = {0};
    struct backup_space space;

    ck_assert_int_eq(backup_space_take(slice_make(content, 25), true, &space), STATUS_OK);
    ck_assert_int_eq(backup_space_take(slice_make(content, 24), true, &space), STATUS_CORRUPT);
    ck_assert_int_eq(backup_space_take(slice_make(content, 24), false, &space), STATUS_OK);
    ck_assert_int_eq(backup_space_take(slice_make(content, 23), false, &space), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_complete_backup_that_would_mark_what_is_new_is_refused) {
    struct file file;
    struct counts counts;
    uint8_t *bytes;
    size_t length;

    finish(begin_marking(&file, 40, true));
    ck_assert_int_eq(read_all(&file, &counts), STATUS_OK);
    bytes = file.bytes.data;
    length = load_u32(bytes + 12);
    store_u64(bytes + 32, 0);
    store_u64(bytes + length - 8, backup_checksum(slice_make(bytes, length - 8), 0));
    ck_assert_int_eq(read_all(&file, &counts), STATUS_CORRUPT);
    store_u64(bytes + 32, 40);
    store_u64(bytes + 16, 2); /* a feature of later */
    store_u64(bytes + length - 8, backup_checksum(slice_make(bytes, length - 8), 0));
    ck_assert_int_eq(read_all(&file, &counts), STATUS_UNSUPPORTED);
    buffer_deinit(&file.bytes);
}
END_TEST

/* --- what is not taken, and failures --- */

START_TEST(what_cannot_be_of_a_new_namespace_is_refused) {
    struct file file;
    struct backup_writer *writer = begin_marking(&file, 40, true);
    struct backup_entry entry = {.key = slice_from_text("l"), .deleted = true};
    struct backup_space unmarked = {.name = "a", .is_new = true};
    struct error error;

    new_space(writer, "a");
    put(writer, "k", "v");
    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_INVALID);
    backup_writer_destroy(writer);
    buffer_deinit(&file.bytes);
    writer = begin(&file, 40);
    ck_assert_int_eq(backup_writer_space(writer, &unmarked, &error), STATUS_INVALID);
    backup_writer_destroy(writer);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(keys_and_namespaces_out_of_order_are_refused) {
    struct file file;
    struct backup_writer *writer = begin(&file, 0);
    struct backup_space again = {.name = "a"};
    struct backup_entry entry = value_entry(slice_from_text("k"), slice_from_text("v"));
    struct error error;

    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_INVALID);
    space(writer, "a");
    put(writer, "k", "v");
    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_INVALID);
    entry = (struct backup_entry){.key = slice_from_text("l"), .deleted = true};
    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_INVALID);
    ck_assert_int_eq(backup_writer_space(writer, &again, &error), STATUS_INVALID);
    backup_writer_destroy(writer);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(a_long_value_of_another_length_is_refused) {
    struct backup_entry entry = {
        .key = slice_from_text("k"), .version = 1, .length = 4, .is_long = true};
    struct file file;
    struct backup_writer *writer = begin(&file, 0);
    struct error error;

    space(writer, "");
    ck_assert_int_eq(backup_writer_begin_long(writer, &entry, &error), STATUS_OK);
    ck_assert_int_eq(backup_writer_piece(writer, slice_from_text("abc"), &error), STATUS_OK);
    ck_assert_int_eq(backup_writer_end_long(writer, &error), STATUS_INVALID);
    ck_assert_int_eq(backup_writer_piece(writer, slice_from_text("de"), &error), STATUS_INVALID);
    backup_writer_destroy(writer);
    buffer_deinit(&file.bytes);
}
END_TEST

/* Writes a little into a file that may fail; STATUS_OK if it did not. */
static enum status try_to_write(struct file *file) {
    const struct backup_header header = {.version = 50};
    struct backup_sink sink = sink_of(file);
    struct backup_writer *writer = NULL;
    struct backup_space only = {.name = ""};
    struct backup_entry entry = value_entry(slice_from_text("k"), slice_from_text("v"));
    struct backup_end end;
    struct error error = {0};
    enum status status = backup_writer_create(&sink, &header, &writer, &error);

    status = status == STATUS_OK ? backup_writer_space(writer, &only, &error) : status;
    status = status == STATUS_OK ? backup_writer_put(writer, &entry, &error) : status;
    status = status == STATUS_OK ? backup_writer_finish(writer, &end, &error) : status;
    if (status != STATUS_OK) {
        ck_assert_uint_gt(strlen(error.text), 0);
    }
    backup_writer_destroy(writer);
    return status;
}

START_TEST(every_failing_write_and_read_is_told) {
    struct file file;
    struct counts counts;
    uint64_t at = 0;

    for (;; at++) {
        open_file(&file);
        file.writes_left = at;
        if (try_to_write(&file) == STATUS_OK) {
            break;
        }
        buffer_deinit(&file.bytes);
    }
    ck_assert_uint_eq(at, 5); /* header, namespace, entries, index, end */
    for (at = 0; at < 100; at++) {
        file.reads_left = at;
        if (read_all(&file, &counts) == STATUS_OK) {
            break;
        }
    }
    ck_assert_uint_gt(at, 5);
    ck_assert_uint_lt(at, 100);
    buffer_deinit(&file.bytes);
}
END_TEST

START_TEST(every_failing_allocation_is_told) {
    struct file file;
    struct counts counts;
    enum status status = STATUS_NO_MEMORY;

    open_file(&file);
    ck_assert_int_eq(buffer_reserve(&file.bytes, 4096), STATUS_OK);
    for (uint64_t at = 0; status != STATUS_OK; at++) {
        buffer_clear(&file.bytes);
        memory_fail_after(at, true);
        status = try_to_write(&file);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_lt(at, 100);
    }
    status = STATUS_NO_MEMORY;
    for (uint64_t at = 0; status != STATUS_OK; at++) {
        memory_fail_after(at, true);
        status = read_all(&file, &counts);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_lt(at, 100);
    }
    buffer_deinit(&file.bytes);
}
END_TEST

UNIT_MAIN("kvcli_backup_damage", every_damaged_byte_is_found, a_file_cut_at_any_length_is_found,
          a_block_of_another_backup_is_refused, a_later_format_is_said_to_be_one,
          flags_of_a_namespace_that_cannot_be_are_refused, a_namespace_without_its_flags_is_refused,
          a_complete_backup_that_would_mark_what_is_new_is_refused,
          what_cannot_be_of_a_new_namespace_is_refused,
          totals_that_are_not_of_these_blocks_are_refused,
          keys_and_namespaces_out_of_order_are_refused, a_long_value_of_another_length_is_refused,
          every_failing_write_and_read_is_told, every_failing_allocation_is_told)
