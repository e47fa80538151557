/* store_salvage.c: a new store of what can be read of a damaged one.
 *
 *      files  -> which count     salvage_plan.h      the manifest, or all that is there
 *      tables -> entries         salvage_table.h     block by block
 *      log    -> operations      salvage_log.h       commit by commit
 *      both   -> rows            salvage_rows.h      the newest state of each
 *      rows   -> the new store   salvage_output.h    by version, with their values
 *
 * The old directory is locked and read, never written to. */
#include "protocol/base/memory.h"
#include "storage/environment.h"
#include "storage/ikey.h"
#include "storage/salvage_output.h"
#include "storage/salvage_reach.h"
#include "storage/salvage_window.h"

#include <inttypes.h>

#define BUDGET_MIN ((size_t)16 * 1024 * 1024)

struct salvage {
    const struct store_options *options;
    const char *new_dir;
    struct error *error;
    struct environment environment;
    struct env_lock *lock;
    struct salvage_report report;
    struct compression *compression;
    struct salvage_files files;
    struct salvage_plan plan;
    struct salvage_gaps gaps;
    struct salvage_table *tables; /* owned; those that can be read at all */
    size_t table_count;
    uint64_t table_entries_lost;
    bool tables_missing;   /* some cannot be opened */
    uint64_t reach;        /* by directory: what is of a higher version does not count */
    bool flushed_is_vague; /* by directory, and a table may have held a later version */
    struct salvage_log log;
    struct salvage_values values;
    struct salvage_window window;
    struct salvage_output output;
    bool is_first_pass;
};

/* ---- Before anything is read ------------------------------------------------------------------
 */

static enum status any_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)arg;
    (void)name;
    (void)size_bytes;
    return STATUS_OK;
}

static enum status begin(struct salvage *salvage) {
    const char *dir = salvage->options->dir;
    struct error ignored = {0};
    struct env *env;
    enum status status = environment_open(salvage->options, &salvage->environment);

    if (status != STATUS_OK) {
        return error_set(salvage->error, status, 0, dir, ERROR_NO_OFFSET, "salvaging");
    }
    env = salvage->environment.env;
    status = salvage_files_list(&salvage->files, env, dir, salvage->error);
    if (status != STATUS_OK) {
        return status;
    }
    if (env_list(env, salvage->new_dir, any_cb, NULL, &ignored) == STATUS_OK) {
        return error_set(salvage->error, STATUS_EXISTS, 0, salvage->new_dir, ERROR_NO_OFFSET,
                         "the directory of a salvaged store must not exist yet");
    }
    status = env_lock_dir(env, dir, &salvage->lock, salvage->error);
    salvage->lock = status == STATUS_OK ? salvage->lock : NULL;
    if (status == STATUS_OK) {
        status = compression_create(&salvage->compression);
    }
    return status;
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static const struct table_info *info_of(const struct salvage *salvage, uint64_t number) {
    const struct manifest_state *state = &salvage->plan.state;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count; j++) {
            if (state->levels[i].tables[j].number == number) {
                return &state->levels[i].tables[j];
            }
        }
    }
    return NULL;
}

static void say_table(struct salvage *salvage, const struct salvage_table *table) {
    if (table->lost == 0) {
        salvage_say_file(&salvage->report, FILE_TABLE, table->number, "%" PRIu64 " entries",
                         table->entries);
        return;
    }
    salvage_say_file(&salvage->report, FILE_TABLE, table->number,
                     "%" PRIu64 " entries; %s%" PRIu64 " lost, in %" PRIu32
                     " blocks that cannot be read, the first of them at %" PRIu64,
                     table->entries, table->has_info ? "" : "more than ", table->lost,
                     table->bad_blocks, table->bad_offset);
}

/* A table of which nothing can be read. */
static enum status lose_table(struct salvage *salvage, uint64_t number, const char *why) {
    const struct table_info *info = info_of(salvage, number);
    uint64_t entries = info ? info->entries : 1;

    salvage->table_entries_lost += entries;
    salvage_say_file(&salvage->report, FILE_TABLE, number, "%s; %s%" PRIu64 " entries lost", why,
                     info ? "" : "more than ", entries);
    return info ? salvage_gaps_add(&salvage->gaps, ikey_row(info->smallest),
                                   ikey_row(info->largest), info->version_max)
                : salvage_gaps_add(&salvage->gaps, slice_make(NULL, 0), slice_make(NULL, 0),
                                   UINT64_MAX);
}

/* Adds it to those that can be read. */
static enum status open_table(struct salvage *salvage, uint64_t number) {
    struct salvage_table *table = &salvage->tables[salvage->table_count];
    const struct salvage_table_options options = {.env = salvage->environment.env,
                                                  .dir = salvage->options->dir,
                                                  .compression = salvage->compression,
                                                  .info = info_of(salvage, number),
                                                  .gaps = &salvage->gaps};
    enum status status = salvage_table_open(&options, number, table);

