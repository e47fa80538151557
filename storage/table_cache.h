/* table_cache.h: open tables by file number, bounded in number.
 *
 *      number -> handle { pins | OPEN, table }        handles in a hash table under one mutex
 *                                                     open handles in a ring for the clock
 *
 * A handle is a file's place in the cache, open or not; it lives from the first use of the number
 * to table_cache_evict. Pinning an open table is one atomic addition; whoever keeps the handle
 * (struct table_file of a version) pays nothing else on its reads. Opening reads the disk without
 * any lock; if two threads open the same table, one of the two is closed again. When more than the
 * allowed number are open, the clock closes tables that nobody has pinned; if all are pinned the
 * number is exceeded for as long as that lasts.
 *
 * All functions may be called from any thread. Lock order: the mutex is a leaf; no I/O under it. */
#ifndef KVD_STORAGE_TABLE_CACHE_H
#define KVD_STORAGE_TABLE_CACHE_H

#include "storage/table.h"

struct table_cache;
struct table_handle;

/* `source` is copied; what it points to is borrowed. Errors: NO_MEMORY. */
enum status table_cache_create(const struct table_source *source, uint32_t open_tables_max,
                               struct table_cache **cache_out) MUST_CHECK;

/* Closes all. Nothing may be pinned (asserted). NULL is allowed. */
void table_cache_destroy(struct table_cache *cache);

/* Pins the table that `info` describes and sets *table_out; opens it first if need be. End with
 * table_unpin. Errors: WOULD_BLOCK (READ_WAIT_NEVER and not open), and those of table_open. */
enum status table_cache_pin(struct table_cache *cache, const struct table_info *info,
                            enum read_wait wait, struct table **table_out,
                            struct error *error) MUST_CHECK;

/* Lets go of a pin of any of the functions here. NULL is allowed. */
void table_unpin(struct table *table);

/* The handle of a file, for whoever wants to spare the lookup: borrowed until table_cache_evict of
 * that number, or table_cache_destroy. Opens nothing. Errors: NO_MEMORY. */
enum status table_cache_handle(struct table_cache *cache, uint64_t number,
                               struct table_handle **handle_out) MUST_CHECK;

/* As table_cache_pin, without the lookup. `info` must be that of the handle's number. */
enum status table_handle_pin(struct table_handle *handle, const struct table_info *info,
                             enum read_wait wait, struct table **table_out,
                             struct error *error) MUST_CHECK;

/* Forgets a file that is going to be deleted: its table is closed now, or when the last pin goes.
 * The number must not be asked for again. Unknown numbers are allowed. */
void table_cache_evict(struct table_cache *cache, uint64_t number);

struct table_cache_stats {
    uint64_t open_tables;
    uint64_t opens;        /* tables opened so far */
    uint64_t memory_bytes; /* of the open tables: indexes and filters */
};

void table_cache_read_stats(struct table_cache *cache, struct table_cache_stats *stats_out);

#endif
