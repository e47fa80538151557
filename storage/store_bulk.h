/* store_bulk.h: what opening a store has to do for bulk loads (door/bulk.h has the rest). */
#ifndef KVD_STORAGE_STORE_BULK_H
#define KVD_STORAGE_STORE_BULK_H

#include "storage/store_state.h"

/* Once commits are taken: ends a load that a crash broke after its LOAD_BEGUN. If it had been
 * installed, versions are above its own, as that edit raised their ceiling: then the feed is told
 * of it. Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_bulk_make_good(struct store *store, struct error *error) MUST_CHECK;

#endif
