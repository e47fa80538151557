/* manifest.c: see manifest.h. */
#include "storage/manifest.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/manifest_format.h"
#include "storage/manifest_reader.h"

#include <stdlib.h>

#define ROTATE_BYTES_DEFAULT (4u * 1024 * 1024)
#define ROTATE_SNAPSHOTS 4         /* a manifest may hold so many times its snapshot */
#define RESERVE_BYTES (64u * 1024) /* space reserved ahead: some hundred edits */
#define WRITE_BYTES (1024u * 1024) /* a snapshot is written in pieces of about this */

/* ---- the directory ---- */

/* What is in the directory of a store. */
struct inventory {
    uint64_t *manifests; /* owned; ascending once collected */
    uint32_t count;
    uint32_t capacity;
    uint64_t number_max; /* of tables and segments */
    bool has_data;       /* there is a table or a segment */
};

static enum status inventory_add(struct inventory *inventory, uint64_t number) {
    if (inventory->count == inventory->capacity) {
        uint32_t capacity = inventory->capacity ? inventory->capacity * 2 : 4;
        uint64_t *manifests = memory_resize(inventory->manifests, capacity * sizeof *manifests);
        if (!manifests) {
            return STATUS_NO_MEMORY;
        }
        inventory->manifests = manifests;
        inventory->capacity = capacity;
    }
    inventory->manifests[inventory->count++] = number;
    return STATUS_OK;
}

static enum status inventory_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct inventory *inventory = arg;
    enum file_kind kind;
    uint64_t number;

    (void)size_bytes;
    if (!file_name_parse(name, &kind, &number)) {
        return STATUS_OK;
    }
    if (kind == FILE_MANIFEST) {
        return inventory_add(inventory, number);
    }
    if (kind == FILE_TABLE || kind == FILE_SEGMENT) {
        inventory->has_data = true;
        inventory->number_max = number > inventory->number_max ? number : inventory->number_max;
    }
    return STATUS_OK;
}

static int number_order(const void *left, const void *right) {
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static void inventory_deinit(struct inventory *inventory) {
    memory_free(inventory->manifests);
    inventory->manifests = NULL;
}

static enum status inventory_collect(struct inventory *inventory, struct env *env, const char *dir,
                                     struct error *error) {
    enum status status;

    *inventory = (struct inventory){0};
    status = env_list(env, dir, inventory_cb, inventory, error);
    if (status != STATUS_OK) {
        inventory_deinit(inventory);
        return status == STATUS_NO_MEMORY
                   ? error_set(error, status, 0, dir, ERROR_NO_OFFSET, "list of manifests")
                   : status;
    }
    if (inventory->count > 0) {
        qsort(inventory->manifests, inventory->count, sizeof *inventory->manifests, number_order);
    }
    return STATUS_OK;
}

static enum status manifest_path(const char *dir, uint64_t number, char path_out[ENV_PATH_MAX],
                                 struct error *error) {
    enum status status = file_path_make(dir, FILE_MANIFEST, number, path_out);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, status, 0, dir, ERROR_NO_OFFSET, "path is too long");
}

/* ---- load ---- */

struct loading {
    struct env *env;
    const char *dir;
    struct direct_file direct;
    struct manifest_read_result result;
    bool ambiguous;
    uint64_t ambiguous_number; /* the newest such manifest, and where its hole is */
    uint64_t ambiguous_offset;
};

/* The last edit may have been read although its sync never returned: whoever acts on it, such as by
 * removing the files that it drops, must find it again after a power cut. */
static enum status make_durable(struct loading *loading, struct manifest_state *state,
                                struct error *error) {
    enum status status = env_sync(loading->direct.file, error);

    if (status == STATUS_OK) {
        status = env_sync_dir(loading->env, loading->dir, error);
    }
    if (status != STATUS_OK) {
        manifest_state_deinit(state);
    }
    return status;
}

