/* memory_budget.h: holds the process to one number.
 *
 *      limit = memtables + tables' indexes and filters + cursors, uploads, clients' buffers ...
 *              + what is left: the block cache
 *
 * Nothing is divided up in advance. Several times a second the bytes that the process has allocated
 * (memory.h counts them all) are held against the limit, and the block cache, which is the only
 * part that can shrink at once and without harm, gets what the others leave: between
 * BUDGET_CACHE_MIN and BUDGET_CACHE_MAX parts of the limit. The others have bounds of their own
 * (docs/architecture.md, "Sizes"), whose sum stays below the limit.
 *
 * A step of the background lane, by delay; starts with memory_budget_start, ends with
 * memory_budget_stop. Any thread may read the figures. */
#ifndef KVD_STORAGE_MEMORY_BUDGET_H
#define KVD_STORAGE_MEMORY_BUDGET_H

#include "storage/block_cache.h"
#include "storage/lock.h"
#include "storage/scheduler.h"

#define BUDGET_PART 32u /* of the limit; the two bounds below are in such parts */
#define BUDGET_CACHE_MIN 1u
#define BUDGET_CACHE_MAX 20u
/* Left free for what comes between two looks, and for what the allocator cannot use again at once;
 * and for code (5 MiB with all libraries), stacks and tables of the allocator. */
#define BUDGET_SPARE 3u
#define BUDGET_SPARE_BYTES (UINT64_C(11) << 20)

struct memory_budget {
    struct block_cache *cache;   /* borrowed; constant */
    struct scheduler *scheduler; /* borrowed; constant */
    uint64_t limit_bytes;        /* constant */
    struct step step;
    struct mutex mu;
    bool stopping; /* guarded by mu, a leaf but for the scheduler's */
};

/* The capacity that the cache is to have: pure. `used_bytes` is all that is allocated, the
 * `cache_bytes` of them by the cache. */
uint64_t memory_budget_share(uint64_t limit_bytes, uint64_t used_bytes, uint64_t cache_bytes);

/* Looks for the first time, and goes on. */
void memory_budget_start(struct memory_budget *budget, struct block_cache *cache,
                         struct scheduler *scheduler, uint64_t limit_bytes);

/* Looks no more. Drain the scheduler after it, and before the cache is destroyed. */
void memory_budget_stop(struct memory_budget *budget);

/* Stopped and drained before. */
void memory_budget_deinit(struct memory_budget *budget);

#endif
