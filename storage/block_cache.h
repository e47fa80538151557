/* block_cache.h: decoded table blocks in memory, shared by all readers, bounded in bytes.
 *
 *      shard:  buckets (hash of file number, offset) -> chains of blocks
 *              queue   newest <-> ... <-> hand <-> ... <-> oldest
 *
 * Replacement is SIEVE: a hit only sets a mark. To make room the hand walks from oldest to newest,
 * takes marks away, and evicts the first block without one. So blocks used once go early, and a hit
 * moves nothing. A block is one allocation with a reference count; the cache holds one reference,
 * each reader that found it another, and the last to let go frees it (under KVD_DEBUG its bytes are
 * first overwritten with 0xDB). Evicted but pinned blocks live on and are no longer counted.
 *
 * Blocks of a deleted file need no removal: file numbers are never used again, so nobody asks for
 * them, and they age out. All functions may be called from any thread; a shard's mutex is held for
 * a few dozen instructions, never during I/O. No allocation on a hit. */
#ifndef KVD_STORAGE_BLOCK_CACHE_H
#define KVD_STORAGE_BLOCK_CACHE_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdatomic.h>
#include <stdbool.h>

#define BLOCK_CACHE_SHARDS_MAX 64u /* 8 loops and 8 others seldom meet in one */
#define BLOCK_CACHE_SHARD_BYTES_MIN                                                                \
    (512u * 1024) /* a small cache has fewer shards, not tiny ones */

struct block_cache;

struct cached_block {
    /* written by its creator before anybody else sees it, then constant */
    uint64_t file_number;
    uint64_t offset;
    uint32_t len;      /* bytes of data that count */
    uint32_t capacity; /* bytes allocated for data */
    _Atomic uint32_t refs;
    /* guarded by the shard's mutex */
    bool marked; /* hit since the hand came by */
    struct cached_block *chain_next;
    struct cached_block *newer;
    struct cached_block *older;
    uint8_t data[];
};

struct block_cache_stats {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    uint64_t blocks;
    uint64_t bytes; /* with the overhead of each block */
    uint64_t capacity_bytes;
};

/* Errors: NO_MEMORY. A capacity of 0 keeps nothing. */
enum status block_cache_create(uint64_t capacity_bytes, struct block_cache **cache_out) MUST_CHECK;

/* NULL is allowed. Blocks that are still pinned live until they are let go. */
void block_cache_destroy(struct block_cache *cache);

/* Changes the capacity and evicts down to it. */
void block_cache_set_capacity(struct block_cache *cache, uint64_t capacity_bytes);

/* The block, pinned, or NULL. Counts a hit or a miss. */
struct cached_block *block_cache_find(struct block_cache *cache, uint64_t file_number,
                                      uint64_t offset);

/* A new block with room for `bytes`, with one reference, in no cache. NULL: no memory. */
struct cached_block *cached_block_create(size_t bytes) __attribute__((warn_unused_result));

/* Puts a filled block (its len set) in under this place. The caller's reference stays the caller's.
 * When the place is taken, or the block alone is above a shard's share, it is not put in. */
void block_cache_insert(struct block_cache *cache, uint64_t file_number, uint64_t offset,
                        struct cached_block *block);

/* Lets go of one reference; NULL is allowed. */
void cached_block_unref(struct cached_block *block);

void block_cache_read_stats(struct block_cache *cache, struct block_cache_stats *stats_out);

#endif
