/* holders.h: who needs which segment: the one place that adds it up.
 *
 * A segment may go only when nothing holds it: no table of the version, no memtable, not the
 * unflushed log. There are no running counters that could drift: the sum is taken over the books
 * that each holder keeps for itself (table_info.shares, memtable_shares). Pure functions. */
#ifndef KVD_STORAGE_HOLDERS_H
#define KVD_STORAGE_HOLDERS_H

#include "storage/manifest_state.h"
#include "storage/table_info.h"
#include "storage/view.h"

struct holder_sums {
    struct segment_share *shares; /* owned; ascending by segment; only those that are held */
    size_t count;
};

/* The sum over the tables of `version`. Errors: NO_MEMORY. */
enum status holders_of_version(const struct version *version,
                               struct holder_sums *sums_out) MUST_CHECK;
void holders_deinit(struct holder_sums *sums);

/* What is held of one segment; zeros when nothing is. */
struct segment_share holders_get(const struct holder_sums *sums, uint64_t segment);

/* Adds to `edit` the removal of each sealed commit segment that is below `replay_segment` (so no
 * memtable and no unflushed log can hold it) and that no table of `next` holds. Errors:
 * NO_MEMORY. */
enum status holders_drop_unheld(const struct manifest_state *state, const struct version *next,
                                uint64_t replay_segment, struct version_edit *edit) MUST_CHECK;

#endif
