/* salvage_output.c: see salvage_output.h. */
#include "storage/salvage_output.h"

#include "protocol/base/memory.h"
#include "storage/commit_wait.h"
#include "storage/ikey.h"
#include "storage/upload.h"

#include <inttypes.h>

#define LOT_BYTES (1024u * 1024) /* a commit is sent at so many */
#define LOT_OPS 1024u
#define LOST_FIRST 16u

/* ---- Commits ----------------------------------------------------------------------------------
 */

static const char *reason_of(enum status status, const struct error *found) {
    if (status == STATUS_NO_SPACE) {
        return "there is not space enough for the new store";
    }
    return found->text[0] ? found->text : status_text(status);
}

/* What the store could not do, as its own first error says it. */
static enum status fail(struct salvage_output *output, enum status status) {
    struct error found = {0};
    enum status health = output->store ? store_health(output->store, &found) : STATUS_OK;

    if (health != STATUS_OK && (status == STATUS_LOG_FAILED || status == STATUS_UNKNOWN)) {
        status = found.os_errno != 0 || health == STATUS_LOG_FAILED ? STATUS_IO : health;
        status = health == STATUS_NO_SPACE || health == STATUS_NO_MEMORY ? health : status;
    }
    if (status == STATUS_LOG_FAILED || status == STATUS_UNKNOWN) {
        status = STATUS_IO;
    }
    return error_set(output->error, status, found.os_errno, output->options.dir, ERROR_NO_OFFSET,
                     "%s; the new directory is not complete", reason_of(status, &found));
}

static enum status submit(struct salvage_output *output) {
    struct commit_wait wait;
    enum status status;

    if (output->commit->operations == 0) {
        return STATUS_OK;
    }
    commit_wait_begin(&wait, output->commit);
    store_submit(output->store, &output->commit, 1, STORE_LOGGED, commit_wait_done_cb);
    status = commit_wait_end(&wait, output->options.scheduler);
    store_commit_reset(output->commit);
    output->commit_bytes = 0;
    output->commit_ops = 0;
    return status == STATUS_OK ? STATUS_OK : fail(output, status);
}

static enum status note_put(struct salvage_output *output, uint64_t bytes) {
    output->report->result.entries_kept++;
    output->commit_bytes += bytes;
    output->commit_ops++;
    return output->commit_bytes >= LOT_BYTES || output->commit_ops >= LOT_OPS ? submit(output)
                                                                              : STATUS_OK;
}

/* ---- Namespaces and labels --------------------------------------------------------------------
 */

enum status salvage_output_name(struct salvage_output *output, const struct salvage_row *row) {
    if (row->entry.kind != ENTRY_INLINE || row->choice == SALVAGE_OLDER) {
        return STATUS_OK;
    }
    return salvage_names_take(&output->names, row_user_key(row->row), row->entry.value);
}

static enum status name_of(struct salvage_output *output, const struct salvage_row *row,
                           struct salvage_name **name_out) {
    enum status status = salvage_names_find(&output->names, row_namespace(row->row), name_out);

    return status == STATUS_OK ? status : fail(output, status);
}

/* Its id in the new store. */
static enum status open_name(struct salvage_output *output, struct salvage_name *name) {
    enum status status = STATUS_OK;

    if (name->new_id == 0) {
        status = store_namespace(output->store, slice_make(name->text, name->text_len), true,
                                 &name->new_id);
    }
    return status == STATUS_OK ? status : fail(output, status);
}

static enum status add_label(struct salvage_output *output, const struct salvage_row *row,
                             const char *why) {
    struct salvage_name *name;
    enum status status = name_of(output, row, &name);
    struct salvage_label label;

    if (status != STATUS_OK) {
        return status;
    }
    label = (struct salvage_label){.namespace_name = slice_make(name->text, name->text_len),
                                   .key = row_user_key(row->row),
                                   .version = row->version,
                                   .time_ms = salvage_log_time(output->log, row->version),
                                   .bytes = entry_value_bytes(&row->entry),
                                   .why = why};
    return salvage_labels_add(&output->labels, &label, output->error);
}

enum status salvage_output_older(struct salvage_output *output, const struct salvage_row *row) {
    return add_label(output, row, "older version, not stored");
}

