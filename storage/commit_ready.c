/* commit_ready.c: see commit_ready.h. */
#include "storage/commit_ready.h"

#include "storage/commit_catalogue.h"
#include "storage/commit_resolve.h"
#include "storage/commit_retry.h"
#include "storage/namespace_usage.h"

/* ---- Admission --------------------------------------------------------------------------------
 */

uint64_t commit_ready_unflushed_bytes(const struct view *view) {
    uint64_t bytes = memtable_bytes(view->active);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        bytes += memtable_bytes(view->frozen[i]);
    }
    return bytes;
}

enum status commit_ready_room(const struct commit_log *log, struct view_holder *views,
                              const struct space_guard *space, uint64_t bytes,
                              struct error *error) {
    uint64_t visible;
    struct view *view;
    bool low;

    if (commit_log_failed(log)) {
        return error_set(error, STATUS_LOG_FAILED, 0, NULL, ERROR_NO_OFFSET, "the log has failed");
    }
    view = view_holder_take(views, log->marks, &visible);
    low = space_guard_is_low(space, commit_ready_unflushed_bytes(view) + bytes);
    view_unref(view);
    return low ? error_set(error, STATUS_NO_SPACE, 0, log->dir, ERROR_NO_OFFSET,
                           "it would take the last of the disk")
               : STATUS_OK;
}

/* What the commits in memory take in the log. */
static uint64_t memtables_log_bytes(const struct view *view) {
    uint64_t bytes = memtable_log_bytes(view->active);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        bytes += memtable_log_bytes(view->frozen[i]);
    }
    return bytes;
}

enum status commit_ready_admit(struct commit_pipeline *pipeline, const struct store_commit *commit,
                               const struct view *view) {
    const struct commit_options *options = &pipeline->options;
    enum status status;

    if (!commit->puts || !options->promise ||
        space_promise_admits(options->promise, memtables_log_bytes(view)) ||
        commit_pipeline_is_stopping(pipeline)) {
        return STATUS_OK;
    }
    if (space_guard_is_low(options->space, commit_ready_unflushed_bytes(view))) {
        return STATUS_NO_SPACE;
    }
    status = options->jobs_status_cb(options->arg);
    return status == STATUS_OK ? STATUS_BUSY : status;
}

/* ---- Judging ----------------------------------------------------------------------------------
 */

bool commit_ready_judge(struct commit_pipeline *pipeline, struct store_commit *commit,
                        const struct view *view, enum read_wait wait) {
    struct commit_sight sight = {.view = view,
                                 .marks = pipeline->options.marks,
                                 .window = pipeline->options.window,
                                 .now_ms = store_clock_now_ms(pipeline->options.clock),
                                 .wait = wait};

    if (commit->has_token) {
        if (!commit_retry_find(commit, &sight)) {
            return false;
        }
        if (commit->is_repeat || commit->outcome.status != STATUS_OK) {
            return true;
        }
    }
    if (!commit_judge(commit, &sight)) {
        return false;
    }
    return commit->outcome.status != STATUS_OK || commit_resolve(commit, &sight);
}

/* ---- Quotas -----------------------------------------------------------------------------------
 */

/* What the puts of a commit add to a namespace. */
static uint64_t put_bytes(const struct batch *batch, uint32_t namespace_id) {
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    uint64_t bytes = 0;
    struct batch_op op;

    while (batch_take(&reader, batch->values.len, &op) == STATUS_OK) {
        if (op.namespace_id == namespace_id && op.kind != ENTRY_TOMBSTONE && !op.alias) {
            bytes += op.key.len + op.value.len + op.stored_bytes + op.large_bytes;
        }
    }
    return bytes;
}

static enum status check_quota(struct commit_pipeline *pipeline, const struct store_commit *commit,
                               const struct view *view, uint32_t namespace_id) {
    struct store_namespace_settings settings =
        namespaces_settings(pipeline->options.namespaces, namespace_id);
    struct namespace_usage memory;
    struct namespace_usage usage;
    uint64_t live_bytes;
    uint64_t added;
    uint64_t keys;

    if (settings.quota_bytes == 0) {
        return STATUS_OK;
    }
    added = put_bytes(&commit->batch, namespace_id);
    if (added == 0) {
        return STATUS_OK;
    }
    usage = usage_of_tables(view->version, namespace_id);
    memory = usage_of_memtables(view, namespace_id);
    usage_add(&usage, &memory);
    usage_estimate(usage, &keys, &live_bytes);
    return live_bytes > settings.quota_bytes || added > settings.quota_bytes - live_bytes
               ? STATUS_QUOTA
               : STATUS_OK;
}

static enum status check_quotas(struct commit_pipeline *pipeline, const struct store_commit *commit,
                                const struct view *view) {
    struct reader reader = reader_make(buffer_slice(&commit->batch.meta));
    uint32_t last_id = NAMESPACE_SYSTEM;
    enum status status = STATUS_OK;
    struct batch_op op;

    if (!commit->puts || !namespaces_have_quotas(pipeline->options.namespaces)) {
        return STATUS_OK;
    }
    while (status == STATUS_OK && batch_take(&reader, commit->batch.values.len, &op) == STATUS_OK) {
        if (op.namespace_id != last_id && op.namespace_id != NAMESPACE_SYSTEM) {
            last_id = op.namespace_id;
            status = check_quota(pipeline, commit, view, last_id);
        }
    }
    return status;
}

enum status commit_ready_finish(struct commit_pipeline *pipeline, struct store_commit *commit,
                                const struct view *view) {
    enum status status = commit_catalogue_stage(commit, pipeline->options.namespaces);

    if (status == STATUS_OK) {
        status = batch_finish(&commit->batch);
    }
    if (status == STATUS_OK) {
        status = check_quotas(pipeline, commit, view);
    }
    if (status == STATUS_OK && commit->has_token) {
        status = commit_retry_stage(commit, store_clock_now_ms(pipeline->options.clock));
    }
    return status;
}