    salvage->report.result.files_read++;
    if (status == STATUS_OK) {
        salvage->table_count++;
    } else if (status != STATUS_NO_MEMORY) {
        salvage->flushed_is_vague |= !salvage->plan.by_manifest;
        salvage->tables_missing = true;
        status = lose_table(salvage, number, "cannot be opened");
    }
    return status;
}

static void count_table(struct salvage *salvage, const struct salvage_table *table) {
    salvage->table_entries_lost += table->lost;
    if (!salvage->plan.by_manifest && table->version_max > salvage->plan.flushed_version) {
        salvage->plan.flushed_version = table->version_max;
    }
    salvage->flushed_is_vague |=
        !salvage->plan.by_manifest && !table->has_info && table->bad_blocks > 0;
    say_table(salvage, table);
}

/* Takes a table out, with the gaps that it has made. */
static void leave_out(struct salvage *salvage, size_t index, const char *why) {
    struct salvage_table *table = &salvage->tables[index];
    size_t gap_count = table->gap_count;

    salvage_say_file(&salvage->report, FILE_TABLE, table->number, "%s: left out", why);
    salvage_gaps_remove(&salvage->gaps, table->first_gap, gap_count);
    salvage_table_close(table);
    salvage->table_count--;
    for (size_t i = index; i < salvage->table_count; i++) {
        salvage->tables[i] = salvage->tables[i + 1];
        salvage->tables[i].first_gap -= gap_count;
    }
}

/* By a directory: leaves out what no manifest would name. */
static enum status sift_tables(struct salvage *salvage) {
    struct salvage_tables tables = {.list = salvage->tables,
                                    .some_missing = salvage->tables_missing};
    enum status status;

    for (size_t i = salvage->table_count; i > 0; i--) {
        if (salvage->tables[i - 1].file_bytes == 0) { /* a whole one is synced before it counts */
            leave_out(salvage, i - 1, "was just begun");
        }
    }
    tables.count = salvage->table_count;
    status = salvage_reach(&salvage->files, &salvage->plan, &tables, &salvage->reach);
    for (size_t i = salvage->table_count; i > 0; i--) {
        if (salvage->tables[i - 1].version_max > salvage->reach) {
            leave_out(salvage, i - 1, "of a bulk load that did not end");
        }
    }
    return status;
}

static enum status note_lost_tables(struct salvage *salvage) {
    const struct manifest_state *state = &salvage->plan.state;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count && status == STATUS_OK; j++) {
            uint64_t number = state->levels[i].tables[j].number;
            if (!salvage_files_find(&salvage->files, FILE_TABLE, number)) {
                status = lose_table(salvage, number, "is missing");
            }
        }
    }
    return status;
}

static enum status read_tables(struct salvage *salvage) {
    enum status status = STATUS_OK;

    salvage->tables = memory_alloc_array(salvage->files.count, sizeof *salvage->tables);
    if (!salvage->tables) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < salvage->files.count && status == STATUS_OK; i++) {
        const struct salvage_file *file = &salvage->files.list[i];
        if (file->kind != FILE_TABLE) {
            continue;
        }
        if (salvage_plan_has_table(&salvage->plan, file->number)) {
            status = open_table(salvage, file->number);
        } else {
            salvage_say_file(&salvage->report, FILE_TABLE, file->number,
                             "the manifest does not name it");
        }
    }
    salvage->reach = UINT64_MAX;
    if (status == STATUS_OK && !salvage->plan.by_manifest) {
        status = sift_tables(salvage);
    }
    for (size_t i = 0; i < salvage->table_count; i++) {
        count_table(salvage, &salvage->tables[i]);
    }
    if (status == STATUS_OK) {
        status = note_lost_tables(salvage);
    }
    if (!salvage->plan.by_manifest && salvage->table_count == 0) {
        salvage->plan.flushed_version = UINT64_MAX; /* nothing tells what was deleted */
    }
    return status;
}

/* ---- Log and rows -----------------------------------------------------------------------------
 */

static enum status read_log(struct salvage *salvage) {
    bool all = salvage->gaps.count > 0 || salvage->plan.flushed_version == UINT64_MAX;
    const struct salvage_log_options options = {.files = &salvage->files,
                                                .plan = &salvage->plan,
                                                .keep_above =
                                                    all ? 0 : salvage->plan.flushed_version,
                                                .reach = salvage->reach,
                                                .flushed_version = salvage->plan.flushed_version};
    enum status status = salvage_log_read(&options, &salvage->report, &salvage->log);

    if (salvage->flushed_is_vague) {
        salvage->log.sure_above = UINT64_MAX;
    }
    salvage->report.result.entries_lost += salvage->log.lost;
    return status;
}

static enum status row_cb(void *arg, const struct salvage_row *row) {
    struct salvage *salvage = arg;

