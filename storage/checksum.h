/* checksum.h: XXH3-64, the one checksum of the engine: of blocks, groups, values and rows. The
 * length of the input is part of the sum; what else a checksum must bind (place, file) goes into
 * the seed or into the stream. Pure functions. */
#ifndef KVD_STORAGE_CHECKSUM_H
#define KVD_STORAGE_CHECKSUM_H

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "protocol/base/slice.h"

#define XXH_STATIC_LINKING_ONLY 1 /* for XXH3_state_t by value; its layout is fixed since 0.8 */
#include <xxhash.h>

/* Of one run of bytes. */
static inline uint64_t checksum_of(struct slice bytes) {
    return XXH3_64bits(bytes.ptr, bytes.len);
}

/* The same, bound to `seed`: other seeds give other sums. */
static inline uint64_t checksum_seeded(struct slice bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

#define CHECKSUM_WIDE_BYTES 16

/* XXH3-128, for what is named by its content: low half first, each little-endian. */
static inline void checksum_wide_store(uint8_t *ptr, struct slice bytes) {
    XXH128_hash_t sum = XXH3_128bits(bytes.ptr, bytes.len);
    store_u64(ptr, sum.low64);
    store_u64(ptr + 8, sum.high64);
}

/* A seed that binds a checksum to a place: file number and offset in it. */
static inline uint64_t checksum_place_seed(uint64_t file_number, uint64_t offset) {
    uint8_t place[16];
    store_u64(place, file_number);
    store_u64(place + 8, offset);
    return checksum_of(slice_make(place, sizeof place));
}

/* Of bytes that come in pieces: begin, add..., end gives what one call over all would have. */
struct checksum_stream {
    XXH3_state_t state;
};

static inline void checksum_begin(struct checksum_stream *stream, uint64_t seed) {
    XXH_errorcode result = XXH3_64bits_reset_withSeed(&stream->state, seed);
    ASSERT(result == XXH_OK);
}

static inline void checksum_add(struct checksum_stream *stream, struct slice bytes) {
    XXH_errorcode result = XXH_OK;
    if (bytes.len > 0) {
        result = XXH3_64bits_update(&stream->state, bytes.ptr, bytes.len);
    }
    ASSERT(result == XXH_OK);
}

static inline uint64_t checksum_end(const struct checksum_stream *stream) {
    return XXH3_64bits_digest(&stream->state);
}

#endif
