/* segment.h: reads separated values from one segment file.
 *
 * A value is found by its reference: segment, offset, lengths, checksum. It is read straight into
 * the caller's memory (a compressed one through a scratch buffer) and always verified; a mismatch
 * is CORRUPT with file and offset. Any thread; an open segment never changes. Segments are opened
 * through segment_cache.h. */
#ifndef KVD_STORAGE_SEGMENT_H
#define KVD_STORAGE_SEGMENT_H

#include "protocol/base/buffer.h"
#include "storage/compression.h"
#include "storage/entry.h"
#include "storage/env.h"
#include "storage/log_format.h"
#include "storage/read_wait.h"

struct segment;

/* Where segments are read from; borrowed, must outlive them. */
struct segment_source {
    struct env *env;
    const char *dir;
    struct compression *compression;
    uint8_t store_id[STORE_ID_BYTES];
};

/* Opens and checks the header against number and store. May wait for the disk. Errors:
 * CORRUPT, NEWER_FORMAT, NO_MEMORY, IO. */
enum status segment_open(const struct segment_source *source, uint64_t number,
                         struct segment **segment_out, struct error *error) MUST_CHECK;

/* NULL is allowed. */
void segment_close(struct segment *segment);

const struct segment_header *segment_header(const struct segment *segment);

/* Fills `error` for a fault at a place of the segment; returns `status`. */
enum status segment_fail(const struct segment *segment, enum status status, uint64_t offset,
                         const char *what, struct error *error);

/* Reads the value of `ref` to raw_out, which has room for ref->raw_bytes; what is there is without
 * meaning unless the result is OK. `scratch` takes a compressed value on its way (it may be empty;
 * it is grown to stored_bytes and kept for the next use). Errors: WOULD_BLOCK (READ_WAIT_NEVER
 * only), CORRUPT, IO, NO_MEMORY. */
enum status segment_read_value(struct segment *segment, const struct value_ref *ref,
                               enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                               struct error *error) MUST_CHECK;

/* Reads `len` bytes at `offset` as they are. Errors: WOULD_BLOCK (READ_WAIT_NEVER only), CORRUPT
 * (the file ends before), IO. */
enum status segment_read_bytes(struct segment *segment, uint64_t offset, size_t len,
                               enum read_wait wait, uint8_t *out, struct error *error) MUST_CHECK;

#endif
