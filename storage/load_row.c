/* load_row.c: see load_row.h. */
#include "storage/load_row.h"

bool load_row_is_key(struct slice key) {
    return slice_equal(key, slice_from_text(LOAD_ROW_KEY));
}

size_t load_row_store(uint8_t *ptr, const struct load_row *row) {
    size_t len = 1;

    ptr[0] = (uint8_t)row->state;
    len += varint_store(ptr + len, row->namespace_id);
    return len + varint_store(ptr + len, row->version);
}

enum status load_row_parse(struct slice value, struct load_row *row_out) {
    struct reader reader = reader_make(value);
    struct load_row row;
    uint8_t state;

    if (!reader_take_u8(&reader, &state) || !reader_take_varint32(&reader, &row.namespace_id) ||
        !reader_take_varint(&reader, &row.version) || reader_left(&reader) > 0 ||
        state > LOAD_ENDED) {
        return STATUS_CORRUPT;
    }
    row.state = (enum load_state)state;
    *row_out = row;
    return STATUS_OK;
}
