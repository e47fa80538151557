/* commit_batch.h: the commits of a loop: recycled, gathered during a turn, submitted together.
 *
 * The order in which commits are added is the order in which the store gets them, since requests of
 * a connection take effect in order. The store takes one durability a call, so a batch ends where
 * the durability changes. One loop's thread only. */
#ifndef KVD_SERVER_COMMIT_BATCH_H
#define KVD_SERVER_COMMIT_BATCH_H

#include "server/metrics.h"
#include "storage/store.h"

#define COMMIT_BATCH_MAX 256u /* as many as one group of the log takes well */
#define COMMIT_POOL_MAX 1024u /* kept for use again: as many as a connection may have in flight */

struct commit_batch {
    struct store *store;              /* borrowed */
    struct metrics *metrics;          /* borrowed: of the loop */
    store_commit_cb done_cb;          /* called on a thread of the engine */
    enum store_durability durability; /* of those that are pending */
    uint32_t pending_count;
    uint32_t free_count;
    struct store_commit *pending[COMMIT_BATCH_MAX]; /* filled, to be submitted */
    struct store_commit *free[COMMIT_POOL_MAX];     /* owned, empty */
};

/* An empty commit; NULL when memory is out. */
struct store_commit *commit_batch_take(struct commit_batch *batch);

/* Gives back one that is not submitted. */
void commit_batch_give(struct commit_batch *batch, struct store_commit *commit);

/* Adds a filled one; it may be submitted at once. */
void commit_batch_add(struct commit_batch *batch, struct store_commit *commit,
                      enum store_durability durability);

/* Submits what was added. */
void commit_batch_submit(struct commit_batch *batch);

/* Frees the recycled ones; none is pending. */
void commit_batch_deinit(struct commit_batch *batch);

#endif
