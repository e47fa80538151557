/* block_frame.h: what surrounds each block of a table on disk.
 *
 *      | payload: raw bytes, or one zstd frame | kind u8 | raw bytes u32 | checksum u64 |
 *
 * kind: bits 0-3 how the payload is stored, bits 4-7 the block's type. The checksum is XXH3-64 of
 * payload, kind and raw bytes, seeded by file number and offset: so a flipped byte, another length,
 * a block of another type, of another file or of another place in this file are all caught. Pure
 * functions. */
#ifndef KVD_STORAGE_BLOCK_FRAME_H
#define KVD_STORAGE_BLOCK_FRAME_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#define BLOCK_TRAILER_BYTES 13u

enum block_type { BLOCK_DATA = 0, BLOCK_FILTER = 1, BLOCK_INDEX = 2, BLOCK_PROPERTIES = 3 };

enum block_storing { BLOCK_PLAIN = 0, BLOCK_ZSTD = 1 };

/* Which block: part of what its checksum covers. */
struct block_place {
    uint64_t file_number;
    uint64_t offset;
    enum block_type type;
};

struct block_payload {
    struct slice bytes; /* borrowed from the stored bytes */
    enum block_storing storing;
    uint32_t raw_bytes; /* length once decompressed */
};

/* Writes the trailer behind payload->bytes, where there must be room for it. */
void block_frame_seal(const struct block_place *place, const struct block_payload *payload,
                      uint8_t *trailer);

/* Checks stored bytes (payload and trailer) and takes them apart. Errors: CORRUPT; NEWER_FORMAT
 * (the checksum is right, but this way of storing is not known). */
enum status block_frame_open(const struct block_place *place, struct slice stored,
                             struct block_payload *payload_out) MUST_CHECK;

#endif
