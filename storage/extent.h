/* extent.h: a stretch of a large value as it stands in the log: blocks that can be read and
 * verified one by one, and behind them an index that says where each is and what it must be.
 *
 *      | block | block | ... | last block (cut short) | index |
 *
 *      block:  EXTENT_BLOCK_BYTES of the value, as they are or as one zstd frame; a block whose
 *              stored length is its raw length is stored as it is
 *      index:  for each block | stored bytes u32 | checksum u64 |
 *
 * The checksum of a block is XXH3-64 of its raw bytes, that of the extent is XXH3-64 of its index.
 * So one flipped byte in a block spoils that block alone, and one in the index the extent; neither
 * can pass for another. An extent is built in memory, and read or verified through a function that
 * fetches stored bytes, with one index and two blocks of memory. No I/O here; owned by one thread
 * at a time. */
#ifndef KVD_STORAGE_EXTENT_H
#define KVD_STORAGE_EXTENT_H

#include "protocol/base/buffer.h"
#include "protocol/base/error.h"
#include "storage/compression.h"
#include "storage/entry.h"
#include "storage/format.h"

/* ---- Building ---- */

#define EXTENT_INDEX_BYTES_MAX (EXTENT_BLOCKS_MAX * EXTENT_INDEX_ENTRY_BYTES)

struct extent_builder {
    struct compression *compression; /* borrowed; NULL: blocks are stored as they are */
    uint32_t raw_bytes_max;
    uint32_t raw_bytes; /* in finished blocks */
    uint32_t block_count;
    struct buffer stored; /* finished blocks */
    struct buffer block;  /* the one that is not full yet */
    uint8_t index[EXTENT_INDEX_BYTES_MAX];
};

/* Allocates nothing. */
void extent_builder_init(struct extent_builder *builder, struct compression *compression);
void extent_builder_deinit(struct extent_builder *builder);

/* Begins an extent of at most `raw_bytes_max` bytes: whole blocks, at most EXTENT_RAW_BYTES_MAX.
 * Keeps the memory of the one before. */
void extent_builder_begin(struct extent_builder *builder, uint32_t raw_bytes_max);

/* Raw bytes so far. */
static inline uint32_t extent_builder_bytes(const struct extent_builder *builder) {
    return builder->raw_bytes + (uint32_t)builder->block.len;
}

static inline bool extent_builder_is_full(const struct extent_builder *builder) {
    return extent_builder_bytes(builder) == builder->raw_bytes_max;
}

/* Takes off the front of *bytes what still fits. Errors: NO_MEMORY (the builder can only be begun
 * anew). */
enum status extent_builder_add(struct extent_builder *builder, struct slice *bytes) MUST_CHECK;

/* Ends it (at least one byte). *stored_out: what is to stand in the log, borrowed until begin;
 * lengths and checksum of *extent_out are set, its place is not. Errors: NO_MEMORY, likewise. */
enum status extent_builder_finish(struct extent_builder *builder, struct slice *stored_out,
                                  struct value_ref *extent_out) MUST_CHECK;

/* ---- Reading ---- */

/* Where stored bytes come from. */
struct extent_source {
    /* Reads stored bytes [delta, delta + len) of the extent to `out`. */
    enum status (*read_cb)(void *arg, const struct value_ref *extent, uint64_t delta, size_t len,
                           uint8_t *out, struct error *error);
    /* Fills *error for damage at stored byte `delta`, with the file that it is in, and returns
     * CORRUPT. NULL: the error names the segment of the reference. */
    enum status (*corrupt_cb)(void *arg, const struct value_ref *extent, uint64_t delta,
                              const char *text, struct error *error);
    void *arg;
    struct compression *compression;
};

struct extent_reader {
    const struct extent_source *source; /* borrowed */
    struct buffer *scratch;             /* borrowed; takes EXTENT_SCRATCH_BYTES, kept */
    uint64_t zstd_bytes_left; /* raw bytes that may be decompressed; beyond: WOULD_BLOCK */
};

#define EXTENT_SCRATCH_BYTES (EXTENT_INDEX_BYTES_MAX + 2 * EXTENT_BLOCK_BYTES)

/* Bytes [from, to) of the extent's part of the value, to at most its raw_bytes, into `out`: the
 * index and the blocks touched are read and verified, no others. Errors: CORRUPT (the block is
 * named), WOULD_BLOCK, NO_MEMORY, those of the source; what is at `out` is without meaning then. */
enum status extent_read(struct extent_reader *reader, const struct value_ref *extent, uint32_t from,
                        uint32_t to, uint8_t *out, struct error *error) MUST_CHECK;

/* Verifies the index and every block. Errors: as extent_read. */
enum status extent_verify(struct extent_reader *reader, const struct value_ref *extent,
                          struct error *error) MUST_CHECK;

/* The same for stored bytes in memory; errors name the segment and offset of the reference.
 * `scratch` as in struct extent_reader. */
enum status extent_verify_stored(struct compression *compression, const struct value_ref *extent,
                                 struct slice stored, struct buffer *scratch,
                                 struct error *error) MUST_CHECK;

#endif
