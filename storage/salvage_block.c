/* salvage_block.c: see salvage_block.h. */
#include "storage/salvage_block.h"

#include "protocol/base/bytes.h"
#include "storage/block_writer.h"

#define DATA_BYTES_MAX (1024u * 1024) /* raw, of a data block: one entry more than its target */
#define ZSTD_FRAME_MAGIC UINT32_C(0xFD2FB528)
#define RAW_BYTES_AT 1 /* in the trailer */

static size_t raw_bytes_max(enum block_type type) {
    return type == BLOCK_DATA ? DATA_BYTES_MAX : BLOCK_RAW_BYTES_MAX;
}

static bool is_block(const struct salvage_bytes *bytes, size_t start, size_t end,
                     enum block_type type) {
    const struct block_place place = {bytes->file_number, bytes->offset + start, type};
    struct slice stored = slice_make(bytes->bytes.ptr + start, end - start);
    struct block_payload payload;

    return block_frame_open(&place, stored, &payload) == STATUS_OK;
}

/* Where a block that ends at `end` would begin: at `first` or after. Tries all such places. */
static bool ends_here(const struct salvage_bytes *bytes, size_t first, size_t end,
                      enum block_type type, size_t *start_out) {
    const uint8_t *trailer = bytes->bytes.ptr + end - BLOCK_TRAILER_BYTES;
    size_t payload_end = end - BLOCK_TRAILER_BYTES;
    uint32_t raw_bytes = load_u32(trailer + RAW_BYTES_AT);

    if (trailer[0] >> 4 != (unsigned)type || raw_bytes > raw_bytes_max(type)) {
        return false;
    }
    if ((trailer[0] & 0x0F) == BLOCK_PLAIN) {
        *start_out = payload_end - raw_bytes;
        return raw_bytes <= payload_end - first && is_block(bytes, *start_out, end, type);
    }
    if ((trailer[0] & 0x0F) != BLOCK_ZSTD) {
        return false;
    }
    for (size_t at = first; at + 4 <= payload_end && payload_end - at <= raw_bytes; at++) {
        if (load_u32(bytes->bytes.ptr + at) == ZSTD_FRAME_MAGIC && is_block(bytes, at, end, type)) {
            *start_out = at;
            return true;
        }
    }
    return false;
}

bool salvage_block_find(const struct salvage_bytes *bytes, size_t from, enum block_type type,
                        bool exact, size_t *start_out, size_t *end_out) {
    size_t block_bytes_max = raw_bytes_max(type) + BLOCK_TRAILER_BYTES;
    size_t last = bytes->bytes.len;

    if (exact && last - from > block_bytes_max) {
        last = from + block_bytes_max;
    }
    for (size_t end = from + BLOCK_TRAILER_BYTES; end <= last; end++) {
        size_t first = from;
        size_t start;
        if (end - first > block_bytes_max) {
            first = end - block_bytes_max;
        }
        if (ends_here(bytes, first, end, type, &start) && (!exact || start == from)) {
            *start_out = start;
            *end_out = end;
            return true;
        }
    }
    return false;
}
