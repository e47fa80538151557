/* memtable.h: the newest commits, sorted, in memory: an arena skiplist, and a hash of its rows.
 *
 *      level 2   head ---------------------> n3 ----------------> NULL
 *      level 1   head --------> n2 --------> n3 --------> n5 ---> NULL
 *      level 0   head --> n1 -> n2 -> n2' -> n3 -> n4 --> n5 ---> NULL     (n2' is an older
 * version)
 *
 * Nodes are ordered as internal keys are (ikey.h), are never changed or removed, and are linked
 * bottom up by release stores, so that any number of readers walk beside the one writer without a
 * lock (Pugh, "Skip Lists", 1990; the concurrency as in leveldb). A node carries the first eight
 * bytes of its user key, so that most comparisons touch one cache line.
 *
 *      bucket --> n5 --> n2 --> n1 --> NULL          one node a row: the newest, chained
 *                        |
 *                        n2' --> n2'' --> NULL       its older versions
 *
 * A lookup does not walk the list: the hash leads to the newest node of the row in one or two cache
 * misses, and says as fast that there is none, which is what most memtables answer to most reads. A
 * new version takes the place of the one before in its chain, so one row that is written over and
 * over does not make its neighbours slow.
 *
 * A memtable also keeps the books that a holder must keep: what it needs of each segment; and a
 * list of the range deletes among its rows, for readers until the memtable is frozen, when view.h
 * takes them over into a set.
 *
 * Threads: insert and reserve: the commit thread. Lookups and iterators: any, while they hold a
 * reference (through their view). Reference counts: any. */
#ifndef KVD_STORAGE_MEMTABLE_H
#define KVD_STORAGE_MEMTABLE_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/entry.h"
#include "storage/iterator.h"
#include "storage/memtable_ranges.h"
#include "storage/table.h"
#include "storage/table_info.h"

#include <stdbool.h>
#include <stdint.h>

struct memtable;

/* One with one reference, whose hash is made for about `bytes` of entries. Errors: NO_MEMORY. */
enum status memtable_create(uint64_t bytes, struct memtable **memtable_out) MUST_CHECK;

void memtable_ref(struct memtable *memtable);

/* Frees it with the last reference (debug builds overwrite it first). */
void memtable_unref(struct memtable *memtable);

/* Upper bound of what inserting takes, for memtable_reserve. */
size_t memtable_node_bytes(size_t row_bytes, size_t entry_bytes);

/* After OK, inserts of nodes of together `bytes`, none above `node_bytes_max`, cannot fail, if all
 * their references are into one segment, or into those of memtable_reserve_segments. Errors:
 * NO_MEMORY. */
enum status memtable_reserve(struct memtable *memtable, size_t bytes,
                             size_t node_bytes_max) MUST_CHECK;

/* Makes room in the books for all segments that `entry` (an alias or a large value) refers to. They
 * stand in memtable_shares from now on, with zeros until something is inserted. Errors: NO_MEMORY.
 */
enum status memtable_reserve_segments(struct memtable *memtable,
                                      const struct entry *entry) MUST_CHECK;

/* Adds (row, version) -> entry; that pair must be new. Needs a reservation. */
void memtable_insert(struct memtable *memtable, struct slice row, uint64_t version,
                     const struct entry *entry);

struct memtable_hit {
    struct slice entry; /* encoded; borrowed from the memtable */
    uint64_t version;
};

/* The newest entry of the target's row with version <= its version. (The target is that of
 * table.h, so that a row is hashed once for all the places that a read visits.) */
bool memtable_get(const struct memtable *memtable, const struct table_target *target,
                  struct memtable_hit *hit_out);

/* Its range deletes. */
const struct memtable_ranges *memtable_ranges(const struct memtable *memtable);

/* An iterator that borrows the memtable. Errors: NO_MEMORY. */
enum status memtable_iterator_create(const struct memtable *memtable,
                                     struct iterator **iter_out) MUST_CHECK;

/* Figures. Exact for the commit thread, or once frozen; else a moment old. */
size_t memtable_bytes(const struct memtable *memtable); /* of its nodes */
uint64_t memtable_entries(const struct memtable *memtable);
uint64_t memtable_version_min(const struct memtable *memtable); /* UINT64_MAX when empty */
uint64_t memtable_version_max(const struct memtable *memtable); /* 0 when empty */

/* Bytes that the commits in it take in the log, extents of the large values that they name included
 * (what they hide is as much, and goes only when they are in a table), and the segment where the
 * first of the commits lies; set by the commit thread as it appends. */
void memtable_note_log(struct memtable *memtable, uint64_t segment, uint64_t bytes);
uint64_t memtable_log_bytes(const struct memtable *memtable);
uint64_t memtable_first_segment(const struct memtable *memtable); /* UINT64_MAX when empty */

/* What it needs of segments, ascending by number; borrowed; for the commit thread, or once frozen.
 */
const struct segment_share *memtable_shares(const struct memtable *memtable, size_t *count_out);

/* A copy of the same at this moment, for any thread; *shares_out (NULL when there are none) is the
 * caller's to free. Errors: NO_MEMORY. */
enum status memtable_copy_shares(struct memtable *memtable, struct segment_share **shares_out,
                                 size_t *count_out) MUST_CHECK;

/* What its entries of a namespace take; and a copy of the list for all namespaces, ascending, to be
 * freed by the caller (NULL when empty). Any thread. Errors: NO_MEMORY. */
struct namespace_usage memtable_usage(struct memtable *memtable, uint32_t namespace_id);
enum status memtable_copy_usages(struct memtable *memtable, struct namespace_usage **usages_out,
                                 size_t *count_out) MUST_CHECK;

/* Tombstones of all namespaces. Any thread. */
uint64_t memtable_tombstones(struct memtable *memtable);

#endif
