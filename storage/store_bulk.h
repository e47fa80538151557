/* store_bulk.h: what opening a store has to do for bulk loads (door/bulk.h has the rest). */
#ifndef KVD_STORAGE_STORE_BULK_H
#define KVD_STORAGE_STORE_BULK_H

#include "storage/store_state.h"

/* Once commits are taken: tells the feed of a load that a crash broke after it was installed, or
 * shortly before, which cannot be told apart. Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_bulk_make_good(struct store *store, struct error *error) MUST_CHECK;

#endif
