/* commit_log.c: see commit_log.h. */
#include "storage/commit_log.h"

#include "protocol/base/assert.h"

#include <stdio.h>

static enum status writer_create(struct commit_log *log, struct segment_writer **writer_out,
                                 struct error *error) {
    struct segment_writer_options options = {.env = log->env,
                                             .dir = log->dir,
                                             .number = version_set_new_number(log->versions),
                                             .kind = SEGMENT_COMMIT,
                                             .incarnation = log->incarnation,
                                             .preallocate_bytes = log->preallocate_bytes};

    memcpy(options.store_id, log->store_id, STORE_ID_BYTES);
    return segment_writer_create(&options, writer_out, error);
}

enum status commit_log_open(struct commit_log *log, const struct commit_log_options *options,
                            struct error *error) {
    struct version_edit edit = {0};
    struct segment_writer *writer;
    enum status status;

    *log = (struct commit_log){.env = options->env,
                               .dir = options->dir,
                               .versions = options->versions,
                               .marks = options->marks,
                               .clock = options->clock,
                               .incarnation = options->incarnation,
                               .preallocate_bytes = options->preallocate_bytes,
                               .log_cb = options->log_cb,
                               .log_arg = options->log_arg,
                               .sequence = options->last_sequence,
                               .group_time_ms = store_clock_now_ms(options->clock),
                               .last_group_is_empty = true};
    memcpy(log->store_id, options->store_id, STORE_ID_BYTES);
    mutex_init(&log->sync_mu);
    mutex_init(&log->mu);
    status = writer_create(log, &writer, error);
    if (status != STATUS_OK) {
        return status;
    }
    log->writer = writer;
    log->durable = (struct log_position){segment_writer_number(writer), 0};
    status = version_edit_add_segment(&edit, segment_writer_number(writer), SEGMENT_COMMIT);
    if (options->nothing_to_replay) {
        version_edit_set(&edit, EDIT_REPLAY_SEGMENT, segment_writer_number(writer));
    }
    if (status == STATUS_OK) {
        status = version_set_install(log->versions, &edit, NULL, error);
    }
    version_edit_deinit(&edit);
    return status;
}

void commit_log_close(struct commit_log *log) {
    if (log->env) {
        segment_writer_close(log->writer);
        mutex_deinit(&log->sync_mu);
        mutex_deinit(&log->mu);
        *log = (struct commit_log){0};
    }
}

uint64_t commit_log_segment_bytes(const struct commit_log *log) {
    return segment_writer_position(log->writer);
}

uint64_t commit_log_segment(const struct commit_log *log) {
    return segment_writer_number(log->writer);
}

enum status commit_log_reserve(struct commit_log *log, uint64_t bytes, struct error *error) {
    return segment_writer_reserve(log->writer, SEGMENT_HEADER_BYTES + bytes, error);
}

void commit_log_layout(const struct commit_log *log, struct log_commit *commits, size_t count) {
    segment_writer_layout(log->writer, commits, count);
}

struct log_position commit_log_durable(struct commit_log *log) {
    struct log_position durable;

    mutex_lock(&log->mu);
    durable = log->durable;
    mutex_unlock(&log->mu);
    return durable;
}

static void say_failed(const struct commit_log *log, const struct error *error) {
    char line[ERROR_PATH_MAX + ERROR_TEXT_MAX + 160];
    int used = snprintf(line, sizeof line,
                        "the log has failed; no more writes until kvd is "
                        "started again: ");

    if (log->log_cb) {
        error_format(error, line + used, (int)sizeof line - used);
        log->log_cb(log->log_arg, STORE_LOG_ERROR, line);
    }
}

void commit_log_fail(struct commit_log *log, const struct error *error) {
    bool first;

    mutex_lock(&log->mu);
    first = !commit_log_failed(log);
    if (first) {
        log->error = *error;
        atomic_store_explicit(&log->failed, true, memory_order_release);
    }
    mutex_unlock(&log->mu);
    if (first) {
        say_failed(log, error);
    }
    watermarks_fail(log->marks);
}

enum status commit_log_append(struct commit_log *log, const struct log_commit *commits,
                              size_t count, uint64_t last_version) {
    struct group_info group = {.sequence = log->sequence + 1,
                               .synced_through = commit_log_durable(log),
                               .store_time_ms = store_clock_now_ms(log->clock)};
    struct error error = {0};

    if (commit_log_failed(log)) {
        return STATUS_LOG_FAILED;
    }
    if (segment_writer_append(log->writer, &group, commits, count, &error) != STATUS_OK) {
        commit_log_fail(log, &error);
        return STATUS_LOG_FAILED;
    }
    log->sequence++;
    log->group_time_ms = group.store_time_ms;
    log->last_group_is_empty = count == 0;
    watermarks_raise_visible(log->marks, last_version);
    watermarks_raise_written(log->marks, last_version);
    return STATUS_OK;
}

