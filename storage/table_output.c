/* table_output.c: see table_output.h. */
#include "storage/table_output.h"

#include "storage/file_name.h"
#include "storage/ikey.h"

void table_output_init(struct table_output *output, const struct table_output_options *options,
                       struct fate_judge *judge, struct version_edit *edit) {
    *output = (struct table_output){.options = *options, .judge = judge, .edit = edit};
    buffer_init(&output->entry, ENTRY_HEAD_BYTES_MAX);
}

void table_output_deinit(struct table_output *output) {
    buffer_deinit(&output->entry);
}

/* Whether no level below the output has the row, so that nothing older of it is left. */
static bool nothing_below(const struct table_output *output, struct slice row) {
    const struct version *base = output->options.base;
    uint32_t first = output->options.level == 0 ? 0 : output->options.level + 1;

    for (uint32_t i = first; i < LEVELS_MAX; i++) {
        if (i == 0 ? level_overlaps(&base->levels[0], row, row)
                   : level_find(&base->levels[i], row) != NULL) {
            return false;
        }
    }
    return true;
}

static enum status writer_open(struct table_output *output, struct error *error) {
    struct table_writer_options options = {.env = output->options.env,
                                           .dir = output->options.dir,
                                           .number =
                                               version_set_new_number(output->options.versions),
                                           .compression = output->options.compression,
                                           .block_bytes = output->options.block_bytes};

    output->key_bytes = 0;
    return table_writer_open(&options, &output->writer, error);
}

static enum status writer_finish(struct table_output *output, struct error *error) {
    struct table_info info = {0};
    enum status status = table_writer_finish(output->writer, &info, error);

    if (status != STATUS_OK) {
        return status;
    }
    output->writer = NULL;
    output->bytes += info.file_bytes;
    status = version_edit_add_table(output->edit, output->options.level, &info);
    table_info_deinit(&info);
    return status;
}

/* Ends the present table when it is large enough and `row` begins a new row. */
static enum status cut(struct table_output *output, struct slice row, struct error *error) {
    bool full =
        output->writer && (table_writer_bytes(output->writer) >= output->options.table_bytes ||
                           output->key_bytes >= TABLE_OUTPUT_KEY_BYTES_MAX);

    if (!full || slice_equal(table_writer_last_row(output->writer), row)) {
        return STATUS_OK;
    }
    return writer_finish(output, error);
}

static enum status write(struct table_output *output, struct slice ikey, struct slice entry,
                         struct error *error) {
    enum status status = cut(output, ikey_row(ikey), error);

    if (status == STATUS_OK && !output->writer) {
        status = writer_open(output, error);
    }
    if (status == STATUS_OK) {
        status = table_writer_add(output->writer, ikey, entry, error);
    }
    output->kept_entries += status == STATUS_OK;
    output->key_bytes += ikey.len;
    return status;
}

/* Writes a tombstone in place of an expired entry. */
static enum status write_tombstone(struct table_output *output, struct slice ikey,
                                   const struct entry *expired, struct error *error) {
    struct entry tombstone = {.kind = ENTRY_TOMBSTONE, .durability = expired->durability};
    uint8_t *ptr;
    enum status status;

    buffer_clear(&output->entry);
    status = buffer_extend(&output->entry, entry_bytes(&tombstone), &ptr);
    if (status != STATUS_OK) {
        return status;
    }
    entry_store(ptr, &tombstone);
    return write(output, ikey, buffer_slice(&output->entry), error);
}

enum status table_output_add(struct table_output *output, struct slice ikey, struct slice entry,
                             struct error *error) {
    struct entry loaded;
    struct fate_question question = {.ikey = ikey, .entry = &loaded};
    enum fate fate = FATE_KEEP;
    enum status status = entry_load(entry, &loaded);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                         "an entry that is not well formed");
    }
    question.namespace_id = row_namespace(ikey_row(ikey));
    /* Only of the dead it matters what lies below them. */
    question.nothing_below = fate_judge_is_dead(output->judge, question.namespace_id, &loaded) &&
                             nothing_below(output, ikey_row(ikey));
    status = fate_judge_next(output->judge, &question, &fate);
    if (status != STATUS_OK) {
        return status;
    }
    switch (fate) {
    case FATE_KEEP:
        return write(output, ikey, entry, error);
    case FATE_KEEP_AS_TOMBSTONE:
        return write_tombstone(output, ikey, &loaded, error);
    case FATE_DROP:
        break;
    }
    output->dropped_entries++;
    return STATUS_OK;
}

/* Reads index and filter back; what cannot be read now would be an error of its first reader. */
static enum status open_tables(const struct table_output *output, struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < output->edit->tables_added_count && status == STATUS_OK; i++) {
        struct table *table;
        status =
            table_cache_pin(output->options.versions->files->tables,
                            &output->edit->tables_added[i].info, READ_WAIT_ALLOWED, &table, error);
        if (status == STATUS_OK) {
            table_unpin(table);
        }
    }
    return status;
}

enum status table_output_finish(struct table_output *output, struct error *error) {
    enum status status = output->writer ? writer_finish(output, error) : STATUS_OK;

    if (status == STATUS_OK && output->edit->tables_added_count > 0) {
        status = env_sync_dir(output->options.env, output->options.dir, error);
    }
    return status == STATUS_OK ? open_tables(output, error) : status;
}

void table_output_abandon(struct table_output *output) {
    char path[ENV_PATH_MAX];

    table_writer_abandon(output->writer);
    output->writer = NULL;
    for (uint32_t i = 0; i < output->edit->tables_added_count; i++) {
        uint64_t number = output->edit->tables_added[i].info.number;
        enum status status = file_path_make(output->options.dir, FILE_TABLE, number, path);
        table_cache_evict(output->options.versions->files->tables, number);
        if (status == STATUS_OK) {
            status = env_remove(output->options.env, path, NULL);
        }
        (void)status; /* what is left is removed by the next open: no edit names it */
    }
}
