/* flush.c: see flush.h. */
#include "storage/flush.h"

#include "protocol/base/assert.h"
#include "storage/conflict_window.h"
#include "storage/ikey.h"

enum status job_take_rules(const struct job_context *context, uint64_t inputs_version,
                           struct keep_rules *rules_out) {
    /* Both are read first: a snapshot that the rules lack is opened later, with a later time. */
    uint64_t now_ms = store_clock_now_ms(context->clock);
    uint64_t durable = watermarks_durable(context->marks);
    enum status status =
        context->keep.take_cb
            ? context->keep.take_cb(context->keep.arg, rules_out)
            : keep_rules_init_plain(rules_out, watermarks_visible(context->marks), now_ms);

    if (status == STATUS_OK) {
        rules_out->now_ms = now_ms;
        rules_out->durable_version = durable;
        ASSERT(inputs_version <= keep_rules_visible(rules_out));
    }
    return status;
}

/* The first segment that is still needed for replay once `flushed` is in a table. `active_segment`
 * was read before the view was taken: commits that the view does not show yet lie there or later.
 */
static uint64_t replay_segment(const struct view *view, uint64_t active_segment) {
    uint64_t segment = active_segment;
    uint64_t first = memtable_first_segment(view->active);

    segment = first < segment ? first : segment;
    for (uint32_t i = 0; i + 1 < view->frozen_count; i++) { /* the last one is being flushed */
        first = memtable_first_segment(view->frozen[i]);
        segment = first < segment ? first : segment;
    }
    return segment;
}

static enum status write_all(struct table_output *output, const struct memtable *memtable,
                             struct error *error) {
    struct iterator *iter;
    enum status status = memtable_iterator_create(memtable, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        status = table_output_add(output, iter->key, iter->entry, error);
        if (status == STATUS_OK) {
            status = iterator_next(iter);
        }
    }
    iterator_destroy(iter);
    return status == STATUS_END ? table_output_finish(output, error) : status;
}

static enum status install(const struct job_context *context, const struct view *view,
                           uint64_t active_segment, struct version_edit *edit,
                           struct error *error) {
    struct memtable *memtable = view->frozen[view->frozen_count - 1];

    version_edit_set(edit, EDIT_REPLAY_SEGMENT, replay_segment(view, active_segment));
    version_edit_set(edit, EDIT_FLUSHED_VERSION, memtable_version_max(memtable));
    version_edit_set(edit, EDIT_STORE_TIME_MS, store_clock_now_ms(context->clock));
    version_edit_set_log_durable(edit, commit_log_durable(context->log));
    if (context->window) { /* before it leaves the view */
        conflict_window_retire(context->window, memtable, store_clock_now_ms(context->clock));
    }
    return version_set_install(context->versions, edit, memtable, error);
}

static enum status flush_view(const struct job_context *context, const struct view *view,
                              uint64_t active_segment, const struct keep_rules *rules,
                              struct error *error) {
    const struct memtable *memtable = view->frozen[view->frozen_count - 1];
    struct table_output_options options = {.env = context->env,
                                           .dir = context->dir,
                                           .compression = context->compression,
                                           .versions = context->versions,
                                           .base = view->version,
                                           .level = 0,
                                           .block_bytes = context->block_bytes,
                                           .table_bytes = UINT64_MAX,
                                           .ranges = view->ranges,
                                           .ranges_version = view_ranges_version(view)};
    struct version_edit edit = {0};
    struct table_output output;
    struct fate_judge judge;
    enum status status;

    fate_judge_init(&judge, rules, memtable_version_min(memtable));
    table_output_init(&output, &options, &judge, &edit);
    status = write_all(&output, memtable, error);
    if (status == STATUS_OK) {
        status = install(context, view, active_segment, &edit, error);
    }
    if (status != STATUS_OK && status != STATUS_LOG_FAILED) {
        table_output_abandon(&output); /* else the edit may be durable, and needs its files */
    }
    table_output_deinit(&output);
    fate_judge_deinit(&judge);
    version_edit_deinit(&edit);
    return status;
}

/* The rules are taken after the sync: what is durable is visible, so no snapshot that is opened
 * later can lie between two versions of the memtable. */
static enum status flush_synced(const struct job_context *context, const struct view *view,
                                uint64_t active_segment, struct error *error) {
    uint64_t version_max = memtable_version_max(view->frozen[view->frozen_count - 1]);
    struct keep_rules rules = {0};
    enum status status = STATUS_OK;

    if (watermarks_durable(context->marks) < version_max) {
        status = commit_log_sync(context->log);
        if (status != STATUS_OK) {
            return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                             "syncing the log before a flush");
        }
    }
    status = job_take_rules(context, version_max, &rules);
    if (status == STATUS_OK) {
        status = flush_view(context, view, active_segment, &rules, error);
    }
    keep_rules_deinit(&rules);
    return status;
}

enum status flush_oldest(const struct job_context *context, struct error *error) {
    uint64_t active_segment = version_set_active_segment(context->versions);
    uint64_t visible;
    struct view *view = view_holder_take(context->views, context->marks, &visible);
    enum status status = view->frozen_count > 0 ? STATUS_OK : STATUS_END;

    if (status == STATUS_OK) {
        status = flush_synced(context, view, active_segment, error);
    }
    view_unref(view);
    return status;
}
