/* transaction_walk.h: the live rows of a range as a transaction sees them: those of its snapshot,
 * as its own writes leave them.
 *
 *      store     a ---- c ---- d ---- f
 *      own           b    c'     -d       (f expires)
 *      shown     a   b    c'            f
 *
 * Two ordered walks side by side, in either direction. The own writes are sought anew at each step,
 * so they may change meanwhile.
 *
 * At its end it notes in the transaction the range that it has shown: up to the last row that it
 * gave out, or all if it came to the end. One thread at a time. */
#ifndef KVD_STORAGE_TRANSACTION_WALK_H
#define KVD_STORAGE_TRANSACTION_WALK_H

#include "storage/transaction.h"
#include "storage/visible_iterator.h"

struct transaction_walk {
    struct store_transaction *txn; /* borrowed */
    struct visible_iterator *base; /* borrowed; over the transaction's snapshot, its range set */
    bool base_waits;               /* it stands at a row that was not shown yet */
    bool base_ended;
    bool shown; /* any row */
    bool ended;
    struct read_expiry expiry; /* the first of what was shown */
    struct buffer row;         /* the last row that was shown or passed */
    struct buffer value;       /* of an own put: a copy */
    struct entry entry;        /* of the row; borrows until the next move */
    uint64_t entry_version;    /* 0: the transaction's own */
};

void transaction_walk_init(struct transaction_walk *walk, struct store_transaction *txn,
                           struct visible_iterator *base);

/* Notes what was shown. */
void transaction_walk_deinit(struct transaction_walk *walk);

/* As visible_iterator_next. */
enum status transaction_walk_next(struct transaction_walk *walk, struct store_hold *hold,
                                  struct error *error) MUST_CHECK;

#endif
