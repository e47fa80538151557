/* space_walk.c: see space_walk.h. */
#include "storage/space_walk.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"

/* Who a version of a row counts for. */
struct judgement {
    enum space_kind kind;
    size_t holder; /* of SNAPSHOT and RETENTION: number in the rules */
};

/* One record that the present row refers to. */
struct row_record {
    uint64_t segment;
    uint64_t offset;
    uint64_t bytes;
    struct judgement judgement;
};

struct row {
    struct buffer key;          /* owned: the row */
    struct keep_namespace keep; /* of its namespace */
    uint64_t hider;             /* the entry above; VERSION_NONE: none */
    uint32_t newer;             /* entries above that stay */
    struct row_record *records; /* owned */
    uint32_t record_count;
    uint32_t record_capacity;
};

struct walker {
    struct space_walk *walk;
    struct view_walk ranges;
    struct row row;
};

void space_walk_deinit(struct space_walk *walk) {
    memory_free(walk->snapshot_bytes);
    memory_free(walk->retention_bytes);
    memory_free(walk->segment_bytes);
    memory_free(walk->namespaces);
    *walk = (struct space_walk){0};
}

/* ---- Judging ----------------------------------------------------------------------------------
 */

/* The oldest snapshot that sees `version` and not `hider`; `visible`, the last one, is nobody's. */
static bool find_snapshot(const struct keep_rules *rules, uint64_t version, uint64_t hider,
                          size_t *index_out) {
    for (size_t i = 0; i + 1 < rules->snapshot_count; i++) {
        if (rules->snapshots[i] >= version) {
            *index_out = i;
            return rules->snapshots[i] < hider;
        }
    }
    return false;
}

static size_t namespace_index(const struct keep_rules *rules, uint32_t namespace_id) {
    size_t index = 0;

    while (index < rules->namespace_count &&
           rules->namespaces[index].namespace_id != namespace_id) {
        index++;
    }
    return index;
}

/* Of an entry that `hider` hides from new readers. */
static struct judgement judge_hidden(const struct walker *walker, uint64_t version,
                                     uint64_t hider) {
    const struct keep_rules *rules = walker->walk->rules;
    const struct row *row = &walker->row;
    struct judgement judgement = {SPACE_DEAD, 0};

    if (find_snapshot(rules, version, hider, &judgement.holder)) {
        judgement.kind = SPACE_SNAPSHOT;
    } else if (!keep_rules_hidden_goes(rules, &row->keep, version, hider, row->newer)) {
        judgement.kind = SPACE_RETENTION;
        judgement.holder = namespace_index(rules, row->keep.namespace_id);
        if (judgement.holder == rules->namespace_count) {
            judgement.kind = SPACE_LIVE; /* above `visible`: a commit has not come that far */
        }
    }
    return judgement;
}

static struct judgement judge(struct walker *walker, uint64_t version, const struct entry *entry) {
    const struct keep_rules *rules = walker->walk->rules;
    struct range_cover cover =
        view_walk_ending(&walker->ranges, buffer_slice(&walker->row.key), version);
    uint64_t hider = walker->row.hider;

    if (cover.version != VERSION_NONE && cover.version > version &&
        (hider == VERSION_NONE || cover.version < hider)) {
        hider = cover.version;
    }
    if (hider != VERSION_NONE) {
        return judge_hidden(walker, version, hider);
    }
    if (!entry_is_dead(entry, rules->now_ms)) {
        return (struct judgement){SPACE_LIVE, 0};
    }
    return (struct judgement){SPACE_DEAD, 0};
}

/* ---- Records ----------------------------------------------------------------------------------
 */

static struct row_record *find_record(struct row *row, const struct value_ref *ref) {
    for (uint32_t i = 0; i < row->record_count; i++) {
        if (row->records[i].segment == ref->segment && row->records[i].offset == ref->offset) {
            return &row->records[i];
        }
    }
    return NULL;
}

