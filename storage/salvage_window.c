/* salvage_window.c: see salvage_window.h. */
#include "storage/salvage_window.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"

#include <stdlib.h>

#define ITEMS_FIRST 256u

void salvage_window_init(struct salvage_window *window, size_t budget_bytes) {
    *window = (struct salvage_window){.budget_bytes = budget_bytes};
    buffer_init(&window->bytes, SIZE_MAX / 2);
    buffer_init(&window->floor_row, ROW_BYTES_MAX);
    buffer_init(&window->ceiling_row, ROW_BYTES_MAX);
}

void salvage_window_deinit(struct salvage_window *window) {
    buffer_deinit(&window->bytes);
    buffer_deinit(&window->floor_row);
    buffer_deinit(&window->ceiling_row);
    memory_free(window->items);
    *window = (struct salvage_window){0};
}

static int compare(uint64_t version, struct slice row, uint64_t other_version,
                   struct slice other_row) {
    if (version != other_version) {
        return version < other_version ? -1 : 1;
    }
    return slice_compare(row, other_row);
}

static int order_items(const void *left, const void *right) {
    const struct salvage_item *a = left;
    const struct salvage_item *b = right;

    return compare(a->version, slice_make(a->row, a->row_bytes), b->version,
                   slice_make(b->row, b->row_bytes));
}

void salvage_window_end(struct salvage_window *window) {
    for (size_t i = 0; i < window->count; i++) {
        window->items[i].row = window->bytes.data + window->items[i].at;
    }
    if (window->count > 1) {
        qsort(window->items, window->count, sizeof *window->items, order_items);
    }
}

static enum status set_bound(const struct salvage_item *item, uint64_t *version,
                             struct buffer *row) {
    *version = item->version;
    buffer_clear(row);
    return buffer_append(row, item->row, item->row_bytes);
}

/* Forgets the greater half. */
static enum status cut(struct salvage_window *window) {
    struct buffer kept = {.cap = SIZE_MAX / 2};
    size_t count = 0;
    enum status status = STATUS_OK;

    salvage_window_end(window);
    do { /* one at least */
        struct salvage_item *item = &window->items[count++];
        item->at = kept.len;
        status = buffer_append(&kept, item->row, (size_t)item->row_bytes + item->entry_bytes);
    } while (status == STATUS_OK && kept.len < window->budget_bytes / 2);
    if (status == STATUS_OK) {
        status =
            set_bound(&window->items[count - 1], &window->ceiling_version, &window->ceiling_row);
    }
    if (status != STATUS_OK) {
        buffer_deinit(&kept);
        return status;
    }
    buffer_deinit(&window->bytes);
    window->bytes = kept;
    window->count = count;
    window->is_cut = true;
    return STATUS_OK;
}

static bool is_wanted(const struct salvage_window *window, const struct salvage_row *row) {
    return (!window->has_floor || compare(row->version, row->row, window->floor_version,
                                          buffer_slice(&window->floor_row)) > 0) &&
           (!window->is_cut || compare(row->version, row->row, window->ceiling_version,
                                       buffer_slice(&window->ceiling_row)) < 0);
}

static enum status reserve_item(struct salvage_window *window) {
    size_t capacity = window->capacity ? 2 * window->capacity : ITEMS_FIRST;
    struct salvage_item *grown;

    if (window->count < window->capacity) {
        return STATUS_OK;
    }
    grown = memory_resize(window->items, capacity * sizeof *grown);
    if (!grown) {
        return STATUS_NO_MEMORY;
    }
    window->items = grown;
    window->capacity = capacity;
    return STATUS_OK;
}

static enum status keep(struct salvage_window *window, const struct salvage_row *row) {
    struct salvage_item item = {.version = row->version,
                                .at = window->bytes.len,
                                .row_bytes = (uint32_t)row->row.len,
                                .entry_bytes = (uint32_t)entry_bytes(&row->entry),
                                .choice = row->choice};
    uint8_t *start;
    enum status status = reserve_item(window);

    if (status == STATUS_OK) {
        status = buffer_extend(&window->bytes, (size_t)item.row_bytes + item.entry_bytes, &start);
    }
    if (status == STATUS_OK) {
        memcpy(start, row->row.ptr, row->row.len);
        entry_store(start + item.row_bytes, &row->entry);
        window->items[window->count++] = item;
    }
    return status;
}

enum status salvage_window_offer(struct salvage_window *window, const struct salvage_row *row) {
    enum status status = is_wanted(window, row) ? keep(window, row) : STATUS_OK;

    if (status == STATUS_OK && window->count > 1 && window->bytes.len > window->budget_bytes) {
        status = cut(window);
    }
    return status;
}

enum status salvage_window_item(const struct salvage_window *window, size_t index,
                                struct salvage_row *row_out) {
    const struct salvage_item *item = &window->items[index];

    row_out->row = slice_make(item->row, item->row_bytes);
    row_out->version = item->version;
    row_out->choice = item->choice;
    return entry_load(slice_make(item->row + item->row_bytes, item->entry_bytes), &row_out->entry);
}

bool salvage_window_next(struct salvage_window *window, enum status *status_out) {
    *status_out = STATUS_OK;
    if (!window->is_cut || window->count == 0) {
        return false;
    }
    *status_out =
        set_bound(&window->items[window->count - 1], &window->floor_version, &window->floor_row);
    window->has_floor = true;
    window->is_cut = false;
    window->count = 0;
    buffer_clear(&window->bytes);
    return *status_out == STATUS_OK;
}
