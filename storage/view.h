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
    struct version *version; /* shared */
};

struct view_holder {
    struct mutex mu;
    struct view *current; /* guarded by mu; one reference */
};

/* A view of these; takes a reference on each. Errors: NO_MEMORY. */
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

/* Replaces the active memtable: the present one becomes the newest frozen one. Errors: BUSY when
 * VIEW_FROZEN_MAX are waiting, NO_MEMORY. */
enum status view_holder_freeze(struct view_holder *holder, struct memtable *fresh) MUST_CHECK;

/* Replaces the version, and drops the oldest frozen memtable if it is `flushed` (or NULL). A view
 * made beforehand is filled, so that this cannot fail once an edit is durable. */
enum status view_prepare(struct view **spare_out) MUST_CHECK;
void view_holder_install(struct view_holder *holder, struct view *spare, struct version *version,
                         const struct memtable *flushed);

/* ---- Lookup -----------------------------------------------------------------------------------
 */

/* Where an answer came from, for EXPLAIN and statistics. */
enum view_source { VIEW_ACTIVE, VIEW_FROZEN, VIEW_TABLE };

/* The newest entry of a row. Its slices borrow from the view and from `table_hit` until
 * view_hit_release. */
struct view_hit {
    struct entry entry;
    uint64_t version;
    enum view_source source;
    struct table_hit table_hit;
};

/* The newest entry of `row` with version <= `version`, tombstones and expired ones included: it
 * stops at the first place that has the row. Errors: NOT_FOUND, WOULD_BLOCK (READ_WAIT_NEVER),
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
