/* compaction.c: see compaction.h. */
#include "storage/compaction.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/level_iterator.h"
#include "storage/merge_iterator.h"

struct job {
    const struct job_context *context;
    const struct version *version;
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
    if (status == STATUS_OK && pick->output_count > 0) {
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
        status = iterator_next(iter);
    }
    if (status != STATUS_OK && status != STATUS_END && error && error->status == STATUS_OK) {
        *error = iter->error; /* a move failed, not the output */
        error->status = status;
    }
    iterator_destroy(iter);
    return status == STATUS_END ? table_output_finish(output, error) : status;
}

static enum status remove_inputs(const struct job *job, struct version_edit *edit,
                                 uint64_t *bytes_out) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];
    const struct level *to = &job->version->levels[pick->output_level];
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < pick->input_count && status == STATUS_OK; i++) {
        const struct table_info *info = from->infos[pick->input_first + i];
        status = version_edit_remove_table(edit, pick->level, info->number);
        *bytes_out += info->file_bytes;
    }
    for (uint32_t i = 0; i < pick->output_count && status == STATUS_OK; i++) {
        const struct table_info *info = to->infos[pick->output_first + i];
        status = version_edit_remove_table(edit, pick->output_level, info->number);
        *bytes_out += info->file_bytes;
    }
    return status;
}

/* One table with nothing to merge, and nothing in it to be dropped, changes its level only. */
static bool can_move(const struct job *job) {
    const struct compaction_pick *pick = &job->pick;
    const struct level *from = &job->version->levels[pick->level];

    return pick->input_count == 1 && pick->output_count == 0 &&
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

static enum status rewrite(const struct job *job, uint64_t visible, struct compaction_stats *stats,
                           struct error *error) {
    const struct job_context *context = job->context;
    struct table_output_options options = {.env = context->env,
                                           .dir = context->dir,
                                           .compression = context->compression,
                                           .versions = context->versions,
                                           .base = job->version,
                                           .level = job->pick.output_level,
                                           .block_bytes = context->block_bytes,
                                           .table_bytes = context->table_bytes};
    struct version_edit edit = {0};
    struct table_output output;
    struct fate_judge judge;
    enum status status;

    fate_judge_init(&judge, &visible, 1, store_clock_now_ms(context->clock));
    table_output_init(&output, &options, &judge, &edit);
    status = merge(job, &output, error);
    if (status == STATUS_OK) {
        status = remove_inputs(job, &edit, &stats->input_bytes);
    }
    if (status == STATUS_OK) {
        status = version_set_install(context->versions, &edit, NULL, error);
    }
    if (status != STATUS_OK && status != STATUS_LOG_FAILED) {
        table_output_abandon(&output); /* else the edit may be durable, and needs its files */
    }
    stats->output_bytes = output.bytes;
    stats->dropped_entries = output.dropped_entries;
    table_output_deinit(&output);
    fate_judge_deinit(&judge);
    version_edit_deinit(&edit);
    return status;
}

void compaction_sweep_init(struct compaction_sweep *sweep) {
    *sweep = (struct compaction_sweep){0};
}

void compaction_sweep_begin(struct compaction_sweep *sweep) {
    sweep->level = 0;
}

void compaction_sweep_deinit(struct compaction_sweep *sweep) {
    *sweep = (struct compaction_sweep){0};
}

static bool pick(const struct job *job, enum compaction_kind kind,
                 struct compaction_pick *pick_out) {
    uint64_t base_bytes = job->context->base_bytes;

    switch (kind) {
    case COMPACT_WEIGHT:
        return compaction_pick(job->version, base_bytes, pick_out);
    case COMPACT_SWEEP:
        return compaction_pick_all(job->version, base_bytes, pick_out);
    case COMPACT_DROP:
    case COMPACT_TIDY:
        break;
    }
    return false;
}

enum status compaction_run(const struct job_context *context, enum compaction_kind kind,
                           struct compaction_sweep *sweep, struct compaction_stats *stats_out,
                           struct error *error) {
    struct job job = {.context = context};
    uint64_t visible;
    struct view *view = view_holder_take(context->views, context->marks, &visible);
    enum status status = STATUS_END;

    (void)sweep;
    *stats_out = (struct compaction_stats){0};
    job.version = view->version;
    if (pick(&job, kind, &job.pick)) {
        status = can_move(&job) ? move(&job, error) : rewrite(&job, visible, stats_out, error);
    }
    view_unref(view);
    return status;
}
