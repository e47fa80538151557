/* store_checkpoint.c: a second store with the present durable state, beside the running one.
 *
 *      rotate the log      every commit so far lies in a sealed, synced segment
 *      capture             the manifest's state, and the version, which keeps its files alive
 *      link                each table and sealed segment gets a name in the new directory
 *      manifest            written anew there, synced last: without it the directory is no store
 *
 * No byte is copied where the file system can link. What the copy lacks is the segment that was
 * begun by the rotation, and uploads under way: nothing in it refers to them. */
#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/lane_call.h"
#include "storage/store_state.h"

#define COPY_BYTES (256u * 1024)

struct checkpoint {
    struct store *store;
    const char *dir; /* of the new store */
    struct error *error;
    struct manifest_state state; /* owned */
    struct version *version;     /* one reference */
    enum status rotated;
};

/* ---- What it is made of -----------------------------------------------------------------------
 */

static void rotate_cb(void *arg) {
    struct checkpoint *checkpoint = arg;
    checkpoint->rotated = commit_log_rotate(&checkpoint->store->log, checkpoint->error);
}

/* Segments that are still written to are not part of the copy. */
static enum status leave_out_unsealed(struct manifest_state *state) {
    struct version_edit edit = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < state->segment_count && status == STATUS_OK; i++) {
        if (!state->segments[i].sealed) {
            status = version_edit_remove_segment(&edit, state->segments[i].number);
        }
    }
    if (status == STATUS_OK) {
        status = manifest_state_apply(state, &edit, NULL);
    }
    version_edit_deinit(&edit);
    return status;
}

static enum status capture(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    enum status status;

    checkpoint->rotated = STATUS_OK;
    lane_call(store->scheduler, LANE_COMMIT, !store->scheduler_is_owned, rotate_cb, checkpoint);
    if (checkpoint->rotated != STATUS_OK) {
        return checkpoint->rotated;
    }
    status = version_set_capture(&store->versions, &checkpoint->state, &checkpoint->version);
    if (status == STATUS_OK) {
        status = leave_out_unsealed(&checkpoint->state);
    }
    return status == STATUS_OK ? status
                               : error_set(checkpoint->error, status, 0, checkpoint->dir,
                                           ERROR_NO_OFFSET, "capturing the present state");
}

/* ---- Files ------------------------------------------------------------------------------------
 */

/* Errors: CANCELLED. */
static enum status go_on(const struct checkpoint *checkpoint) {
    return atomic_load_explicit(&checkpoint->store->cancelled, memory_order_relaxed)
               ? error_set(checkpoint->error, STATUS_CANCELLED, 0, checkpoint->dir, ERROR_NO_OFFSET,
                           "the store is closing")
               : STATUS_OK;
}

static enum status copy_bytes(struct checkpoint *checkpoint, struct env_file *from,
                              struct env_file *to, uint8_t *room) {
    uint64_t offset = 0;
    size_t got = COPY_BYTES;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && got == COPY_BYTES) {
        status = go_on(checkpoint);
        if (status == STATUS_OK) {
            status = env_read(from, offset, room, COPY_BYTES, &got, checkpoint->error);
        }
        if (status == STATUS_OK && got > 0) {
            struct slice bytes = slice_make(room, got);
            status = env_append(to, &bytes, 1, checkpoint->error);
            offset += got;
        }
    }
    return status == STATUS_OK ? env_sync(to, checkpoint->error) : status;
}

/* Where names of one file cannot lie in two directories. */
static enum status copy_file(struct checkpoint *checkpoint, const char *path,
                             const char *new_path) {
    struct env *env = checkpoint->store->env;
    struct env_file *from = NULL;
    struct env_file *to = NULL;
    uint8_t *room = memory_alloc(COPY_BYTES);
    enum status status = room ? STATUS_OK : STATUS_NO_MEMORY;

    if (status == STATUS_OK) {
        status = env_open(env, path, ENV_READ_CACHED, &from, checkpoint->error);
    }
    if (status == STATUS_OK) {
        status = env_create(env, new_path, &to, checkpoint->error);
    }
    if (status == STATUS_OK) {
        status = copy_bytes(checkpoint, from, to, room);
    }
    if (from) {
        (void)env_file_close(from, NULL); /* was only read */
    }
    if (to) {
        enum status closed = env_file_close(to, checkpoint->error);
        status = status == STATUS_OK ? closed : status;
    }
    memory_free(room);
    return status;
}

