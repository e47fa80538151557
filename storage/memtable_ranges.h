/* memtable_ranges.h: the range deletes among the rows of a memtable: a list, newest first.
 *
 *      newest --> t=9 [f, p) --> t=3 [b, k) --> NULL
 *
 * It is walked from end to end, so it is kept short: at MEMTABLE_RANGES_MAX the memtable is frozen,
 * and what it has goes into the set of the next view (ranges.h).
 *
 * Threads: note: the commit thread. The rest: any, lock-free. */
#ifndef KVD_STORAGE_MEMTABLE_RANGES_H
#define KVD_STORAGE_MEMTABLE_RANGES_H

#include "storage/arena.h"
#include "storage/ranges.h"

#include <stdatomic.h>

#define MEMTABLE_RANGES_MAX 256u

/* Constant once pushed; in the arena of the memtable, and borrows from its rows. */
struct memtable_range {
    const struct memtable_range *older;
    struct range_delete deleted;
};

struct memtable_ranges {
    _Atomic(const struct memtable_range *) newest; /* release by the writer, acquire by readers */
    _Atomic uint32_t count;                        /* relaxed */
};

static inline const struct memtable_range *
memtable_ranges_newest(const struct memtable_ranges *ranges) {
    return atomic_load_explicit(&ranges->newest, memory_order_acquire);
}

static inline uint32_t memtable_ranges_count(const struct memtable_ranges *ranges) {
    return atomic_load_explicit(&ranges->count, memory_order_relaxed);
}

/* If this entry of the system namespace, as it stands in the memtable, is a range delete (not older
 * than those before it): puts it into the list, with sizeof(struct memtable_range) of memory from
 * the arena. */
void memtable_ranges_note(struct memtable_ranges *ranges, struct arena *arena, struct slice ikey,
                          struct slice entry);

/* As range_set_covering and range_set_ending (ranges.h). */
struct range_cover memtable_ranges_covering(const struct memtable_ranges *ranges, struct slice row,
                                            uint64_t version);
struct range_cover memtable_ranges_ending(const struct memtable_ranges *ranges, struct slice row,
                                          uint64_t version);

#endif
