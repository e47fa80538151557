/* store_read.c: the reading half of the door: read transactions, lookups, cursors.
 *
 * A value travels once: from the memtable, the block cache or the page cache into the destination
 * (store_value.h). What fails verification is rolled back and named. */
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/store_value.h"
#include "storage/transaction_walk.h"
#include "storage/visible_iterator.h"

/* ---- Read transactions ------------------------------------------------------------------------
 */

void store_read_begin(struct store *store, struct store_read *read) {
    read->store = store;
    read->view = view_holder_take(&store->views, &store->marks, &read->version);
    read->now_ms = store_clock_now_ms(&store->clock);
    read->exact = false;
    read->transaction = NULL;
    read->hold = (struct store_hold){0, 0};
}

void store_read_begin_same(const struct store_read *read, struct store_read *same_out) {
    *same_out = *read;
    same_out->hold = (struct store_hold){0, 0};
    view_ref(same_out->view);
}

void store_read_end(struct store_read *read) {
    view_unref(read->view);
    read->view = NULL;
}

bool store_hold_passed(const struct store *store, const struct store_hold *hold) {
    return watermarks_passed(&store->marks, hold);
}

void store_hold_wait(struct store *store, struct store_waiter *waiter) {
    watermarks_wait(&store->marks, waiter);
}

bool store_hold_cancel(struct store *store, struct store_waiter *waiter) {
    return watermarks_cancel(&store->marks, waiter);
}

/* ---- Lookup -----------------------------------------------------------------------------------
 */

enum status store_get(struct store_read *read, uint32_t namespace_id, struct slice key,
                      enum store_wait wait, struct buffer *destination,
                      struct store_value_info *info_out, struct error *error) {
    struct view_hit hit;
    enum status status = store_value_find(read, namespace_id, key, wait, &hit, error);

    if (status == STATUS_OK) {
        if (destination) {
            status = store_value_append(read, &hit.entry, store_wait_of(wait), destination, error);
        }
        if (status == STATUS_OK && info_out) {
            *info_out = store_value_info_of(&hit.entry, hit.version);
        }
        view_hit_release(&hit);
    }
    if (status == STATUS_WOULD_BLOCK) {
        atomic_fetch_add_explicit(&read->store->gets_blocked, 1, memory_order_relaxed);
    }
    return status;
}

/* ---- Cursors ----------------------------------------------------------------------------------
 */

struct store_cursor {
    struct store_read *read; /* borrowed */
    enum read_wait wait;
    struct visible_iterator iter;
    struct transaction_walk walk; /* beside `iter`, in a transaction; else zeroed */
};

struct store_range store_range_prefix(uint32_t namespace_id, struct slice prefix,
                                      uint8_t *to_buffer) {
    struct store_range range = {.namespace_id = namespace_id, .from = prefix};
    size_t len = prefix.len;

    while (len > 0 && prefix.ptr[len - 1] == 0xFF) {
        len--; /* the next key after prefix FF is the one after prefix */
    }
    if (len > 0) {
        memcpy(to_buffer, prefix.ptr, len);
        to_buffer[len - 1]++;
        range.to = slice_make(to_buffer, len);
    }
    return range;
}

/* Rows of the range; an open end is the first row of the next namespace. */
static enum status set_rows(struct store_cursor *cursor, const struct store_range *range) {
    uint8_t *rows = memory_alloc(2 * (size_t)ROW_BYTES_MAX);
    struct visible_range visible = {.reverse = range->reverse};
    uint8_t *to_row = rows + ROW_BYTES_MAX;
    enum status status;

    if (!rows) {
        return STATUS_NO_MEMORY;
    }
    visible.from = slice_make(rows, row_store(rows, range->namespace_id, range->from));
    if (range->to.len > 0) {
        visible.to = slice_make(to_row, row_store(to_row, range->namespace_id, range->to));
    } else if (range->namespace_id < UINT32_MAX) {
        visible.to =
            slice_make(to_row, row_store(to_row, range->namespace_id + 1, slice_make(NULL, 0)));
    }
    status = visible_iterator_set_range(&cursor->iter, &visible);
    memory_free(rows);
    return status;
}

enum status store_cursor_open(struct store_read *read, const struct store_range *range,
                              enum store_wait wait, struct store_cursor **cursor_out) {
    struct store_cursor *cursor;
    enum status status;

    if (range->from.len > KEY_BYTES_MAX || range->to.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (read->exact) {
        return STATUS_GONE;
    }
    cursor = memory_alloc_zeroed(sizeof *cursor);
    if (!cursor) {
        return STATUS_NO_MEMORY;
    }
    cursor->read = read;
    cursor->wait = store_wait_of(wait);
    status = visible_iterator_init(&cursor->iter, read->view, &read->store->marks, read->version,
                                   read->now_ms, cursor->wait);
    if (status == STATUS_OK) {
        status = set_rows(cursor, range);
    }
    if (status != STATUS_OK) {
        store_cursor_close(cursor);
        return status;
    }
    if (read->transaction) {
        transaction_walk_init(&cursor->walk, read->transaction, &cursor->iter);
    }
    *cursor_out = cursor;
    return STATUS_OK;
}

enum status store_cursor_next(struct store_cursor *cursor, struct buffer *key_out,
                              struct store_value_info *info_out, struct error *error) {
    struct store_hold *hold = &cursor->read->hold;
    bool walks = cursor->walk.txn != NULL;
    enum status status = walks ? transaction_walk_next(&cursor->walk, hold, error)
                               : visible_iterator_next(&cursor->iter, hold, error);

    if (status == STATUS_OK && key_out) {
        struct slice key =
            row_user_key(buffer_slice(walks ? &cursor->walk.row : &cursor->iter.row));
        status = buffer_append(key_out, key.ptr, key.len);
    }
    if (status == STATUS_OK && info_out) {
        *info_out = walks ? store_value_info_of(&cursor->walk.entry, cursor->walk.entry_version)
                          : store_value_info_of(&cursor->iter.entry, cursor->iter.entry_version);
    }
    return status;
}

enum status store_cursor_value(struct store_cursor *cursor, struct buffer *destination,
                               struct error *error) {
    const struct entry *entry = cursor->walk.txn ? &cursor->walk.entry : &cursor->iter.entry;

    return store_value_append(cursor->read, entry, cursor->wait, destination, error);
}

void store_cursor_close(struct store_cursor *cursor) {
    if (cursor) {
        if (cursor->walk.txn) {
            transaction_walk_deinit(&cursor->walk);
        }
        visible_iterator_deinit(&cursor->iter);
        memory_free(cursor);
    }
}
