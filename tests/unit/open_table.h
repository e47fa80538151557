/* open_table.h: fixture: a table written into memory, opened behind an environment that can be made
 * to fail, with a block cache. */
#ifndef KVD_TESTS_OPEN_TABLE_H
#define KVD_TESTS_OPEN_TABLE_H

#include "storage/env_fault.h"
#include "tests/unit/iterator_model.h"

#define FIXTURE_CACHE_BYTES (1u << 20)

struct open_table {
    struct env *memory;
    struct env *env; /* over it, faulty */
    struct block_cache *cache;
    struct compression *compression;
    struct table_source source;
    uint32_t block_bytes;
    struct table_info info;
    struct table *table;
};

static inline void open_table_begin(struct open_table *fixture) {
    *fixture = (struct open_table){0};
    fixture->memory = memory_env();
    fixture->block_bytes = TABLE_BLOCK_BYTES_MIN;
    ck_assert_int_eq(env_fault_create(fixture->memory, NULL, &fixture->env), STATUS_OK);
    ck_assert_int_eq(block_cache_create(FIXTURE_CACHE_BYTES, &fixture->cache), STATUS_OK);
    ck_assert_int_eq(compression_create(&fixture->compression), STATUS_OK);
    fixture->source =
        (struct table_source){fixture->env, "d", fixture->cache, fixture->compression};
}

static inline struct table_writer *open_table_writer(struct open_table *fixture, bool compress) {
    const struct fixture_table how = {
        .env = fixture->env,
        .compression = compress ? fixture->compression : NULL,
        .number = 5,
        .block_bytes = fixture->block_bytes,
    };
    return begin_table(&how);
}

/* Ends the writer's table and opens it. */
static inline void open_table_finish(struct open_table *fixture, struct table_writer *writer) {
    fixture->info = finish_table(writer);
    ck_assert_int_eq(table_open(&fixture->source, &fixture->info, &fixture->table, NULL),
                     STATUS_OK);
}

/* One of `count` numbered rows (add_numbered). */
static inline void open_table_numbered(struct open_table *fixture, unsigned count, bool compress) {
    struct table_writer *writer;
    open_table_begin(fixture);
    writer = open_table_writer(fixture, compress);
    add_numbered(writer, 0, count);
    open_table_finish(fixture, writer);
}

static inline void open_table_end(struct open_table *fixture) {
    table_close(fixture->table);
    table_info_deinit(&fixture->info);
    block_cache_destroy(fixture->cache);
    compression_destroy(fixture->compression);
    env_fault_destroy(fixture->env);
    env_memory_destroy(fixture->memory);
}

/* Nothing is in the page cache from now on. */
static inline void make_disk_cold(struct open_table *fixture) {
    const struct fault_rule rule = {.kinds = FAULT_READ_NOWAIT,
                                    .countdown = 1,
                                    .for_ever = true,
                                    .fault = FAULT_IS_WOULD_BLOCK};
    env_fault_add(fixture->env, &rule);
}

static inline struct model numbered_model(unsigned count) {
    struct model model = {0};
    for (unsigned i = 0; i < count; i++) {
        char word[32];
        struct key key;
        numbered_word(word, 2 * i);
        key = key_at(word, 7);
        model_add(&model, &key);
    }
    return model;
}

#endif
