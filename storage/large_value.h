/* large_value.h: reads part of a large value: finds the extents that it lies in, and of those the
 * blocks (extent.h), wherever log GC has moved them (value_reader.h).
 *
 *      value:    | extent 0 | extent 1 | extent 2 | ... |
 *      wanted:          [ from ........ to )
 *
 * Only the indexes and blocks touched are read, and all of those verified. Any thread that holds
 * the version. On a thread that must not wait, what is more than LARGE_LOOP_BYTES_MAX, or takes
 * more decompression than LARGE_LOOP_ZSTD_BYTES_MAX, is WOULD_BLOCK as well: it would hold up
 * others. */
#ifndef KVD_STORAGE_LARGE_VALUE_H
#define KVD_STORAGE_LARGE_VALUE_H

#include "storage/extent.h"
#include "storage/value_reader.h"

#define LARGE_LOOP_BYTES_MAX (1024u * 1024)
#define LARGE_LOOP_ZSTD_BYTES_MAX (64u * 1024)

/* What a read needs; all borrowed. */
struct large_value_source {
    const struct version *version; /* in whose view the entry was found */
    struct compression *compression;
    struct buffer *scratch; /* takes EXTENT_SCRATCH_BYTES, and is kept */
    enum read_wait wait;
};

/* Reads bytes [from, to) of the value of an entry of kind LARGE to `out`; to is at most its length.
 * What is at `out` is without meaning unless the result is OK. Errors: WOULD_BLOCK
 * (READ_WAIT_NEVER), CORRUPT (file, offset and block are named), IO, NO_MEMORY. */
enum status large_value_read(const struct large_value_source *source, const struct entry *entry,
                             uint64_t from, uint64_t to, uint8_t *out,
                             struct error *error) MUST_CHECK;

/* Verifies every block of one extent of such an entry. READ_WAIT_ALLOWED only. Errors: likewise. */
enum status large_value_verify_extent(const struct large_value_source *source,
                                      const struct value_ref *extent,
                                      struct error *error) MUST_CHECK;

#endif
