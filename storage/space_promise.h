/* space_promise.h: keeps the files of a store in proportion to what lives in it.
 *
 *      file bytes <= (1 + g)(1 + h) L + (1 + g)(P + D) + C            (docs/space.md has the proof)
 *
 * Puts are admitted only while both hold; deletes always are:
 *
 *      I1  unreferenced bytes of flushed segments  <=  g A + S        A: the weight of all tables
 *      I2  weight above the bottom, memtables counted  <=  h bottom + U
 *
 * When one does not, there is a job that brings it nearer (GC for I1, flush or compaction for I2),
 * and the put waits for it; if jobs fail, it gets their error. The figures are taken anew after
 * every install and every second, from the accounts (holders.h).
 *
 * Threads: any. Readers of the admission take no lock. */
#ifndef KVD_STORAGE_SPACE_PROMISE_H
#define KVD_STORAGE_SPACE_PROMISE_H

#include "storage/frame_book.h"
#include "storage/sizes.h"
#include "storage/version_set.h"

#include <stdatomic.h>

/* All terms, as of one moment. */
struct space_terms {
    struct sizes sizes;          /* of the store's present weight: U, S, J, M, C */
    uint64_t weight_tables;      /* A: table bytes, referenced log bytes, their frames */
    uint64_t weight_bottom;      /* of the lowest level that has tables */
    uint64_t weight_above;       /* of the levels above it */
    uint64_t weight_memtables;   /* what commits in memory take in the log */
    uint64_t table_bytes;        /* files */
    uint64_t segment_bytes;      /* flushed, sealed files */
    uint64_t referenced_bytes;   /* of those, aliases included */
    uint64_t frame_bytes;        /* of those */
    uint64_t unreferenced_bytes; /* of those: I1's left side */
    uint64_t damaged_bytes;      /* segments that GC had to leave; not in the above */
    uint64_t pinned_bytes;       /* unreferenced, but kept for uploads, for a GC job, or for the
                                    feed; not in the above */
    uint64_t feed_bytes;         /* of those, for the feed (or a GC job) */
    uint64_t unreferenced_limit; /* g A + S */
    uint64_t above_limit;        /* h bottom + U */
    uint64_t weight_hidden;      /* of entries that newer ones in the same table hide */
    uint64_t live_estimate;      /* what the bottom holds: L + P + D at most */
};

/* What the terms depend on: while it stays, so do they. */
struct space_seen {
    uint64_t installs;
    uint64_t memtable_entries;
    uint64_t memtable_log_bytes;
    size_t pinned_count; /* segments of uploads come and go without an install: never the same */
};

struct space_promise {
    struct sizes_basis basis;     /* constant */
    struct sizes_shares shares;   /* constant */
    struct version_set *versions; /* borrowed; constant */
    struct frame_book frames;
    struct mutex mu;
    /* guarded by mu; a leaf */
    struct space_terms terms;
    struct space_seen seen; /* when they were taken; installs UINT64_MAX: never */
    /* atomic, relaxed: for the commit lane; a moment old */
    _Atomic bool log_is_full;    /* I1 does not hold */
    _Atomic uint64_t above_room; /* by how much more the memtables may weigh under I2 */
    _Atomic uint64_t weight;     /* of the store, for sizes */
};

void space_promise_init(struct space_promise *promise, const struct sizes_basis *basis,
                        struct version_set *versions);
void space_promise_deinit(struct space_promise *promise);

/* Takes the figures anew: after an install, and every second. Without memory the old ones stay. */
void space_promise_update(struct space_promise *promise);

/* The same, but nothing if nothing has changed: a store at rest allocates nothing for it. */
void space_promise_refresh(struct space_promise *promise);

/* Whether commits with puts may come in now, on top of `memtable_log_bytes` in all memtables of the
 * view. Cheap; takes no lock. */
static inline bool space_promise_admits(const struct space_promise *promise,
                                        uint64_t memtable_log_bytes) {
    return !atomic_load_explicit(&promise->log_is_full, memory_order_relaxed) &&
           memtable_log_bytes <= atomic_load_explicit(&promise->above_room, memory_order_relaxed);
}

/* The sizes as they are now: for the next segment, memtable, table, job. Cheap. */
struct sizes space_promise_sizes(const struct space_promise *promise);

/* The terms of the last update. */
struct space_terms space_promise_terms(struct space_promise *promise);

/* What GC should aim at. */
enum space_need {
    SPACE_NEEDS_NOTHING, /* below half of the limit */
    SPACE_NEEDS_IDLE_GC, /* above half: when there is nothing else to do */
    SPACE_NEEDS_GC,      /* above three quarters of the limit */
    SPACE_NEEDS_GC_NOW   /* puts wait */
};
enum space_need space_promise_need(struct space_promise *promise);

#endif
