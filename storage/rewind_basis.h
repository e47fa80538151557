/* rewind_basis.h: what the commit of a rewind rests on, judged before it is inserted.
 *
 *      range       nothing in [from, to) is newer than the version that was read
 *      segment     the segment is there, in its own file: aliases are made to records in it
 *
 * A rewind reads two states, on the thread of whoever asks, and fills a commit that turns one into
 * the other. When the commit lane comes to it, both must still hold.
 *
 * Newer entries are looked for in the memtables. A table that may have some, by its range of rows
 * and its newest version, is taken to have them: nothing is read from the disk here; who tries
 * again reads the newest state, and no such table is newer than that.
 *
 * A segment that is gone has been collected: log GC has moved its records. Those of the rewind are
 * still in the tree (the rewind holds its version, snapshots.h), so they have been moved with the
 * others, and who tries again finds their new place. The lane judges this inside the gate of
 * aliases, so the segment stays from then until the aliases hold it (alias_gate.h).
 *
 * Pure functions over a view. */
#ifndef KVD_STORAGE_REWIND_BASIS_H
#define KVD_STORAGE_REWIND_BASIS_H

#include "storage/view.h"

/* Add to what a commit rests on. Errors: those of buffer_append; the buffer is unchanged then. */
enum status rewind_basis_add_range(struct buffer *basis, const struct key_range *range,
                                   uint64_t version) MUST_CHECK;
enum status rewind_basis_add_segment(struct buffer *basis, uint64_t segment) MUST_CHECK;

/* Whether all of it holds in this view, entries that are not visible yet included. Errors: BUSY (it
 * does not), NO_MEMORY. */
enum status rewind_basis_judge(struct slice basis, const struct view *view) MUST_CHECK;

#endif
