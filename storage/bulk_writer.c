/* bulk_writer.c: see bulk_writer.h. */
#include "storage/bulk_writer.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/commit_ready.h"
#include "storage/file_name.h"
#include "storage/ikey.h"

#define GROUP_BYTES (1024u * 1024) /* a group is written at so many */

/* ---- Life -------------------------------------------------------------------------------------
 */

/* As large as those of a store of the present weight and of what has come in. */
static struct sizes sizes_now(const struct bulk_writer *writer) {
    const struct space_promise *promise = writer->context.promise;
    uint64_t weight = atomic_load_explicit(&promise->weight, memory_order_relaxed);

    return sizes_of(&promise->basis, weight + writer->stored_bytes);
}

static void init_output(struct bulk_writer *writer) {
    const struct bulk_context *context = &writer->context;
    struct table_output_options options = {.env = context->log->env,
                                           .dir = context->log->dir,
                                           .compression = context->policy->compression,
                                           .versions = context->log->versions,
                                           .base = writer->nothing,
                                           .level = 0,
                                           .pins = &writer->table_pins,
                                           .block_bytes = context->block_bytes,
                                           .table_bytes = sizes_now(writer).table_bytes};

    fate_judge_init(&writer->judge, &writer->rules, writer->version);
    table_output_init(&writer->output, &options, &writer->judge, &writer->edit);
}

enum status bulk_writer_init(struct bulk_writer *writer, const struct bulk_context *context,
                             uint32_t namespace_id, uint64_t version) {
    enum status status;

    *writer =
        (struct bulk_writer){.context = *context, .namespace_id = namespace_id, .version = version};
    batch_init(&writer->frames);
    buffer_init(&writer->last_key, KEY_BYTES_MAX);
    buffer_init(&writer->notes, SIZE_MAX);
    buffer_init(&writer->segment_pins, SIZE_MAX);
    buffer_init(&writer->table_pins, SIZE_MAX);
    buffer_init(&writer->entry, SIZE_MAX);
    writer->ikey = memory_alloc(IKEY_BYTES_MAX);
    status = writer->ikey ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        status = version_create_empty(&writer->nothing);
    }
    if (status == STATUS_OK) {
        status = keep_rules_init_plain(&writer->rules, version, 0);
    }
    if (status == STATUS_OK) {
        init_output(writer);
        status = commit_request_create(context->store, context->policy, &writer->staged);
    }
    return status;
}

uint64_t bulk_writer_memory(const struct bulk_writer *writer) {
    const struct batch *batch = &writer->staged->batch;

    return sizeof *writer + batch->meta.capacity + batch->values.capacity +
           writer->staged->scratch.capacity + writer->frames.meta.capacity +
           writer->output.key_bytes + TABLE_STAGING_BYTES +
           writer->edit.tables_added_count * sizeof(struct edit_table);
}

/* ---- Segments ---------------------------------------------------------------------------------
 */

static enum status no_memory(struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "a bulk load");
}

static enum status segment_begin(struct bulk_writer *writer, struct error *error) {
    struct commit_log *log = writer->context.log;
    struct segment_writer_options options = {.env = log->env,
                                             .dir = log->dir,
                                             .number = version_set_new_number(log->versions),
                                             .kind = SEGMENT_SURVIVOR,
                                             .incarnation = log->incarnation,
                                             .preallocate_bytes = log->preallocate_bytes};
    enum status status = buffer_reserve(&writer->segment_pins, sizeof options.number);

    if (status == STATUS_OK) {
        status = segment_pins_add(&log->versions->pins, options.number);
    }
    if (status != STATUS_OK ||
        buffer_append_u64(&writer->segment_pins, options.number) != STATUS_OK) {
        return no_memory(error);
    }
    memcpy(options.store_id, log->store_id, STORE_ID_BYTES);
    writer->sequence = 0;
    writer->frames_now = (struct frame_note){.segment = options.number};
    return segment_writer_create(&options, &writer->segment, error);
}

static enum status segment_end(struct bulk_writer *writer, struct error *error) {
    uint64_t number = segment_writer_number(writer->segment);
    uint64_t length = segment_writer_position(writer->segment);
    enum status status = segment_writer_seal(writer->segment, error);

