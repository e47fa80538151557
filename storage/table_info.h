/* table_info.h: what is known of a table without opening it: written by the table writer, kept in
 * the manifest and in versions. Never changes once made. */
#ifndef KVD_STORAGE_TABLE_INFO_H
#define KVD_STORAGE_TABLE_INFO_H

#include "protocol/base/buffer.h"
#include "protocol/base/bytes.h"
#include "protocol/base/status.h"

#include <stdint.h>

/* What one holder (a table, a memtable) needs of one segment. */
struct segment_share {
    uint64_t segment; /* file number */
    uint64_t records; /* references into it */
    uint64_t bytes;   /* their stored bytes */
};

struct table_info {
    uint64_t number;          /* file number */
    uint64_t file_bytes;      /* exact size */
    uint64_t footer_checksum; /* of the footer, so that another file under this name is caught */
    struct slice smallest;    /* first and last internal key; point into `memory` */
    struct slice largest;
    uint64_t version_min; /* oldest and newest version inside */
    uint64_t version_max;
    uint64_t entries;
    uint64_t tombstones;
    uint64_t expiring;            /* entries with an expiry */
    uint64_t expiry_max_ms;       /* latest expiry, if all entries expire; else UINT64_MAX */
    uint64_t log_bytes;           /* sum of shares[].bytes; weight = file_bytes + log_bytes */
    struct segment_share *shares; /* ascending by segment; owned */
    uint32_t share_count;
    uint8_t *memory; /* owned: smallest and largest */
};

/* Deep copy into *copy_out. Errors: NO_MEMORY. */
enum status table_info_copy(const struct table_info *info, struct table_info *copy_out) MUST_CHECK;

/* Frees what it owns; a zeroed struct is allowed. */
void table_info_deinit(struct table_info *info);

/* Codec for properties blocks and the manifest. Errors of load: CORRUPT, NO_MEMORY. */
enum status table_info_append(struct buffer *buffer, const struct table_info *info) MUST_CHECK;
enum status table_info_take(struct reader *reader, struct table_info *info_out) MUST_CHECK;

#endif
