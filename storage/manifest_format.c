/* manifest_format.c: see manifest_format.h. */
#include "storage/manifest_format.h"

#include "protocol/base/bytes.h"
#include "storage/checksum.h"

/* Magic, version and checksum keep their places in all versions to come. */
#define AT_VERSION 8
#define AT_HEADER_BYTES 12
#define AT_COMPATIBLE 16
#define AT_READ_ONLY 20
#define AT_INCOMPATIBLE 24
#define AT_NUMBER 32
#define AT_STORE_ID 40
#define AT_CHECKSUM 56

#define RECORD_AT_LENGTH 4
#define RECORD_AT_KIND 8
#define RECORD_AT_RESERVED 12
#define RECORD_AT_SEQUENCE 16
#define RECORD_AT_CHECKSUM 24

_Static_assert(AT_CHECKSUM + 8 == MANIFEST_HEADER_BYTES, "the checksum ends the header");
_Static_assert(AT_STORE_ID + STORE_ID_BYTES == AT_CHECKSUM, "no gap before the checksum");
_Static_assert(RECORD_AT_CHECKSUM + 8 == MANIFEST_RECORD_BYTES, "the checksum ends the header");

void manifest_header_store(uint8_t *ptr, const struct manifest_header *header) {
    memset(ptr, 0, MANIFEST_HEADER_BYTES);
    store_u64(ptr, MANIFEST_MAGIC);
    store_u32(ptr + AT_VERSION, FORMAT_VERSION);
    store_u32(ptr + AT_HEADER_BYTES, MANIFEST_HEADER_BYTES);
    store_u32(ptr + AT_COMPATIBLE, header->features_compatible);
    store_u32(ptr + AT_READ_ONLY, header->features_read_only);
    store_u32(ptr + AT_INCOMPATIBLE, header->features_incompatible);
    store_u64(ptr + AT_NUMBER, header->number);
    memcpy(ptr + AT_STORE_ID, header->store_id, STORE_ID_BYTES);
    store_u64(ptr + AT_CHECKSUM, checksum_of(slice_make(ptr, AT_CHECKSUM)));
}

enum status manifest_header_load(struct slice bytes, struct manifest_header *header_out) {
    const uint8_t *ptr = bytes.ptr;
    struct manifest_header header;

    if (bytes.len < MANIFEST_HEADER_BYTES || load_u64(ptr) != MANIFEST_MAGIC ||
        load_u64(ptr + AT_CHECKSUM) != checksum_of(slice_make(ptr, AT_CHECKSUM))) {
        return STATUS_CORRUPT;
    }
    header.features_compatible = load_u32(ptr + AT_COMPATIBLE);
    header.features_read_only = load_u32(ptr + AT_READ_ONLY);
    header.features_incompatible = load_u32(ptr + AT_INCOMPATIBLE);
    if (load_u32(ptr + AT_VERSION) > FORMAT_VERSION ||
        (header.features_incompatible & ~FEATURES_INCOMPATIBLE_KNOWN) != 0) {
        return STATUS_NEWER_FORMAT;
    }
    if ((header.features_read_only & ~FEATURES_READ_ONLY_KNOWN) != 0) {
        return STATUS_READ_ONLY;
    }
    if (load_u32(ptr + AT_HEADER_BYTES) != MANIFEST_HEADER_BYTES) {
        return STATUS_CORRUPT;
    }
    header.number = load_u64(ptr + AT_NUMBER);
    memcpy(header.store_id, ptr + AT_STORE_ID, STORE_ID_BYTES);
    *header_out = header;
    return STATUS_OK;
}

static uint64_t record_checksum(const uint8_t *header, struct slice payload, uint64_t number,
                                uint64_t offset) {
    uint64_t seed = checksum_seeded(slice_make(header, RECORD_AT_CHECKSUM),
                                    checksum_place_seed(number, offset));
    return checksum_seeded(payload, seed);
}

static void record_fields_store(uint8_t *ptr, const struct manifest_record *record) {
    store_u32(ptr, MANIFEST_RECORD_MAGIC);
    store_u32(ptr + RECORD_AT_LENGTH, record->payload_bytes);
    store_u32(ptr + RECORD_AT_KIND, (uint32_t)record->kind);
    store_u32(ptr + RECORD_AT_RESERVED, 0);
    store_u64(ptr + RECORD_AT_SEQUENCE, record->sequence);
}

void manifest_record_store(uint8_t *ptr, struct manifest_record *record, struct slice payload,
                           uint64_t number, uint64_t offset) {
    ASSERT(payload.len == record->payload_bytes);
    ASSERT(payload.len <= MANIFEST_PAYLOAD_BYTES_MAX);
    record_fields_store(ptr, record);
    record->checksum = record_checksum(ptr, payload, number, offset);
    store_u64(ptr + RECORD_AT_CHECKSUM, record->checksum);
}

bool manifest_record_maybe(struct slice bytes) {
    return bytes.len >= MANIFEST_RECORD_BYTES && load_u32(bytes.ptr) == MANIFEST_RECORD_MAGIC &&
           load_u32(bytes.ptr + RECORD_AT_RESERVED) == 0;
}

enum status manifest_record_load(struct slice bytes, struct manifest_record *record_out) {
    struct manifest_record record;
    uint32_t kind;

    if (!manifest_record_maybe(bytes)) {
        return STATUS_CORRUPT;
    }
    kind = load_u32(bytes.ptr + RECORD_AT_KIND);
    record.kind = (enum manifest_record_kind)kind;
    record.payload_bytes = load_u32(bytes.ptr + RECORD_AT_LENGTH);
    record.sequence = load_u64(bytes.ptr + RECORD_AT_SEQUENCE);
    record.checksum = load_u64(bytes.ptr + RECORD_AT_CHECKSUM);
    if (kind < MANIFEST_SNAPSHOT_PART || kind > MANIFEST_EDIT ||
        record.payload_bytes > MANIFEST_PAYLOAD_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    *record_out = record;
    return STATUS_OK;
}

bool manifest_record_matches(const struct manifest_record *record, struct slice payload,
                             uint64_t number, uint64_t offset) {
    uint8_t header[MANIFEST_RECORD_BYTES];

    record_fields_store(header, record);
    return payload.len == record->payload_bytes &&
           record_checksum(header, payload, number, offset) == record->checksum;
}
