/* read_set.c: see read_set.h. */
#include "storage/read_set.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

#define SLOTS_FIRST 64u
#define LOAD_MAX_PERCENT 70u

enum item_kind { ITEM_ROW = 1, ITEM_RANGE = 2 };

void read_set_init(struct read_set *set, size_t bytes_max) {
    ASSERT(bytes_max < UINT32_MAX); /* slots have 32 bits */
    *set = (struct read_set){0};
    buffer_init(&set->items, bytes_max);
}

void read_set_deinit(struct read_set *set) {
    buffer_deinit(&set->items);
    memory_free(set->slots);
    *set = (struct read_set){0};
}

/* ---- Items ------------------------------------------------------------------------------------
 */

static enum status item_append(struct buffer *items, const struct read_item *item) {
    enum status status = buffer_append_u8(items, item->is_range ? ITEM_RANGE : ITEM_ROW);

    if (status == STATUS_OK) {
        status = buffer_append_u64(items, item->row_hash);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(items, item->expiry.ms);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(items, item->expiry.version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(items, item->from);
    }
    return status == STATUS_OK && item->is_range ? buffer_append_block(items, item->to) : status;
}

static enum status add(struct read_set *set, const struct read_item *item) {
    size_t mark = buffer_mark(&set->items);
    enum status status = item_append(&set->items, item);

    if (status == STATUS_OK) {
        set->last = mark;
    } else {
        buffer_rollback(&set->items, mark);
    }
    return status;
}

bool read_set_take(struct reader *reader, struct read_item *item_out) {
    struct read_item item = {0};
    uint8_t kind;
    bool whole;

    if (!reader_take_u8(reader, &kind)) {
        return false;
    }
    item.is_range = kind == ITEM_RANGE;
    whole =
        reader_take_u64(reader, &item.row_hash) && reader_take_varint(reader, &item.expiry.ms) &&
        reader_take_varint(reader, &item.expiry.version) && reader_take_block(reader, &item.from) &&
        (!item.is_range || reader_take_block(reader, &item.to));
    ASSERT(whole); /* our own encoding */
    *item_out = item;
    return true;
}

static struct read_item item_at(const struct read_set *set, size_t place) {
    struct reader reader = reader_make(slice_make(set->items.data + place, set->items.len - place));
    struct read_item item;
    bool taken = read_set_take(&reader, &item);

    ASSERT(taken);
    return item;
}

struct read_expiry read_expiry_first(struct read_expiry a, struct read_expiry b) {
    return a.ms == 0 || (b.ms != 0 && b.ms < a.ms) ? b : a;
}

/* ---- Rows -------------------------------------------------------------------------------------
 */

static bool has_row(const struct read_set *set, struct slice row, uint64_t row_hash) {
    uint32_t mask = set->slot_count - 1;
    uint32_t slot = (uint32_t)row_hash & mask;

    while (set->slot_count > 0 && set->slots[slot] != 0) {
        struct read_item noted = item_at(set, set->slots[slot] - 1);
        if (noted.row_hash == row_hash && slice_equal(noted.from, row)) {
            return true;
        }
        slot = (slot + 1) & mask;
    }
    return false;
}

static void put_slot(uint32_t *slots, uint32_t slot_count, uint64_t row_hash, uint32_t place) {
    uint32_t slot = (uint32_t)row_hash & (slot_count - 1);

    while (slots[slot] != 0) {
        slot = (slot + 1) & (slot_count - 1);
    }
    slots[slot] = place;
}

static enum status room_for_slot(struct read_set *set) {
    uint32_t slot_count = set->slot_count ? 2 * set->slot_count : SLOTS_FIRST;
    uint32_t *slots;

    if ((uint64_t)set->row_count * 100 < (uint64_t)set->slot_count * LOAD_MAX_PERCENT) {
        return STATUS_OK;
    }
    slots = memory_alloc_array(slot_count, sizeof *slots);
    if (!slots) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i] != 0) {
            struct read_item noted = item_at(set, set->slots[i] - 1);
            put_slot(slots, slot_count, noted.row_hash, set->slots[i]);
        }
    }
    memory_free(set->slots);
    set->slots = slots;
    set->slot_count = slot_count;
    return STATUS_OK;
}

enum status read_set_add_row(struct read_set *set, struct slice row, uint64_t row_hash,
                             struct read_expiry expiry) {
    struct read_item item = {.expiry = expiry, .row_hash = row_hash, .from = row};
    enum status status;

    if (has_row(set, row, row_hash)) {
        return STATUS_OK;
    }
    status = room_for_slot(set);
    if (status == STATUS_OK) {
        status = add(set, &item);
    }
    if (status == STATUS_OK) {
        put_slot(set->slots, set->slot_count, row_hash, (uint32_t)set->last + 1);
        set->row_count++;
    }
    return status;
}

/* ---- Ranges -----------------------------------------------------------------------------------
 */

/* Whether a range ends at or behind this row. */
static bool reaches(struct slice to, struct slice row) {
    return to.len == 0 || slice_compare(to, row) >= 0;
}

/* Whether the two overlap or touch, in one namespace, so that both are one range: put into *a. */
static bool unite(struct read_item *a, const struct read_item *b) {
    if (!a->is_range || row_namespace(a->from) != row_namespace(b->from) ||
        !reaches(a->to, b->from) || !reaches(b->to, a->from)) {
        return false;
    }
    a->from = slice_compare(a->from, b->from) <= 0 ? a->from : b->from;
    a->to = a->to.len == 0 || (b->to.len > 0 && slice_compare(a->to, b->to) >= 0) ? a->to : b->to;
    a->expiry = read_expiry_first(a->expiry, b->expiry);
    return true;
}

/* The slices of `item` may borrow from the last item, whose place it takes. */
static enum status replace_last(struct read_set *set, const struct read_item *item) {
    struct buffer copy = {.cap = SIZE_MAX};
    enum status status = item_append(&copy, item);

    if (status == STATUS_OK) {
        status = buffer_reserve(&set->items, copy.len);
    }
    if (status == STATUS_OK) {
        buffer_rollback(&set->items, set->last);
        status = buffer_append(&set->items, copy.data, copy.len);
        ASSERT(status == STATUS_OK); /* there is room */
    }
    buffer_deinit(&copy);
    return status;
}

enum status read_set_add_range(struct read_set *set, struct slice from, struct slice to,
                               struct read_expiry expiry) {
    struct read_item item = {.is_range = true, .expiry = expiry, .from = from, .to = to};
    struct read_item last = {0};

    if (set->items.len > 0) {
        last = item_at(set, set->last);
    }
    return unite(&last, &item) ? replace_last(set, &last) : add(set, &item);
}
