/* salvage_rows.c: see salvage_rows.h. */
#include "storage/salvage_rows.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/merge_iterator.h"
#include "storage/range_row.h"

/* One of the two sources, standing at a row. */
struct side {
    struct iterator *iter; /* owned */
    bool at_row;           /* false: at the end */
};

struct walking {
    const struct salvage_rows *rows;
    salvage_row_cb row_cb;
    void *arg;
    struct side tables;
    struct side log;
    struct buffer row;        /* the one in hand */
    struct buffer range_keys; /* keys of the range deletes, one behind the other */
    struct buffer deletes;    /* struct range_delete each; their keys stand in range_keys */
    struct range_set *ranges; /* once the system namespace is behind */
    bool has_ranges;
};

/* ---- The newest entry of a row in one source --------------------------------------------------
 */

struct found {
    bool is_there;
    uint64_t version;
    struct buffer bytes; /* owned: the encoded entry */
};

static enum status side_moved(struct side *side, enum status status) {
    side->at_row = status == STATUS_OK;
    return status == STATUS_END ? STATUS_OK : status;
}

static bool side_is_at(const struct side *side, struct slice row) {
    return side->at_row && slice_equal(ikey_row(side->iter->key), row);
}

static enum status take_found(const struct side *side, struct found *found) {
    found->is_there = true;
    found->version = ikey_version(side->iter->key);
    buffer_clear(&found->bytes);
    return buffer_append(&found->bytes, side->iter->entry.ptr, side->iter->entry.len);
}

static enum status side_next(struct side *side) {
    return side_moved(side, iterator_next(side->iter));
}

/* ---- Range deletes ----------------------------------------------------------------------------
 */

/* Keeps it for the set. */
static enum status keep_range(struct walking *walking, struct slice key, struct slice value,
                              uint64_t version) {
    struct range_delete one = {.version = version, .durability = DURABILITY_SYNCED};
    enum status status = range_row_parse(key, value, &one.range);

    if (status != STATUS_OK) {
        return STATUS_OK; /* not one of ours */
    }
    status = buffer_append(&walking->range_keys, one.range.from.ptr, one.range.from.len);
    if (status == STATUS_OK) {
        status = buffer_append(&walking->range_keys, one.range.to.ptr, one.range.to.len);
    }
    one.range.from.ptr = NULL; /* found again by their lengths */
    one.range.to.ptr = NULL;
    return status == STATUS_OK ? buffer_append(&walking->deletes, &one, sizeof one) : status;
}

/* All of them are known: the set that the rows behind are asked of. */
static enum status make_ranges(struct walking *walking) {
    size_t count = walking->deletes.len / sizeof(struct range_delete);
    const uint8_t *at = walking->range_keys.data;
    struct range_delete *deletes;
    enum status status;

    walking->has_ranges = true;
    if (count == 0) {
        return STATUS_OK;
    }
    deletes = memory_alloc_array(count, sizeof *deletes);
    if (!deletes) {
        return STATUS_NO_MEMORY;
    }
    memcpy(deletes, walking->deletes.data, walking->deletes.len);
    for (size_t i = 0; i < count; i++) {
        deletes[i].range.from.ptr = at;
        at += deletes[i].range.from.len;
        deletes[i].range.to.ptr = at;
        at += deletes[i].range.to.len;
    }
    status = range_set_build(NULL, deletes, count, NULL, &walking->ranges);
    memory_free(deletes);
    return status;
}

/* ---- Choosing ---------------------------------------------------------------------------------
 */

static bool from_log_alone(const struct salvage_rows *rows) {
    return rows->flushed_version == UINT64_MAX;
}

/* What the log says of a time that is flushed counts only where tables may lack it. */
static bool log_counts(const struct walking *walking, const struct found *log) {
    const struct salvage_rows *rows = walking->rows;

    return log->is_there &&
           (from_log_alone(rows) || log->version > rows->flushed_version ||
            salvage_gaps_have(rows->gaps, buffer_slice(&walking->row), log->version));
}

static enum salvage_choice sureness(const struct walking *walking, const struct found *chosen,
                                    bool is_of_log) {
    const struct salvage_rows *rows = walking->rows;

    if (is_of_log && chosen->version <= rows->flushed_version) {
        return SALVAGE_FOUND;
    }
    if (is_of_log) {
        return chosen->version <= rows->log->sure_above ? SALVAGE_UNSURE : SALVAGE_SURE;
    }
    return salvage_gaps_have(rows->gaps, buffer_slice(&walking->row), chosen->version + 1)
               ? SALVAGE_UNSURE
               : SALVAGE_SURE;
}

static bool is_hidden(const struct walking *walking, uint64_t version) {
    struct range_cover cover =
        range_set_covering(walking->ranges, buffer_slice(&walking->row), VERSION_MAX);

    return cover.version > version;
}

static enum status give(struct walking *walking, const struct found *found,
                        enum salvage_choice choice) {
    struct slice row = buffer_slice(&walking->row);
    struct salvage_row chosen = {.row = row, .version = found->version, .choice = choice};

    if (entry_load(buffer_slice(&found->bytes), &chosen.entry) != STATUS_OK ||
        entry_is_dead(&chosen.entry, walking->rows->now_ms)) {
        return STATUS_OK;
    }
    if (row_namespace(row) == NAMESPACE_SYSTEM && range_row_is_key(row_user_key(row))) {
        return chosen.entry.kind == ENTRY_INLINE
                   ? keep_range(walking, row_user_key(row), chosen.entry.value, chosen.version)
                   : STATUS_OK;
    }
    return is_hidden(walking, found->version) ? STATUS_OK : walking->row_cb(walking->arg, &chosen);
}