/* ---- What is lost -----------------------------------------------------------------------------
 */

static enum status insert_lost(struct salvage_output *output, size_t at, uint64_t segment,
                               uint64_t offset) {
    if (output->lost_count == output->lost_capacity) {
        size_t capacity = output->lost_capacity ? 2 * output->lost_capacity : LOST_FIRST;
        struct salvage_lost *grown = memory_resize(output->lost, capacity * sizeof *grown);
        if (!grown) {
            return fail(output, STATUS_NO_MEMORY);
        }
        output->lost = grown;
        output->lost_capacity = capacity;
    }
    memmove(output->lost + at + 1, output->lost + at,
            (output->lost_count - at) * sizeof *output->lost);
    output->lost[at] = (struct salvage_lost){.segment = segment, .offset = offset};
    output->lost_count++;
    return STATUS_OK;
}

static enum status lose(struct salvage_output *output, const struct salvage_row *row) {
    struct entry_refs refs = entry_refs_begin(&row->entry);
    struct value_ref ref = {0};
    size_t at = 0;
    enum status status = STATUS_OK;

    (void)entry_refs_next(&refs, &ref); /* it has one */
    while (at < output->lost_count && output->lost[at].segment < ref.segment) {
        at++;
    }
    if (at == output->lost_count || output->lost[at].segment != ref.segment) {
        status = insert_lost(output, at, ref.segment, ref.offset);
    }
    if (status != STATUS_OK) {
        return status;
    }
    output->lost[at].count++;
    output->report->result.entries_lost++;
    return add_label(output, row, "its value cannot be read, not stored");
}

static void say_lost(struct salvage_output *output) {
    for (size_t i = 0; i < output->lost_count; i++) {
        const struct salvage_lost *lost = &output->lost[i];
        salvage_say_file(output->report, FILE_SEGMENT, lost->segment,
                         "%" PRIu64
                         " values written there cannot be read, the first of them at %" PRIu64,
                         lost->count, lost->offset);
    }
}

/* ---- Values -----------------------------------------------------------------------------------
 */

static struct store_put put_of(const struct salvage_row *row, const struct salvage_name *name) {
    return (struct store_put){.namespace_id = name->new_id,
                              .key = row_user_key(row->row),
                              .ttl_ms = row->entry.expiry_ms, /* from zero on: absolute */
                              .user_flags = row->entry.user_flags};
}

static enum status put_value(struct salvage_output *output, const struct salvage_row *row,
                             const struct salvage_name *name) {
    struct store_put put = put_of(row, name);
    enum status status = STATUS_OK;

    put.value = row->entry.value;
    if (row->entry.kind == ENTRY_REFERENCE) {
        status = salvage_values_read(output->values, row->row, &row->entry.ref, &output->value);
        put.value = buffer_slice(&output->value);
        put.has_checksum = true;
        put.checksum = row->entry.ref.checksum;
    }
    if (status == STATUS_CORRUPT) {
        return lose(output, row);
    }
    if (status == STATUS_OK) {
        status = commit_request_put(output->commit, &put, 0);
    }
    return status == STATUS_OK ? note_put(output, put.key.len + put.value.len)
                               : fail(output, status);
}

struct streaming {
    struct salvage_output *output;
    struct store_upload *upload;
    bool failed; /* to write, not to read */
};

static enum status piece_cb(void *arg, struct slice piece) {
    struct streaming *streaming = arg;
    enum status status = store_upload_append(streaming->upload, piece, streaming->output->error);

    streaming->failed = status != STATUS_OK;
    return status;
}

/* The value has been streamed in: names it in a commit of its own. */
static enum status commit_upload(struct salvage_output *output, const struct store_put *put,
                                 struct store_upload *upload) {
    struct entry large;
    enum status status = store_upload_finish(upload, output->error);

    if (status == STATUS_OK) {
        large = upload_entry(upload);
        status = commit_request_put_large(output->commit, put, &large, 0);
        upload->named |= status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        return fail(output, status);
    }
    output->report->result.entries_kept++;
    return submit(output);
}

