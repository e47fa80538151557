/* recovery.c: see recovery.h. */
#include "storage/recovery.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/file_name.h"
#include "storage/ikey.h"
#include "storage/lost_segments.h"

#include <sys/random.h>

#define RECOVERY_MEMTABLE_BYTES (16u * 1024 * 1024) /* a guess: it is flushed at once */

/* ---- Replay -----------------------------------------------------------------------------------
 */

struct replay {
    struct memtable *memtable; /* owned until handed out */
    uint64_t flushed_version;
    uint8_t *row; /* owned; ROW_BYTES_MAX */
};

static enum status insert_op(struct replay *replay, const struct log_replay_commit *commit,
                             const struct batch_op *op) {
    struct slice row = {replay->row, row_store(replay->row, op->namespace_id, op->key)};
    struct entry entry;
    size_t bytes;
    enum status status;

    if (op->extent) {
        return STATUS_CORRUPT; /* extents have segments of their own */
    }
    /* It has been read from the medium: it is synced, whatever it was. */
    entry = batch_op_entry(op, commit->segment, commit->values_offset, DURABILITY_SYNCED);
    bytes = memtable_node_bytes(row.len, entry_bytes(&entry));
    status = memtable_reserve(replay->memtable, bytes, bytes);
    if (status == STATUS_OK) {
        status = memtable_reserve_segments(replay->memtable, &entry);
    }
    if (status == STATUS_OK) {
        memtable_insert(replay->memtable, row, commit->version, &entry);
    }
    return status;
}

static enum status replay_cb(void *arg, const struct log_replay_commit *commit,
                             struct error *error) {
    struct replay *replay = arg;
    struct reader reader = reader_make(commit->meta);
    struct batch_op op;
    enum status status = STATUS_OK;

    if (commit->version <= replay->flushed_version) {
        return STATUS_OK; /* it is in a table */
    }
    while (status == STATUS_OK) {
        status = batch_take(&reader, commit->values_bytes, &op);
        if (status == STATUS_OK) {
            status = insert_op(replay, commit, &op);
        }
    }
    memtable_note_log(replay->memtable, commit->segment,
                      commit->meta.len + commit->values_bytes + COMMIT_HEADER_BYTES);
    return status == STATUS_END ? STATUS_OK
                                : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                            "replaying version %llu from segment %llu",
                                            (unsigned long long)commit->version,
                                            (unsigned long long)commit->segment);
}

/* The commit segments that are not wholly flushed. */
static enum status segments_collect(const struct manifest_state *state,
                                    struct log_replay_segment **segments_out, size_t *count_out) {
    uint64_t replay_segment = manifest_state_get(state, EDIT_REPLAY_SEGMENT);
    struct log_replay_segment *segments;

    *count_out = 0;
    *segments_out = NULL;
    if (state->segment_count == 0) {
        return STATUS_OK;
    }
    segments = memory_alloc_array(state->segment_count, sizeof *segments);
    if (!segments) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < state->segment_count; i++) {
        const struct manifest_segment *segment = &state->segments[i];
        if (segment->kind == SEGMENT_COMMIT && segment->number >= replay_segment) {
            segments[(*count_out)++] =
                (struct log_replay_segment){.number = segment->number,
                                            .known = true,
                                            .sealed = segment->sealed,
                                            .sealed_bytes = segment->length_bytes};
        }
    }
    *segments_out = segments;
    return STATUS_OK;
}

static enum status replay_log(const struct recovery_options *options,
                              const struct manifest_state *state, struct replay *replay,
                              struct log_replay_segment *segments, size_t segment_count,
                              struct log_replay_result *result_out, struct error *error) {
    struct log_replay_options replay_options = {
        .env = options->env,
        .dir = options->dir,
        .compression = options->compression,
        .durable = state->log_durable,
        .last_sequence = manifest_state_get(state, EDIT_LOG_SEQUENCE),
        .version_ceiling = manifest_state_get(state, EDIT_VERSION_CEILING),
        .commit_cb = replay_cb,
        .arg = replay};

    memcpy(replay_options.store_id, state->store_id, STORE_ID_BYTES);
    return log_replay(&replay_options, segments, segment_count, result_out, error);
}

/* ---- The next state ---------------------------------------------------------------------------
 */

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Seals what was read, counts on, and keeps versions apart from all earlier ones. */
static enum status state_advance(struct manifest_state *state,
                                 const struct log_replay_segment *segments, size_t segment_count,
                                 struct recovery *recovery, struct error *error) {
    struct version_edit edit = {0};
    uint64_t ceiling = manifest_state_get(state, EDIT_VERSION_CEILING);
    const char *reason = "sealing the log";
    enum status status = STATUS_OK;

    recovery->next_version = larger(larger(ceiling, recovery->replay.last_version + 1), 1);
    recovery->version_ceiling = recovery->next_version + RECOVERY_VERSIONS_AHEAD;
    recovery->store_time_ms =
        larger(manifest_state_get(state, EDIT_STORE_TIME_MS), recovery->replay.last_store_time_ms);
    for (size_t i = 0; i < segment_count && status == STATUS_OK; i++) {
        if (!segments[i].sealed) {
            status = version_edit_seal_segment(&edit, segments[i].number, segments[i].end_bytes);
        }
    }
    version_edit_set(&edit, EDIT_VERSION_CEILING, recovery->version_ceiling);
    version_edit_set(&edit, EDIT_NEXT_FILE_NUMBER,
                     larger(manifest_state_get(state, EDIT_NEXT_FILE_NUMBER), 1));
    version_edit_set(&edit, EDIT_INCARNATION, manifest_state_get(state, EDIT_INCARNATION) + 1);
    version_edit_set(&edit, EDIT_STORE_TIME_MS, recovery->store_time_ms);
    version_edit_set(
        &edit, EDIT_LOG_SEQUENCE,
        larger(manifest_state_get(state, EDIT_LOG_SEQUENCE), recovery->replay.last_sequence));
    if (status == STATUS_OK) {
        status = manifest_state_apply(state, &edit, &reason);
    }
    version_edit_deinit(&edit);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "recovery: %s", reason);
}

