/* upload.c: see upload.h. */
#include "storage/upload.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/commit_ready.h"
#include "storage/file_name.h"

#define SEGMENT_FRACTION COMMIT_SEGMENT_FRACTION /* of what the store, or the upload, weighs */

/* Extents of an upload where memory is scarce: so long, and after so many as long as any. */
#define SHORT_EXTENT_BYTES (1024u * 1024)
#define SHORT_EXTENTS_MAX 1024u

_Static_assert(SHORT_EXTENTS_MAX +
                       (LARGE_BYTES_MAX - SHORT_EXTENTS_MAX * (uint64_t)SHORT_EXTENT_BYTES) /
                           EXTENT_RAW_BYTES_MAX <=
                   LARGE_EXTENTS_MAX,
               "the list of a longest value holds its short extents too");

#define EXTENTS_BYTES_MAX ((size_t)LARGE_EXTENTS_MAX * ENTRY_EXTENT_BYTES_MAX)

/* ---- Life -------------------------------------------------------------------------------------
 */

static uint32_t extent_bytes(const struct store_upload *upload) {
    return upload->context.memory_is_scarce && upload->extent_count < SHORT_EXTENTS_MAX
               ? SHORT_EXTENT_BYTES
               : EXTENT_RAW_BYTES_MAX;
}

static void free_all(struct store_upload *upload) {
    extent_builder_deinit(&upload->builder);
    batch_deinit(&upload->batch);
    buffer_deinit(&upload->key);
    buffer_deinit(&upload->extents);
    buffer_deinit(&upload->segments);
    memory_free(upload);
}

enum status upload_create(const struct upload_context *context, uint32_t namespace_id,
                          struct slice key, struct store_upload **upload_out) {
    struct store_upload *upload =
        memory_alloc_aligned(_Alignof(struct store_upload), sizeof *upload);
    enum status status;

    if (!upload) {
        return STATUS_NO_MEMORY;
    }
    memset(upload, 0, sizeof *upload);
    upload->context = *context;
    upload->namespace_id = namespace_id;
    extent_builder_init(&upload->builder, context->compression);
    extent_builder_begin(&upload->builder, extent_bytes(upload));
    checksum_begin(&upload->checksum, 0);
    buffer_init(&upload->key, KEY_BYTES_MAX);
    buffer_init(&upload->extents, EXTENTS_BYTES_MAX);
    buffer_init(&upload->segments, LARGE_EXTENTS_MAX * sizeof(uint64_t));
    batch_init(&upload->batch);
    status = buffer_append(&upload->key, key.ptr, key.len);
    if (status != STATUS_OK) {
        free_all(upload);
        return status;
    }
    *upload_out = upload;
    return STATUS_OK;
}

uint64_t upload_memory(const struct store_upload *upload) {
    return sizeof *upload + upload->builder.stored.capacity + upload->builder.block.capacity +
           upload->extents.capacity + upload->segments.capacity + upload->key.capacity +
           upload->batch.meta.capacity;
}

struct entry upload_entry(const struct store_upload *upload) {
    ASSERT(upload->finished);
    ASSERT(upload->extent_count > 0);
    return (struct entry){.kind = ENTRY_LARGE,
                          .large_bytes = upload->bytes,
                          .large_checksum = checksum_end(&upload->checksum),
                          .extent_count = upload->extent_count,
                          .extents = buffer_slice(&upload->extents)};
}

/* ---- Segments ---------------------------------------------------------------------------------
 */

static size_t segment_count(const struct store_upload *upload) {
    return upload->segments.len / sizeof(uint64_t);
}

static uint64_t segment_at(const struct store_upload *upload, size_t i) {
    return load_u64(upload->segments.data + i * sizeof(uint64_t));
}

/* A fraction of the store, as other segments are; or of the upload, so that a long one into a small
 * store does not make thousands. */
static uint64_t segment_bytes(const struct store_upload *upload) {
    const struct upload_context *context = &upload->context;
    uint64_t visible;
    struct view *view = view_holder_take(context->views, context->log->marks, &visible);
    uint64_t weight = version_weight(view->version);
    uint64_t bytes;

    view_unref(view);
    bytes = (weight > upload->stored_bytes ? weight : upload->stored_bytes) / SEGMENT_FRACTION;
    bytes = bytes > context->segment_bytes_min ? bytes : context->segment_bytes_min;
    return bytes < context->segment_bytes_max ? bytes : context->segment_bytes_max;
}

static enum status segment_pin(struct store_upload *upload, uint64_t number) {
    enum status status = buffer_reserve(&upload->segments, sizeof(uint64_t));

    if (status == STATUS_OK) {
        status = segment_pins_add(&upload->context.log->versions->pins, number);
    }
    return status == STATUS_OK ? buffer_append_u64(&upload->segments, number) : status;
}

