/* filter.c: see filter.h. */
#include "storage/filter.h"

#include "protocol/base/assert.h"

size_t filter_bytes(size_t row_count) {
    size_t line_rows = FILTER_LINE_BYTES * 8 / FILTER_BITS_PER_ROW;
    return (row_count / line_rows + 1) * FILTER_LINE_BYTES;
}

static void set_row(uint8_t *lines, uint64_t line_count, uint64_t row_hash) {
    uint8_t *line = lines + ((row_hash >> 32) * line_count >> 32) * FILTER_LINE_BYTES;
    uint64_t bits = row_hash * FILTER_MULTIPLIER;

    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        unsigned bit = (unsigned)(bits >> 55);
        line[bit >> 3] = (uint8_t)(line[bit >> 3] | 1u << (bit & 7));
        bits <<= 9;
    }
}

void filter_build(uint8_t *lines, size_t bytes, const uint64_t *row_hashes, size_t row_count) {
    ASSERT(filter_size_is_valid(bytes));
    for (size_t i = 0; i < row_count; i++) {
        set_row(lines, bytes / FILTER_LINE_BYTES, row_hashes[i]);
    }
}
