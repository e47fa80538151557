/* store_pair.c: see store_pair.h. */
#include "storage/store_pair.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

/* Rows of the range; an open end is the first row of the next namespace. */
static enum status set_rows(struct store_side *side, const struct store_range *range) {
    uint8_t *rows = memory_alloc(2 * (size_t)ROW_BYTES_MAX);
    struct visible_range visible = {0};
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
    status = visible_iterator_set_range(&side->iter, &visible);
    memory_free(rows);
    return status;
}

static enum status side_init(struct store_side *side, struct store_read *read,
                             const struct store_range *range) {
    enum status status;

    *side = (struct store_side){.read = read};
    status = visible_iterator_init(&side->iter, read->view, &read->store->marks, read->version,
                                   read->now_ms, READ_WAIT_ALLOWED);
    return status == STATUS_OK ? set_rows(side, range) : status;
}

enum status store_pair_init(struct store_pair *pair, struct store_read *left,
                            struct store_read *right, const struct store_range *range) {
    enum status status;

    *pair = (struct store_pair){0};
    if (range->reverse) {
        return STATUS_INVALID;
    }
    if (range->from.len > KEY_BYTES_MAX || range->to.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (left->exact || right->exact) {
        return STATUS_GONE;
    }
    status = side_init(&pair->left, left, range);
    return status == STATUS_OK ? side_init(&pair->right, right, range) : status;
}

void store_pair_deinit(struct store_pair *pair) {
    visible_iterator_deinit(&pair->left.iter);
    visible_iterator_deinit(&pair->right.iter);
}

/* Leaves the row that has been shown. */
static enum status side_advance(struct store_side *side, struct error *error) {
    enum status status;

    if (side->ended || (side->ahead && !side->here)) {
        return STATUS_OK;
    }
    status = visible_iterator_next(&side->iter, &side->read->hold, error);
    side->ended = status == STATUS_END;
    side->ahead = status == STATUS_OK;
    side->here = false;
    return status == STATUS_END ? STATUS_OK : status;
}

enum status store_pair_next(struct store_pair *pair, struct error *error) {
    struct store_side *left = &pair->left;
    struct store_side *right = &pair->right;
    enum status status = side_advance(left, error);
    int order = 0;

    if (status == STATUS_OK) {
        status = side_advance(right, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!left->ahead && !right->ahead) {
        return STATUS_END;
    }
    if (left->ahead && right->ahead) {
        order = slice_compare(buffer_slice(&left->iter.row), buffer_slice(&right->iter.row));
    } else {
        order = left->ahead ? -1 : 1;
    }
    left->here = order <= 0;
    right->here = order >= 0;
    return STATUS_OK;
}

struct slice store_pair_key(const struct store_pair *pair) {
    const struct store_side *side = pair->left.here ? &pair->left : &pair->right;

    ASSERT(side->here);
    return row_user_key(buffer_slice(&side->iter.row));
}
