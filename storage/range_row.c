/* range_row.c: see range_row.h. */
#include "storage/range_row.h"

#include "storage/checksum.h"
#include "storage/ikey.h"

bool key_range_is_valid(const struct key_range *range) {
    return range->namespace_id != NAMESPACE_SYSTEM && range->namespace_id != UINT32_MAX &&
           range->from.len <= KEY_BYTES_MAX && range->to.len <= KEY_BYTES_MAX &&
           (range->to.len == 0 || slice_compare(range->from, range->to) < 0);
}

bool key_range_covers(const struct key_range *range, uint32_t namespace_id, struct slice key) {
    return namespace_id == range->namespace_id && slice_compare(range->from, key) <= 0 &&
           (range->to.len == 0 || slice_compare(key, range->to) < 0);
}

bool range_covers_row(const struct key_range *range, struct slice row) {
    return key_range_covers(range, row_namespace(row), row_user_key(row));
}

enum status range_row_store(const struct key_range *range, uint8_t key_out[RANGE_KEY_BYTES],
                            struct buffer *value) {
    size_t mark = buffer_mark(value);
    enum status status;

    ASSERT(key_range_is_valid(range));
    status = buffer_append_varint(value, range->namespace_id);
    if (status == STATUS_OK) {
        status = buffer_append_block(value, range->from);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(value, range->to);
    }
    if (status != STATUS_OK) {
        buffer_rollback(value, mark);
        return status;
    }
    memcpy(key_out, RANGE_KEY_PREFIX, RANGE_KEY_PREFIX_BYTES);
    checksum_wide_store(key_out + RANGE_KEY_PREFIX_BYTES,
                        slice_make(value->data + mark, value->len - mark));
    return STATUS_OK;
}

enum status range_row_parse(struct slice key, struct slice value, struct key_range *range_out) {
    uint8_t sum[CHECKSUM_WIDE_BYTES];
    struct reader reader = reader_make(value);
    struct key_range range;

    if (!range_row_is_key(key) || !reader_take_varint32(&reader, &range.namespace_id) ||
        !reader_take_block(&reader, &range.from) || !reader_take_block(&reader, &range.to) ||
        reader_left(&reader) > 0 || !key_range_is_valid(&range)) {
        return STATUS_CORRUPT;
    }
    checksum_wide_store(sum, value);
    if (memcmp(sum, key.ptr + RANGE_KEY_PREFIX_BYTES, sizeof sum) != 0) {
        return STATUS_CORRUPT;
    }
    *range_out = range;
    return STATUS_OK;
}