static void durable_raise(struct commit_log *log, struct log_position durable) {
    mutex_lock(&log->mu);
    if (log_position_compare(log->durable, durable) < 0) {
        log->durable = durable;
    }
    mutex_unlock(&log->mu);
}

/* Syncs the active segment. On OK, *version_out is durable. */
static enum status sync_locked(struct commit_log *log, uint64_t *version_out)
    REQUIRES(log->sync_mu) {
    struct error error = {0};
    struct log_position position;
    uint64_t began_ns = lock_clock_ns();

    if (commit_log_failed(log)) {
        return STATUS_LOG_FAILED;
    }
    *version_out = watermarks_written(log->marks); /* before the position: not beyond it */
    position = (struct log_position){segment_writer_number(log->writer),
                                     segment_writer_position(log->writer)};
    if (segment_writer_sync(log->writer, &error) != STATUS_OK) {
        commit_log_fail(log, &error);
        return STATUS_LOG_FAILED;
    }
    atomic_fetch_add_explicit(&log->syncs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&log->sync_ns, lock_clock_ns() - began_ns, memory_order_relaxed);
    durable_raise(log, position);
    return STATUS_OK;
}

enum status commit_log_sync(struct commit_log *log) {
    uint64_t version;
    enum status status;

    mutex_lock(&log->sync_mu);
    status = sync_locked(log, &version);
    mutex_unlock(&log->sync_mu);
    if (status == STATUS_OK) {
        watermarks_raise_durable(log->marks, version);
    }
    return status;
}

/* Records the end of the old segment and the new one in the manifest, then switches. The old one is
 * synced before (R3), and sealed after: should the manifest find the disk full, it goes on. */
static enum status hand_over_locked(struct commit_log *log, struct segment_writer *next,
                                    struct error *error) REQUIRES(log->sync_mu) {
    struct version_edit edit = {0};
    struct log_position durable = {segment_writer_number(next), 0};
    enum status status = version_edit_seal_segment(&edit, segment_writer_number(log->writer),
                                                   segment_writer_position(log->writer));

    if (status == STATUS_OK) {
        status = version_edit_add_segment(&edit, segment_writer_number(next), SEGMENT_COMMIT);
    }
    if (status == STATUS_OK) {
        version_edit_set_log_durable(&edit, durable);
        version_edit_set(&edit, EDIT_LOG_SEQUENCE, log->sequence);
        version_edit_set(&edit, EDIT_STORE_TIME_MS, store_clock_now_ms(log->clock));
        status = version_set_install(log->versions, &edit, NULL, error);
    }
    version_edit_deinit(&edit);
    if (status == STATUS_OK) {
        status = segment_writer_seal(log->writer, error);
    }
    if (status == STATUS_OK) {
        segment_writer_close(log->writer);
        log->writer = next;
        durable_raise(log, durable);
    }
    return status;
}

/* A new segment that did not come to be used. */
static void discard(struct commit_log *log, struct segment_writer *next) {
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(log->dir, FILE_SEGMENT, segment_writer_number(next), path);

    segment_writer_close(next);
    if (status == STATUS_OK) {
        status = env_remove(log->env, path, NULL);
    }
    (void)status; /* what is left is removed by the next open: no edit names it */
}

enum status commit_log_rotate(struct commit_log *log, struct error *error) {
    struct segment_writer *next;
    uint64_t version = 0;
    enum status status = writer_create(log, &next, error);

    if (status != STATUS_OK) {
        return status;
    }
    mutex_lock(&log->sync_mu);
    status = sync_locked(log, &version);
    if (status == STATUS_OK) {
        status = hand_over_locked(log, next, error);
    }
    mutex_unlock(&log->sync_mu);
    if (status == STATUS_OK) {
        watermarks_raise_durable(log->marks, version);
        return STATUS_OK;
    }
    if (status == STATUS_NO_SPACE || status == STATUS_NO_MEMORY) {
        discard(log, next);
        return status;
    }
    segment_writer_close(next); /* the file stays: an edit that names it may be durable */
    commit_log_fail(log, error);
    return STATUS_LOG_FAILED;
}
