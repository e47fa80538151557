/* memtable_newer.c: see memtable_newer.h. */
#include "storage/memtable_newer.h"

#include "protocol/base/assert.h"
#include "protocol/base/buffer.h"
#include "storage/ikey.h"

static uint8_t durability_of(struct slice bytes) {
    struct entry entry;
    enum status status = entry_load(bytes, &entry);

    ASSERT(status == STATUS_OK); /* our own memory, our own encoding */
    return (uint8_t)entry.durability;
}

struct newer memtable_newer_in_row(const struct memtable *memtable,
                                   const struct table_target *target, uint64_t than) {
    struct newer newer = {VERSION_NONE, DURABILITY_MEMORY};
    struct range_cover cover;
    struct memtable_hit hit;

    if (memtable_version_max(memtable) <= than) {
        return newer;
    }
    if (memtable_get(memtable, target, &hit) && hit.version > than) {
        newer = (struct newer){hit.version, durability_of(hit.entry)};
    }
    cover = memtable_ranges_covering(memtable_ranges(memtable), target->row, VERSION_MAX);
    if (cover.version > than && cover.version > newer.version) {
        newer = (struct newer){cover.version, cover.durability};
    }
    return newer;
}

/* ---- Rows -------------------------------------------------------------------------------------
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

static enum status walk_entries(const struct memtable *memtable, const struct newer_rows *rows,
                                uint64_t than, struct newer *newer) {
    struct iterator *iter;
    enum status status = memtable_iterator_create(memtable, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    status = seek_row(iter, rows->from);
    while (status == STATUS_OK && newer->version == VERSION_NONE &&
           (rows->to.len == 0 || slice_compare(ikey_row(iter->key), rows->to) < 0)) {
        if (ikey_version(iter->key) > than) {
            *newer = (struct newer){ikey_version(iter->key), durability_of(iter->entry)};
        }
        status = iterator_next(iter);
    }
    iterator_destroy(iter);
    return status == STATUS_END ? STATUS_OK : status;
}

static struct newer walk_ranges(const struct memtable *memtable, const struct newer_rows *rows,
                                uint64_t than) {
    const struct memtable_range *range = memtable_ranges_newest(memtable_ranges(memtable));
    uint32_t namespace_id = row_namespace(rows->from);
    struct slice from = row_user_key(rows->from);
    bool ends = rows->to.len > 0 && row_namespace(rows->to) == namespace_id;

    for (; range && range->deleted.version > than; range = range->older) {
        const struct key_range *deleted = &range->deleted.range;
        if (deleted->namespace_id == namespace_id &&
            (deleted->to.len == 0 || slice_compare(deleted->to, from) > 0) &&
            (!ends || slice_compare(deleted->from, row_user_key(rows->to)) < 0)) {
            return (struct newer){range->deleted.version, range->deleted.durability};
        }
    }
    return (struct newer){VERSION_NONE, DURABILITY_MEMORY};
}

enum status memtable_newer_in_rows(const struct memtable *memtable, const struct newer_rows *rows,
                                   uint64_t than, struct newer *newer_out) {
    struct newer newer = {VERSION_NONE, DURABILITY_MEMORY};
    enum status status = STATUS_OK;

    if (memtable_version_max(memtable) > than) {
        newer = walk_ranges(memtable, rows, than);
        if (newer.version == VERSION_NONE) {
            status = walk_entries(memtable, rows, than, &newer);
        }
    }
    if (status == STATUS_OK) {
        *newer_out = newer;
    }
    return status;
}
