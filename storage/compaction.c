/* compaction.c: see compaction.h. */
#include "storage/compaction.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/level_iterator.h"
#include "storage/merge_iterator.h"

#include <stdatomic.h>

#define JOB_BYTES_DEFAULT (UINT64_C(128) << 20)
#define JOB_TABLES 6u /* a table drags in about nine of its size */
#define TABLE_BYTES_MIN (UINT64_C(64) << 10)

struct job {
    const struct job_context *context;
    const struct version *version;
    const struct range_set *ranges; /* of the view */
    uint64_t ranges_version;        /* it knows all up to here */
    struct keep_rules rules;        /* owned */
    struct pick_context picking;
    struct compaction_pick pick;
};

/* Walks all inputs, newest source first. */
static enum status inputs_open(const struct job *job, struct iterator **iter_out) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];
    const struct level *to = &job->version->levels[pick->output_level];
    struct table_cache *cache = from->tables[0]->files->tables;
    uint32_t runs = pick->level == 0 ? pick->input_count : 1;
    struct iterator **children = memory_alloc_array(runs + 1, sizeof(struct iterator *));
    size_t count = 0;
    enum status status = children ? STATUS_OK : STATUS_NO_MEMORY;

    for (uint32_t i = 0; i < runs && status == STATUS_OK; i++) {
        status = level_iterator_create(cache, from->infos + pick->input_first + i,
                                       pick->level == 0 ? 1 : pick->input_count, READ_WAIT_ALLOWED,
                                       TABLE_ITERATOR_SEQUENTIAL, &children[count]);
        count += status == STATUS_OK;
    }
    if (status == STATUS_OK && pick->output_count > 0) { /* so it is another level */
        status =
            level_iterator_create(cache, to->infos + pick->output_first, pick->output_count,
                                  READ_WAIT_ALLOWED, TABLE_ITERATOR_SEQUENTIAL, &children[count]);
        count += status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = merge_iterator_create(children, count, iter_out);
    }
    for (size_t i = 0; i < count && status != STATUS_OK; i++) {
        iterator_destroy(children[i]);
    }
    memory_free(children);
    return status;
}

static bool is_stopping(const struct job_context *context) {
    return context->stopping && atomic_load_explicit(context->stopping, memory_order_relaxed);
}

static enum status merge(const struct job *job, struct table_output *output, struct error *error) {
    struct iterator *iter;
    enum status status = inputs_open(job, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        status = table_output_add(output, iter->key, iter->entry, error);
        if (status != STATUS_OK) {
            break;
        }
        status = is_stopping(job->context) ? STATUS_CANCELLED : iterator_next(iter);
    }
    if (status != STATUS_OK && status != STATUS_END && status != STATUS_CANCELLED && error &&
        error->status == STATUS_OK) {
        *error = iter->error; /* a move failed, not the output */
        error->status = status;
    }
    iterator_destroy(iter);
    return status == STATUS_END ? table_output_finish(output, error) : status;
}

static enum status remove_input(const struct table_info *info, uint32_t level,
                                struct version_edit *edit, struct compaction_stats *stats) {
    stats->input_bytes += info->file_bytes;
    stats->freed_weight += info->file_bytes + info->log_bytes;
    return version_edit_remove_table(edit, level, info->number);
}

static enum status remove_inputs(const struct job *job, struct version_edit *edit,
                                 struct compaction_stats *stats) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];
    const struct level *to = &job->version->levels[pick->output_level];
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < pick->input_count && status == STATUS_OK; i++) {
        status = remove_input(from->infos[pick->input_first + i], pick->level, edit, stats);
    }
    for (uint32_t i = 0; i < pick->output_count && status == STATUS_OK; i++) {
        status = remove_input(to->infos[pick->output_first + i], pick->output_level, edit, stats);
    }
    return status;
}

static uint64_t inputs_version_min(const struct job *job) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];
    const struct level *to = &job->version->levels[pick->output_level];
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < pick->input_count; i++) {
        uint64_t version = from->infos[pick->input_first + i]->version_min;
        least = version < least ? version : least;
    }
    for (uint32_t i = 0; i < pick->output_count; i++) {
        uint64_t version = to->infos[pick->output_first + i]->version_min;
        least = version < least ? version : least;
    }
    return least;
}