/* Steps over the rest of the row; what is found there is told of if there are no tables. */
static enum status pass_row(struct walking *walking, struct side *side, bool tell,
                            struct found *found) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && side_is_at(side, buffer_slice(&walking->row))) {
        if (tell) {
            status = take_found(side, found);
            status = status == STATUS_OK ? give(walking, found, SALVAGE_OLDER) : status;
        }
        if (status == STATUS_OK) {
            status = side_next(side);
        }
    }
    return status;
}

static enum status choose(struct walking *walking, const struct found *table,
                          const struct found *log) {
    bool is_of_log =
        log_counts(walking, log) && (!table->is_there || log->version > table->version);
    const struct found *chosen = is_of_log ? log : table;

    return chosen->is_there ? give(walking, chosen, sureness(walking, chosen, is_of_log))
                            : STATUS_OK;
}

/* The next row of the two, in walking->row. */
static enum status take_row(struct walking *walking) {
    struct slice row;

    if (walking->tables.at_row &&
        (!walking->log.at_row || slice_compare(ikey_row(walking->tables.iter->key),
                                               ikey_row(walking->log.iter->key)) <= 0)) {
        row = ikey_row(walking->tables.iter->key);
    } else {
        row = ikey_row(walking->log.iter->key);
    }
    buffer_clear(&walking->row);
    return buffer_append(&walking->row, row.ptr, row.len);
}

static enum status walk_row(struct walking *walking, struct found *table, struct found *log) {
    bool tell = from_log_alone(walking->rows);
    struct slice row;
    enum status status = take_row(walking);

    row = buffer_slice(&walking->row);
    table->is_there = false;
    log->is_there = false;
    if (status == STATUS_OK && !walking->has_ranges && row_namespace(row) != NAMESPACE_SYSTEM) {
        status = make_ranges(walking);
    }
    if (status == STATUS_OK && side_is_at(&walking->tables, row)) {
        status = take_found(&walking->tables, table);
    }
    if (status == STATUS_OK && side_is_at(&walking->log, row)) {
        status = take_found(&walking->log, log);
    }
    if (status == STATUS_OK) {
        status = choose(walking, table, log);
    }
    if (status == STATUS_OK) {
        status = pass_row(walking, &walking->tables, false, table);
    }
    if (status == STATUS_OK && side_is_at(&walking->log, row)) {
        status = side_next(&walking->log); /* over the newest */
    }
    return status == STATUS_OK ? pass_row(walking, &walking->log,
                                          tell && row_namespace(row) != NAMESPACE_SYSTEM, log)
                               : status;
}

static enum status walk(struct walking *walking) {
    struct found table = {.bytes = {.cap = SIZE_MAX / 2}};
    struct found log = {.bytes = {.cap = SIZE_MAX / 2}};
    enum status status = side_moved(&walking->tables, iterator_seek_first(walking->tables.iter));

    if (status == STATUS_OK) {
        status = side_moved(&walking->log, iterator_seek_first(walking->log.iter));
    }
    while (status == STATUS_OK && (walking->tables.at_row || walking->log.at_row)) {
        status = walk_row(walking, &table, &log);
    }
    buffer_deinit(&table.bytes);
    buffer_deinit(&log.bytes);
    return status;
}

/* ---- The sources ------------------------------------------------------------------------------
 */

static enum status merge_tables(const struct salvage_rows *rows, struct iterator **iter_out) {
    struct iterator **children =
        memory_alloc_array(rows->table_count ? rows->table_count : 1, sizeof(struct iterator *));
    size_t made = 0;
    enum status status = children ? STATUS_OK : STATUS_NO_MEMORY;

    while (status == STATUS_OK && made < rows->table_count) {
        status = salvage_table_iterator(&rows->tables[made], &children[made]);
        made += status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = merge_iterator_create(children, made, iter_out);
    }
    for (size_t i = 0; i < made && status != STATUS_OK; i++) {
        iterator_destroy(children[i]);
    }
    memory_free(children);
    return status;
}

enum status salvage_rows_walk(const struct salvage_rows *rows, salvage_row_cb row_cb, void *arg) {
    struct walking walking = {.rows = rows,
                              .row_cb = row_cb,
                              .arg = arg,
                              .row = {.cap = ROW_BYTES_MAX},
                              .range_keys = {.cap = SIZE_MAX / 2},
                              .deletes = {.cap = SIZE_MAX / 2}};
    enum status status = merge_tables(rows, &walking.tables.iter);

    if (status == STATUS_OK) {
        status = memtable_iterator_create(rows->log->ops, &walking.log.iter);
    }
    if (status == STATUS_OK) {
        status = walk(&walking);
    }
    iterator_destroy(walking.tables.iter);
    iterator_destroy(walking.log.iter);
    buffer_deinit(&walking.row);
    buffer_deinit(&walking.range_keys);
    buffer_deinit(&walking.deletes);
    range_set_unref(walking.ranges);
    return status;
}
