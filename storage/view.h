/* view.h: all that a reader needs, as one pointer: memtables and a version.
 *
 *      view -> active memtable -> frozen memtables, newest first -> version -> tables, segments
 *
 * A view is immutable (the active memtable's content grows, behind watermarks). The commit thread
 * replaces it when it freezes a memtable, flush and compaction when they install a version: always
 * as a whole, under the holder's mutex. Who has a reference can read all of it without a lock.
 *
 * A reader takes the newest view and the `visible` watermark under one lock: a commit above that
 * watermark may be in a memtable that the view lacks, one at or below it never is.
 *
 * Range deletes (ranges.h): those of the frozen memtables and of the tables stand in the view's
 * set, those of the active memtable in its list. A freeze takes the list over into the next view's
 * set. Whoever looks at single entries (view_iterator_create) has to ask view_covering of each: an
 * entry of version v that one of version t covers, v < t <= the reader's version, is a tombstone of
 * version t and of the durability of t.
 *
 * Threads: any. Lock order: the holder's mutex is a leaf; no I/O under it. */
#ifndef KVD_STORAGE_VIEW_H
#define KVD_STORAGE_VIEW_H

#include "storage/entry.h"
#include "storage/lock.h"
#include "storage/memtable.h"
#include "storage/read_wait.h"
#include "storage/table.h"
#include "storage/version.h"
#include "storage/watermarks.h"

#define VIEW_FROZEN_MAX 4 /* memtables waiting for their flush; more only delays the stall */

struct view {
    _Atomic uint32_t refs;
    struct memtable *active;                  /* shared */
    struct memtable *frozen[VIEW_FROZEN_MAX]; /* shared; newest first */
    uint32_t frozen_count;
    struct version *version;                     /* shared */
    struct range_set *ranges;                    /* shared; NULL: none */
    const struct memtable_ranges *active_ranges; /* of `active` */
};

struct view_holder {
    struct mutex mu;
    struct view *current; /* guarded by mu; one reference */
};

/* A view of these, with the range deletes of the frozen memtables; takes a reference on each.
 * Errors: NO_MEMORY. */
enum status view_create(struct memtable *active, struct memtable *const *frozen,
                        uint32_t frozen_count, struct version *version,
                        struct view **view_out) MUST_CHECK;
void view_ref(struct view *view);
void view_unref(struct view *view);

/* Takes over the caller's reference on `first`. */
void view_holder_init(struct view_holder *holder, struct view *first);
void view_holder_deinit(struct view_holder *holder);

/* The newest view, referenced, and the visible version that goes with it. */
struct view *view_holder_take(struct view_holder *holder, const struct watermarks *marks,
                              uint64_t *visible_out);

/* Replaces the active memtable: the present one becomes the newest frozen one, and its range
 * deletes go into the set. For the commit thread, whose memtable it is. Errors: BUSY when
 * VIEW_FROZEN_MAX are waiting, NO_MEMORY. */
enum status view_holder_freeze(struct view_holder *holder, struct memtable *fresh) MUST_CHECK;

/* Replaces the version, and drops the oldest frozen memtable if it is `flushed` (or NULL). A view
 * made beforehand is filled, so that this cannot fail once an edit is durable. Range deletes that
 * are obsolete then are forgotten, unless there is no memory for that. */
enum status view_prepare(struct view **spare_out) MUST_CHECK;
void view_holder_install(struct view_holder *holder, struct view *spare, struct version *version,
                         const struct memtable *flushed);

/* Replaces the set of range deletes by one of these alone: at open, of all that are in the tree. As
 * range_set_build. Errors: NO_MEMORY. */
enum status view_holder_load_ranges(struct view_holder *holder, const struct range_delete *deletes,
                                    size_t count, const struct keep_rules *rules) MUST_CHECK;

/* Makes the set smaller: leaves out what is obsolete (range_obsolete.h), and what the rules (or
 * NULL) let go. For the end of a job that has rules. Nothing is lost if there is no memory. */
void view_holder_prune_ranges(struct view_holder *holder, const struct keep_rules *rules);

/* ---- Range deletes ----------------------------------------------------------------------------
 */

static inline bool view_has_ranges(const struct view *view) {
    return view->ranges || memtable_ranges_newest(view->active_ranges);
}

/* As range_set_covering and range_set_ending, of all that the view has. */
struct range_cover view_covering(const struct view *view, struct slice row, uint64_t version);
struct range_cover view_ending(const struct view *view, struct slice row, uint64_t version);

/* The same for rows that come in an order. Borrows the view. */
struct view_walk {
    const struct view *view;
    struct range_walk walk;
};

static inline struct view_walk view_walk_make(const struct view *view) {
    return (struct view_walk){view, range_walk_make(view->ranges)};
}

struct range_cover view_walk_covering(struct view_walk *walk, struct slice row, uint64_t version);
struct range_cover view_walk_ending(struct view_walk *walk, struct slice row, uint64_t version);

/* The version up to which the set knows every range delete that there is. A job that drops whatever
 * the set hides, and leaves nothing hidden in its output, has applied all up to this one
 * (table_info.ranges_applied), if they are durable. */
uint64_t view_ranges_version(const struct view *view);

/* ---- Lookup -----------------------------------------------------------------------------------
 */

/* Where an answer came from, for EXPLAIN and statistics. */
enum view_source { VIEW_ACTIVE, VIEW_FROZEN, VIEW_TABLE, VIEW_RANGE };

/* The newest entry of a row. Its slices borrow from the view and from `table_hit` until
 * view_hit_release. */
struct view_hit {
    struct entry entry;
    uint64_t version;
    enum view_source source;
    struct table_hit table_hit;
};

/* The newest entry of `row` with version <= `version`, tombstones and expired ones included: it
 * stops at the first place that has the row. A row that a range delete covers is a tombstone of it,
 * whether there was an entry or not. Errors: NOT_FOUND, WOULD_BLOCK (READ_WAIT_NEVER),
 * CORRUPT, IO, NO_MEMORY. */
enum status view_find(const struct view *view, struct slice row, uint64_t version,
                      enum read_wait wait, struct view_hit *hit_out,
                      struct error *error) MUST_CHECK;

static inline void view_hit_release(struct view_hit *hit) {
    table_hit_release(&hit->table_hit);
}

/* An iterator over all entries of a view, in internal key order; borrows the view. Errors:
 * NO_MEMORY. */
enum status view_iterator_create(const struct view *view, enum read_wait wait,
                                 struct iterator **iter_out) MUST_CHECK;

#endif
