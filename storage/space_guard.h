/* space_guard.h: keeps a reserve of the disk for what must go on when it is full.
 *
 * Below the reserve, commits that put are refused before anything is written; deletes, flush,
 * compaction, log GC and the removal of files may use it: it has room for a segment of the log, a
 * flush, a compaction and a survivor. The free space is asked of the file system at
 * most every SPACE_CHECK_BYTES of writing, and every second by the tick. Any thread. */
#ifndef KVD_STORAGE_SPACE_GUARD_H
#define KVD_STORAGE_SPACE_GUARD_H

#include "storage/env.h"

#include <stdatomic.h>

#define SPACE_CHECK_BYTES (1024u * 1024)

struct space_guard {
    struct env *env;                /* borrowed; constant */
    const char *dir;                /* borrowed; constant */
    _Atomic uint64_t reserve_bytes; /* relaxed, as all below; grows with the store */
    _Atomic uint64_t free_bytes;    /* relaxed: a moment old */
    _Atomic uint64_t written;       /* since the last look; relaxed */
};

void space_guard_init(struct space_guard *guard, struct env *env, const char *dir,
                      uint64_t reserve_bytes);

void space_guard_set_reserve(struct space_guard *guard, uint64_t reserve_bytes);

/* Looks at the file system now. */
void space_guard_refresh(struct space_guard *guard);

/* Counts `bytes` about to be written; looks again when enough have come together. */
void space_guard_note(struct space_guard *guard, uint64_t bytes);

/* What was written since the last look counts as gone, and so does `unflushed_bytes`: what is in
 * memory will need about its size in tables. */
static inline bool space_guard_is_low(const struct space_guard *guard, uint64_t unflushed_bytes) {
    uint64_t written = atomic_load_explicit(&guard->written, memory_order_relaxed);
    return atomic_load_explicit(&guard->free_bytes, memory_order_relaxed) <
           atomic_load_explicit(&guard->reserve_bytes, memory_order_relaxed) + written +
               unflushed_bytes;
}

/* Whether the reserve is near: what can be done without should go. */
static inline bool space_guard_is_near(const struct space_guard *guard) {
    return atomic_load_explicit(&guard->free_bytes, memory_order_relaxed) / 2 <
           atomic_load_explicit(&guard->reserve_bytes, memory_order_relaxed);
}

#endif
