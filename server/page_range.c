/* page_range.c: see page_range.h. */
#include "server/page_range.h"

struct store_range page_range_whole(const struct wire_range *range, uint32_t namespace_id,
                                    uint8_t *prefix_out) {
    struct store_range whole = {.namespace_id = namespace_id, .from = range->from, .to = range->to};

    if (range->flags & WIRE_RANGE_PREFIX) {
        whole = store_range_prefix(namespace_id, range->from, prefix_out);
    }
    whole.reverse = (range->flags & WIRE_RANGE_REVERSE) != 0;
    return whole;
}

static enum status last_key_of(const struct wire_range *range, struct slice *last_key_out,
                               struct error *error) {
    if (range->cursor.len > 0 &&
        (range->cursor.len < 2 || range->cursor.ptr[0] != PAGE_CURSOR_FORMAT)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the cursor was not made by this server");
    }
    *last_key_out = range->cursor.len == 0
                        ? slice_make(NULL, 0)
                        : slice_make(range->cursor.ptr + 1, range->cursor.len - 1);
    return STATUS_OK;
}

/* The smallest key behind another; none behind the greatest of all. `next` has room for one byte
 * more than it. */
static struct slice key_behind(struct slice key, uint32_t key_max, uint8_t *next) {
    if (key.len >= key_max) { /* no longer one begins with it */
        return store_range_prefix(0, key, next).to;
    }
    memcpy(next, key.ptr, key.len);
    next[key.len] = 0;
    return slice_make(next, key.len + 1);
}

enum status page_range_make(const struct wire_range *range, uint32_t namespace_id, uint32_t key_max,
                            struct buffer *scratch, struct store_range *range_out,
                            struct error *error) {
    struct slice last_key;
    uint8_t *next;
    enum status status = last_key_of(range, &last_key, error);

    buffer_clear(scratch);
    if (status == STATUS_OK) {
        status = buffer_extend(scratch, range->from.len + last_key.len + 1, &next);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *range_out = page_range_whole(range, namespace_id, next);
    next += range->from.len;
    if (last_key.len > 0 && range_out->reverse) {
        range_out->to = last_key;
    } else if (last_key.len > 0) {
        range_out->from = key_behind(last_key, key_max, next);
        if (range_out->from.len == 0) { /* the end */
            range_out->from = last_key;
            range_out->to = last_key;
        }
    }
    return STATUS_OK;
}
