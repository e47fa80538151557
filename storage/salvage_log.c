/* salvage_log.c: see salvage_log.h. */
#include "storage/salvage_log.h"

#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/checksum.h"
#include "storage/ikey.h"
#include "storage/salvage_segment.h"

#include <inttypes.h>
#include <stdlib.h>

#define ITEMS_FIRST 256u
#define MEMTABLE_BYTES (16u * 1024 * 1024) /* a guess, for its hash */

struct reading {
    const struct salvage_log_options *options;
    struct salvage_log *log;
    uint8_t *row; /* owned; ROW_BYTES_MAX */
    /* of commit segments: what should come next */
    uint64_t next_sequence; /* 0: not known */
    uint64_t next_version;
    bool is_torn;    /* what was between cannot be read: the end of the segment before */
    bool has_gap;    /* sequences are missing since the last group with commits */
    bool has_damage; /* some of the gap are bytes that are there and cannot be read */
};

/* ---- Records and times ------------------------------------------------------------------------
 */

uint64_t salvage_record_name(struct slice row, const struct value_ref *ref) {
    return checksum_seeded(row, ref->checksum ^ ref->raw_bytes);
}

/* Room for one more item. */
static enum status grow(void **items, size_t *capacity, size_t count, size_t item_bytes) {
    size_t more = *capacity ? 2 * *capacity : ITEMS_FIRST;
    void *grown;

    if (count < *capacity) {
        return STATUS_OK;
    }
    grown = memory_resize(*items, more * item_bytes);
    if (!grown) {
        return STATUS_NO_MEMORY;
    }
    *items = grown;
    *capacity = more;
    return STATUS_OK;
}

static enum status add_record(struct salvage_log *log, struct slice row,
                              const struct value_ref *ref) {
    void *items = log->records;
    enum status status =
        grow(&items, &log->record_capacity, log->record_count, sizeof *log->records);

    log->records = items;
    if (status == STATUS_OK) {
        log->records[log->record_count++] = (struct salvage_record){
            .name = salvage_record_name(row, ref), .segment = ref->segment, .offset = ref->offset};
    }
    return status;
}

static enum status add_time(struct salvage_log *log, const struct salvage_commit *commit) {
    void *items = log->times;
    enum status status = grow(&items, &log->time_capacity, log->time_count, sizeof *log->times);

    log->times = items;
    if (status == STATUS_OK) {
        log->times[log->time_count++] =
            (struct salvage_time){.version = commit->version, .time_ms = commit->time_ms};
    }
    return status;
}

static int order_records(const void *left, const void *right) {
    const struct salvage_record *a = left;
    const struct salvage_record *b = right;
    return (a->name > b->name) - (a->name < b->name);
}