static void segment_unpin_last(struct store_upload *upload) {
    segment_pins_remove(&upload->context.log->versions->pins,
                        segment_at(upload, segment_count(upload) - 1));
    upload->segments.len -= sizeof(uint64_t);
}

static enum status segment_begin(struct store_upload *upload, struct error *error) {
    struct commit_log *log = upload->context.log;
    struct segment_writer_options options = {.env = log->env,
                                             .dir = log->dir,
                                             .number = version_set_new_number(log->versions),
                                             .kind = SEGMENT_EXTENT,
                                             .incarnation = log->incarnation,
                                             .preallocate_bytes = log->preallocate_bytes};
    enum status status = segment_pin(upload, options.number);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a segment of an upload");
    }
    memcpy(options.store_id, log->store_id, STORE_ID_BYTES);
    status = segment_writer_create(&options, &upload->writer, error);
    if (status != STATUS_OK) {
        segment_unpin_last(upload);
        return status;
    }
    upload->sequence = 0;
    return STATUS_OK;
}

/* What is not NO_SPACE or NO_MEMORY means that the manifest has failed. */
static enum status install(struct store_upload *upload, struct version_edit *edit,
                           struct error *error) {
    struct error found = {0};
    enum status status = version_set_install(upload->context.log->versions, edit, NULL, &found);

    if (status != STATUS_OK && status != STATUS_NO_SPACE && status != STATUS_NO_MEMORY) {
        commit_log_fail(upload->context.log, &found);
        status = STATUS_LOG_FAILED;
    }
    if (status != STATUS_OK && error) {
        *error = found;
        error->status = status;
    }
    return status;
}

/* Takes a segment that no edit names out of the world again. */
static void segment_discard(struct store_upload *upload) {
    struct commit_log *log = upload->context.log;
    char path[ENV_PATH_MAX];
    enum status status =
        file_path_make(log->dir, FILE_SEGMENT, segment_writer_number(upload->writer), path);

    segment_writer_close(upload->writer);
    upload->writer = NULL;
    if (status == STATUS_OK) {
        status = env_remove(log->env, path, NULL);
    }
    (void)status; /* what is left is removed by the next open */
}

/* On the medium first, then in the manifest. If that was in vain, the file is let be: should the
 * edit be durable all the same, it has to be there. */
static enum status segment_end(struct store_upload *upload, struct error *error) {
    struct version_edit edit = {0};
    uint64_t number = segment_writer_number(upload->writer);
    enum status status = segment_writer_seal(upload->writer, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = version_edit_add_segment(&edit, number, SEGMENT_EXTENT);
    if (status == STATUS_OK) {
        status = version_edit_seal_segment(&edit, number, segment_writer_position(upload->writer));
    }
    status = status == STATUS_OK
                 ? install(upload, &edit, error)
                 : error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a segment of an upload");
    version_edit_deinit(&edit);
    if (status == STATUS_OK || status == STATUS_LOG_FAILED) {
        segment_writer_close(upload->writer);
        upload->writer = NULL;
    }
    return status;
}

/* ---- Extents ----------------------------------------------------------------------------------
 */

/* The meta that tells whose the extent is. */
static enum status stage_meta(struct store_upload *upload, const struct value_ref *extent) {
    struct batch_op op = {.namespace_id = upload->namespace_id,
                          .key = buffer_slice(&upload->key),
                          .kind = ENTRY_REFERENCE,
                          .extent = true,
                          .raw_bytes = extent->raw_bytes,
                          .stored_bytes = extent->stored_bytes,
                          .checksum = extent->checksum};

    batch_clear(&upload->batch);
    return batch_append_placed(&upload->batch, &op);
}

/* Appends the extent as a group of its own; *extent gets its place. An extent belongs to no version
 * yet: it carries the newest at its time. */
static enum status append_group(struct store_upload *upload, struct slice stored,
                                struct value_ref *extent, struct error *error) {
    struct commit_log *log = upload->context.log;
    uint64_t visible = watermarks_visible(log->marks);
    struct log_commit commit = {.meta = buffer_slice(&upload->batch.meta),
                                .values = stored,
                                .op_count = 1,
                                .version = visible > 0 ? visible : 1};
    struct group_info group = {.sequence = upload->sequence + 1,
                               .store_time_ms = store_clock_now_ms(log->clock)};
    enum status status;

    segment_writer_layout(upload->writer, &commit, 1);
    status = segment_writer_append(upload->writer, &group, &commit, 1, error);
    if (status == STATUS_OK) {
        upload->sequence++;
        extent->segment = segment_writer_number(upload->writer);
        extent->offset = commit.values_offset;
    }
    return status;
}

static enum status write_stored(struct store_upload *upload, struct slice stored,
                                struct value_ref *extent, struct error *error) {
    const struct upload_context *context = &upload->context;
    enum status status =
        commit_ready_room(context->log, context->views, context->space, stored.len, error);

