/* manifest_format.h: the bytes of a manifest file, as a pure codec.
 *
 *      header, 64:  magic u64 | version u32 | header bytes u32 | features 3 x u32 | 0 u32
 *                   | number u64 | store id 16 | checksum u64 of all before
 *      record:      magic u32 | length u32 | kind u32 | 0 u32 | sequence u64 | checksum u64
 *                   | payload, length bytes
 *
 * The checksum of a record covers its header and payload and is bound to the manifest's number and
 * the record's offset, so that no other place or file passes. Sequences count from 1. */
#ifndef KVD_STORAGE_MANIFEST_FORMAT_H
#define KVD_STORAGE_MANIFEST_FORMAT_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/format.h"
#include "storage/log_format.h"

#include <stdbool.h>

#define MANIFEST_HEADER_BYTES 64u
#define MANIFEST_RECORD_BYTES 32u /* of a record's header */
#define MANIFEST_RECORD_MAGIC UINT32_C(0x6365726B)
#define MANIFEST_PAYLOAD_BYTES_MAX                                                                 \
    (64u * 1024 * 1024) /* a table has at most some 128 KiB of keys,                               \
                           and shares; an edit, many tables */

enum manifest_record_kind {
    MANIFEST_SNAPSHOT_PART = 1, /* payload: an edit */
    MANIFEST_SNAPSHOT_END = 2,  /* no payload */
    MANIFEST_EDIT = 3           /* payload: an edit */
};

struct manifest_header {
    uint64_t number;
    uint8_t store_id[STORE_ID_BYTES];
    uint32_t features_compatible;
    uint32_t features_read_only;
    uint32_t features_incompatible;
};

struct manifest_record {
    enum manifest_record_kind kind;
    uint32_t payload_bytes;
    uint64_t sequence;
    uint64_t checksum;
};

/* Writes MANIFEST_HEADER_BYTES at ptr. */
void manifest_header_store(uint8_t *ptr, const struct manifest_header *header);

/* Errors: CORRUPT, NEWER_FORMAT, READ_ONLY (this version may only read it). */
enum status manifest_header_load(struct slice bytes, struct manifest_header *header_out) MUST_CHECK;

/* Writes MANIFEST_RECORD_BYTES at ptr, for a record at `offset`; sets record->checksum. */
void manifest_record_store(uint8_t *ptr, struct manifest_record *record, struct slice payload,
                           uint64_t number, uint64_t offset);

/* Whether bytes begin like a record: a cheap test before manifest_record_load. */
bool manifest_record_maybe(struct slice bytes);

/* Takes the fields; nothing is proved until manifest_record_matches. Errors: CORRUPT. */
enum status manifest_record_load(struct slice bytes, struct manifest_record *record_out) MUST_CHECK;

bool manifest_record_matches(const struct manifest_record *record, struct slice payload,
                             uint64_t number, uint64_t offset);

#endif
