/* extent.c: see extent.h. */
#include "storage/extent.h"

#include "protocol/base/assert.h"
#include "storage/checksum.h"

#include <stdio.h>

#define COMPRESS_BYTES_MIN 64u /* below, a frame cannot save an eighth */
#define TEXT_BYTES_MAX 128

static uint32_t blocks_of(uint32_t raw_bytes) {
    return raw_bytes / EXTENT_BLOCK_BYTES + (raw_bytes % EXTENT_BLOCK_BYTES != 0);
}

/* ---- Building ---------------------------------------------------------------------------------
 */

void extent_builder_init(struct extent_builder *builder, struct compression *compression) {
    *builder = (struct extent_builder){.compression = compression};
    buffer_init(&builder->block, EXTENT_BLOCK_BYTES);
    extent_builder_begin(builder, EXTENT_RAW_BYTES_MAX);
}

void extent_builder_deinit(struct extent_builder *builder) {
    buffer_deinit(&builder->stored);
    buffer_deinit(&builder->block);
}

void extent_builder_begin(struct extent_builder *builder, uint32_t raw_bytes_max) {
    ASSERT(raw_bytes_max > 0);
    ASSERT(raw_bytes_max <= EXTENT_RAW_BYTES_MAX);
    ASSERT(raw_bytes_max % EXTENT_BLOCK_BYTES == 0);
    builder->raw_bytes_max = raw_bytes_max;
    builder->raw_bytes = 0;
    builder->block_count = 0;
    buffer_clear(&builder->stored);
    buffer_clear(&builder->block);
    /* Blocks and index are all that ever stands in it, so its memory is bounded by that. */
    builder->stored.cap = raw_bytes_max + blocks_of(raw_bytes_max) * EXTENT_INDEX_ENTRY_BYTES;
}

/* Stores a whole block behind the others, compressed where that pays. */
static enum status block_store(struct extent_builder *builder, struct slice raw) {
    uint8_t *entry = builder->index + builder->block_count * EXTENT_INDEX_ENTRY_BYTES;
    size_t stored_bytes = raw.len;
    enum status status = buffer_reserve(&builder->stored, raw.len);
    uint8_t *out;

    ASSERT(raw.len > 0);
    ASSERT(builder->block_count < EXTENT_BLOCKS_MAX);
    if (status != STATUS_OK) {
        return status;
    }
    out = builder->stored.data + builder->stored.len;
    status = STATUS_TOO_LARGE;
    if (builder->compression && raw.len >= COMPRESS_BYTES_MIN) {
        status = compression_compress(builder->compression, raw, out, &stored_bytes);
    }
    if (status == STATUS_TOO_LARGE) {
        memcpy(out, raw.ptr, raw.len);
        stored_bytes = raw.len;
    } else if (status != STATUS_OK) {
        return status;
    }
    builder->stored.len += stored_bytes;
    store_u32(entry, (uint32_t)stored_bytes);
    store_u64(entry + 4, checksum_of(raw));
    builder->block_count++;
    builder->raw_bytes += (uint32_t)raw.len;
    return STATUS_OK;
}

/* Takes bytes into the open block; stores it when it is full. A block that is there whole does not
 * go through it. */
static enum status block_fill(struct extent_builder *builder, struct slice *bytes) {
    size_t room = EXTENT_BLOCK_BYTES - builder->block.len;
    size_t len = bytes->len < room ? bytes->len : room;
    struct slice part = slice_make(bytes->ptr, len);
    enum status status = STATUS_OK;

    *bytes = slice_make(bytes->ptr + len, bytes->len - len);
    if (len == EXTENT_BLOCK_BYTES) {
        return block_store(builder, part);
    }
    status = buffer_append(&builder->block, part.ptr, part.len);
    if (status == STATUS_OK && builder->block.len == EXTENT_BLOCK_BYTES) {
        struct slice whole = buffer_slice(&builder->block);
        buffer_clear(&builder->block); /* what it holds stays until it is written to again */
        status = block_store(builder, whole);
    }
    return status;
}

enum status extent_builder_add(struct extent_builder *builder, struct slice *bytes) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes->len > 0 && !extent_builder_is_full(builder)) {
        status = block_fill(builder, bytes);
    }
    return status;
}