    if (status == STATUS_OK && !upload->writer) {
        status = segment_begin(upload, error);
    }
    if (status == STATUS_OK) {
        status = append_group(upload, stored, extent, error);
        space_guard_note(upload->context.space, stored.len); /* so it may look at what is left */
    }
    return status;
}

/* Writes what the builder holds. */
static enum status write_extent(struct store_upload *upload, struct error *error) {
    struct value_ref extent = {0};
    struct slice stored;
    enum status status = extent_builder_finish(&upload->builder, &stored, &extent);

    if (status == STATUS_OK) {
        status = stage_meta(upload, &extent);
    }
    if (status == STATUS_OK) {
        status = buffer_reserve(&upload->extents, ENTRY_EXTENT_BYTES_MAX);
    }
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "an extent of an upload");
    }
    status = write_stored(upload, stored, &extent, error);
    if (status == STATUS_OK) {
        status = entry_extent_append(&upload->extents, &extent);
    }
    if (status != STATUS_OK) {
        return status;
    }
    upload->extent_count++;
    upload->stored_bytes += stored.len;
    extent_builder_begin(&upload->builder, extent_bytes(upload));
    return segment_writer_position(upload->writer) >= segment_bytes(upload)
               ? segment_end(upload, error)
               : STATUS_OK;
}

/* ---- The door's verbs -------------------------------------------------------------------------
 */

static enum status refuse_broken(const struct store_upload *upload, struct error *error) {
    return error_set(error, upload->broken, 0, NULL, ERROR_NO_OFFSET,
                     "the upload has met an error before");
}

static enum status append(struct store_upload *upload, struct slice bytes, struct error *error) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes.len > 0) {
        struct slice rest = bytes;
        status = extent_builder_add(&upload->builder, &rest);
        if (status != STATUS_OK) {
            return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a block of an upload");
        }
        checksum_add(&upload->checksum, slice_make(bytes.ptr, bytes.len - rest.len));
        upload->bytes += bytes.len - rest.len;
        bytes = rest;
        if (extent_builder_is_full(&upload->builder)) {
            status = write_extent(upload, error);
        }
    }
    return status;
}

enum status upload_append(struct store_upload *upload, struct slice bytes, struct error *error) {
    if (upload->broken != STATUS_OK) {
        return refuse_broken(upload, error);
    }
    if (upload->finished) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "the upload is finished");
    }
    if (bytes.len > LARGE_BYTES_MAX - upload->bytes) {
        upload->broken = STATUS_TOO_LARGE;
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET,
                         "a value of more than 16 GiB");
    }
    upload->broken = append(upload, bytes, error);
    return upload->broken;
}

static enum status finish(struct store_upload *upload, struct error *error) {
    enum status status = STATUS_OK;

    if (extent_builder_bytes(&upload->builder) > 0) {
        status = write_extent(upload, error);
    }
    if (status == STATUS_OK && upload->writer) {
        status = segment_end(upload, error);
    }
    return status;
}

enum status upload_finish(struct store_upload *upload, struct error *error) {
    if (upload->broken != STATUS_OK) {
        return refuse_broken(upload, error);
    }
    if (!upload->finished) {
        upload->broken = finish(upload, error);
        upload->finished = upload->broken == STATUS_OK;
        extent_builder_deinit(&upload->builder); /* only the list is needed from here on */
    }
    return upload->broken;
}

/* ---- The end ----------------------------------------------------------------------------------
 */

/* Gives back the segments of an upload that nothing can refer to. */
static enum status drop_segments(struct store_upload *upload) {
    struct version_edit edit = {0};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < segment_count(upload) && status == STATUS_OK; i++) {
        status = version_edit_remove_segment(&edit, segment_at(upload, i));
    }
    if (status == STATUS_OK) {
        status = install(upload, &edit, NULL);
    }
    version_edit_deinit(&edit);
    return status;
}

/* Best effort: what cannot be taken away now is dropped later, or by the next open. */
static void cleanup_step(struct step *step) {
    struct store_upload *upload =
        (struct store_upload *)((char *)step - offsetof(struct store_upload, step));
    enum status status = STATUS_OK;

    if (upload->writer) {
        segment_discard(upload);
        segment_unpin_last(upload);
    }
    if (!upload->named && upload->broken != STATUS_LOG_FAILED && segment_count(upload) > 0 &&
        !commit_log_failed(upload->context.log)) {
        status = drop_segments(upload);
    }
    (void)status;
    while (segment_count(upload) > 0) {
        segment_unpin_last(upload);
    }
    free_all(upload);
}

void upload_destroy(struct store_upload *upload) {
    if (!upload) {
        return;
    }
    if (segment_count(upload) == 0) {
        free_all(upload);
        return;
    }
    extent_builder_deinit(&upload->builder); /* the step may have to wait for its turn */
    step_init(&upload->step, cleanup_step);
    scheduler_post(upload->context.scheduler, LANE_BACKGROUND, &upload->step);
}