static enum status load_one(struct loading *loading, uint64_t number,
                            struct manifest_state *state_out, struct error *error) {
    char path[ENV_PATH_MAX];
    enum status status = manifest_path(loading->dir, number, path, error);

    if (status == STATUS_OK) {
        status = direct_file_open(&loading->direct, loading->env, path, error);
    }
    if (status == STATUS_OK) {
        status = manifest_read(&loading->direct, number, state_out, &loading->result, error);
        if (status == STATUS_OK && loading->result.verdict == MANIFEST_COMPLETE) {
            status = make_durable(loading, state_out, error);
        }
        direct_file_close(&loading->direct);
    }
    if (status == STATUS_OK && loading->result.verdict == MANIFEST_AMBIGUOUS &&
        !loading->ambiguous) {
        loading->ambiguous = true;
        loading->ambiguous_number = number;
        loading->ambiguous_offset = loading->result.bad_offset;
    }
    return status;
}

/* No manifest is complete: a store that never was, or one that has lost what holds it together? */
static enum status load_nothing(const struct loading *loading, const struct inventory *inventory,
                                struct error *error) {
    char path[ENV_PATH_MAX];
    enum status status;

    if (!inventory->has_data) {
        return STATUS_NOT_FOUND;
    }
    if (!loading->ambiguous) {
        return error_set(error, STATUS_CORRUPT, 0, loading->dir, ERROR_NO_OFFSET,
                         "there are tables or segments, but no whole manifest; nothing was "
                         "changed; restore a backup");
    }
    status = manifest_path(loading->dir, loading->ambiguous_number, path, error);
    return status == STATUS_OK
               ? error_set(error, STATUS_CORRUPT, 0, path, loading->ambiguous_offset,
                           "damaged in its snapshot, and there is no other "
                           "manifest; nothing was changed; restore a backup")
               : status;
}

/* Reads from the newest down to the first complete one. A newer one that is not was never synced,
 * or nothing was appended to it yet (manifest_reader.h): the older one says the same. */
