/* env_memory_fixture.h: verbs over one directory "d" of one env_memory, for the tests of it. */
#ifndef KVD_TESTS_ENV_MEMORY_FIXTURE_H
#define KVD_TESTS_ENV_MEMORY_FIXTURE_H

#include "protocol/base/memory.h"
#include "storage/env_memory.h"
#include "tests/unit/unit.h"

#include <string.h>

#define BLOCK 4096

static struct env *env;
static struct error error;

static inline void start_with(const struct env_memory_options *options) {
    ck_assert_int_eq(env_memory_create(options, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d", &error), STATUS_OK);
}

static inline void start(void) {
    start_with(NULL);
}

static inline void end(void) {
    env_memory_destroy(env);
}

static inline struct env_file *create(const char *path) {
    struct env_file *file = NULL;
    ck_assert_int_eq(env_create(env, path, &file, &error), STATUS_OK);
    return file;
}

static inline enum status try_append(struct env_file *file, const char *text) {
    struct slice slice = slice_from_text(text);
    return env_append(file, &slice, 1, &error);
}

static inline void append(struct env_file *file, const char *text) {
    ck_assert_int_eq(try_append(file, text), STATUS_OK);
}

static inline enum status try_append_block(struct env_file *file, size_t bytes, uint8_t fill) {
    uint8_t *block = memory_alloc(bytes);
    struct slice slice = slice_make(block, bytes);
    enum status status;
    memset(block, fill, bytes);
    status = env_append(file, &slice, 1, &error);
    memory_free(block);
    return status;
}

static inline void append_block(struct env_file *file, size_t bytes, uint8_t fill) {
    ck_assert_int_eq(try_append_block(file, bytes, fill), STATUS_OK);
}

static inline void sync_file(struct env_file *file) {
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
}

static inline void sync_names(void) {
    ck_assert_int_eq(env_sync_dir(env, "d", &error), STATUS_OK);
}

static inline void close_file(struct env_file *file) {
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
}

static inline bool exists(const char *path) {
    struct env_file *file = NULL;
    enum status status = env_open(env, path, ENV_READ_CACHED, &file, &error);
    if (status == STATUS_OK) {
        close_file(file);
    }
    return status == STATUS_OK;
}

/* Reads a whole file, at most one MiB; the caller frees. */
static inline uint8_t *content(const char *path, enum env_read_mode mode, size_t *bytes_out) {
    struct env_file *file = NULL;
    uint8_t *bytes = memory_alloc_aligned(ENV_DIRECT_ALIGN, 1 << 20);
    ck_assert_int_eq(env_open(env, path, mode, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, bytes, 1 << 20, bytes_out, &error), STATUS_OK);
    close_file(file);
    return bytes;
}

static inline void expect_content(const char *path, enum env_read_mode mode, const char *text) {
    size_t bytes = 0;
    uint8_t *got = content(path, mode, &bytes);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_mem_eq(got, text, bytes);
    memory_free(got);
}

static inline struct power_cut cut(enum power_cut_mode mode, enum power_cut_entries entries) {
    return (struct power_cut){.seed = 1, .mode = mode, .entries = entries, .block_bytes = BLOCK};
}

/* The power goes out; the test goes on in what is left. */
static inline void cut_power(struct power_cut how) {
    struct env *after = NULL;
    ck_assert_int_eq(env_memory_clone(env, &how, &after), STATUS_OK);
    env_memory_destroy(env);
    env = after;
}

#endif
