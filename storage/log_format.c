/* log_format.c: see log_format.h. The offsets of fields stand here, once. */
#include "storage/log_format.h"

#include "protocol/base/bytes.h"
#include "storage/checksum.h"

/* Segment header. Magic, version and checksum keep their places in all versions to come, so that an
 * older kvd can tell "newer" from "damaged". */
#define SEGMENT_AT_MAGIC 0
#define SEGMENT_AT_VERSION 8
#define SEGMENT_AT_HEADER_BYTES 12
#define SEGMENT_AT_KIND 16
#define SEGMENT_AT_CIPHER 20
#define SEGMENT_AT_NUMBER 24
#define SEGMENT_AT_INCARNATION 32
#define SEGMENT_AT_STORE_ID 40
#define SEGMENT_AT_START_SEQUENCE 56
#define SEGMENT_AT_KEY_ID 64
#define SEGMENT_AT_COMPATIBLE 72
#define SEGMENT_AT_READ_ONLY 76
#define SEGMENT_AT_INCOMPATIBLE 80
#define SEGMENT_AT_RESERVED 84
#define SEGMENT_AT_CHECKSUM 120

#define GROUP_AT_MAGIC 0
#define GROUP_AT_HEADER_BYTES 4
#define GROUP_AT_SEQUENCE 8
#define GROUP_AT_GROUP_BYTES 16
#define GROUP_AT_COMMIT_COUNT 24
#define GROUP_AT_KIND 28
#define GROUP_AT_FIRST_VERSION 32
#define GROUP_AT_SYNCED_SEGMENT 40
#define GROUP_AT_SYNCED_OFFSET 48
#define GROUP_AT_STORE_TIME 56
#define GROUP_AT_INCARNATION 64
#define GROUP_AT_COMMITS_CHECKSUM 72
#define GROUP_AT_CHECKSUM 80

#define COMMIT_AT_META_BYTES 0
#define COMMIT_AT_OP_COUNT 4
#define COMMIT_AT_VALUES_BYTES 8
#define COMMIT_AT_VERSION 16
#define COMMIT_AT_META_CHECKSUM 24

_Static_assert(SEGMENT_AT_CHECKSUM + 8 == SEGMENT_HEADER_BYTES, "the checksum ends the header");
_Static_assert(GROUP_AT_CHECKSUM + 8 == GROUP_HEADER_BYTES, "the checksum ends the header");
_Static_assert(COMMIT_AT_META_CHECKSUM + 8 == COMMIT_HEADER_BYTES, "the checksum ends the header");

static bool kind_is_known(uint32_t kind) {
    return kind >= SEGMENT_COMMIT && kind <= SEGMENT_EXTENT;
}

/* ---- segment header ---- */

