/* visible_iterator.h: the live rows of a range, as one read transaction sees them.
 *
 * Walks all entries of a view and shows, of each row, the newest one with version <= the snapshot,
 * unless that is a tombstone, has expired, or is covered by a newer range delete. Forward, the
 * newest entry of a row comes first and decides. In reverse, the oldest comes first: candidates are
 * copied until the row ends.
 *
 * Every entry that decided something, dead ones included, raises the hold. Borrows the view. One
 * thread at a time. */
#ifndef KVD_STORAGE_VISIBLE_ITERATOR_H
#define KVD_STORAGE_VISIBLE_ITERATOR_H

#include "protocol/base/buffer.h"
#include "storage/view.h"

struct visible_range {
    struct slice from; /* rows; from <= row < to; an empty `to` is the end of everything */
    struct slice to;
    bool reverse;
};

struct visible_iterator {
    struct iterator *merged; /* owned */
    const struct watermarks *marks;
    struct view_walk ranges;
    uint64_t version;
    uint64_t now_ms;
    bool reverse;
    bool started;
    bool positioned;    /* `merged` stands at an entry not looked at yet */
    struct buffer from; /* rows, owned copies */
    struct buffer to;
    struct buffer row;       /* the current row */
    struct buffer candidate; /* reverse: the entry that will decide */
    struct entry entry;      /* of the current row; borrows until the next move */
    uint64_t entry_version;
    uint64_t skipped; /* dead or hidden entries passed so far, for statistics */
};

/* Errors: NO_MEMORY. A zeroed struct may be deinitialised. */
enum status visible_iterator_init(struct visible_iterator *iter, const struct view *view,
                                  const struct watermarks *marks, uint64_t version, uint64_t now_ms,
                                  enum read_wait wait) MUST_CHECK;

/* Sets the range before the first move; the rows are copied. Errors: NO_MEMORY. */
enum status visible_iterator_set_range(struct visible_iterator *iter,
                                       const struct visible_range *range) MUST_CHECK;
void visible_iterator_deinit(struct visible_iterator *iter);

/* To the next live row in the direction of the range: `row`, `entry`, `entry_version` are set.
 * Errors: END, WOULD_BLOCK, CORRUPT, IO, NO_MEMORY; only deinit is allowed after. */
enum status visible_iterator_next(struct visible_iterator *iter, struct store_hold *hold,
                                  struct error *error) MUST_CHECK;

#endif