static enum status add_record(struct row *row, const struct value_ref *ref,
                              struct judgement judgement) {
    struct row_record *record = row->record_count > 0 ? find_record(row, ref) : NULL;

    if (record) {
        record->judgement = judgement.kind < record->judgement.kind ? judgement : record->judgement;
        return STATUS_OK;
    }
    if (row->record_count == row->record_capacity) {
        uint32_t capacity = row->record_capacity ? 2 * row->record_capacity : 16;
        struct row_record *records =
            memory_resize(row->records, capacity * sizeof(struct row_record));
        if (!records) {
            return STATUS_NO_MEMORY;
        }
        row->records = records;
        row->record_capacity = capacity;
    }
    row->records[row->record_count++] = (struct row_record){.segment = ref->segment,
                                                            .offset = ref->offset,
                                                            .bytes = ref->stored_bytes,
                                                            .judgement = judgement};
    return STATUS_OK;
}

static enum status add_entry_records(struct row *row, const struct entry *entry,
                                     struct judgement judgement) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && entry_refs_next(&refs, &ref)) {
        status = add_record(row, &ref, judgement);
    }
    return status;
}

static enum status namespace_figures(struct space_walk *walk, uint32_t namespace_id,
                                     struct space_namespace **figures_out) {
    struct space_namespace *last =
        walk->namespace_count > 0 ? &walk->namespaces[walk->namespace_count - 1] : NULL;

    if (last && last->namespace_id == namespace_id) {
        *figures_out = last;
        return STATUS_OK;
    }
    if (walk->namespace_count == walk->namespace_capacity) {
        uint32_t capacity = walk->namespace_capacity ? 2 * walk->namespace_capacity : 8;
        struct space_namespace *namespaces =
            memory_resize(walk->namespaces, capacity * sizeof *namespaces);
        if (!namespaces) {
            return STATUS_NO_MEMORY;
        }
        walk->namespaces = namespaces;
        walk->namespace_capacity = capacity;
    }
    last = &walk->namespaces[walk->namespace_count++]; /* rows come in the order of namespaces */
    *last = (struct space_namespace){.namespace_id = namespace_id};
    *figures_out = last;
    return STATUS_OK;
}