    if (status != STATUS_OK) {
        return status;
    }
    writer->frames_now.frame_bytes += length;
    status = version_edit_add_segment(&writer->edit, number, SEGMENT_SURVIVOR);
    if (status == STATUS_OK) {
        status = version_edit_seal_segment(&writer->edit, number, length);
    }
    if (status == STATUS_OK) {
        status = buffer_append(&writer->notes, &writer->frames_now, sizeof writer->frames_now);
    }
    if (status != STATUS_OK) {
        return no_memory(error);
    }
    segment_writer_close(writer->segment);
    writer->segment = NULL;
    return STATUS_OK;
}

/* Stages what the segment says of the values: the entries themselves stand in the table. */
static enum status stage_frames(struct bulk_writer *writer) {
    const struct batch *batch = &writer->staged->batch;
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    enum status status = STATUS_OK;
    struct batch_op op;

    batch_clear(&writer->frames);
    while (status == STATUS_OK && batch_take(&reader, batch->values.len, &op) == STATUS_OK) {
        if (batch_op_has_value(&op)) {
            status = batch_append_placed(&writer->frames, &op);
        }
    }
    return status;
}

/* Appends the values as one group; *offset_out is where they begin. */
static enum status append_values(struct bulk_writer *writer, uint64_t *offset_out,
                                 struct error *error) {
    struct log_commit commit = {.meta = buffer_slice(&writer->frames.meta),
                                .values = buffer_slice(&writer->staged->batch.values),
                                .op_count = writer->frames.op_count,
                                .version = writer->version};
    struct group_info group = {.sequence = writer->sequence + 1,
                               .store_time_ms = store_clock_now_ms(writer->context.log->clock)};
    enum status status;

    segment_writer_layout(writer->segment, &commit, 1);
    *offset_out = commit.values_offset;
    status = segment_writer_append(writer->segment, &group, &commit, 1, error);
    if (status == STATUS_OK) {
        writer->sequence++;
        writer->frames_now.records += commit.op_count;
        writer->frames_now.frame_bytes -= commit.values.len; /* the length is added at its end */
    }
    return status;
}

static enum status write_values(struct bulk_writer *writer, uint64_t *offset_out,
                                struct error *error) {
    enum status status = stage_frames(writer);

    if (status != STATUS_OK) {
        return no_memory(error);
    }
    if (writer->frames.op_count == 0) {
        return STATUS_OK;
    }
    if (!writer->segment) {
        status = segment_begin(writer, error);
    }
    return status == STATUS_OK ? append_values(writer, offset_out, error) : status;
}

/* ---- Groups -----------------------------------------------------------------------------------
 */

static enum status write_entry(struct bulk_writer *writer, const struct batch_op *op,
                               uint64_t values_offset, struct error *error) {
    struct entry entry =
        batch_op_entry(op, writer->frames_now.segment, values_offset, DURABILITY_SYNCED);
    size_t row_len = row_store(writer->ikey, op->namespace_id, op->key);
    uint8_t *ptr;

    ikey_version_store(writer->ikey + row_len, writer->version);
    buffer_clear(&writer->entry);
    if (buffer_extend(&writer->entry, entry_bytes(&entry), &ptr) != STATUS_OK) {
        return no_memory(error);
    }
    entry_store(ptr, &entry);
    return table_output_add(&writer->output, slice_make(writer->ikey, row_len + IKEY_VERSION_BYTES),
                            buffer_slice(&writer->entry), error);
}

static enum status write_entries(struct bulk_writer *writer, uint64_t values_offset,
                                 struct error *error) {
    const struct batch *batch = &writer->staged->batch;
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    enum status status = STATUS_OK;
    struct batch_op op;

    writer->output.options.table_bytes = sizes_now(writer).table_bytes;
    while (status == STATUS_OK && batch_take(&reader, batch->values.len, &op) == STATUS_OK) {
        status = write_entry(writer, &op, values_offset, error);
    }
    return status;
}

static uint64_t staged_bytes(const struct bulk_writer *writer) {
    return writer->staged->batch.meta.len + writer->staged->batch.values.len;
}

static enum status write_group(struct bulk_writer *writer, struct error *error) {
    const struct bulk_context *context = &writer->context;
    uint64_t bytes = staged_bytes(writer);
    uint64_t values_offset = 0;
    enum status status =
        commit_ready_room(context->log, context->views, context->space, bytes, error);

