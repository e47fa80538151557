/* rewind_basis.c: see rewind_basis.h. */
#include "storage/rewind_basis.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

enum basis_kind { BASIS_RANGE = 1, BASIS_SEGMENT = 2 };

/* Rows from `from` up to `to`, which is not one of them; an empty `to` is the end of everything. */
struct rows {
    struct slice from;
    struct slice to;
};

/* ---- Filling ----------------------------------------------------------------------------------
 */

/* The rows are stored as they are compared: the end of a namespace is the first row of the next. */
static enum status append_row(struct buffer *basis, uint32_t namespace_id, struct slice key) {
    enum status status = buffer_append_varint(basis, IKEY_NAMESPACE_BYTES + key.len);
    uint8_t *row;

    if (status == STATUS_OK) {
        status = buffer_extend(basis, IKEY_NAMESPACE_BYTES + key.len, &row);
    }
    if (status == STATUS_OK) {
        (void)row_store(row, namespace_id, key);
    }
    return status;
}

static enum status append_rows(struct buffer *basis, const struct key_range *range) {
    enum status status = append_row(basis, range->namespace_id, range->from);

    if (status != STATUS_OK) {
        return status;
    }
    if (range->to.len > 0) {
        return append_row(basis, range->namespace_id, range->to);
    }
    return range->namespace_id < UINT32_MAX
               ? append_row(basis, range->namespace_id + 1, slice_make(NULL, 0))
               : buffer_append_varint(basis, 0);
}

enum status rewind_basis_add_range(struct buffer *basis, const struct key_range *range,
                                   uint64_t version) {
    size_t mark = buffer_mark(basis);
    enum status status = buffer_append_u8(basis, BASIS_RANGE);

    if (status == STATUS_OK) {
        status = buffer_append_varint(basis, version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(basis, range->namespace_id);
    }
    if (status == STATUS_OK) {
        status = append_rows(basis, range);
    }
    if (status != STATUS_OK) {
        buffer_rollback(basis, mark);
    }
    return status;
}

enum status rewind_basis_add_segment(struct buffer *basis, uint64_t segment) {
    size_t mark = buffer_mark(basis);
    enum status status = buffer_append_u8(basis, BASIS_SEGMENT);

    if (status == STATUS_OK) {
        status = buffer_append_varint(basis, segment);
    }
    if (status != STATUS_OK) {
        buffer_rollback(basis, mark);
    }
    return status;
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static bool tables_have_newer(const struct version *version, const struct rows *rows,
                              uint64_t than) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            const struct table_info *info = version->levels[i].infos[j];
            if (info->version_max > than &&
                slice_compare(ikey_row(info->largest), rows->from) >= 0 &&
                (rows->to.len == 0 || slice_compare(ikey_row(info->smallest), rows->to) < 0)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Memtables --------------------------------------------------------------------------------
 */

static enum status seek_row(struct iterator *iter, struct slice row) {
    struct buffer ikey = {.cap = IKEY_BYTES_MAX};
    enum status status = buffer_reserve(&ikey, row.len + IKEY_VERSION_BYTES);

    if (status == STATUS_OK) {
        size_t len = ikey_store(ikey.data, row, VERSION_MAX);
        status = iterator_seek(iter, slice_make(ikey.data, len));
    }
    buffer_deinit(&ikey);
    return status;
}

static enum status walk_for_newer(const struct memtable *memtable, const struct rows *rows,
                                  uint64_t than, bool *newer_out) {
    struct iterator *iter;
    enum status status = memtable_iterator_create(memtable, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    *newer_out = false;
    status = seek_row(iter, rows->from);
    while (status == STATUS_OK && !*newer_out &&
           (rows->to.len == 0 || slice_compare(ikey_row(iter->key), rows->to) < 0)) {
        *newer_out = ikey_version(iter->key) > than;
        status = iterator_next(iter);
    }
    iterator_destroy(iter);
    return status == STATUS_END ? STATUS_OK : status;
}

static bool ranges_have_newer(const struct memtable *memtable, uint32_t namespace_id,
                              const struct rows *rows, uint64_t than) {
    const struct memtable_range *range = memtable_ranges_newest(memtable_ranges(memtable));
    struct slice from = row_user_key(rows->from);
    bool ends = rows->to.len > 0 && row_namespace(rows->to) == namespace_id;

    for (; range && range->deleted.version > than; range = range->older) {
        const struct key_range *deleted = &range->deleted.range;
        if (deleted->namespace_id == namespace_id &&
            (deleted->to.len == 0 || slice_compare(deleted->to, from) > 0) &&
            (!ends || slice_compare(deleted->from, row_user_key(rows->to)) < 0)) {
            return true;
        }
    }
    return false;
}

static enum status judge_memtable(const struct memtable *memtable, uint32_t namespace_id,
                                  const struct rows *rows, uint64_t than) {
    bool newer = false;
    enum status status = STATUS_OK;

    if (memtable_version_max(memtable) > than) {
        newer = ranges_have_newer(memtable, namespace_id, rows, than);
    }
    if (memtable_version_max(memtable) > than && !newer) {
        status = walk_for_newer(memtable, rows, than, &newer);
    }
    return status == STATUS_OK && newer ? STATUS_BUSY : status;
}

/* ---- Judging ----------------------------------------------------------------------------------
 */

/* Range deletes are rows of the system namespace. */
static bool tables_have_newer_ranges(const struct version *version, uint64_t than) {
    static const char prefix[] = RANGE_KEY_PREFIX;
    uint8_t from[IKEY_NAMESPACE_BYTES + sizeof prefix];
    uint8_t to[IKEY_NAMESPACE_BYTES + sizeof prefix];
    struct slice key = slice_make(prefix, sizeof prefix - 1);
    struct rows rows = {.from = slice_make(from, row_store(from, NAMESPACE_SYSTEM, key)),
                        .to = slice_make(to, row_store(to, NAMESPACE_SYSTEM, key))};

    to[rows.to.len - 1]++; /* behind all keys of the prefix */
    return tables_have_newer(version, &rows, than);
}

static enum status judge_range(struct reader *reader, const struct view *view) {
    enum status status = STATUS_OK;
    uint32_t namespace_id;
    struct rows rows;
    uint64_t version;
    bool whole = reader_take_varint(reader, &version) &&
                 reader_take_varint32(reader, &namespace_id) &&
                 reader_take_block(reader, &rows.from) && reader_take_block(reader, &rows.to);

    ASSERT(whole); /* our own encoding */
    if (tables_have_newer(view->version, &rows, version) ||
        tables_have_newer_ranges(view->version, version)) {
        return STATUS_BUSY;
    }
    status = judge_memtable(view->active, namespace_id, &rows, version);
    for (uint32_t i = 0; i < view->frozen_count && status == STATUS_OK; i++) {
        status = judge_memtable(view->frozen[i], namespace_id, &rows, version);
    }
    return status;
}

static enum status judge_segment(struct reader *reader, const struct view *view) {
    uint64_t segment;
    bool whole = reader_take_varint(reader, &segment);

    ASSERT(whole);
    return version_segment(view->version, segment) ? STATUS_OK : STATUS_BUSY;
}

enum status rewind_basis_judge(struct slice basis, const struct view *view) {
    struct reader reader = reader_make(basis);
    enum status status = STATUS_OK;
    uint8_t kind;

    while (status == STATUS_OK && reader_take_u8(&reader, &kind)) {
        status = kind == BASIS_RANGE ? judge_range(&reader, view) : judge_segment(&reader, view);
    }
    return status;
}
