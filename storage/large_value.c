/* large_value.c: see large_value.h. */
#include "storage/large_value.h"

#include "protocol/base/assert.h"

static enum status read_cb(void *arg, const struct value_ref *extent, uint64_t delta, size_t len,
                           uint8_t *out, struct error *error) {
    const struct large_value_source *source = arg;
    struct value_piece piece = {delta, len};

    return value_reader_read_bytes(source->version, extent, piece, source->wait, out, error);
}

/* Names the file that the extent lies in now. */
static enum status corrupt_cb(void *arg, const struct value_ref *extent, uint64_t delta,
                              const char *text, struct error *error) {
    const struct large_value_source *source = arg;
    const struct segment_file *file;
    struct value_ref place;
    enum status status = value_reader_resolve(source->version, extent, source->wait, &place, error);

    if (status != STATUS_OK) {
        return status;
    }
    file = version_segment(source->version, place.segment);
    ASSERT(file); /* resolved in this very version */
    return segment_cache_fail(file->files->segments, place.segment, place.offset + delta,
                              STATUS_CORRUPT, text, error);
}

static struct extent_source extents_of(struct large_value_source *source) {
    return (struct extent_source){.read_cb = read_cb,
                                  .corrupt_cb = corrupt_cb,
                                  .arg = source,
                                  .compression = source->compression};
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

enum status large_value_read(const struct large_value_source *source, const struct entry *entry,
                             uint64_t from, uint64_t to, uint8_t *out, struct error *error) {
    struct large_value_source own = *source;
    struct extent_source extents = extents_of(&own);
    struct extent_reader reader = {
        .source = &extents, .scratch = source->scratch, .zstd_bytes_left = UINT64_MAX};
    struct slice rest = entry->extents;
    struct value_ref extent;
    uint64_t begin = 0;
    enum status status = STATUS_OK;

    ASSERT(entry->kind == ENTRY_LARGE);
    ASSERT(from <= to);
    ASSERT(to <= entry->large_bytes);
    if (source->wait == READ_WAIT_NEVER) {
        reader.zstd_bytes_left = LARGE_LOOP_ZSTD_BYTES_MAX;
        status = to - from > LARGE_LOOP_BYTES_MAX ? STATUS_WOULD_BLOCK : STATUS_OK;
    }
    while (status == STATUS_OK && begin < to && entry_extent_next(&rest, &extent)) {
        uint64_t end = begin + extent.raw_bytes;
        uint64_t first = later(from, begin);
        uint64_t last = earlier(to, end);
        if (first < last) {
            status = extent_read(&reader, &extent, (uint32_t)(first - begin),
                                 (uint32_t)(last - begin), out + (first - from), error);
        }
        begin = end;
    }
    return status;
}

enum status large_value_verify_extent(const struct large_value_source *source,
                                      const struct value_ref *extent, struct error *error) {
    struct large_value_source own = *source;
    struct extent_source extents = extents_of(&own);
    struct extent_reader reader = {
        .source = &extents, .scratch = source->scratch, .zstd_bytes_left = UINT64_MAX};

    ASSERT(source->wait == READ_WAIT_ALLOWED);
    return extent_verify(&reader, extent, error);
}