static enum status put_large(struct salvage_output *output, const struct salvage_row *row,
                             const struct salvage_name *name) {
    struct store_put put = put_of(row, name);
    struct streaming streaming = {.output = output};
    enum status status = submit(output); /* what comes before it */

    if (status != STATUS_OK) {
        return status;
    }
    status = store_upload_begin(output->store, put.namespace_id, put.key, &streaming.upload,
                                output->error);
    if (status != STATUS_OK) {
        return fail(output, status);
    }
    status = salvage_values_stream(output->values, row->row, &row->entry, piece_cb, &streaming);
    if (status == STATUS_OK &&
        store_upload_checksum(streaming.upload) != row->entry.large_checksum) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = commit_upload(output, &put, streaming.upload);
    } else if (status == STATUS_CORRUPT && !streaming.failed) {
        status = lose(output, row);
    } else {
        status = fail(output, status);
    }
    store_upload_destroy(streaming.upload);
    return status;
}

enum status salvage_output_row(struct salvage_output *output, const struct salvage_row *row) {
    uint64_t kept = output->report->result.entries_kept;
    struct salvage_name *name;
    enum status status = name_of(output, row, &name);

    if (status == STATUS_OK) {
        status = open_name(output, name);
    }
    if (status == STATUS_OK) {
        status = row->entry.kind == ENTRY_LARGE ? put_large(output, row, name)
                                                : put_value(output, row, name);
    }
    if (status == STATUS_OK && row->choice != SALVAGE_SURE &&
        output->report->result.entries_kept > kept) {
        output->found += row->choice == SALVAGE_FOUND;
        status = add_label(output, row, "may have been deleted or replaced since");
    }
    return status;
}

/* ---- Beginning and end ------------------------------------------------------------------------
 */

enum status salvage_output_open(struct salvage_output *output,
                                const struct salvage_output_options *options, struct error *error) {
    enum status status;

    *output = (struct salvage_output){.options = *options->options,
                                      .values = options->values,
                                      .log = options->log,
                                      .report = options->report,
                                      .error = error};
    output->options.dir = options->new_dir;
    output->options.read_only = false;
    output->options.in_memory = false;
    buffer_init(&output->value, SIZE_MAX / 2);
    salvage_labels_init(&output->labels, options->env, options->new_dir);
    status = store_open(&output->options, &output->store, error);
    if (status != STATUS_OK) {
        output->store = NULL;
        return status == STATUS_LOG_FAILED ? fail(output, status) : status;
    }
    status = store_commit_create(output->store, &output->commit);
    return status == STATUS_OK ? status : fail(output, status);
}

/* Last, so that no quota refuses what was there. */
static enum status set_namespaces(struct salvage_output *output) {
    for (size_t i = 0; i < output->names.count; i++) {
        const struct salvage_name *name = &output->names.list[i];
        enum status status = STATUS_OK;
        if (name->is_known) {
            status = store_commit_namespace_set(
                output->commit, slice_make(name->text, name->text_len), &name->settings);
        }
        if (status != STATUS_OK) {
            return fail(output, status);
        }
    }
    return submit(output);
}

static enum status close_store(struct salvage_output *output) {
    struct store *store = output->store;
    enum status status;

    store_commit_destroy(output->commit);
    output->commit = NULL;
    output->store = NULL;
    status = store_close(store, output->error);
    return status == STATUS_OK ? status : fail(output, status);
}

enum status salvage_output_finish(struct salvage_output *output) {
    enum status status = submit(output);

    if (status == STATUS_OK) {
        status = set_namespaces(output);
    }
    if (status == STATUS_OK) {
        status = salvage_labels_finish(&output->labels, output->error);
    }
    if (status == STATUS_OK) {
        status = close_store(output);
    }
    if (status == STATUS_OK) {
        say_lost(output);
    }
    if (status == STATUS_OK && output->labels.lines > 0) {
        salvage_say(output->report, SALVAGE_LABELS_NAME,
                    "%" PRIu64 " lines: keys that may be out of date, and what is not stored",
                    output->labels.lines);
    }
    return status;
}

void salvage_output_deinit(struct salvage_output *output) {
    store_commit_destroy(output->commit);
    if (output->store) {
        enum status status = store_close(output->store, NULL);
        (void)status; /* it has failed before */
    }
    salvage_names_deinit(&output->names);
    salvage_labels_deinit(&output->labels);
    buffer_deinit(&output->value);
    memory_free(output->lost);
    *output = (struct salvage_output){0};
}
