/* visible_iterator.c: see visible_iterator.h. */
#include "storage/visible_iterator.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

#define SKIPS_BEFORE_SEEK 8 /* older versions stepped over before a seek is cheaper */
#define CANDIDATE_BYTES_MAX (VALUE_BYTES_MAX + ENTRY_HEAD_BYTES_MAX)

enum status visible_iterator_init(struct visible_iterator *iter, const struct view *view,
                                  const struct watermarks *marks, uint64_t version, uint64_t now_ms,
                                  enum read_wait wait) {
    *iter = (struct visible_iterator){
        .marks = marks, .ranges = view_walk_make(view), .version = version, .now_ms = now_ms};
    buffer_init(&iter->from, ROW_BYTES_MAX);
    buffer_init(&iter->to, ROW_BYTES_MAX);
    buffer_init(&iter->row, IKEY_BYTES_MAX);
    buffer_init(&iter->candidate, CANDIDATE_BYTES_MAX);
    return view_iterator_create(view, wait, &iter->merged);
}

enum status visible_iterator_set_range(struct visible_iterator *iter,
                                       const struct visible_range *range) {
    enum status status = buffer_append(&iter->from, range->from.ptr, range->from.len);

    iter->reverse = range->reverse;
    return status == STATUS_OK ? buffer_append(&iter->to, range->to.ptr, range->to.len) : status;
}

void visible_iterator_deinit(struct visible_iterator *iter) {
    iterator_destroy(iter->merged);
    buffer_deinit(&iter->from);
    buffer_deinit(&iter->to);
    buffer_deinit(&iter->row);
    buffer_deinit(&iter->candidate);
}

static enum status row_copy(struct visible_iterator *iter, struct slice row) {
    buffer_clear(&iter->row);
    return buffer_append(&iter->row, row.ptr, row.len);
}

/* Seeks to (row, version), or, `before`, to the last key below it. */
static enum status seek_row(struct visible_iterator *iter, struct slice row, uint64_t version,
                            bool before) {
    enum status status;
    size_t row_len = row.len;

    if (row.ptr != iter->row.data) {
        status = row_copy(iter, row);
        if (status != STATUS_OK) {
            return status;
        }
    }
    status = buffer_reserve(&iter->row, IKEY_VERSION_BYTES);
    if (status != STATUS_OK) {
        return status;
    }
    ikey_version_store(iter->row.data + row_len, version);
    row = slice_make(iter->row.data, row_len + IKEY_VERSION_BYTES);
    return before ? iterator_seek_before(iter->merged, row) : iterator_seek(iter->merged, row);
}

static enum status start(struct visible_iterator *iter) {
    struct slice from = buffer_slice(&iter->from);
    struct slice to = buffer_slice(&iter->to);

    if (!iter->reverse) {
        return from.len ? seek_row(iter, from, UINT64_MAX, false)
                        : iterator_seek_first(iter->merged);
    }
    return to.len ? seek_row(iter, to, UINT64_MAX, true) : iterator_seek_last(iter->merged);
}

/* Forward: leaves the current row behind. */
static enum status leave_row(struct visible_iterator *iter) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < SKIPS_BEFORE_SEEK; i++) {
        status = iterator_next(iter->merged);
        if (status != STATUS_OK ||
            !slice_equal(ikey_row(iter->merged->key), buffer_slice(&iter->row))) {
            return status;
        }
        iter->skipped++;
    }
    status = seek_row(iter, buffer_slice(&iter->row), 0, false);
    if (status == STATUS_OK && slice_equal(ikey_row(iter->merged->key), buffer_slice(&iter->row))) {
        status = iterator_next(iter->merged); /* an entry of version 0 */
    }
    return status;
}

static bool row_is_outside(const struct visible_iterator *iter, struct slice row) {
    if (iter->reverse) {
        return slice_compare(row, buffer_slice(&iter->from)) < 0;
    }
    return iter->to.len > 0 && slice_compare(row, buffer_slice(&iter->to)) >= 0;
}

/* If a range delete hides the entry: it is that one's tombstone. */
static void apply_ranges(struct visible_iterator *iter) {
    struct range_cover cover =
        view_walk_covering(&iter->ranges, buffer_slice(&iter->row), iter->version);

    if (cover.version > iter->entry_version) {
        iter->entry = (struct entry){.kind = ENTRY_TOMBSTONE,
                                     .durability = (enum durability)cover.durability};
        iter->entry_version = cover.version;
    }
}

