/* table_fixture.h: verbs for the tests of the table rooms: keys and entries made from words, and
 * one directory "d" in a file system in memory. */
#ifndef KVD_TESTS_TABLE_FIXTURE_H
#define KVD_TESTS_TABLE_FIXTURE_H

#include "protocol/base/memory.h"
#include "storage/entry.h"
#include "storage/env_memory.h"
#include "storage/ikey.h"
#include "storage/table_cache.h"
#include "storage/table_writer.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define FIXTURE_KEY_ROOM 512

struct key {
    uint8_t bytes[FIXTURE_KEY_ROOM];
    size_t len;
};

static inline struct key key_at(const char *word, uint64_t version) {
    struct key key;
    uint8_t row[FIXTURE_KEY_ROOM];
    size_t row_len = row_store(row, 1, slice_from_text(word));
    key.len = ikey_store(key.bytes, slice_make(row, row_len), version);
    return key;
}

static inline struct slice key_slice(const struct key *key) {
    return slice_make(key->bytes, key->len);
}

static inline struct slice key_row(const struct key *key) {
    return ikey_row(key_slice(key));
}

/* An encoded inline entry, in memory that the test frees with memory_free. */
static inline struct slice value_entry(const char *value) {
    struct entry entry = {.kind = ENTRY_INLINE, .value = slice_from_text(value)};
    uint8_t *bytes = memory_alloc(entry_bytes(&entry));
    return slice_make(bytes, entry_store(bytes, &entry));
}

static inline void entry_free(struct slice entry) {
    memory_free((void *)(uintptr_t)entry.ptr);
}

/* The value of an encoded inline entry. */
static inline struct slice entry_value(struct slice bytes) {
    struct entry entry = {0};
    ck_assert_int_eq(entry_load(bytes, &entry), STATUS_OK);
    ck_assert_int_eq(entry.kind, ENTRY_INLINE);
    return entry.value;
}

static inline void expect_text(struct slice bytes, const char *text) {
    ck_assert_uint_eq(bytes.len, strlen(text));
    ck_assert(memcmp(bytes.ptr, text, bytes.len) == 0);
}

/* The user key on which an iterator stands. */
static inline void expect_at(const struct iterator *iter, const char *word, uint64_t version) {
    expect_text(row_user_key(ikey_row(iter->key)), word);
    ck_assert_uint_eq(ikey_version(iter->key), version);
}

static inline struct env *memory_env(void) {
    struct env *env = NULL;
    ck_assert_int_eq(env_memory_create(NULL, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d", NULL), STATUS_OK);
    return env;
}

/* ---- writing one table ---- */

struct fixture_table {
    struct env *env;
    struct compression *compression; /* NULL: plain blocks */
    uint64_t number;
    uint32_t block_bytes;
};

static inline struct table_writer *begin_table(const struct fixture_table *how) {
    const struct table_writer_options options = {
        .env = how->env,
        .dir = "d",
        .number = how->number,
        .compression = how->compression,
        .block_bytes = how->block_bytes,
    };
    struct table_writer *writer = NULL;
    ck_assert_int_eq(table_writer_open(&options, &writer, NULL), STATUS_OK);
    return writer;
}

static inline void add_value(struct table_writer *writer, const char *word, uint64_t version,
                             const char *value) {
    struct key key = key_at(word, version);
    struct slice entry = value_entry(value);
    ck_assert_int_eq(table_writer_add(writer, key_slice(&key), entry, NULL), STATUS_OK);
    entry_free(entry);
}

static inline struct table_info finish_table(struct table_writer *writer) {
    struct table_info info = {0};
    ck_assert_int_eq(table_writer_finish(writer, &info, NULL), STATUS_OK);
    return info;
}

/* "key-000000" ... with step 2 between the numbers, version 7, value "value of <number>". */
static inline void numbered_word(char word[32], unsigned number) {
    (void)snprintf(word, 32, "key-%06u", number);
}

static inline void add_numbered(struct table_writer *writer, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; i++) {
        char word[32];
        char value[64];
        numbered_word(word, 2 * i);
        (void)snprintf(value, sizeof value, "value of %u", 2 * i);
        add_value(writer, word, 7, value);
    }
}

#endif