    if (status == STATUS_OK) {
        status = write_values(writer, &values_offset, error);
    }
    if (status == STATUS_OK) {
        status = write_entries(writer, values_offset, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    space_guard_note(context->space, bytes);
    writer->stored_bytes += bytes;
    commit_request_reset(writer->staged);
    return writer->segment &&
                   segment_writer_position(writer->segment) >= sizes_now(writer).segment_bytes
               ? segment_end(writer, error)
               : STATUS_OK;
}

/* ---- The verbs --------------------------------------------------------------------------------
 */

static enum status check_order(const struct bulk_writer *writer, struct slice key,
                               struct error *error) {
    if (writer->entries == 0 || slice_compare(key, buffer_slice(&writer->last_key)) > 0) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                     "entry %llu of a load is not sorted: its key is not above the one before",
                     (unsigned long long)writer->entries + 1);
}

static enum status stage(struct bulk_writer *writer, const struct store_put *put,
                         struct error *error) {
    enum status status =
        commit_request_put(writer->staged, put, store_clock_now_ms(writer->context.log->clock));

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "entry %llu of a load: %s",
                         (unsigned long long)writer->entries + 1, status_text(status));
    }
    buffer_clear(&writer->last_key);
    status = buffer_append(&writer->last_key, put->key.ptr, put->key.len);
    return status == STATUS_OK ? status : no_memory(error);
}

enum status bulk_writer_add(struct bulk_writer *writer, const struct store_put *put,
                            struct error *error) {
    enum status status = check_order(writer, put->key, error);

    if (status == STATUS_OK) {
        status = stage(writer, put, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    writer->entries++;
    writer->bytes += put->key.len + put->value.len;
    return staged_bytes(writer) >= GROUP_BYTES ? write_group(writer, error) : STATUS_OK;
}

enum status bulk_writer_finish(struct bulk_writer *writer, struct error *error) {
    enum status status =
        writer->staged->batch.op_count > 0 ? write_group(writer, error) : STATUS_OK;

    if (status == STATUS_OK && writer->segment) {
        status = segment_end(writer, error);
    }
    return status == STATUS_OK ? table_output_finish(&writer->output, error) : status;
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static size_t pin_count(const struct buffer *pins) {
    return pins->len / sizeof(uint64_t);
}

static uint64_t pinned(const struct buffer *pins, size_t i) {
    return load_u64(pins->data + i * sizeof(uint64_t));
}

static void unpin(struct bulk_writer *writer, struct buffer *pins) {
    for (size_t i = 0; i < pin_count(pins); i++) {
        segment_pins_remove(&writer->context.log->versions->pins, pinned(pins, i));
    }
    buffer_clear(pins);
}

static void unpin_all(struct bulk_writer *writer) {
    unpin(writer, &writer->segment_pins);
    unpin(writer, &writer->table_pins);
}

void bulk_writer_installed(struct bulk_writer *writer) {
    struct space_promise *promise = writer->context.promise;
    const struct frame_note *notes = (const struct frame_note *)(const void *)writer->notes.data;

    for (size_t i = 0; i < writer->notes.len / sizeof *notes; i++) {
        frame_book_note(&promise->frames, &notes[i]);
    }
    unpin_all(writer);
    space_promise_update(promise);
}

/* Takes the files out of the world again. */
static void remove_files(struct bulk_writer *writer) {
    const struct commit_log *log = writer->context.log;
    char path[ENV_PATH_MAX];

    table_output_abandon(&writer->output);
    for (size_t i = 0; i < pin_count(&writer->segment_pins); i++) {
        uint64_t number = pinned(&writer->segment_pins, i);
        if (file_path_make(log->dir, FILE_SEGMENT, number, path) == STATUS_OK) {
            (void)env_remove(log->env, path, NULL); /* what is left is removed by the next open */
        }
    }
}

void bulk_writer_deinit(struct bulk_writer *writer, bool keep) {
    segment_writer_close(writer->segment);
    if (writer->output.edit && !keep) {
        remove_files(writer);
    }
    unpin_all(writer);
    if (writer->output.edit) {
        table_output_deinit(&writer->output);
        fate_judge_deinit(&writer->judge);
    }
    if (writer->nothing) {
        version_unref(writer->nothing);
    }
    keep_rules_deinit(&writer->rules);
    version_edit_deinit(&writer->edit);
    commit_request_destroy(writer->staged);
    batch_deinit(&writer->frames);
    buffer_deinit(&writer->last_key);
    buffer_deinit(&writer->notes);
    buffer_deinit(&writer->segment_pins);
    buffer_deinit(&writer->table_pins);
    buffer_deinit(&writer->entry);
    memory_free(writer->ikey);
}