/* One table with nothing to merge, and nothing in it to be dropped, changes its level only. */
static bool can_move(const struct job *job) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];

    return pick->level != pick->output_level && pick->input_count == 1 && pick->output_count == 0 &&
           from->infos[pick->input_first]->tombstones == 0 &&
           from->infos[pick->input_first]->expiring == 0;
}

static enum status move(const struct job *job, struct error *error) {
    const struct table_info *info =
        job->version->levels[job->pick.level].infos[job->pick.input_first];
    struct version_edit edit = {0};
    enum status status = version_edit_remove_table(&edit, job->pick.level, info->number);

    if (status == STATUS_OK) {
        status = version_edit_add_table(&edit, job->pick.output_level, info);
    }
    if (status == STATUS_OK) {
        status = version_set_install(job->context->versions, &edit, NULL, error);
    }
    version_edit_deinit(&edit);
    return status;
}

static enum status rewrite(const struct job *job, struct compaction_stats *stats,
                           struct error *error) {
    const struct job_context *context = job->context;
    struct table_output_options options = {.env = context->env,
                                           .dir = context->dir,
                                           .compression = context->compression,
                                           .versions = context->versions,
                                           .base = job->version,
                                           .level = job->pick.output_level,
                                           .block_bytes = context->block_bytes,
                                           .table_bytes = job->picking.table_bytes,
                                           .ranges = job->ranges,
                                           .ranges_version = job->ranges_version,
                                           .fold = true};
    struct version_edit edit = {0};
    struct table_output output;
    struct fate_judge judge;
    enum status status;

    fate_judge_init(&judge, &job->rules, inputs_version_min(job));
    table_output_init(&output, &options, &judge, &edit);
    status = merge(job, &output, error);
    if (status == STATUS_OK) {
        status = remove_inputs(job, &edit, stats);
    }
    if (status == STATUS_OK) {
        status = version_set_install(context->versions, &edit, NULL, error);
    }
    if (status != STATUS_OK && status != STATUS_LOG_FAILED) {
        table_output_abandon(&output); /* else the edit may be durable, and needs its files */
    }
    stats->output_bytes = output.bytes;
    stats->freed_weight -=
        output.weight < stats->freed_weight ? output.weight : stats->freed_weight;
    stats->dropped_entries = output.dropped_entries;
    table_output_deinit(&output);
    fate_judge_deinit(&judge);
    version_edit_deinit(&edit);
    return status;
}

/* ---- Whole tables -----------------------------------------------------------------------------
 */

static enum status drop(const struct job *job, struct compaction_stats *stats,
                        struct error *error) {
    struct version_edit edit = {0};
    struct debt_drops drops;
    enum status status = debt_pick_drops(&job->picking, &drops) ? STATUS_OK : STATUS_END;

    for (uint32_t i = 0; i < drops.count && status == STATUS_OK; i++) {
        const struct debt_table *table = &drops.tables[i];
        const struct table_info *info = job->version->levels[table->level].infos[table->index];
        status = remove_input(info, table->level, &edit, stats);
        stats->dropped_entries += info->entries;
    }
    if (status == STATUS_OK) {
        status = version_set_install(job->context->versions, &edit, NULL, error);
        stats->dropped_tables = drops.count;
    }
    version_edit_deinit(&edit);
    return status;
}

/* ---- Sweeps -----------------------------------------------------------------------------------
 */

void compaction_sweep_init(struct compaction_sweep *sweep) {
    *sweep = (struct compaction_sweep){0};
    buffer_init(&sweep->after, ROW_BYTES_MAX);
}

void compaction_sweep_begin(struct compaction_sweep *sweep) {
    sweep->level = 0;
    buffer_clear(&sweep->after);
}

void compaction_sweep_deinit(struct compaction_sweep *sweep) {
    buffer_deinit(&sweep->after);
}

/* Finds the next pick, and notes how far the sweep will have come with it. */
static enum status pick_sweep(struct job *job, struct compaction_sweep *sweep) {
    const struct level *level;
    struct slice row;