/* The number in the version of the file where the record lies. */
static uint32_t segment_index(const struct version *version, uint64_t segment) {
    const struct relocation *relocation = NULL;
    uint32_t low = 0;
    uint32_t high = version->segment_count;

    if (version_resolve(version, segment, &relocation) == SEGMENT_RELOCATED) {
        segment = relocation->target;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (version->segments[middle]->number < segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < version->segment_count && version->segments[low]->number == segment
               ? low
               : version->segment_count;
}

static void count_bytes(struct space_namespace *figures, struct judgement judgement,
                        uint64_t bytes) {
    if (judgement.kind == SPACE_LIVE) {
        figures->live_bytes += bytes;
    } else if (judgement.kind != SPACE_DEAD) {
        figures->pinned_bytes += bytes;
    }
}

static void count_record(struct space_walk *walk, struct space_namespace *figures,
                         const struct row_record *record) {
    const struct version *version = walk->view->version;
    uint32_t index = segment_index(version, record->segment);

    count_bytes(figures, record->judgement, record->bytes);
    if (index == version->segment_count) {
        return; /* a segment begun since the view was taken: its file counts as a whole */
    }
    walk->segment_bytes[index] += record->bytes;
    switch (record->judgement.kind) {
    case SPACE_LIVE:
        walk->live_bytes += record->bytes;
        break;
    case SPACE_SNAPSHOT:
        walk->snapshot_bytes[record->judgement.holder] += record->bytes;
        break;
    case SPACE_RETENTION:
        walk->retention_bytes[record->judgement.holder] += record->bytes;
        break;
    case SPACE_DEAD:
        walk->dead_bytes += record->bytes;
        break;
    }
}

/* ---- Rows -------------------------------------------------------------------------------------
 */

static enum status end_row(struct walker *walker) {
    struct row *row = &walker->row;
    struct space_namespace *figures;
    enum status status;

    if (row->record_count == 0) {
        return STATUS_OK;
    }
    status = namespace_figures(walker->walk, row_namespace(buffer_slice(&row->key)), &figures);
    for (uint32_t i = 0; i < row->record_count && status == STATUS_OK; i++) {
        count_record(walker->walk, figures, &row->records[i]);
    }
    row->record_count = 0;
    return status;
}

static enum status begin_row(struct walker *walker, struct slice key) {
    struct row *row = &walker->row;
    enum status status = end_row(walker);

    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&row->key);
    status = buffer_append(&row->key, key.ptr, key.len);
    if (status == STATUS_OK) {
        row->keep = keep_rules_namespace(walker->walk->rules, row_namespace(key));
        row->hider = VERSION_NONE;
        row->newer = 0;
    }
    return status;
}

static enum status take(struct walker *walker, struct slice ikey, struct slice entry_bytes) {
    uint64_t version = ikey_version(ikey);
    struct row *row = &walker->row;
    struct space_namespace *figures;
    struct judgement judgement;
    struct entry entry;
    enum status status = entry_load(entry_bytes, &entry);

    if (status == STATUS_OK && !slice_equal(buffer_slice(&row->key), ikey_row(ikey))) {
        status = begin_row(walker, ikey_row(ikey));
    }
    if (status == STATUS_OK) {
        status = namespace_figures(walker->walk, row_namespace(ikey_row(ikey)), &figures);
    }
    if (status != STATUS_OK) {
        return status;
    }
    judgement = judge(walker, version, &entry);
    figures->keys += judgement.kind == SPACE_LIVE && row->hider == VERSION_NONE;
    count_bytes(figures, judgement, ikey.len + entry_bytes.len);
    row->hider = version;
    row->newer += judgement.kind != SPACE_DEAD;
    return add_entry_records(row, &entry, judgement);
}

static enum status walk_all(struct walker *walker, struct iterator *iter, struct error *error) {
    enum status status = iterator_seek_first(iter);

    while (status == STATUS_OK) {
        status = take(walker, iter->key, iter->entry);
        if (status != STATUS_OK) {
            return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                             "walking the entries of the store");
        }
        status = iterator_next(iter);
    }
    if (status == STATUS_END) {
        return end_row(walker);
    }
    if (error) {
        *error = iter->error;
        error->status = status;
    }
    return status;
}

static enum status make_room(struct space_walk *walk) {
    walk->snapshot_bytes = memory_alloc_array(walk->rules->snapshot_count + 1, sizeof(uint64_t));
    walk->retention_bytes = memory_alloc_array(walk->rules->namespace_count + 1, sizeof(uint64_t));
    walk->segment_bytes =
        memory_alloc_array(walk->view->version->segment_count + 1, sizeof(uint64_t));
    return walk->snapshot_bytes && walk->retention_bytes && walk->segment_bytes ? STATUS_OK
                                                                                : STATUS_NO_MEMORY;
}

enum status space_walk_run(struct space_walk *walk, const struct view *view,
                           const struct keep_rules *rules, struct error *error) {
    struct walker walker = {.walk = walk, .ranges = view_walk_make(view)};
    struct iterator *iter;
    enum status status;

    *walk = (struct space_walk){.view = view, .rules = rules};
    buffer_init(&walker.row.key, ROW_BYTES_MAX);
    status = make_room(walk);
    if (status == STATUS_OK) {
        status = view_iterator_create(view, READ_WAIT_ALLOWED, &iter);
    }
    if (status == STATUS_OK) {
        status = walk_all(&walker, iter, error);
        iterator_destroy(iter);
    } else {
        error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "room for a walk of the store");
    }
    buffer_deinit(&walker.row.key);
    memory_free(walker.row.records);
    return status;
}