    if (row_namespace(row->row) == NAMESPACE_SYSTEM) {
        return salvage->is_first_pass ? salvage_output_name(&salvage->output, row) : STATUS_OK;
    }
    if (row->choice == SALVAGE_OLDER) {
        return salvage->is_first_pass ? salvage_output_older(&salvage->output, row) : STATUS_OK;
    }
    return salvage_window_offer(&salvage->window, row);
}

static enum status write_window(struct salvage *salvage) {
    enum status status = STATUS_OK;

    salvage_window_end(&salvage->window);
    for (size_t i = 0; i < salvage->window.count && status == STATUS_OK; i++) {
        struct salvage_row row;
        status = salvage_window_item(&salvage->window, i, &row);
        if (status == STATUS_OK) {
            status = salvage_output_row(&salvage->output, &row);
        }
    }
    return status;
}

static enum status write_rows(struct salvage *salvage) {
    const struct salvage_rows rows = {.tables = salvage->tables,
                                      .table_count = salvage->table_count,
                                      .log = &salvage->log,
                                      .gaps = &salvage->gaps,
                                      .flushed_version = salvage->plan.flushed_version,
                                      .now_ms = salvage->plan.now_ms > salvage->log.last_time_ms
                                                    ? salvage->plan.now_ms
                                                    : salvage->log.last_time_ms};
    enum status status;

    salvage->is_first_pass = true;
    do {
        status = salvage_rows_walk(&rows, row_cb, salvage);
        if (status == STATUS_OK) {
            status = write_window(salvage);
        }
        salvage->is_first_pass = false;
    } while (status == STATUS_OK && salvage_window_next(&salvage->window, &status));
    return status;
}

static enum status write_store(struct salvage *salvage) {
    const struct salvage_output_options options = {.options = salvage->options,
                                                   .new_dir = salvage->new_dir,
                                                   .env = salvage->environment.env,
                                                   .values = &salvage->values,
                                                   .log = &salvage->log,
                                                   .report = &salvage->report};
    size_t budget = (size_t)(salvage->options->memory_limit_bytes / 4);
    enum status status;

    salvage_window_init(&salvage->window, budget > BUDGET_MIN ? budget : BUDGET_MIN);
    status = salvage_values_init(&salvage->values, &salvage->files, &salvage->plan, &salvage->log,
                                 salvage->compression);
    if (status == STATUS_OK) {
        status = salvage_output_open(&salvage->output, &options, salvage->error);
    }
    if (status == STATUS_OK) {
        status = write_rows(salvage);
    }
    if (status == STATUS_OK) {
        status = salvage_output_finish(&salvage->output);
    }
    if (salvage->table_entries_lost > salvage->output.found) {
        salvage->report.result.entries_lost += salvage->table_entries_lost - salvage->output.found;
    }
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static enum status run(struct salvage *salvage) {
    enum status status = begin(salvage);

    if (status == STATUS_OK) {
        status =
            salvage_plan_make(&salvage->files, &salvage->report, &salvage->plan, salvage->error);
    }
    if (status == STATUS_OK) {
        status = read_tables(salvage);
    }
    if (status == STATUS_OK) {
        status = read_log(salvage);
    }
    if (status == STATUS_OK) {
        status = write_store(salvage);
    }
    salvage->report.result.has_order = salvage->plan.flushed_version != UINT64_MAX;
    return status;
}

static void end(struct salvage *salvage) {
    salvage_output_deinit(&salvage->output);
    salvage_values_deinit(&salvage->values);
    salvage_window_deinit(&salvage->window);
    salvage_log_deinit(&salvage->log);
    for (size_t i = 0; i < salvage->table_count; i++) {
        salvage_table_close(&salvage->tables[i]);
    }
    memory_free(salvage->tables);
    salvage_gaps_deinit(&salvage->gaps);
    salvage_plan_deinit(&salvage->plan);
    salvage_files_deinit(&salvage->files);
    compression_destroy(salvage->compression);
    if (salvage->lock) {
        env_unlock(salvage->environment.env, salvage->lock);
    }
    environment_close(&salvage->environment);
}

enum status store_salvage(const struct store_options *options, const char *new_dir,
                          store_report_cb report_cb, void *arg,
                          struct store_salvage_result *result_out, struct error *error) {
    struct error found = {0};
    struct salvage salvage = {.options = options,
                              .new_dir = new_dir,
                              .error = &found,
                              .report = {.report_cb = report_cb, .arg = arg}};
    enum status status;

    salvage_gaps_init(&salvage.gaps);
    status = run(&salvage);
    *result_out = salvage.report.result;
    end(&salvage);
    if (status != STATUS_OK && error) {
        *error = found;
        if (found.status != status) { /* nobody has said more */
            error_set(error, status, 0, options->dir, ERROR_NO_OFFSET, "salvaging: %s",
                      status_text(status));
        }
    }
    return status;
}