    while (sweep->level < PICK_BOTTOM &&
           !compaction_pick_sweep(&job->picking, sweep->level, buffer_slice(&sweep->after),
                                  &job->pick)) {
        sweep->level++;
        buffer_clear(&sweep->after);
    }
    if (sweep->level == PICK_BOTTOM &&
        !debt_pick_sweep(&job->picking, buffer_slice(&sweep->after), &job->pick)) {
        return STATUS_END;
    }
    level = &job->version->levels[sweep->level];
    row = ikey_row(level->infos[job->pick.input_first + job->pick.input_count - 1]->largest);
    buffer_clear(&sweep->after);
    return buffer_append(&sweep->after, row.ptr, row.len);
}

/* ---- The job ----------------------------------------------------------------------------------
 */

static enum status pick(struct job *job, enum compaction_kind kind,
                        struct compaction_sweep *sweep) {
    bool picked = false;

    switch (kind) {
    case COMPACT_WEIGHT:
        picked = compaction_pick(&job->picking, &job->pick);
        break;
    case COMPACT_TIDY:
        picked = debt_pick_tidy(&job->picking, DEBT_SHARE_BUSY, &job->pick);
        break;
    case COMPACT_TIDY_ALL:
        picked = debt_pick_tidy(&job->picking, DEBT_SHARE_IDLE, &job->pick);
        break;
    case COMPACT_SWEEP:
        return pick_sweep(job, sweep);
    case COMPACT_DROP:
        break;
    }
    return picked ? STATUS_OK : STATUS_END;
}

static enum status run(struct job *job, enum compaction_kind kind, struct compaction_sweep *sweep,
                       struct compaction_stats *stats, struct error *error) {
    enum status status;

    if (kind == COMPACT_DROP) {
        return drop(job, stats, error);
    }
    status = is_stopping(job->context) ? STATUS_CANCELLED : pick(job, kind, sweep);
    if (status != STATUS_OK) {
        return status;
    }
    if (can_move(job)) {
        return move(job, error);
    }
    if (kind == COMPACT_TIDY || kind == COMPACT_TIDY_ALL) {
        stats->tidied_tables = job->pick.input_count;
    }
    return rewrite(job, stats, error);
}

static uint64_t version_max(const struct version *version) {
    uint64_t max = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            uint64_t table_max = version->levels[i].infos[j]->version_max;
            max = table_max > max ? table_max : max;
        }
    }
    return max;
}

static uint64_t table_bytes(const struct job_context *context, uint64_t job_bytes) {
    uint64_t bytes = job_bytes / JOB_TABLES;

    bytes = bytes > TABLE_BYTES_MIN ? bytes : TABLE_BYTES_MIN;
    return bytes < context->table_bytes ? bytes : context->table_bytes;
}

enum status compaction_run(const struct job_context *context, enum compaction_kind kind,
                           struct compaction_sweep *sweep, struct compaction_stats *stats_out,
                           struct error *error) {
    uint64_t job_bytes = context->job_bytes > 0 ? context->job_bytes : JOB_BYTES_DEFAULT;
    struct job job = {.context = context};
    uint64_t visible;
    struct view *view = view_holder_take(context->views, context->marks, &visible);
    enum status status = job_take_rules(context, version_max(view->version), &job.rules);

    *stats_out = (struct compaction_stats){0};
    job.version = view->version;
    job.ranges = view->ranges;
    job.ranges_version = view_ranges_version(view);
    job.picking = (struct pick_context){.version = view->version,
                                        .base_bytes = context->base_bytes,
                                        .job_bytes = job_bytes,
                                        .fan_out = context->fan_out,
                                        .table_bytes = table_bytes(context, job_bytes),
                                        .rules = &job.rules,
                                        .ranges = view->ranges,
                                        .ranges_version = job.ranges_version};
    if (status == STATUS_OK) {
        status = run(&job, kind, sweep, stats_out, error);
    }
    if (status == STATUS_OK) {
        view_holder_prune_ranges(context->views, &job.rules);
    }
    keep_rules_deinit(&job.rules);
    view_unref(view);
    return status;
}