static enum status load_newest(struct loading *loading, const struct inventory *inventory,
                               struct manifest_state *state_out,
                               struct manifest_load_report *report_out, struct error *error) {
    for (uint32_t i = inventory->count; i > 0; i--) {
        uint64_t number = inventory->manifests[i - 1];
        enum status status = load_one(loading, number, state_out, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (loading->result.verdict == MANIFEST_COMPLETE) {
            report_out->number = number;
            report_out->edits = loading->result.edits;
            report_out->cut_bytes = loading->result.cut_bytes;
            report_out->manifests_ignored = inventory->count - i;
            return STATUS_OK;
        }
    }
    return load_nothing(loading, inventory, error);
}

enum status manifest_load(struct env *env, const char *dir, struct manifest_state *state_out,
                          struct manifest_load_report *report_out, struct error *error) {
    struct loading loading = {.env = env, .dir = dir};
    struct inventory inventory;
    enum status status = inventory_collect(&inventory, env, dir, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = load_newest(&loading, &inventory, state_out, report_out, error);
    if (status == STATUS_OK && state_out->scalars[EDIT_NEXT_FILE_NUMBER] <= inventory.number_max) {
        state_out->scalars[EDIT_NEXT_FILE_NUMBER] = inventory.number_max + 1;
    }
    direct_file_deinit(&loading.direct);
    inventory_deinit(&inventory);
    return status;
}

/* ---- writing one file ---- */

/* A manifest file that is being written. */
struct manifest_file {
    struct env_file *file; /* owned; NULL while there is none */
    uint64_t number;
    uint64_t sequence; /* of the last record */
    uint64_t size_bytes;
    uint64_t reserved_bytes;
};

struct manifest {
    /* constant */
    struct env *env; /* borrowed */
    char *dir;       /* owned */
    uint64_t rotate_bytes;
    /* owned by the one thread */
    struct manifest_state state;
    struct manifest_file file;
    uint64_t rotate_at_bytes; /* size beyond which the next append rotates */
    bool failed;
    struct buffer buffer; /* records on their way */
};

static enum status no_memory(const struct manifest *manifest, struct error *error,
                             const char *what) {
    return error_set(error, STATUS_NO_MEMORY, 0, manifest->dir, ERROR_NO_OFFSET, "%s", what);
}

/* Adds a record to the buffer, which holds what comes at file->size_bytes. */
static enum status buffer_record(struct manifest *manifest, struct manifest_file *file,
                                 enum manifest_record_kind kind, const struct version_edit *edit) {
    struct buffer *buffer = &manifest->buffer;
    size_t mark = buffer_mark(buffer);
    struct manifest_record record = {.kind = kind, .sequence = file->sequence + 1};
    struct slice payload;
    uint8_t *ptr;
    enum status status = buffer_extend(buffer, MANIFEST_RECORD_BYTES, &ptr);

    if (status == STATUS_OK && edit) {
        status = version_edit_append(buffer, edit);
    }
    if (status == STATUS_OK &&
        buffer->len - mark - MANIFEST_RECORD_BYTES > MANIFEST_PAYLOAD_BYTES_MAX) {
        status = STATUS_TOO_LARGE;
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
        return status;
    }
    ptr = buffer->data + mark; /* it may have moved */
    payload = slice_make(ptr + MANIFEST_RECORD_BYTES, buffer->len - mark - MANIFEST_RECORD_BYTES);
    record.payload_bytes = (uint32_t)payload.len;
    manifest_record_store(ptr, &record, payload, file->number, file->size_bytes + mark);
    file->sequence++;
    return STATUS_OK;
}

/* Makes sure that the buffer can be written without meeting a full disk. */
static enum status reserve(struct manifest *manifest, struct manifest_file *file,
                           struct error *error) {
    uint64_t needed = file->size_bytes + manifest->buffer.len;
    enum status status;

    if (needed <= file->reserved_bytes) {
        return STATUS_OK;
    }
    status = env_preallocate(file->file, needed + RESERVE_BYTES, error);
    if (status == STATUS_OK || status == STATUS_UNSUPPORTED) {
        file->reserved_bytes = needed + RESERVE_BYTES;
        return STATUS_OK;
    }
    return status;
}

static enum status write_buffer(struct manifest *manifest, struct manifest_file *file,
                                struct error *error) {
    struct slice bytes = buffer_slice(&manifest->buffer);
    enum status status = env_append(file->file, &bytes, 1, error);

    if (status == STATUS_OK) {
        file->size_bytes += bytes.len;
        buffer_clear(&manifest->buffer);
    }
    return status;
}

/* ---- a new file ---- */

struct snapshot_writing {
    struct manifest *manifest;
    struct manifest_file *file;
    struct error *error;
};

static enum status snapshot_cb(void *arg, const struct version_edit *edit) {
    struct snapshot_writing *writing = arg;
    struct manifest *manifest = writing->manifest;
    enum status status = buffer_record(manifest, writing->file, MANIFEST_SNAPSHOT_PART, edit);

    if (status != STATUS_OK || manifest->buffer.len < WRITE_BYTES) {
        return status;
    }
    status = reserve(manifest, writing->file, writing->error);
    return status == STATUS_OK ? write_buffer(manifest, writing->file, writing->error) : status;
}

static enum status buffer_header(struct manifest *manifest, const struct manifest_file *file) {
    struct manifest_header header = {.number = file->number};
    uint8_t *ptr;
    enum status status = buffer_extend(&manifest->buffer, MANIFEST_HEADER_BYTES, &ptr);

    if (status == STATUS_OK) {
        memcpy(header.store_id, manifest->state.store_id, STORE_ID_BYTES);
        manifest_header_store(ptr, &header);
    }
    return status;
}

/* Header and snapshot, synced, and the directory. */
static enum status write_snapshot(struct manifest *manifest, struct manifest_file *file,
                                  struct error *error) {
    struct snapshot_writing writing = {manifest, file, error};
    enum status status;

    buffer_clear(&manifest->buffer);
    status = buffer_header(manifest, file);
    if (status == STATUS_OK) {
        status = manifest_state_snapshot(&manifest->state, snapshot_cb, &writing);
    }
    if (status == STATUS_OK) {
        status = buffer_record(manifest, file, MANIFEST_SNAPSHOT_END, NULL);
    }
    if (status == STATUS_NO_MEMORY) {
        return no_memory(manifest, error, "snapshot of a manifest");
    }
    if (status == STATUS_OK) {
        status = reserve(manifest, file, error);
    }
    if (status == STATUS_OK) {
        status = write_buffer(manifest, file, error);
    }
    if (status == STATUS_OK) {
        status = env_sync(file->file, error);
    }
    if (status == STATUS_OK) {
        status = env_sync_dir(manifest->env, manifest->dir, error);
    }
    return status;
}

/* Takes a new file that failed away again. OK when it is certain that it will not be read: it might
 * be complete, although its sync failed, and would then win over the older one. */
static enum status take_back(struct manifest *manifest, struct manifest_file *file,
                             const char *path) {
    enum status status;

    (void)env_file_close(file->file, NULL); /* it is going to be removed */
    file->file = NULL;
    buffer_clear(&manifest->buffer);
    status = env_remove(manifest->env, path, NULL);
    return status == STATUS_OK ? env_sync_dir(manifest->env, manifest->dir, NULL) : status;
}

/* Writes a new manifest file for the present state. *gone_out: on failure, whether nothing is left
 * of it. */
static enum status begin_file(struct manifest *manifest, uint64_t number,
                              struct manifest_file *file_out, bool *gone_out, struct error *error) {
    struct manifest_file file = {.number = number};
    char path[ENV_PATH_MAX];
    enum status status = manifest_path(manifest->dir, number, path, error);

    *gone_out = true;
    if (status == STATUS_OK) {
        status = env_create(manifest->env, path, &file.file, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = write_snapshot(manifest, &file, error);
    if (status != STATUS_OK) {
        *gone_out = take_back(manifest, &file, path) == STATUS_OK;
        return status;
    }
    *file_out = file;
    return STATUS_OK;
}

/* The file to append to from now on. */
static void adopt(struct manifest *manifest, const struct manifest_file *file) {
    uint64_t of_snapshot = file->size_bytes * ROTATE_SNAPSHOTS;
    manifest->file = *file;
    manifest->rotate_at_bytes =
        of_snapshot > manifest->rotate_bytes ? of_snapshot : manifest->rotate_bytes;
}

/* Removes an older manifest. What fails here is tried again at the next start; an older complete
 * manifest is never read while there is a newer one. */
static void remove_older(struct manifest *manifest, uint64_t number) {
    char path[ENV_PATH_MAX];
    if (manifest_path(manifest->dir, number, path, NULL) == STATUS_OK) {
        (void)env_remove(manifest->env, path, NULL);
    }
}

/* ---- start, close ---- */

static struct manifest *manifest_new(const struct manifest_options *options) {
    size_t dir_bytes = strlen(options->dir) + 1;
    struct manifest *manifest = memory_alloc_zeroed(sizeof *manifest);

    if (!manifest) {
        return NULL;
    }
    manifest->dir = memory_alloc(dir_bytes);
    if (!manifest->dir) {
        memory_free(manifest);
        return NULL;
    }
    memcpy(manifest->dir, options->dir, dir_bytes);
    manifest->env = options->env;
    manifest->rotate_bytes = options->rotate_bytes ? options->rotate_bytes : ROTATE_BYTES_DEFAULT;
    buffer_init(&manifest->buffer, MANIFEST_PAYLOAD_BYTES_MAX + WRITE_BYTES +
                                       MANIFEST_HEADER_BYTES + 2 * MANIFEST_RECORD_BYTES);
    return manifest;
}

enum status manifest_start(const struct manifest_options *options, struct manifest_state *state,
                           struct manifest **manifest_out, struct error *error) {
    struct manifest *manifest = manifest_new(options);
    struct inventory inventory;
    struct manifest_file file;
    bool gone;
    enum status status;

    if (!manifest) {
        return error_set(error, STATUS_NO_MEMORY, 0, options->dir, ERROR_NO_OFFSET, "manifest");
    }
    status = inventory_collect(&inventory, options->env, options->dir, error);
    if (status == STATUS_OK) {
        uint64_t newest = inventory.count ? inventory.manifests[inventory.count - 1] : 0;
        manifest->state = *state;
        status = begin_file(manifest, newest + 1, &file, &gone, error);
        manifest->state = status == STATUS_OK ? *state : (struct manifest_state){0};
    }
    if (status != STATUS_OK) {
        manifest_close(manifest);
        inventory_deinit(&inventory);
        return status;
    }
    adopt(manifest, &file);
    *state = (struct manifest_state){0};
    for (uint32_t i = 0; i < inventory.count; i++) {
        remove_older(manifest, inventory.manifests[i]);
    }
    (void)env_sync_dir(manifest->env, manifest->dir, NULL); /* only of removals, see above */
    inventory_deinit(&inventory);
    *manifest_out = manifest;
    return STATUS_OK;
}

enum status manifest_hold(const struct manifest_options *options, struct manifest_state *state,
                          struct manifest **manifest_out) {
    struct manifest *manifest = manifest_new(options);

    if (!manifest) {
        return STATUS_NO_MEMORY;
    }
    manifest->state = *state;
    *state = (struct manifest_state){0};
    *manifest_out = manifest;
    return STATUS_OK;
}

void manifest_close(struct manifest *manifest) {
    if (!manifest) {
        return;
    }
    if (manifest->file.file) {
        if (!manifest->failed) {
            (void)env_finish(manifest->file.file, NULL); /* gives back reserved space only */
        }
        (void)env_file_close(manifest->file.file, NULL); /* all that counts was synced */
    }
    manifest_state_deinit(&manifest->state);
    buffer_deinit(&manifest->buffer);
    memory_free(manifest->dir);
    memory_free(manifest);
}

const struct manifest_state *manifest_state(const struct manifest *manifest) {
    return &manifest->state;
}

uint64_t manifest_number(const struct manifest *manifest) {
    return manifest->file.number;
}

/* ---- append, rotate ---- */

static enum status refuse_failed(const struct manifest *manifest, struct error *error) {
    if (!manifest->file.file) {
        return error_set(error, STATUS_READ_ONLY, 0, manifest->dir, ERROR_NO_OFFSET,
                         "the store was opened to be read");
    }
    if (!manifest->failed) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_LOG_FAILED, 0, manifest->dir, ERROR_NO_OFFSET,
                     "an earlier write of the manifest failed");
}

static enum status fail_for_good(struct manifest *manifest, enum status status,
                                 struct error *error) {
    manifest->failed = true;
    if (error) {
        error->status = status;
    }
    return status;
}

enum status manifest_rotate(struct manifest *manifest, struct error *error) {
    uint64_t old_number = manifest->file.number;
    struct manifest_file file;
    bool gone;
    enum status status = refuse_failed(manifest, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = begin_file(manifest, old_number + 1, &file, &gone, error);
    if (status != STATUS_OK) {
        manifest->rotate_at_bytes *= 2; /* not again at every append */
        return gone ? status : fail_for_good(manifest, STATUS_LOG_FAILED, error);
    }
    (void)env_file_close(manifest->file.file, NULL); /* it is going to be removed */
    adopt(manifest, &file);
    remove_older(manifest, old_number);
    (void)env_sync_dir(manifest->env, manifest->dir, NULL); /* only of a removal */
    return STATUS_OK;
}

/* All that can fail without harm: the record in the buffer, room for it, the new state. */
static enum status prepare(struct manifest *manifest, const struct version_edit *edit,
                           struct error *error) {
    const char *reason = "an edit does not fit";
    uint64_t sequence = manifest->file.sequence;
    enum status status;

    buffer_clear(&manifest->buffer);
    status = buffer_record(manifest, &manifest->file, MANIFEST_EDIT, edit);
    if (status == STATUS_NO_MEMORY || status == STATUS_TOO_LARGE) {
        return error_set(error, status, 0, manifest->dir, ERROR_NO_OFFSET, "encode an edit");
    }
    if (status == STATUS_OK) {
        status = reserve(manifest, &manifest->file, error);
    }
    if (status == STATUS_OK) {
        status = manifest_state_apply(&manifest->state, edit, &reason);
        if (status != STATUS_OK) {
            error_set(error, status, 0, manifest->dir, ERROR_NO_OFFSET, "%s",
                      status == STATUS_CORRUPT ? reason : "apply an edit");
        }
    }
    if (status != STATUS_OK) {
        manifest->file.sequence = sequence;
        buffer_clear(&manifest->buffer);
    }
    return status;
}

enum status manifest_append(struct manifest *manifest, const struct version_edit *edit,
                            struct error *error) {
    enum status status = refuse_failed(manifest, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (manifest->file.size_bytes >= manifest->rotate_at_bytes) {
        status = manifest_rotate(manifest, error);
        if (manifest->failed) {
            return status;
        } /* else the old one goes on */
    }
    status = prepare(manifest, edit, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = write_buffer(manifest, &manifest->file, error);
    if (status == STATUS_OK) {
        status = env_sync(manifest->file.file, error);
    }
    return status == STATUS_OK ? STATUS_OK : fail_for_good(manifest, STATUS_IO, error);
}
