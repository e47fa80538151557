/* filter.h: a blocked Bloom filter: says of a row that it is not in a table, or that it may be.
 *
 *      | line 0: 512 bits | line 1 | ...          one row touches one line, that is one cache line
 *
 * About 10 bits a row and 6 probes: one row in a hundred that is absent passes. The line is chosen
 * by the upper half of the row's hash (checksum_of(row)); the six bit numbers, 9 bits each, are the
 * top 54 bits of hash * FILTER_MULTIPLIER. (Putze, Sanders, Singler, "Cache-, Hash- and Space-
 * Efficient Bloom Filters", 2007.) Pure functions over borrowed bytes. */
#ifndef KVD_STORAGE_FILTER_H
#define KVD_STORAGE_FILTER_H

#include "protocol/base/slice.h"

#define FILTER_LINE_BYTES 64u
#define FILTER_BITS_PER_ROW 10u
#define FILTER_PROBES 6u
#define FILTER_MULTIPLIER UINT64_C(0x9E3779B97F4A7C15)

/* Bytes of the filter for `row_count` rows: whole lines, at least one. */
size_t filter_bytes(size_t row_count);

/* Sets the bits of each hash in `lines`: `bytes` zeroed bytes, as filter_bytes says. */
void filter_build(uint8_t *lines, size_t bytes, const uint64_t *row_hashes, size_t row_count);

/* Whether `bytes` can be the size of a filter; ask before using one from disk. */
static inline bool filter_size_is_valid(size_t bytes) {
    return bytes > 0 && bytes % FILTER_LINE_BYTES == 0 && bytes / FILTER_LINE_BYTES <= UINT32_MAX;
}

/* False: no row with this hash was built in. */
static inline bool filter_may_contain(struct slice lines, uint64_t row_hash) {
    uint64_t line_count = lines.len / FILTER_LINE_BYTES;
    const uint8_t *line = lines.ptr + ((row_hash >> 32) * line_count >> 32) * FILTER_LINE_BYTES;
    uint64_t bits = row_hash * FILTER_MULTIPLIER;

    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        unsigned bit = (unsigned)(bits >> 55);
        if (!(line[bit >> 3] & 1u << (bit & 7))) {
            return false;
        }
        bits <<= 9;
    }
    return true;
}

#endif
