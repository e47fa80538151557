/* value_reader.h: reads what a reference leads to, wherever log GC has moved it meanwhile.
 *
 *      reference -> segment live in the version? -> read there
 *                -> relocated?                   -> relocation_find -> read in the survivor
 *                -> neither                      -> CORRUPT
 *
 * The version must be the one in whose view the reference was found, and is held by the caller. Any
 * thread. While the segment is live this costs one binary search over what segment_cache.h costs.
 */
#ifndef KVD_STORAGE_VALUE_READER_H
#define KVD_STORAGE_VALUE_READER_H

#include "storage/version.h"

/* Reads the value of `ref` to raw_out (room for ref->raw_bytes), verified; see segment_read_value.
 * Not for extents. Errors: WOULD_BLOCK (READ_WAIT_NEVER), CORRUPT, IO, NO_MEMORY. */
enum status value_reader_read(const struct version *version, const struct value_ref *ref,
                              enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                              struct error *error) MUST_CHECK;

/* Part of the stored bytes of a record. */
struct value_piece {
    uint64_t delta; /* from its first stored byte */
    size_t len;
};

/* Reads stored bytes of the record of `ref` as they are: nothing is verified. Errors: as above;
 * CORRUPT also when the piece goes beyond ref->stored_bytes. */
enum status value_reader_read_bytes(const struct version *version, const struct value_ref *ref,
                                    struct value_piece piece, enum read_wait wait, uint8_t *out,
                                    struct error *error) MUST_CHECK;

/* Where the record of `ref` lies in this version: *resolved_out is `ref` with the segment and
 * offset of a file that is there. For compaction, which folds references so, and for GC. Errors: as
 * above. */
enum status value_reader_resolve(const struct version *version, const struct value_ref *ref,
                                 enum read_wait wait, struct value_ref *resolved_out,
                                 struct error *error) MUST_CHECK;

#endif
