/* block_frame.c: see block_frame.h. */
#include "storage/block_frame.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "storage/block_writer.h"
#include "storage/checksum.h"

#define KIND_AT 0
#define RAW_BYTES_AT 1
#define CHECKSUM_AT 5
#define TYPE_SHIFT 4
#define STORING_MASK 0x0Fu

static uint64_t checksum_in(const struct block_place *place, struct slice covered) {
    return checksum_seeded(covered, checksum_place_seed(place->file_number, place->offset));
}

void block_frame_seal(const struct block_place *place, const struct block_payload *payload,
                      uint8_t *trailer) {
    struct slice covered = slice_make(payload->bytes.ptr, payload->bytes.len + CHECKSUM_AT);

    ASSERT(trailer == payload->bytes.ptr + payload->bytes.len);
    trailer[KIND_AT] = (uint8_t)((unsigned)place->type << TYPE_SHIFT | (unsigned)payload->storing);
    store_u32(trailer + RAW_BYTES_AT, payload->raw_bytes);
    store_u64(trailer + CHECKSUM_AT, checksum_in(place, covered));
}

enum status block_frame_open(const struct block_place *place, struct slice stored,
                             struct block_payload *payload_out) {
    const uint8_t *trailer;
    struct slice covered;
    unsigned storing;
    uint32_t raw_bytes;

    if (stored.len < BLOCK_TRAILER_BYTES) {
        return STATUS_CORRUPT;
    }
    trailer = stored.ptr + stored.len - BLOCK_TRAILER_BYTES;
    covered = slice_make(stored.ptr, stored.len - BLOCK_TRAILER_BYTES + CHECKSUM_AT);
    if (load_u64(trailer + CHECKSUM_AT) != checksum_in(place, covered) ||
        trailer[KIND_AT] >> TYPE_SHIFT != (unsigned)place->type) {
        return STATUS_CORRUPT;
    }
    storing = trailer[KIND_AT] & STORING_MASK;
    raw_bytes = load_u32(trailer + RAW_BYTES_AT);
    if (storing > BLOCK_ZSTD) {
        return STATUS_NEWER_FORMAT;
    }
    if (raw_bytes > BLOCK_RAW_BYTES_MAX ||
        (storing == BLOCK_PLAIN && raw_bytes != stored.len - BLOCK_TRAILER_BYTES)) {
        return STATUS_CORRUPT;
    }
    *payload_out = (struct block_payload){
        .bytes = slice_make(stored.ptr, stored.len - BLOCK_TRAILER_BYTES),
        .storing = (enum block_storing)storing,
        .raw_bytes = raw_bytes,
    };
    return STATUS_OK;
}
