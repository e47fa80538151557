/* debt_picker.h: which tables hold what may go, when no level is over its weight: a pure function
 * of a version and of what must stay readable.
 *
 * Deletes, expiry, drops and the end of snapshots and of retention free bytes that only a rewrite
 * gives back, and a tombstone itself takes room until it has met all that it hides. So that this
 * comes back without further writes:
 *
 *   drop    a table of which no reader can see anything any more goes as it is, unread: all of it
 *           has expired, or is tombstones, and nothing older of its rows lies below; or one range
 *           delete covers all of it;
 *   tidy    a table with a large enough share of what may go is pushed to the next level, where
 *           tombstones meet what they hide; in the bottom it is rewritten in place.
 *
 * Neither picks a table that its job could not make smaller: a tombstone counts only when every
 * reader sees past it, and in the bottom nothing stops it then; hidden entries count as far as the
 * table's book (hidden_book.h) proves that its rewrite drops them. So both come to an end. */
#ifndef KVD_STORAGE_DEBT_PICKER_H
#define KVD_STORAGE_DEBT_PICKER_H

#include "storage/compaction_picker.h"

#define DEBT_DROPS_MAX 64u /* of one job */

#define DEBT_SHARE_ONE 256u /* a share of all of a table's weight */
#define DEBT_SHARE_BUSY 64u /* worth a rewrite while there is other work: a quarter */
#define DEBT_SHARE_IDLE 1u  /* when there is none */
#define DEBT_HIDDEN_MIN 4u  /* the least share of hidden entries that is worth it: a 64th */

struct debt_table {
    uint32_t level;
    uint32_t index;
};

struct debt_drops {
    struct debt_table tables[DEBT_DROPS_MAX];
    uint32_t count;
};

/* False when no table can be dropped whole. */
bool debt_pick_drops(const struct pick_context *context, struct debt_drops *drops_out);

/* The table with the largest share of what may go, if that is `least_share` or more; in the bottom
 * together with such neighbours, as far as context->job_bytes allows. Level 0 only with
 * DEBT_SHARE_IDLE: while there are writes, it is merged often enough. */
bool debt_pick_tidy(const struct pick_context *context, uint32_t least_share,
                    struct compaction_pick *pick_out);

/* The first table of the bottom behind `after` (a row; empty: all) with anything that may go, and
 * such neighbours. */
bool debt_pick_sweep(const struct pick_context *context, struct slice after,
                     struct compaction_pick *pick_out);

#endif
