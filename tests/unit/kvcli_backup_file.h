/* kvcli_backup_file.h: a backup file in memory, written small and with many keys, and read. */
#ifndef KVD_TESTS_KVCLI_BACKUP_FILE_H
#define KVD_TESTS_KVCLI_BACKUP_FILE_H

#include "client/kvcli/backup_lookup.h"
#include "client/kvcli/backup_reader.h"
#include "client/kvcli/backup_writer.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define MANY 20000u
#define LONG_BYTES ((size_t)3 << 20)

/* --- a file in memory --- */

struct file {
    struct buffer bytes;
    uint64_t writes_left; /* then it fails */
    uint64_t reads_left;
};

static inline enum status write_to(void *arg, struct slice bytes, struct error *error) {
    struct file *file = arg;

    if (file->writes_left == 0) {
        return error_set(error, STATUS_NO_SPACE, 28, "file", ERROR_NO_OFFSET, "writing");
    }
    file->writes_left--;
    ck_assert_int_eq(buffer_append(&file->bytes, bytes.ptr, bytes.len), STATUS_OK);
    return STATUS_OK;
}

static inline enum status read_from(void *arg, uint64_t offset, void *data, size_t len,
                                    size_t *got_out, struct error *error) {
    struct file *file = arg;
    size_t left = offset < file->bytes.len ? file->bytes.len - (size_t)offset : 0;

    if (file->reads_left == 0) {
        return error_set(error, STATUS_IO, 5, "file", offset, "reading");
    }
    file->reads_left--;
    *got_out = len < left ? len : left;
    if (*got_out > 0) {
        memcpy(data, file->bytes.data + offset, *got_out);
    }
    return STATUS_OK;
}

static inline void open_file(struct file *file) {
    *file = (struct file){.writes_left = UINT64_MAX, .reads_left = UINT64_MAX};
    buffer_init(&file->bytes, FILE_BYTES_MAX);
}

static inline struct backup_sink sink_of(struct file *file) {
    return (struct backup_sink){write_to, file};
}

static inline struct backup_source source_of(struct file *file) {
    return (struct backup_source){read_from, file, "file", file->bytes.len};
}

/* --- writing --- */

static inline struct backup_entry value_entry(struct slice key, struct slice value) {
    return (struct backup_entry){.key = key,
                                 .value = value,
                                 .version = 7,
                                 .length = value.len,
                                 .checksum = backup_checksum(value, 0)};
}

static inline void space(struct backup_writer *writer, const char *name) {
    struct backup_space space = {.id = 9, .settings = {.quota_bytes = 1, .keep_ms = 2, 3}};
    struct error error;

    snprintf(space.name, sizeof space.name, "%s", name);
    ck_assert_int_eq(backup_writer_space(writer, &space, &error), STATUS_OK);
}

static inline void new_space(struct backup_writer *writer, const char *name) {
    struct backup_space space = {.id = 10, .is_new = true};
    struct error error;

    snprintf(space.name, sizeof space.name, "%s", name);
    ck_assert_int_eq(backup_writer_space(writer, &space, &error), STATUS_OK);
}

static inline void put(struct backup_writer *writer, const char *key, const char *value) {
    struct backup_entry entry = value_entry(slice_from_text(key), slice_from_text(value));
    struct error error;

    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_OK);
}

static inline void delete(struct backup_writer *writer, const char *key) {
    struct backup_entry entry = {.key = slice_from_text(key), .deleted = true};
    struct error error;

    ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_OK);
}

/* Bytes that do not compress, the same for the same seed. */
static inline void fill(uint8_t *bytes, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (uint8_t)(seed >> 56);
    }
}

static inline uint8_t *long_value(void) {
    uint8_t *bytes = memory_alloc(LONG_BYTES);

    ck_assert_ptr_nonnull(bytes);
    fill(bytes, LONG_BYTES, 1);
    return bytes;
}

