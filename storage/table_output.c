/* table_output.c: see table_output.h. */
#include "storage/table_output.h"

#include "storage/file_name.h"
#include "storage/ikey.h"
#include "storage/range_obsolete.h"

void table_output_init(struct table_output *output, const struct table_output_options *options,
                       struct fate_judge *judge, struct version_edit *edit) {
    *output = (struct table_output){.options = *options, .judge = judge, .edit = edit};
    output->walk = range_walk_make(options->ranges);
    entry_fold_init(&output->fold, options->base);
    buffer_init(&output->entry, ENTRY_HEAD_BYTES_MAX);
}

void table_output_deinit(struct table_output *output) {
    entry_fold_deinit(&output->fold);
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

static enum status pin(struct table_output *output, uint64_t number) {
    struct buffer *pins = output->options.pins;
    enum status status = pins ? buffer_reserve(pins, sizeof number) : STATUS_OK;

    if (status == STATUS_OK && pins) {
        status = segment_pins_add(&output->options.versions->pins, number);
    }
    return status == STATUS_OK && pins ? buffer_append_u64(pins, number) : status;
}

static enum status writer_open(struct table_output *output, struct slice row, struct error *error) {
    struct table_writer_options options = {.env = output->options.env,
                                           .dir = output->options.dir,
                                           .number =
                                               version_set_new_number(output->options.versions),
                                           .compression = output->options.compression,
                                           .rules = output->judge->rules,
                                           .block_bytes = output->options.block_bytes};

    if (pin(output, options.number) != STATUS_OK) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "a table");
    }
    output->key_bytes = 0;
    output->first_namespace = row_namespace(row);
    output->version_min = UINT64_MAX;
    return table_writer_open(&options, &output->writer, error);
}

/* Up to which version nothing in the open table is hidden by a range delete any more. */
static uint64_t ranges_applied(const struct table_output *output) {
    const struct keep_rules *rules = output->judge->rules;
    uint32_t last_namespace = row_namespace(table_writer_last_row(output->writer));
    struct keep_span span =
        keep_rules_span(rules, output->first_namespace, last_namespace, output->version_min);
    uint64_t version = output->options.ranges_version;

    version = span.settled_version < version ? span.settled_version : version;
    version = rules->durable_version < version ? rules->durable_version : version;
    return span.keeps_older ? 0 : version;
}

static enum status writer_finish(struct table_output *output, struct error *error) {
    struct table_info info = {0};
    enum status status;

    table_writer_set_ranges_applied(output->writer, ranges_applied(output));
    status = table_writer_finish(output->writer, &info, error);

    if (status != STATUS_OK) {
        return status;
    }
    output->writer = NULL;
    output->bytes += info.file_bytes;
    output->weight += info.file_bytes + info.log_bytes;
    status = version_edit_add_table(output->edit, output->options.level, &info);
    table_info_deinit(&info);
    return status;
}

/* Ends the present table when `row` begins a new row and the table is large enough, or what must
 * stay readable changes there: else the strictest would hold for all of it. Level 0 is merged soon.
 */
static enum status cut(struct table_output *output, struct slice row, struct error *error) {
    struct slice last = output->writer ? table_writer_last_row(output->writer) : row;

    if (slice_equal(last, row)) {
        return STATUS_OK;
    }
    if (table_writer_bytes(output->writer) >= output->options.table_bytes ||
        output->key_bytes >= TABLE_OUTPUT_KEY_BYTES_MAX ||
        (output->options.level > 0 &&
         keep_rules_is_border(output->judge->rules, row_namespace(last), row_namespace(row)))) {
        return writer_finish(output, error);
    }
    return STATUS_OK;
}

static enum status write(struct table_output *output, struct slice ikey, struct slice entry,
                         struct error *error) {
    enum status status = cut(output, ikey_row(ikey), error);

    if (status == STATUS_OK && !output->writer) {
        status = writer_open(output, ikey_row(ikey), error);
    }
    if (status == STATUS_OK) {
        status = table_writer_add(output->writer, ikey, entry, error);
    }
    output->kept_entries += status == STATUS_OK;
    output->key_bytes += ikey.len;
    if (ikey_version(ikey) < output->version_min) {
        output->version_min = ikey_version(ikey);
    }
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

/* Whether the entry is the row of a range delete that hides nothing any more. Not in a flush: what
 * it hides may stand in the same memtable, kept for a snapshot, which no table of the base shows.
 */
static bool is_obsolete_range(const struct table_output *output,
                              const struct fate_question *question) {
    struct slice row = ikey_row(question->ikey);

    return output->options.level > 0 && row_namespace(row) == NAMESPACE_SYSTEM &&
           question->entry->kind == ENTRY_INLINE && range_row_is_key(row_user_key(row)) &&
           range_row_is_obsolete(output->options.base, row_user_key(row), question->entry->value,
                                 ikey_version(question->ikey));
}

/* A range delete stays as long as the retention of the namespace that it is about needs it. */
static uint32_t namespace_of(const struct fate_question *question) {
    struct slice row = ikey_row(question->ikey);
    struct key_range range;

    if (row_namespace(row) == NAMESPACE_SYSTEM && question->entry->kind == ENTRY_INLINE &&
        range_row_is_key(row_user_key(row)) &&
        range_row_parse(row_user_key(row), question->entry->value, &range) == STATUS_OK) {
        return range.namespace_id;
    }
    return row_namespace(row);
}

/* The range delete that ended the entry, if a crash cannot undo it any more. */
static uint64_t ended_by(struct table_output *output, struct slice ikey) {
    struct range_cover cover = range_walk_ending(&output->walk, ikey_row(ikey), ikey_version(ikey));

    return cover.version <= output->judge->rules->durable_version ? cover.version : VERSION_NONE;
}

static enum status judge(struct table_output *output, struct fate_question *question,
                         enum fate *fate_out) {
    question->namespace_id = namespace_of(question);
    question->range_version = ended_by(output, question->ikey);
    /* Only of the dead it matters what lies below them. */
    question->nothing_below = fate_judge_is_dead(output->judge, question) &&
                              nothing_below(output, ikey_row(question->ikey));
    return fate_judge_next(output->judge, question, fate_out);
}

static enum status write_kept(struct table_output *output, struct slice ikey,
                              const struct entry *loaded, struct slice entry, struct error *error) {
    enum status status = STATUS_OK;

    if (output->options.fold) {
        status = entry_fold_next(&output->fold, loaded, entry, &entry, error);
    }
    return status == STATUS_OK ? write(output, ikey, entry, error) : status;
}

enum status table_output_add(struct table_output *output, struct slice ikey, struct slice entry,
                             struct error *error) {
    struct entry loaded;
    struct fate_question question = {.ikey = ikey, .entry = &loaded};
    enum fate fate = FATE_DROP;
    enum status status = entry_load(entry, &loaded);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                         "an entry that is not well formed");
    }
    if (!is_obsolete_range(output, &question)) {
        status = judge(output, &question, &fate);
    }
    if (status != STATUS_OK) {
        return status;
    }
    switch (fate) {
    case FATE_KEEP:
        return write_kept(output, ikey, &loaded, entry, error);
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
