/* table_info.h: what is known of a table without opening it: written by the table writer, kept in
 * the manifest and in versions. Never changes once made. */
#ifndef KVD_STORAGE_TABLE_INFO_H
#define KVD_STORAGE_TABLE_INFO_H

#include "protocol/base/buffer.h"
#include "protocol/base/bytes.h"
#include "protocol/base/status.h"
#include "storage/expiry_steps.h"
#include "storage/hidden_book.h"

#include <stdbool.h>
#include <stdint.h>

/* What one holder (a table, a memtable) needs of one segment. Aliases (entry.h) stand apart: the
 * record that they refer to may be held a second time by the entry that it was written for. A large
 * value counts one record for each extent. */
struct segment_share {
    uint64_t segment; /* file number */
    uint64_t records; /* references into it */
    uint64_t bytes;   /* their stored bytes */
    uint64_t alias_records;
    uint64_t alias_bytes;
};

static inline void segment_share_add(struct segment_share *share, uint64_t bytes, bool alias) {
    *(alias ? &share->alias_records : &share->records) += 1;
    *(alias ? &share->alias_bytes : &share->bytes) += bytes;
}

/* What the entries of one namespace take. */
struct namespace_usage {
    uint32_t namespace_id;
    uint64_t entries; /* tombstones included */
    uint64_t tombstones;
    uint64_t table_bytes; /* internal keys and entries, before compression */
    uint64_t log_bytes;   /* stored bytes of what they refer to, aliases included */
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
    uint64_t expiring;        /* entries with an expiry */
    uint64_t expiry_max_ms;   /* latest expiry, if all entries expire; else UINT64_MAX */
    uint64_t expiring_weight; /* key, entry and log bytes of the entries with an expiry */
    uint64_t expiry_steps[EXPIRY_STEPS]; /* ascending: by [i], about (i + 1) eighths of
                                            expiring_weight have expired; zeros when nothing
                                            expires, or unknown */
    uint64_t ranges_applied; /* no entry inside is hidden by a range delete of a version up to this
                                one: its writer dropped them all; 0: nothing is known */
    uint64_t
        log_bytes; /* sum of shares[].bytes and .alias_bytes; weight = file_bytes + log_bytes */
    struct segment_share *shares; /* ascending by segment; owned */
    uint32_t share_count;
    uint32_t usage_count;           /* 0: unknown; the table is of format 1 */
    struct namespace_usage *usages; /* ascending by namespace; owned; add up to `entries` */
    struct hidden_bucket *hidden;   /* what newer entries in the table hide; owned */
    uint32_t hidden_count;          /* 0: nothing is hidden, or unknown */
    uint8_t *memory;                /* owned: smallest and largest */
};

/* What the hidden entries weigh together. */
uint64_t table_info_hidden_weight(const struct table_info *info);

/* Deep copy into *copy_out. Errors: NO_MEMORY. */
enum status table_info_copy(const struct table_info *info, struct table_info *copy_out) MUST_CHECK;

/* Frees what it owns; a zeroed struct is allowed. */
void table_info_deinit(struct table_info *info);

/* Codec for properties blocks and the manifest. `reader` must hold nothing else (where it ends
 * tells format 1, which has no aliases, usages, expiry steps or hidden entries). Errors of take:
 * CORRUPT, NO_MEMORY. */
enum status table_info_append(struct buffer *buffer, const struct table_info *info) MUST_CHECK;
enum status table_info_take(struct reader *reader, struct table_info *info_out) MUST_CHECK;

#endif
