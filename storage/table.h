/* table.h: reads one table file.
 *
 * An open table holds its index and its filter in memory; data blocks come through the block cache.
 *
 *      target -> filter: not here?  -> NOT_FOUND
 *             -> index:  which block (binary search in memory)
 *             -> block cache, or read + verify + decompress + insert
 *             -> block:  binary search of restart points, then a short walk
 *
 * Every block read from disk is verified; a mismatch is CORRUPT with file and offset. A table never
 * changes; all functions may be called from any thread. Opening, and closing, is the table cache's
 * business (table_cache.h). With a cached block, table_get allocates nothing. */
#ifndef KVD_STORAGE_TABLE_H
#define KVD_STORAGE_TABLE_H

#include "storage/block_cache.h"
#include "storage/checksum.h"
#include "storage/compression.h"
#include "storage/env.h"
#include "storage/iterator.h"
#include "storage/read_wait.h"
#include "storage/table_info.h"

struct table;

/* Where tables are read from and what is shared between them. All borrowed; must outlive the
 * tables. */
struct table_source {
    struct env *env;
    const char *dir;
    struct block_cache *cache;       /* may be NULL: nothing is cached */
    struct compression *compression; /* never NULL */
};

/* What table_get looks for: the newest entry of `row` with version <= `version`. Made once for all
 * the tables that one read visits. */
struct table_target {
    struct slice row; /* ikey.h; borrowed */
    uint64_t version;
    uint64_t row_hash;
};

static inline struct table_target table_target_make(struct slice row, uint64_t version) {
    return (struct table_target){row, version, checksum_of(row)};
}

/* A found entry. `entry` borrows from a pinned block until table_hit_release. */
struct table_hit {
    struct slice entry; /* encoded, entry.h */
    uint64_t version;
    struct cached_block *block; /* the pin */
};

/* What table_get did, for EXPLAIN. */
struct table_trace {
    bool filter_negative;  /* the filter said no; nothing below is set then */
    bool block_cached;     /* the last block visited was in the cache */
    uint32_t blocks;       /* visited: 0, 1, or 2 when the versions of a row span blocks */
    uint64_t block_offset; /* of the last block visited */
};

/* Opens the table that `info` describes (borrowed during the call only): checks size, footer
 * against info->footer_checksum, header, properties, index and filter. May wait for the disk.
 * Errors: CORRUPT, NEWER_FORMAT, NO_MEMORY, those of env_open and env_read. */
enum status table_open(const struct table_source *source, const struct table_info *info,
                       struct table **table_out, struct error *error) MUST_CHECK;

/* Closes it; no iterator may be left (hits may: they pin blocks, not the table). NULL is allowed.
 */
void table_close(struct table *table);

uint64_t table_number(const struct table *table);

/* Memory that the open table holds: index, filter and itself. */
size_t table_memory_bytes(const struct table *table);

/* Looks one key up. `trace` and `error` may be NULL; *trace is always set. Errors: NOT_FOUND,
 * WOULD_BLOCK (READ_WAIT_NEVER only), CORRUPT, IO, NO_MEMORY. */
enum status table_get(const struct table *table, enum read_wait wait,
                      const struct table_target *target, struct table_hit *hit_out,
                      struct table_trace *trace, struct error *error) MUST_CHECK;

/* Lets go of what a hit borrows; a zeroed hit is allowed. */
static inline void table_hit_release(struct table_hit *hit) {
    cached_block_unref(hit->block);
    *hit = (struct table_hit){0};
}

/* How an iterator reads. */
enum table_iterator_flags {
    TABLE_ITERATOR_FILL_CACHE = 1, /* blocks that it reads are put into the cache */
    TABLE_ITERATOR_SEQUENTIAL = 2  /* for jobs: past the cache, TABLE_READ_AHEAD_BYTES at a time;
                                      only with READ_WAIT_ALLOWED */
};

#define TABLE_READ_AHEAD_BYTES (256u * 1024)

/* An iterator over the table, which must stay open as long. Errors: NO_MEMORY. */
enum status table_iterator_create(const struct table *table, enum read_wait wait, unsigned flags,
                                  struct iterator **iterator_out) MUST_CHECK;

#endif