void segment_header_store(uint8_t *ptr, const struct segment_header *header) {
    memset(ptr, 0, SEGMENT_HEADER_BYTES);
    store_u64(ptr + SEGMENT_AT_MAGIC, SEGMENT_MAGIC);
    store_u32(ptr + SEGMENT_AT_VERSION, FORMAT_VERSION);
    store_u32(ptr + SEGMENT_AT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
    store_u32(ptr + SEGMENT_AT_KIND, (uint32_t)header->kind);
    store_u32(ptr + SEGMENT_AT_CIPHER, header->cipher);
    store_u64(ptr + SEGMENT_AT_NUMBER, header->number);
    store_u64(ptr + SEGMENT_AT_INCARNATION, header->incarnation);
    memcpy(ptr + SEGMENT_AT_STORE_ID, header->store_id, STORE_ID_BYTES);
    store_u64(ptr + SEGMENT_AT_START_SEQUENCE, header->start_sequence);
    store_u64(ptr + SEGMENT_AT_KEY_ID, header->key_id);
    store_u32(ptr + SEGMENT_AT_COMPATIBLE, header->features_compatible);
    store_u32(ptr + SEGMENT_AT_READ_ONLY, header->features_read_only);
    store_u32(ptr + SEGMENT_AT_INCOMPATIBLE, header->features_incompatible);
    store_u64(ptr + SEGMENT_AT_CHECKSUM, checksum_of(slice_make(ptr, SEGMENT_AT_CHECKSUM)));
}

static bool segment_is_newer(const uint8_t *ptr) {
    return load_u32(ptr + SEGMENT_AT_VERSION) > FORMAT_VERSION ||
           (load_u32(ptr + SEGMENT_AT_INCOMPATIBLE) & ~FEATURES_INCOMPATIBLE_KNOWN) != 0 ||
           load_u32(ptr + SEGMENT_AT_CIPHER) != 0;
}

enum status segment_header_load(struct slice bytes, struct segment_header *header_out) {
    const uint8_t *ptr = bytes.ptr;
    uint32_t kind;

    if (bytes.len < SEGMENT_HEADER_BYTES || load_u64(ptr + SEGMENT_AT_MAGIC) != SEGMENT_MAGIC ||
        load_u64(ptr + SEGMENT_AT_CHECKSUM) != checksum_of(slice_make(ptr, SEGMENT_AT_CHECKSUM))) {
        return STATUS_CORRUPT;
    }
    if (segment_is_newer(ptr)) {
        return STATUS_NEWER_FORMAT;
    }
    kind = load_u32(ptr + SEGMENT_AT_KIND);
    if (load_u32(ptr + SEGMENT_AT_HEADER_BYTES) != SEGMENT_HEADER_BYTES || kind < SEGMENT_COMMIT ||
        kind > SEGMENT_EXTENT) {
        return STATUS_CORRUPT;
    }
    header_out->kind = (enum segment_kind)kind;
    header_out->cipher = load_u32(ptr + SEGMENT_AT_CIPHER);
    header_out->number = load_u64(ptr + SEGMENT_AT_NUMBER);
    header_out->incarnation = load_u64(ptr + SEGMENT_AT_INCARNATION);
    memcpy(header_out->store_id, ptr + SEGMENT_AT_STORE_ID, STORE_ID_BYTES);
    header_out->start_sequence = load_u64(ptr + SEGMENT_AT_START_SEQUENCE);
    header_out->key_id = load_u64(ptr + SEGMENT_AT_KEY_ID);
    header_out->features_compatible = load_u32(ptr + SEGMENT_AT_COMPATIBLE);
    header_out->features_read_only = load_u32(ptr + SEGMENT_AT_READ_ONLY);
    header_out->features_incompatible = load_u32(ptr + SEGMENT_AT_INCOMPATIBLE);
    return STATUS_OK;
}

uint64_t segment_seed(const uint8_t store_id[STORE_ID_BYTES], uint64_t number) {
    uint8_t identity[STORE_ID_BYTES + 8];
    memcpy(identity, store_id, STORE_ID_BYTES);
    store_u64(identity + STORE_ID_BYTES, number);
    return checksum_of(slice_make(identity, sizeof identity));
}

/* ---- group header ---- */

static uint64_t group_checksum(const uint8_t *ptr, uint64_t seed, uint64_t offset) {
    return checksum_seeded(slice_make(ptr, GROUP_AT_CHECKSUM), checksum_place_seed(seed, offset));
}

void group_header_store(uint8_t *ptr, const struct group_header *header, uint64_t seed,
                        uint64_t offset) {
    store_u32(ptr + GROUP_AT_MAGIC, GROUP_MAGIC);
    store_u32(ptr + GROUP_AT_HEADER_BYTES, GROUP_HEADER_BYTES);
    store_u64(ptr + GROUP_AT_SEQUENCE, header->sequence);
    store_u64(ptr + GROUP_AT_GROUP_BYTES, header->group_bytes);
    store_u32(ptr + GROUP_AT_COMMIT_COUNT, header->commit_count);
    store_u32(ptr + GROUP_AT_KIND, (uint32_t)header->kind);
    store_u64(ptr + GROUP_AT_FIRST_VERSION, header->first_version);
    store_u64(ptr + GROUP_AT_SYNCED_SEGMENT, header->synced_through.segment);
    store_u64(ptr + GROUP_AT_SYNCED_OFFSET, header->synced_through.offset);
    store_u64(ptr + GROUP_AT_STORE_TIME, header->store_time_ms);
    store_u64(ptr + GROUP_AT_INCARNATION, header->incarnation);
    store_u64(ptr + GROUP_AT_COMMITS_CHECKSUM, header->commits_checksum);
    store_u64(ptr + GROUP_AT_CHECKSUM, group_checksum(ptr, seed, offset));
}

bool group_header_maybe(struct slice bytes) {
    return bytes.len >= GROUP_HEADER_BYTES && load_u32(bytes.ptr + GROUP_AT_MAGIC) == GROUP_MAGIC &&
           load_u32(bytes.ptr + GROUP_AT_HEADER_BYTES) == GROUP_HEADER_BYTES;
}

/* Lengths that a header with a right checksum may still have only by a mistake of its writer. */
static bool group_is_sane(const struct group_header *header, uint32_t kind) {
    uint64_t headers_bytes =
        GROUP_HEADER_BYTES + (uint64_t)header->commit_count * COMMIT_HEADER_BYTES;
    return kind_is_known(kind) && header->commit_count <= GROUP_COMMITS_MAX &&
           header->group_bytes >= headers_bytes && header->group_bytes <= GROUP_BYTES_MAX &&
           (header->commit_count > 0 || header->group_bytes == headers_bytes);
}

enum status group_header_load(struct slice bytes, uint64_t seed, uint64_t offset,
                              struct group_header *header_out) {
    const uint8_t *ptr = bytes.ptr;
    struct group_header header;
    uint32_t kind;

    if (!group_header_maybe(bytes) ||
        load_u64(ptr + GROUP_AT_CHECKSUM) != group_checksum(ptr, seed, offset)) {
        return STATUS_CORRUPT;
    }
    kind = load_u32(ptr + GROUP_AT_KIND);
    header.kind = (enum segment_kind)kind;
    header.incarnation = load_u64(ptr + GROUP_AT_INCARNATION);
    header.sequence = load_u64(ptr + GROUP_AT_SEQUENCE);
    header.group_bytes = load_u64(ptr + GROUP_AT_GROUP_BYTES);
    header.commit_count = load_u32(ptr + GROUP_AT_COMMIT_COUNT);
    header.first_version = load_u64(ptr + GROUP_AT_FIRST_VERSION);
    header.synced_through.segment = load_u64(ptr + GROUP_AT_SYNCED_SEGMENT);
    header.synced_through.offset = load_u64(ptr + GROUP_AT_SYNCED_OFFSET);
    header.store_time_ms = load_u64(ptr + GROUP_AT_STORE_TIME);
    header.commits_checksum = load_u64(ptr + GROUP_AT_COMMITS_CHECKSUM);
    if (!group_is_sane(&header, kind)) {
        return STATUS_CORRUPT;
    }
    *header_out = header;
    return STATUS_OK;
}

/* ---- commit header ---- */

/* All that a meta is bound to, folded into one seed. */
static uint64_t meta_seed(const struct commit_header *header, uint64_t seed, uint64_t offset) {
    uint8_t bound[16 + COMMIT_AT_META_CHECKSUM];
    store_u64(bound, seed);
    store_u64(bound + 8, offset);
    store_u32(bound + 16 + COMMIT_AT_META_BYTES, header->meta_bytes);
    store_u32(bound + 16 + COMMIT_AT_OP_COUNT, header->op_count);
    store_u64(bound + 16 + COMMIT_AT_VALUES_BYTES, header->values_bytes);
    store_u64(bound + 16 + COMMIT_AT_VERSION, header->version);
    return checksum_of(slice_make(bound, sizeof bound));
}

void commit_header_store(uint8_t *ptr, struct commit_header *header, struct slice meta,
                         uint64_t seed, uint64_t offset) {
    ASSERT(meta.len == header->meta_bytes);
    ASSERT(header->values_bytes <= COMMIT_BYTES_MAX);
    header->meta_checksum = checksum_seeded(meta, meta_seed(header, seed, offset));
    store_u32(ptr + COMMIT_AT_META_BYTES, header->meta_bytes);
    store_u32(ptr + COMMIT_AT_OP_COUNT, header->op_count);
    store_u64(ptr + COMMIT_AT_VALUES_BYTES, header->values_bytes);
    store_u64(ptr + COMMIT_AT_VERSION, header->version);
    store_u64(ptr + COMMIT_AT_META_CHECKSUM, header->meta_checksum);
}

enum status commit_header_load(struct slice bytes, struct commit_header *header_out) {
    struct commit_header header;

    if (bytes.len < COMMIT_HEADER_BYTES) {
        return STATUS_CORRUPT;
    }
    header.meta_bytes = load_u32(bytes.ptr + COMMIT_AT_META_BYTES);
    header.op_count = load_u32(bytes.ptr + COMMIT_AT_OP_COUNT);
    header.values_bytes = load_u64(bytes.ptr + COMMIT_AT_VALUES_BYTES);
    header.version = load_u64(bytes.ptr + COMMIT_AT_VERSION);
    header.meta_checksum = load_u64(bytes.ptr + COMMIT_AT_META_CHECKSUM);
    if (header.meta_bytes > COMMIT_BYTES_MAX || header.op_count > COMMIT_OPS_MAX ||
        header.values_bytes > COMMIT_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    *header_out = header;
    return STATUS_OK;
}

bool commit_meta_matches(const struct commit_header *header, struct slice meta, uint64_t seed,
                         uint64_t offset) {
    return meta.len == header->meta_bytes &&
           checksum_seeded(meta, meta_seed(header, seed, offset)) == header->meta_checksum;
}

uint64_t commits_checksum_add(uint64_t sum, struct slice encoded_header) {
    ASSERT(encoded_header.len == COMMIT_HEADER_BYTES);
    return checksum_seeded(encoded_header, sum);
}