enum status extent_builder_finish(struct extent_builder *builder, struct slice *stored_out,
                                  struct value_ref *extent_out) {
    struct slice last = buffer_slice(&builder->block);
    struct slice index;
    enum status status = STATUS_OK;

    if (last.len > 0) {
        buffer_clear(&builder->block);
        status = block_store(builder, last);
    }
    ASSERT(builder->raw_bytes > 0 || status != STATUS_OK);
    index = slice_make(builder->index, builder->block_count * EXTENT_INDEX_ENTRY_BYTES);
    if (status == STATUS_OK) {
        status = buffer_append(&builder->stored, index.ptr, index.len);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *stored_out = buffer_slice(&builder->stored);
    extent_out->raw_bytes = builder->raw_bytes;
    extent_out->stored_bytes = (uint32_t)builder->stored.len;
    extent_out->checksum = checksum_of(index);
    extent_out->compressed = false;
    return STATUS_OK;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* One block, as the index describes it. */
struct extent_block {
    uint32_t number;
    uint32_t raw_bytes;
    uint32_t stored_bytes;
    uint64_t delta; /* of its first stored byte */
    uint64_t checksum;
};

static enum status corrupt(const struct extent_reader *reader, const struct value_ref *extent,
                           uint64_t delta, const char *text, struct error *error) {
    const struct extent_source *source = reader->source;

    if (source->corrupt_cb) {
        return source->corrupt_cb(source->arg, extent, delta, text, error);
    }
    return error_set(error, STATUS_CORRUPT, 0, NULL, extent->offset + delta, "segment %llu: %s",
                     (unsigned long long)extent->segment, text);
}

static enum status block_corrupt(const struct extent_reader *reader, const struct value_ref *extent,
                                 const struct extent_block *block, const char *what,
                                 struct error *error) {
    char text[TEXT_BYTES_MAX];

    snprintf(text, sizeof text, "block %u of an extent of a large value: %s", block->number, what);
    return corrupt(reader, extent, block->delta, text, error);
}

static uint8_t *scratch_index(const struct extent_reader *reader) {
    return reader->scratch->data;
}

static uint8_t *scratch_stored(const struct extent_reader *reader) {
    return reader->scratch->data + EXTENT_INDEX_BYTES_MAX;
}

static uint8_t *scratch_raw(const struct extent_reader *reader) {
    return scratch_stored(reader) + EXTENT_BLOCK_BYTES;
}

static enum status scratch_reserve(struct extent_reader *reader, struct error *error) {
    enum status status;

    buffer_clear(reader->scratch);
    status = buffer_reserve(reader->scratch, EXTENT_SCRATCH_BYTES);
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "room for a block of a large value");
}

/* The block `number`; the one before, or a zeroed one, is in *block. */
static void block_next(const struct extent_reader *reader, const struct value_ref *extent,
                       uint32_t number, struct extent_block *block) {
    const uint8_t *entry = scratch_index(reader) + number * EXTENT_INDEX_ENTRY_BYTES;
    uint32_t before = number * EXTENT_BLOCK_BYTES;
    uint32_t left = extent->raw_bytes - before;

    block->delta += block->stored_bytes;
    block->number = number;
    block->raw_bytes = left < EXTENT_BLOCK_BYTES ? left : EXTENT_BLOCK_BYTES;
    block->stored_bytes = load_u32(entry);
    block->checksum = load_u64(entry + 4);
}

/* Whether the lengths in the index are possible, and add up. */
static bool index_adds_up(const struct extent_reader *reader, const struct value_ref *extent,
                          uint32_t block_count) {
    struct extent_block block = {0};

    for (uint32_t i = 0; i < block_count; i++) {
        block_next(reader, extent, i, &block);
        if (block.stored_bytes == 0 || block.stored_bytes > block.raw_bytes) {
            return false;
        }
    }
    return block.delta + block.stored_bytes + block_count * EXTENT_INDEX_ENTRY_BYTES ==
           extent->stored_bytes;
}

/* Reads the index to scratch. */
static enum status index_read(struct extent_reader *reader, const struct value_ref *extent,
                              struct error *error) {
    const struct extent_source *source = reader->source;
    uint32_t block_count = blocks_of(extent->raw_bytes);
    size_t index_bytes = (size_t)block_count * EXTENT_INDEX_ENTRY_BYTES;
    uint64_t delta;
    enum status status = scratch_reserve(reader, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (extent->raw_bytes == 0 || extent->raw_bytes > EXTENT_RAW_BYTES_MAX ||
        extent->stored_bytes <= index_bytes) {
        return corrupt(reader, extent, 0, "extent of a large value: impossible lengths", error);
    }
    delta = extent->stored_bytes - index_bytes;
    status = source->read_cb(source->arg, extent, delta, index_bytes, scratch_index(reader), error);
    if (status != STATUS_OK) {
        return status;
    }
    if (checksum_of(slice_make(scratch_index(reader), index_bytes)) != extent->checksum) {
        return corrupt(reader, extent, delta,
                       "index of an extent of a large value: checksum differs", error);
    }
    if (!index_adds_up(reader, extent, block_count)) {
        return corrupt(reader, extent, delta,
                       "index of an extent of a large value: lengths do not add up", error);
    }
    return STATUS_OK;
}

static enum status block_decompress(struct extent_reader *reader, const struct value_ref *extent,
                                    const struct extent_block *block, uint8_t *raw_out,
                                    struct error *error) {
    const struct extent_source *source = reader->source;
    uint8_t *stored = scratch_stored(reader);
    enum status status;

    if (block->raw_bytes > reader->zstd_bytes_left) {
        return STATUS_WOULD_BLOCK;
    }
    reader->zstd_bytes_left -= block->raw_bytes;
    status = source->read_cb(source->arg, extent, block->delta, block->stored_bytes, stored, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = compression_decompress(source->compression, slice_make(stored, block->stored_bytes),
                                    raw_out, block->raw_bytes);
    if (status == STATUS_CORRUPT) {
        return block_corrupt(reader, extent, block, "does not decompress", error);
    }
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "decompress a block of a large value");
}

/* Reads a block and verifies it; raw_out has room for all of it. */
static enum status block_read(struct extent_reader *reader, const struct value_ref *extent,
                              const struct extent_block *block, uint8_t *raw_out,
                              struct error *error) {
    const struct extent_source *source = reader->source;
    enum status status;

    if (block->stored_bytes < block->raw_bytes) {
        status = block_decompress(reader, extent, block, raw_out, error);
    } else {
        status =
            source->read_cb(source->arg, extent, block->delta, block->raw_bytes, raw_out, error);
    }
    if (status == STATUS_OK &&
        checksum_of(slice_make(raw_out, block->raw_bytes)) != block->checksum) {
        status = block_corrupt(reader, extent, block, "checksum differs", error);
    }
    return status;
}

/* The part of the block that lies in [from, to) of the extent. Straight to where it belongs, if
 * that is all of it. */
static enum status block_read_part(struct extent_reader *reader, const struct value_ref *extent,
                                   const struct extent_block *block, const uint32_t range[2],
                                   uint8_t *out, struct error *error) {
    uint32_t begin = block->number * EXTENT_BLOCK_BYTES;
    uint32_t from = range[0] > begin ? range[0] : begin;
    uint32_t to = range[1] < begin + block->raw_bytes ? range[1] : begin + block->raw_bytes;
    bool whole = to - from == block->raw_bytes;
    uint8_t *raw = whole ? out + (from - range[0]) : scratch_raw(reader);
    enum status status = block_read(reader, extent, block, raw, error);

    if (status == STATUS_OK && !whole) {
        memcpy(out + (from - range[0]), raw + (from - begin), to - from);
    }
    return status;
}

enum status extent_read(struct extent_reader *reader, const struct value_ref *extent, uint32_t from,
                        uint32_t to, uint8_t *out, struct error *error) {
    uint32_t range[2] = {from, to};
    struct extent_block block = {0};
    enum status status;

    ASSERT(from <= to);
    ASSERT(to <= extent->raw_bytes);
    if (from == to) {
        return STATUS_OK;
    }
    status = index_read(reader, extent, error);
    for (uint32_t i = 0; i < blocks_of(to) && status == STATUS_OK; i++) {
        block_next(reader, extent, i, &block);
        if (i >= from / EXTENT_BLOCK_BYTES) {
            status = block_read_part(reader, extent, &block, range, out, error);
        }
    }
    return status;
}

/* ---- Verifying --------------------------------------------------------------------------------
 */

enum status extent_verify(struct extent_reader *reader, const struct value_ref *extent,
                          struct error *error) {
    struct extent_block block = {0};
    enum status status = index_read(reader, extent, error);

    for (uint32_t i = 0; status == STATUS_OK && i < blocks_of(extent->raw_bytes); i++) {
        block_next(reader, extent, i, &block);
        status = block_read(reader, extent, &block, scratch_raw(reader), error);
    }
    return status;
}

static enum status stored_read_cb(void *arg, const struct value_ref *extent, uint64_t delta,
                                  size_t len, uint8_t *out, struct error *error) {
    const struct slice *stored = arg;

    if (delta > stored->len || len > stored->len - delta) {
        return error_set(error, STATUS_CORRUPT, 0, NULL, extent->offset,
                         "segment %llu: an extent is cut off", (unsigned long long)extent->segment);
    }
    memcpy(out, stored->ptr + delta, len);
    return STATUS_OK;
}

enum status extent_verify_stored(struct compression *compression, const struct value_ref *extent,
                                 struct slice stored, struct buffer *scratch, struct error *error) {
    struct extent_source source = {
        .read_cb = stored_read_cb, .arg = &stored, .compression = compression};
    struct extent_reader reader = {
        .source = &source, .scratch = scratch, .zstd_bytes_left = UINT64_MAX};

    return extent_verify(&reader, extent, error);
}
