/* rewind_basis.c: see rewind_basis.h. */
#include "storage/rewind_basis.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"
#include "storage/memtable_newer.h"

enum basis_kind { BASIS_RANGE = 1, BASIS_SEGMENT = 2 };

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

static bool tables_have_newer(const struct version *version, const struct newer_rows *rows,
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

/* ---- Judging ----------------------------------------------------------------------------------
 */

/* Range deletes are rows of the system namespace. */
static bool tables_have_newer_ranges(const struct version *version, uint64_t than) {
    static const char prefix[] = RANGE_KEY_PREFIX;
    uint8_t from[IKEY_NAMESPACE_BYTES + sizeof prefix];
    uint8_t to[IKEY_NAMESPACE_BYTES + sizeof prefix];
    struct slice key = slice_make(prefix, sizeof prefix - 1);
    struct newer_rows rows = {.from = slice_make(from, row_store(from, NAMESPACE_SYSTEM, key)),
                              .to = slice_make(to, row_store(to, NAMESPACE_SYSTEM, key))};

    to[rows.to.len - 1]++; /* behind all keys of the prefix */
    return tables_have_newer(version, &rows, than);
}

static enum status judge_memtable(const struct memtable *memtable, const struct newer_rows *rows,
                                  uint64_t than) {
    struct newer newer;
    enum status status = memtable_newer_in_rows(memtable, rows, than, &newer);

    return status == STATUS_OK && newer.version != VERSION_NONE ? STATUS_BUSY : status;
}

static enum status judge_range(struct reader *reader, const struct view *view) {
    enum status status = STATUS_OK;
    struct newer_rows rows;
    uint64_t version;
    bool whole = reader_take_varint(reader, &version) && reader_take_block(reader, &rows.from) &&
                 reader_take_block(reader, &rows.to);

    ASSERT(whole); /* our own encoding */
    if (tables_have_newer(view->version, &rows, version) ||
        tables_have_newer_ranges(view->version, version)) {
        return STATUS_BUSY;
    }
    status = judge_memtable(view->active, &rows, version);
    for (uint32_t i = 0; i < view->frozen_count && status == STATUS_OK; i++) {
        status = judge_memtable(view->frozen[i], &rows, version);
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
