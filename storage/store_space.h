/* store_space.h: joins log GC and the space promise to the store's parts: what maintenance calls
 * back, and what statistics say of space. */
#ifndef KVD_STORAGE_STORE_SPACE_H
#define KVD_STORAGE_STORE_SPACE_H

#include "storage/store_state.h"

/* The sizes of a store on a disk of so many bytes, as they are at the least. Before all parts. */
void store_space_measure(struct store *store, uint64_t disk_bytes);

/* Once the version set is made; ended by space_promise_deinit. */
void store_space_init(struct store *store);

/* Once maintenance is made, before it works. */
void store_space_start(struct store *store);

/* The terms of the promise, and what GC has done. */
void store_space_report(struct store *store, store_stats_cb stats_cb, void *arg);

#endif