static enum status state_load(const struct recovery_options *options, struct manifest_state *state,
                              struct recovery *recovery, struct error *error) {
    uint8_t store_id[STORE_ID_BYTES];
    enum status status =
        manifest_load(options->env, options->dir, state, &recovery->manifest_report, error);

    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    if (options->read_only) {
        return error_set(error, STATUS_NOT_FOUND, 0, options->dir, ERROR_NO_OFFSET,
                         "there is no store to be read");
    }
    if (getrandom(store_id, sizeof store_id, 0) != (ssize_t)sizeof store_id) {
        return error_set(error, STATUS_IO, 0, NULL, ERROR_NO_OFFSET, "getrandom");
    }
    recovery->created = true;
    manifest_state_init(state, store_id);
    return STATUS_OK;
}

/* ---- Files that no edit names -----------------------------------------------------------------
 */

struct cleaner {
    const struct recovery_options *options;
    const struct manifest_state *state;
    uint64_t removed;
};

static bool state_names(const struct manifest_state *state, enum file_kind kind, uint64_t number) {
    if (kind == FILE_SEGMENT) {
        return manifest_state_segment(state, number) != NULL;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count; j++) {
            if (state->levels[i].tables[j].number == number) {
                return true;
            }
        }
    }
    return false;
}

static enum status clean_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct cleaner *cleaner = arg;
    char path[ENV_PATH_MAX];
    enum file_kind kind;
    uint64_t number;

    (void)size_bytes;
    if (!file_name_parse(name, &kind, &number) || (kind != FILE_TABLE && kind != FILE_SEGMENT) ||
        state_names(cleaner->state, kind, number) ||
        file_path_join(cleaner->options->dir, name, path) != STATUS_OK) {
        return STATUS_OK;
    }
    cleaner->removed += env_remove(cleaner->options->env, path, NULL) == STATUS_OK;
    return STATUS_OK;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static enum status replay_init(struct replay *replay, const struct manifest_state *state) {
    enum status status = memtable_create(RECOVERY_MEMTABLE_BYTES, &replay->memtable);

    replay->flushed_version = manifest_state_get(state, EDIT_FLUSHED_VERSION);
    if (status != STATUS_OK) {
        return status;
    }
    replay->row = memory_alloc(ROW_BYTES_MAX);
    return replay->row ? STATUS_OK : STATUS_NO_MEMORY;
}

static void replay_end(struct replay *replay, struct recovery *recovery, bool keep) {
    memory_free(replay->row);
    if (!replay->memtable) {
        return;
    }
    if (keep && memtable_entries(replay->memtable) > 0) {
        recovery->memtable = replay->memtable;
    } else {
        memtable_unref(replay->memtable);
    }
}

/* Files are removed only after the new manifest is durable: until then an older one, which may
 * name them, could be what the next open finds (R9). */
static enum status start_manifest(const struct recovery_options *options,
                                  struct manifest_state *state, struct recovery *recovery,
                                  struct error *error) {
    struct manifest_options manifest_options = {.env = options->env, .dir = options->dir};
    struct cleaner cleaner = {.options = options};
    enum status status;

    if (options->read_only) {
        status = manifest_hold(&manifest_options, state, &recovery->manifest);
        return status == STATUS_OK ? status
                                   : error_set(error, status, 0, options->dir, ERROR_NO_OFFSET,
                                               "holding the manifest");
    }
    status = manifest_start(&manifest_options, state, &recovery->manifest, error);
    if (status != STATUS_OK) {
        return status;
    }
    cleaner.state = manifest_state(recovery->manifest);
    status = env_list(options->env, options->dir, clean_cb, &cleaner, error);
    recovery->removed_files = cleaner.removed;
    if (status != STATUS_OK) {
        manifest_close(recovery->manifest);
    }
    return status;
}

enum status recovery_run(const struct recovery_options *options, struct recovery *recovery_out,
                         struct error *error) {
    struct recovery recovery = {0};
    struct manifest_state state = {0};
    struct replay replay = {0};
    struct log_replay_segment *segments = NULL;
    size_t segment_count = 0;
    enum status status = state_load(options, &state, &recovery, error);

    if (status == STATUS_OK) {
        status = replay_init(&replay, &state);
    }
    if (status == STATUS_OK) {
        status = segments_collect(&state, &segments, &segment_count);
    }
    if (status == STATUS_OK) {
        status =
            replay_log(options, &state, &replay, segments, segment_count, &recovery.replay, error);
    }
    if (status == STATUS_OK) {
        status = lost_segments_check(options->env, options->dir, &state, error);
    }
    if (status == STATUS_OK) {
        status = state_advance(&state, segments, segment_count, &recovery, error);
    }
    if (status == STATUS_OK) {
        status = start_manifest(options, &state, &recovery, error);
    }
    replay_end(&replay, &recovery, status == STATUS_OK);
    memory_free(segments);
    if (status != STATUS_OK) {
        manifest_state_deinit(&state);
        return status;
    }
    *recovery_out = recovery;
    return STATUS_OK;
}
