/* store_write.c: the writing half of the door: commits, and work for I/O threads. */
#include "protocol/base/assert.h"
#include "storage/checksum.h"
#include "storage/store_state.h"

#include <stddef.h>

/* ---- Filling a commit -------------------------------------------------------------------------
 */

enum status store_commit_create(struct store *store, struct store_commit **commit_out) {
    return commit_request_create(store, &store->policy, commit_out);
}

void store_commit_destroy(struct store_commit *commit) {
    commit_request_destroy(commit);
}

void store_commit_reset(struct store_commit *commit) {
    commit_request_reset(commit);
}

void store_commit_set_arg(struct store_commit *commit, void *arg) {
    commit->arg = arg;
}

void store_commit_set_stream(struct store_commit *commit, uint64_t stream) {
    commit->stream = stream;
}

void store_commit_set_token(struct store_commit *commit, const struct store_token *token) {
    commit->has_token = true;
    commit->token = *token;
}

void store_commit_refuse(struct store_commit *commit, enum status status) {
    ASSERT(commit->has_token && commit->operations == 0);
    commit->refused = status;
}

void *store_commit_arg(const struct store_commit *commit) {
    return commit->arg;
}

enum status store_commit_put(struct store_commit *commit, const struct store_put *put) {
    return put->namespace_id == NAMESPACE_SYSTEM
               ? STATUS_INVALID
               : commit_request_put(commit, put, store_clock_now_ms(&commit->store->clock));
}

enum status store_commit_delete(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, const struct store_condition *condition) {
    return namespace_id == NAMESPACE_SYSTEM
               ? STATUS_INVALID
               : commit_request_delete(commit, namespace_id, key, condition);
}

enum status store_commit_add(struct store_commit *commit, uint32_t namespace_id, struct slice key,
                             int64_t amount, const struct store_condition *condition) {
    return namespace_id == NAMESPACE_SYSTEM
               ? STATUS_INVALID
               : commit_request_add(commit, namespace_id, key, amount, condition);
}

enum status store_commit_append(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, struct slice bytes,
                                const struct store_condition *condition) {
    return namespace_id == NAMESPACE_SYSTEM
               ? STATUS_INVALID
               : commit_request_append(commit, namespace_id, key, bytes, condition);
}

enum status store_commit_expire(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, uint64_t ttl_ms,
                                const struct store_condition *condition) {
    uint64_t now_ms = store_clock_now_ms(&commit->store->clock);
    uint64_t expiry_ms = 0;

    if (namespace_id == NAMESPACE_SYSTEM ||
        (ttl_ms > 0 && __builtin_add_overflow(now_ms, ttl_ms, &expiry_ms))) {
        return STATUS_INVALID;
    }
    return commit_request_expire(commit, namespace_id, key, expiry_ms, condition);
}

/* ---- Submitting -------------------------------------------------------------------------------
 */

/* A commit that cannot be made ready is completed at once; the others keep their order. */
static bool make_ready(struct store_commit *commit, enum store_durability durability,
                       store_commit_cb done_cb) {
    enum status status = STATUS_OK;

    if (commit->store->options.read_only) {
        status = STATUS_READ_ONLY;
    } else if (commit->deferred.len == 0) { /* else they are to be worked out first */
        status = batch_finish(&commit->batch);
    }

    commit->durability = durability;
    commit->done_cb = done_cb;
    commit->judged = false;
    commit->is_repeat = false;
    if (status != STATUS_OK) {
        commit->outcome = (struct store_outcome){.status = status};
        done_cb(commit, &commit->outcome);
    }
    return status == STATUS_OK;
}

void store_submit(struct store *store, struct store_commit *const *commits, uint32_t count,
                  enum store_durability durability, store_commit_cb done_cb) {
    uint32_t first = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!make_ready(commits[i], durability, done_cb)) {
            commit_submit(&store->pipeline, commits + first, i - first);
            first = i + 1;
        }
    }
    commit_submit(&store->pipeline, commits + first, count - first);
}

/* ---- I/O threads ------------------------------------------------------------------------------
 */

_Static_assert(sizeof(struct step) <= sizeof((struct store_task *)0)->reserved,
               "a step fits a task");

static void task_step(struct step *step) {
    struct store_task *task =
        (struct store_task *)((char *)step - offsetof(struct store_task, reserved));
    task->run_cb(task);
}

void store_task_post(struct store *store, struct store_task *task) {
    struct step *step = (struct step *)(void *)task->reserved;

    step_init(step, task_step);
    scheduler_post(store->scheduler, task->is_walk ? LANE_WALK : LANE_IO, step);
}