/* Takes the decoded entry as the answer for the current row; whether it is alive. */
static enum status decide(struct visible_iterator *iter, struct slice entry, uint64_t version,
                          struct store_hold *hold, bool *alive_out) {
    enum status status = entry_load(entry, &iter->entry);

    if (status != STATUS_OK) {
        return status;
    }
    iter->entry_version = version;
    if (view_has_ranges(iter->ranges.view)) {
        apply_ranges(iter);
    }
    watermarks_hold_entry(iter->marks, (enum store_durability)iter->entry.durability,
                          iter->entry_version, hold);
    *alive_out = !entry_is_dead(&iter->entry, iter->now_ms);
    return STATUS_OK;
}

static enum status next_forward(struct visible_iterator *iter, struct store_hold *hold) {
    enum status status = STATUS_OK;

    for (;;) {
        bool alive;
        if (!iter->started) {
            status = start(iter);
        } else if (!iter->positioned) {
            status = leave_row(iter);
        }
        iter->started = true;
        iter->positioned = false;
        if (status != STATUS_OK) {
            return status;
        }
        if (row_is_outside(iter, ikey_row(iter->merged->key))) {
            return STATUS_END;
        }
        if (ikey_version(iter->merged->key) > iter->version) {
            status = seek_row(iter, ikey_row(iter->merged->key), iter->version, false);
            iter->positioned = true; /* at this row's visible entry, or at another row */
            iter->skipped++;
            if (status != STATUS_OK) {
                return status;
            }
            continue;
        }
        status = row_copy(iter, ikey_row(iter->merged->key));
        if (status == STATUS_OK) {
            status =
                decide(iter, iter->merged->entry, ikey_version(iter->merged->key), hold, &alive);
        }
        if (status != STATUS_OK || alive) {
            return status;
        }
        iter->skipped++;
    }
}

/* Reverse: goes through all versions of the row at which `merged` stands, oldest first, and keeps
 * the last visible one. Leaves `merged` at the row before, or nowhere with *end_out set. */
static enum status gather_row(struct visible_iterator *iter, uint64_t *version_out, bool *end_out) {
    enum status status = row_copy(iter, ikey_row(iter->merged->key));

    *version_out = VERSION_NONE;
    *end_out = false;
    while (status == STATUS_OK &&
           slice_equal(ikey_row(iter->merged->key), buffer_slice(&iter->row))) {
        uint64_t version = ikey_version(iter->merged->key);
        if (version <= iter->version) {
            buffer_clear(&iter->candidate);
            status =
                buffer_append(&iter->candidate, iter->merged->entry.ptr, iter->merged->entry.len);
            *version_out = version;
        }
        iter->skipped++;
        if (status == STATUS_OK) {
            status = iterator_prev(iter->merged);
        }
    }
    if (status == STATUS_END) {
        *end_out = true;
        status = STATUS_OK;
    }
    return status;
}

static enum status next_reverse(struct visible_iterator *iter, struct store_hold *hold) {
    enum status status = STATUS_OK;
    bool alive = false;

    if (!iter->started) {
        status = start(iter);
        iter->started = true;
        iter->positioned = status == STATUS_OK;
    }
    while (status == STATUS_OK && !alive) {
        uint64_t version;
        bool end;
        if (!iter->positioned || row_is_outside(iter, ikey_row(iter->merged->key))) {
            return STATUS_END;
        }
        status = gather_row(iter, &version, &end);
        iter->positioned = !end;
        if (status == STATUS_OK && version != VERSION_NONE) {
            status = decide(iter, buffer_slice(&iter->candidate), version, hold, &alive);
        }
    }
    return status;
}

enum status visible_iterator_next(struct visible_iterator *iter, struct store_hold *hold,
                                  struct error *error) {
    enum status status = iter->reverse ? next_reverse(iter, hold) : next_forward(iter, hold);

    if ((status == STATUS_IO || status == STATUS_CORRUPT) && error) {
        *error = iter->merged->error;
        error->status = status;
    }
    return status;
}