/* In pieces of 1000003 bytes. */
static inline void put_long(struct backup_writer *writer, const char *key) {
    struct backup_entry entry = {
        .key = slice_from_text(key), .version = 8, .length = LONG_BYTES, .is_long = true};
    uint8_t *bytes = long_value();
    struct error error;

    ck_assert_int_eq(backup_writer_begin_long(writer, &entry, &error), STATUS_OK);
    for (size_t at = 0; at < LONG_BYTES; at += 1000003) {
        size_t some = LONG_BYTES - at < 1000003 ? LONG_BYTES - at : 1000003;
        ck_assert_int_eq(backup_writer_piece(writer, slice_make(bytes + at, some), &error),
                         STATUS_OK);
    }
    ck_assert_int_eq(backup_writer_end_long(writer, &error), STATUS_OK);
    memory_free(bytes);
}

static inline struct backup_writer *begin_marking(struct file *file, uint64_t since,
                                                  bool marks_new) {
    const struct backup_header header = {.version = 50,
                                         .since = since,
                                         .time_ms = 1000,
                                         .whole = true,
                                         .marks_new = marks_new,
                                         .source = "kvd at home"};
    struct backup_sink sink = sink_of(file);
    struct backup_writer *writer = NULL;
    struct error error;

    open_file(file);
    ck_assert_int_eq(backup_writer_create(&sink, &header, &writer, &error), STATUS_OK);
    return writer;
}

static inline struct backup_writer *begin(struct file *file, uint64_t since) {
    return begin_marking(file, since, false);
}

static inline struct backup_end finish(struct backup_writer *writer) {
    struct backup_end end;
    struct error error;

    ck_assert_int_eq(backup_writer_finish(writer, &end, &error), STATUS_OK);
    backup_writer_destroy(writer);
    return end;
}

/* Three namespaces, one of them empty; a deletion; a byte of each kind of block. */
static inline void write_small(struct file *file) {
    struct backup_writer *writer = begin(file, 40);

    space(writer, "");
    put(writer, "apple", "red");
    delete (writer, "banana");
    put(writer, "cherry", "");
    space(writer, "empty");
    space(writer, "other");
    put(writer, "apple", "green");
    finish(writer);
}

static inline void key_of(char *key, uint32_t number) {
    snprintf(key, 32, "key-%08u", number);
}

/* MANY keys with values of 100 bytes, even numbers only, and a long value among them. */
static inline struct backup_end write_many(struct file *file) {
    struct backup_writer *writer = begin(file, 0);
    struct backup_end end;
    uint8_t value[100];
    char key[32];

    space(writer, "");
    put(writer, "first", "of the default namespace");
    space(writer, "many");
    for (uint32_t i = 0; i < MANY; i++) {
        struct backup_entry entry;
        struct error error;
        key_of(key, 2 * i);
        fill(value, sizeof value, i);
        entry = value_entry(slice_from_text(key), slice_make(value, sizeof value));
        ck_assert_int_eq(backup_writer_put(writer, &entry, &error), STATUS_OK);
        if (i == MANY / 2) {
            memcpy(key + strlen(key), "+", 2);
            put_long(writer, key);
        }
    }
    space(writer, "next");
    put(writer, "last", "of all");
    end = finish(writer);
    ck_assert_uint_eq(end.values, MANY + 3);
    ck_assert_uint_eq(end.namespaces, 3);
    return end;
}

/* --- reading from start to end --- */

struct counts {
    uint64_t values;
    uint64_t deletions;
    uint64_t spaces;
    uint64_t piece_bytes;
};

/* Reads all; STATUS_OK if the end came. */
static inline enum status read_all(struct file *file, struct counts *counts) {
    struct backup_source source = source_of(file);
    struct backup_reader *reader = NULL;
    struct backup_item item = {0};
    struct error error;
    enum status status = backup_reader_create(&source, &reader, &error);

    *counts = (struct counts){0};
    while (status == STATUS_OK && item.event != BACKUP_EVENT_END) {
        status = backup_reader_next(reader, &item, &error);
        if (status != STATUS_OK) {
            break;
        }
        counts->spaces += item.event == BACKUP_EVENT_SPACE;
        counts->deletions += item.event == BACKUP_EVENT_ENTRY && item.entry.deleted;
        counts->values += item.event == BACKUP_EVENT_ENTRY && !item.entry.deleted;
        counts->piece_bytes += item.event == BACKUP_EVENT_PIECE ? item.piece.len : 0;
    }
    backup_reader_destroy(reader);
    if (status != STATUS_OK) {
        ck_assert_uint_gt(strlen(error.text), 0);
    }
    return status;
}

#endif
