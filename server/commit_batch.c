/* commit_batch.c: see commit_batch.h. */
#include "server/commit_batch.h"

#include "protocol/base/assert.h"

struct store_commit *commit_batch_take(struct commit_batch *batch) {
    struct store_commit *commit;

    if (batch->free_count > 0) {
        return batch->free[--batch->free_count];
    }
    return store_commit_create(batch->store, &commit) == STATUS_OK ? commit : NULL;
}

void commit_batch_give(struct commit_batch *batch, struct store_commit *commit) {
    if (batch->free_count == COMMIT_POOL_MAX) {
        store_commit_destroy(commit);
        return;
    }
    store_commit_reset(commit);
    batch->free[batch->free_count++] = commit;
}

void commit_batch_add(struct commit_batch *batch, struct store_commit *commit,
                      enum store_durability durability) {
    if (batch->pending_count == COMMIT_BATCH_MAX ||
        (batch->pending_count > 0 && batch->durability != durability)) {
        commit_batch_submit(batch);
    }
    batch->durability = durability;
    batch->pending[batch->pending_count++] = commit;
}

void commit_batch_submit(struct commit_batch *batch) {
    uint32_t count = batch->pending_count;

    if (count == 0) {
        return;
    }
    metrics_add(batch->metrics, METRIC_COMMITS_SUBMITTED, count);
    metrics_add(batch->metrics, METRIC_COMMIT_GROUPS_SUBMITTED, 1);
    batch->pending_count = 0;
    store_submit(batch->store, batch->pending, count, batch->durability, batch->done_cb);
}

void commit_batch_deinit(struct commit_batch *batch) {
    ASSERT(batch->pending_count == 0);
    while (batch->free_count > 0) {
        store_commit_destroy(batch->free[--batch->free_count]);
    }
}