static int order_times(const void *left, const void *right) {
    const struct salvage_time *a = left;
    const struct salvage_time *b = right;

    if (a->version != b->version) {
        return a->version < b->version ? -1 : 1;
    }
    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

const struct salvage_record *salvage_log_find(const struct salvage_log *log, uint64_t name) {
    size_t low = 0;
    size_t high = log->record_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_before = log->records[middle].name < name;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low < log->record_count && log->records[low].name == name ? &log->records[low] : NULL;
}

uint64_t salvage_log_time(const struct salvage_log *log, uint64_t version) {
    size_t low = 0;
    size_t high = log->time_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_before = log->times[middle].version < version;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low < log->time_count && log->times[low].version == version ? log->times[low].time_ms
                                                                       : 0;
}

/* ---- Operations -------------------------------------------------------------------------------
 */

static enum status insert(struct reading *reading, struct slice row, uint64_t version,
                          const struct entry *entry) {
    struct memtable *ops = reading->log->ops;
    struct table_target target = table_target_make(row, version);
    size_t bytes = memtable_node_bytes(row.len, entry_bytes(entry));
    struct memtable_hit hit;
    enum status status;

    if (memtable_get(ops, &target, &hit) && hit.version == version) {
        return STATUS_OK; /* it stands in a survivor too */
    }
    status = memtable_reserve(ops, bytes, bytes);
    if (status == STATUS_OK) {
        status = memtable_reserve_segments(ops, entry);
    }
    if (status == STATUS_OK) {
        memtable_insert(ops, row, version, entry);
    }
    return status;
}

static bool is_kept(const struct reading *reading, const struct salvage_commit *commit) {
    uint64_t above = reading->options->keep_above;

    return commit->version > above && commit->version <= reading->options->reach &&
           (commit->kind == SEGMENT_COMMIT || above == 0);
}

static enum status take_op(struct reading *reading, const struct salvage_commit *commit,
                           const struct batch_op *op) {
    struct slice row = {reading->row, row_store(reading->row, op->namespace_id, op->key)};
    enum status status = STATUS_OK;

    if (commit->kind == SEGMENT_SURVIVOR && batch_op_has_value(op)) {
        struct value_ref ref = {.segment = commit->segment,
                                .offset = commit->values_offset + op->values_offset,
                                .raw_bytes = op->raw_bytes,
                                .checksum = op->checksum};
        status = add_record(reading->log, row, &ref);
    }
    if (status == STATUS_OK && !op->extent && is_kept(reading, commit)) {
        struct entry entry =
            batch_op_entry(op, commit->segment, commit->values_offset, DURABILITY_SYNCED);
        status = insert(reading, row, commit->version, &entry);
    }
    return status;
}

static enum status commit_cb(void *arg, const struct salvage_commit *commit) {
    struct reading *reading = arg;
    struct salvage_log *log = reading->log;
    struct reader reader = reader_make(commit->meta);
    struct batch_op op;
    enum status status = is_kept(reading, commit) ? add_time(log, commit) : STATUS_OK;

    log->last_time_ms = commit->time_ms > log->last_time_ms ? commit->time_ms : log->last_time_ms;
    if (!commit->is_readable) {
        bool counts =
            commit->kind == SEGMENT_COMMIT && commit->version > reading->options->flushed_version;
        log->lost += counts ? commit->op_count : 0;
        return status;
    }
    while (status == STATUS_OK) {
        status = batch_take(&reader, commit->values_bytes, &op);
        if (status == STATUS_OK) {
            status = take_op(reading, commit, &op);
        }
    }
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- What is missing between groups -----------------------------------------------------------
 */

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Commits up to first_version are missing, and not in tables. */
static void note_missing(struct reading *reading, const struct salvage_group *group,
                         uint64_t groups) {
    uint64_t from = larger(reading->next_version, reading->options->flushed_version + 1);

    if (reading->has_damage || reading->options->plan->by_manifest) {
        reading->log->lost +=
            smaller(group->first_version - from, groups * (uint64_t)GROUP_COMMITS_MAX);
    } else {
        reading->log->sure_above = group->first_version - 1;
    }
}

/* Versions go up by one a commit, but for a leap at each open; sequences by one a group, always. So
 * commits are missing where both have a gap. */
static enum status group_cb(void *arg, const struct salvage_group *group) {
    struct reading *reading = arg;
    bool is_known = reading->next_sequence > 0;
    uint64_t groups = 1;

    if (group->kind != SEGMENT_COMMIT) {
        return STATUS_OK;
    }
    reading->has_damage |= group->skipped_bytes > 0 || reading->is_torn;
    reading->is_torn = false;
    if (is_known && group->sequence > reading->next_sequence) {
        reading->has_gap = true;
        groups = group->sequence - reading->next_sequence;
    }
    reading->has_gap |= !is_known && reading->has_damage;
    reading->next_sequence = group->sequence + 1;
    if (group->first_version == 0) {
        return STATUS_OK;
    }
    if (reading->has_gap && group->first_version > reading->next_version &&
        group->first_version - 1 > reading->options->flushed_version) {
        note_missing(reading, group, groups);
    }
    reading->has_gap = false;
    reading->has_damage = false;
    reading->next_version = group->next_version;
    return STATUS_OK;
}

/* ---- Segments ---------------------------------------------------------------------------------
 */

static void say_segment(struct salvage_report *report, uint64_t number,
                        const struct salvage_segment_result *result) {
    const char *what = result->kind == SEGMENT_COMMIT     ? "commits"
                       : result->kind == SEGMENT_SURVIVOR ? "survivors"
                                                          : "extents";

    if (result->skipped_bytes == 0 && result->bad_commits == 0) {
        salvage_say_file(report, FILE_SEGMENT, number, "%" PRIu64 " %s", result->commits, what);
        return;
    }
    salvage_say_file(report, FILE_SEGMENT, number,
                     "%" PRIu64 " %s, %" PRIu64 " of them damaged; %" PRIu64
                     " bytes cannot be read, from %" PRIu64 " on",
                     result->commits, what, result->bad_commits, result->skipped_bytes,
                     result->skipped_at);
}

/* Whether a segment of which nothing is known but what the manifest says (NULL: nothing) may hold
 * commits that are not in tables. */
static bool may_be_unflushed(const struct salvage_plan *plan,
                             const struct manifest_segment *segment) {
    return !segment || (segment->kind == SEGMENT_COMMIT &&
                        segment->number >= manifest_state_get(&plan->state, EDIT_REPLAY_SEGMENT));
}

/* Whether the end of the log, as far as it was known to be durable, cannot be read. */
static bool lost_its_end(const struct salvage_plan *plan, const struct manifest_segment *segment,
                         uint64_t good_end) {
    uint64_t durable = 0;

    if (!segment || !may_be_unflushed(plan, segment)) {
        return false;
    }
    durable =
        plan->state.log_durable.segment == segment->number ? plan->state.log_durable.offset : 0;
    return good_end < larger(durable, segment->sealed ? segment->length_bytes : 0);
}

static enum status read_segment(struct reading *reading, struct salvage_report *report,
                                const struct salvage_file *file) {
    const struct salvage_log_options *options = reading->options;
    const struct manifest_segment *named =
        options->plan->by_manifest ? manifest_state_segment(&options->plan->state, file->number)
                                   : NULL;
    const struct salvage_segment segment = {
        .env = options->files->env,
        .dir = options->files->dir,
        .store_id = options->plan->store_id,
        .number = file->number,
        .limit_bytes = named && named->sealed ? named->length_bytes : UINT64_MAX};
    const struct salvage_segment_callbacks callbacks = {
        .group_cb = group_cb, .commit_cb = commit_cb, .arg = reading};
    struct salvage_segment_result result;
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX + 128];
    struct error error = {0};
    enum status status = salvage_segment_walk(&segment, &callbacks, &result, &error);

    report->result.files_read++;
    if (status == STATUS_OK) {
        say_segment(report, file->number, &result);
        if (result.tail_bytes > 0 && result.kind == SEGMENT_COMMIT) {
            reading->is_torn = true;
            reading->log->lost +=
                lost_its_end(options->plan, named,
                             smaller(file->bytes, segment.limit_bytes) - result.tail_bytes);
        }
    } else if (status != STATUS_NO_MEMORY) {
        error_format(&error, text, (int)sizeof text);
        salvage_say_file(report, FILE_SEGMENT, file->number, "cannot be read: %s", text);
        reading->is_torn = true;
        reading->log->lost += may_be_unflushed(options->plan, named);
        status = STATUS_OK;
    }
    return status;
}

/* Those that the manifest names and that are not there. */
static void note_lost_segments(struct reading *reading, struct salvage_report *report) {
    const struct salvage_log_options *options = reading->options;
    const struct manifest_state *state = &options->plan->state;

    for (uint32_t i = 0; i < state->segment_count; i++) {
        const struct manifest_segment *segment = &state->segments[i];
        if (!salvage_files_find(options->files, FILE_SEGMENT, segment->number)) {
            salvage_say_file(report, FILE_SEGMENT, segment->number, "is missing");
            reading->log->lost += segment->kind == SEGMENT_COMMIT &&
                                  segment->number >= manifest_state_get(state, EDIT_REPLAY_SEGMENT);
        }
    }
}

static enum status read_all(struct reading *reading, struct salvage_report *report) {
    const struct salvage_log_options *options = reading->options;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < options->files->count && status == STATUS_OK; i++) {
        const struct salvage_file *file = &options->files->list[i];
        if (file->kind != FILE_SEGMENT || file->bytes == 0) {
            continue;
        }
        if (!options->plan->has_store_id) { /* by directory, then */
            salvage_say_file(report, FILE_SEGMENT, file->number,
                             "no header of any segment is left to tell what its checksums are");
            reading->log->lost++;
        } else if (salvage_plan_has_segment(options->plan, file->number)) {
            status = read_segment(reading, report, file);
        } else {
            salvage_say_file(report, FILE_SEGMENT, file->number, "the manifest does not name it");
        }
    }
    note_lost_segments(reading, report);
    return status;
}

enum status salvage_log_read(const struct salvage_log_options *options,
                             struct salvage_report *report, struct salvage_log *log) {
    struct reading reading = {.options = options, .log = log};
    enum status status;

    *log = (struct salvage_log){0};
    reading.row = memory_alloc(ROW_BYTES_MAX);
    status = reading.row ? memtable_create(MEMTABLE_BYTES, &log->ops) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        status = read_all(&reading, report);
    }
    if (log->record_count > 0) {
        qsort(log->records, log->record_count, sizeof *log->records, order_records);
    }
    if (log->time_count > 0) {
        qsort(log->times, log->time_count, sizeof *log->times, order_times);
    }
    memory_free(reading.row);
    return status;
}

void salvage_log_deinit(struct salvage_log *log) {
    if (log->ops) {
        memtable_unref(log->ops);
    }
    memory_free(log->records);
    memory_free(log->times);
    *log = (struct salvage_log){0};
}
