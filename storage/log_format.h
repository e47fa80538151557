/* log_format.h: the bytes of a log segment: headers of segments, groups and commits, as a pure
 * codec. docs/storage-format-log.md is the prose of this file.
 *
 *      segment:  | segment header, 128 | group | group | group | ...
 *      group:    | group header, 88 | commit | commit | ...       (none: an empty group)
 *      commit:   | commit header, 32 | meta | values |            (struct batch, as it is)
 *
 *      what a checksum covers, and what it is bound to:
 *
 *      group header   its own fields (kind and incarnation of the segment among them), and through
 *                     commits_checksum all commit headers of the group; bound to the store, the
 *                     segment number (segment_seed) and the offset
 *      commit header  -> meta_checksum: meta; bound to the same, version and lengths
 *      meta           -> the checksum of each separated value (XXH3-64 of the raw bytes)
 *
 * So the thread that writes the log hashes no value, damage in one value spoils only that value,
 * and bytes of another place, segment or time never pass: what names them does not match.
 *
 * All functions are pure. Loads check everything and trust nothing. */
#ifndef KVD_STORAGE_LOG_FORMAT_H
#define KVD_STORAGE_LOG_FORMAT_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/format.h"

#include <stdbool.h>

#define STORE_ID_BYTES 16 /* random; made once, when the store is created */

#define SEGMENT_HEADER_BYTES 128u
#define GROUP_HEADER_BYTES 88u
#define COMMIT_HEADER_BYTES 32u
#define GROUP_MAGIC UINT32_C(0x7047766B)

/* A group is as large as what waits, up to about COMMIT_BYTES_MAX; one more commit of the largest
 * kind (both of its areas full) may come on top. */
#define GROUP_COMMITS_MAX 256u
#define GROUP_BYTES_MAX (UINT64_C(4) * COMMIT_BYTES_MAX)

_Static_assert(GROUP_BYTES_MAX > 3 * UINT64_C(1) * COMMIT_BYTES_MAX +
                                     GROUP_COMMITS_MAX * COMMIT_HEADER_BYTES + GROUP_HEADER_BYTES,
               "a full group and one more commit fit");

enum segment_kind { SEGMENT_COMMIT = 1, SEGMENT_SURVIVOR = 2, SEGMENT_EXTENT = 3 };

/* A place in the log: everything before it. Ordered by segment, then offset. */
struct log_position {
    uint64_t segment; /* file number */
    uint64_t offset;
};

/* < 0, 0 or > 0. */
static inline int log_position_compare(struct log_position a, struct log_position b) {
    if (a.segment != b.segment) {
        return a.segment < b.segment ? -1 : 1;
    }
    return (a.offset > b.offset) - (a.offset < b.offset);
}

struct segment_header {
    enum segment_kind kind;
    uint64_t number;                  /* file number */
    uint64_t incarnation;             /* how often the store had been opened */
    uint8_t store_id[STORE_ID_BYTES]; /* so that a segment of another store is caught */
    uint64_t start_sequence;          /* of the first group */
    uint64_t key_id;                  /* encryption: 0, none */
    uint32_t cipher;                  /* encryption: 0, none */
    uint32_t features_compatible;
    uint32_t features_read_only;
    uint32_t features_incompatible;
};

struct group_header {
    enum segment_kind kind; /* of the segment, like incarnation: so that a group can be told even */
    uint64_t incarnation;   /* where the segment's own header is lost; must be equal */
    uint64_t sequence;      /* one more than the group before, over all segments */
    uint64_t group_bytes;   /* this header included */
    uint32_t commit_count;
    uint64_t first_version;             /* of its first commit; 0 for an empty group */
    struct log_position synced_through; /* known durable when this was appended */
    uint64_t store_time_ms;
    uint64_t commits_checksum; /* commits_checksum_add over all commit headers, from 0 */
};

struct commit_header {
    uint32_t meta_bytes;
    uint32_t op_count;
    uint64_t values_bytes;
    uint64_t version;
    uint64_t meta_checksum;
};

/* Writes SEGMENT_HEADER_BYTES at ptr. */
void segment_header_store(uint8_t *ptr, const struct segment_header *header);

/* Errors: CORRUPT (too short, magic, checksum, unknown kind), NEWER_FORMAT. */
enum status segment_header_load(struct slice bytes, struct segment_header *header_out) MUST_CHECK;

/* What all checksums in a segment are seeded with. */
uint64_t segment_seed(const uint8_t store_id[STORE_ID_BYTES], uint64_t number);

/* Writes GROUP_HEADER_BYTES at ptr. `offset` is where the group begins in its segment. */
void group_header_store(uint8_t *ptr, const struct group_header *header, uint64_t seed,
                        uint64_t offset);

/* Errors: CORRUPT when the bytes are not the header of a group that was written at this offset of
 * this segment. The lengths it gives are within the limits above. */
enum status group_header_load(struct slice bytes, uint64_t seed, uint64_t offset,
                              struct group_header *header_out) MUST_CHECK;

/* Whether bytes begin like a group header: a cheap test before group_header_load. */
bool group_header_maybe(struct slice bytes);

/* Writes COMMIT_HEADER_BYTES at ptr; computes meta_checksum from `meta`, whose length must be
 * meta_bytes. `offset` is where the commit header begins in its segment. */
void commit_header_store(uint8_t *ptr, struct commit_header *header, struct slice meta,
                         uint64_t seed, uint64_t offset);

/* Takes the fields as they are (their truth is the group's commits_checksum, to be compared first).
 * Errors: CORRUPT (too short, or a length beyond the limits). */
enum status commit_header_load(struct slice bytes, struct commit_header *header_out) MUST_CHECK;

/* Whether `meta` is what this header was written for, at this place. */
bool commit_meta_matches(const struct commit_header *header, struct slice meta, uint64_t seed,
                         uint64_t offset);

/* Folds the next encoded commit header (COMMIT_HEADER_BYTES) into the sum of the ones before. */
uint64_t commits_checksum_add(uint64_t sum, struct slice encoded_header);

/* Length of a commit in the log. */
static inline uint64_t commit_bytes(const struct commit_header *header) {
    return COMMIT_HEADER_BYTES + (uint64_t)header->meta_bytes + header->values_bytes;
}

#endif
