/* store_pair.h: two states of a range, side by side, in key order.
 *
 *      left     a1   b2        d4
 *      right    a1        c7   d8          steps: a (both), b (left), c (right), d (both)
 *
 * For store_diff and store_rewind. Waits for the disk. Borrows both reads; raises their holds. One
 * thread at a time. */
#ifndef KVD_STORAGE_STORE_PAIR_H
#define KVD_STORAGE_STORE_PAIR_H

#include "storage/store_state.h"
#include "storage/visible_iterator.h"

struct store_side {
    struct store_read *read; /* borrowed */
    struct visible_iterator iter;
    bool ahead; /* iter stands at a live row that is not behind the pair's */
    bool ended;
    bool here; /* it is the pair's row: iter.entry and iter.entry_version are of it */
};

struct store_pair {
    struct store_side left;
    struct store_side right;
};

/* Expiry is judged at now_ms of each read. Deinit also after a failure. Errors: INVALID (a reverse
 * range), GONE (a read that is exact), TOO_LARGE (a key of the range), NO_MEMORY. */
enum status store_pair_init(struct store_pair *pair, struct store_read *left,
                            struct store_read *right, const struct store_range *range) MUST_CHECK;
void store_pair_deinit(struct store_pair *pair);

/* To the next row that is alive on either side. Errors: END, CORRUPT, IO, NO_MEMORY. */
enum status store_pair_next(struct store_pair *pair, struct error *error) MUST_CHECK;

/* The user key of the present row; borrowed until the next step. */
struct slice store_pair_key(const struct store_pair *pair);

#endif