static enum status take_file(struct checkpoint *checkpoint, enum file_kind kind, uint64_t number) {
    struct store *store = checkpoint->store;
    char path[ENV_PATH_MAX];
    char new_path[ENV_PATH_MAX];
    enum status status = go_on(checkpoint);

    if (status != STATUS_OK) {
        return status;
    }
    status = file_path_make(store->dir, kind, number, path);
    if (status == STATUS_OK) {
        status = file_path_make(checkpoint->dir, kind, number, new_path);
    }
    if (status != STATUS_OK) {
        return error_set(checkpoint->error, status, 0, checkpoint->dir, ERROR_NO_OFFSET,
                         "the path is too long");
    }
    status = env_link(store->env, path, new_path, checkpoint->error);
    return status == STATUS_UNSUPPORTED ? copy_file(checkpoint, path, new_path) : status;
}

static enum status take_files(struct checkpoint *checkpoint) {
    const struct manifest_state *state = &checkpoint->state;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count && status == STATUS_OK; j++) {
            status = take_file(checkpoint, FILE_TABLE, state->levels[i].tables[j].number);
        }
    }
    for (uint32_t i = 0; i < state->segment_count && status == STATUS_OK; i++) {
        status = take_file(checkpoint, FILE_SEGMENT, state->segments[i].number);
    }
    return status == STATUS_OK
               ? env_sync_dir(checkpoint->store->env, checkpoint->dir, checkpoint->error)
               : status;
}

static enum status write_manifest(struct checkpoint *checkpoint) {
    struct manifest_options options = {.env = checkpoint->store->env, .dir = checkpoint->dir};
    struct manifest *manifest;
    enum status status = manifest_start(&options, &checkpoint->state, &manifest, checkpoint->error);

    if (status == STATUS_OK) {
        manifest_close(manifest);
    }
    return status;
}

/* ---- The new directory ------------------------------------------------------------------------
 */

static enum status any_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)arg;
    (void)name;
    (void)size_bytes;
    return STATUS_OK;
}

static enum status make_directory(const struct checkpoint *checkpoint) {
    struct env *env = checkpoint->store->env;
    struct error ignored = {0};

    if (env_list(env, checkpoint->dir, any_cb, NULL, &ignored) == STATUS_OK) {
        return error_set(checkpoint->error, STATUS_EXISTS, 0, checkpoint->dir, ERROR_NO_OFFSET,
                         "the directory of a checkpoint must not exist yet");
    }
    return env_make_dir(env, checkpoint->dir, checkpoint->error);
}

static enum status remove_cb(void *arg, const char *name, uint64_t size_bytes) {
    const struct checkpoint *checkpoint = arg;
    char path[ENV_PATH_MAX];
    enum status status = file_path_join(checkpoint->dir, name, path);

    (void)size_bytes;
    if (status == STATUS_OK) {
        status = env_remove(checkpoint->store->env, path, NULL);
    }
    return STATUS_OK; /* the next one may still go */
}

enum status store_checkpoint(struct store *store, const char *new_dir, struct error *error) {
    struct error found = {0};
    struct checkpoint checkpoint = {.store = store, .dir = new_dir, .error = &found};
    enum status status = store->options.read_only ? STATUS_READ_ONLY : make_directory(&checkpoint);
    bool made = status == STATUS_OK;

    if (status == STATUS_OK) {
        status = capture(&checkpoint);
    }
    if (status == STATUS_OK) {
        status = take_files(&checkpoint);
    }
    if (status == STATUS_OK) {
        status = write_manifest(&checkpoint);
    }
    if (made && status != STATUS_OK) {
        struct error ignored = {0};
        enum status listed = env_list(store->env, new_dir, remove_cb, &checkpoint, &ignored);
        (void)listed; /* what stays has no manifest: it is no store */
    }
    if (checkpoint.version) {
        version_unref(checkpoint.version);
    }
    manifest_state_deinit(&checkpoint.state);
    if (status != STATUS_OK && error) {
        *error = found;
        error->status = status;
    }
    return status;
}
