/* watermarks.h: how far the log has come: visible, written, durable; and who waits for it.
 *
 * Three versions that only rise, in log order: `visible` (inserted in the memtable), `written` (its
 * append returned), `durable` (a sync that covers it returned). A waiter names the versions that
 * it needs and is called back once, when they are reached, or with UNKNOWN when the log has failed
 * and they never will be.
 *
 * Threads: raise_visible and raise_written: the commit thread; raise_durable: whoever synced;
 * all else: any. Callbacks run on the raising (or, when already reached, the waiting) thread,
 * without a lock held. */
#ifndef KVD_STORAGE_WATERMARKS_H
#define KVD_STORAGE_WATERMARKS_H

#include "storage/lock.h"
#include "storage/store.h"

#include <stdatomic.h>

struct watermarks {
    /* atomic: release on raise, acquire on load: who sees a version sees what it covers */
    _Atomic uint64_t visible;
    _Atomic uint64_t written;
    _Atomic uint64_t durable;
    struct mutex mu;
    /* guarded by mu */
    struct store_waiter *waiters; /* those not reached yet, newest first */
    bool failed;
};

/* All three start at `version`. */
void watermarks_init(struct watermarks *marks, uint64_t version);

/* Nobody may be waiting any more. */
void watermarks_deinit(struct watermarks *marks);

static inline uint64_t watermarks_visible(const struct watermarks *marks) {
    return atomic_load_explicit(&marks->visible, memory_order_acquire);
}

static inline uint64_t watermarks_written(const struct watermarks *marks) {
    return atomic_load_explicit(&marks->written, memory_order_acquire);
}

static inline uint64_t watermarks_durable(const struct watermarks *marks) {
    return atomic_load_explicit(&marks->durable, memory_order_acquire);
}

static inline bool watermarks_passed(const struct watermarks *marks,
                                     const struct store_hold *hold) {
    return hold->written_version <= watermarks_written(marks) &&
           hold->durable_version <= watermarks_durable(marks);
}

void watermarks_raise_visible(struct watermarks *marks, uint64_t version);
void watermarks_raise_written(struct watermarks *marks, uint64_t version);

/* A lower version than the present one is ignored. */
void watermarks_raise_durable(struct watermarks *marks, uint64_t version);

/* The log has failed for good: all waiters, and all to come, that are not reached get UNKNOWN. */
void watermarks_fail(struct watermarks *marks);

/* See store_hold_wait. */
void watermarks_wait(struct watermarks *marks, struct store_waiter *waiter);

/* See store_hold_cancel. */
bool watermarks_cancel(struct watermarks *marks, struct store_waiter *waiter);

/* What a reader of an entry of this class and version has to wait for: raises *hold. */
void watermarks_hold_entry(const struct watermarks *marks, enum store_durability durability,
                           uint64_t version, struct store_hold *hold);

#endif
