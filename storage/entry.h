/* entry.h: what the tree holds for one (row, version): a small value itself, a reference to a value
 * in the log, or a tombstone. The codec of the bytes beside an internal key, in memtables and
 * tables alike.
 *
 *      +-------+----------------+--------------------+------------------------------------------+
 *      | flags | [expiry varint] | [user flags varint] | INLINE: the value, to the end            |
 *      |  u8   |                 |                     | REFERENCE: segment, offset, raw bytes,   |
 *      |       |                 |                     |   [stored bytes] varints; checksum u64   |
 *      |       |                 |                     | TOMBSTONE: nothing                       |
 *      +-------+----------------+--------------------+------------------------------------------+
 *
 * flags: bits 0-1 kind, 2 expiry present, 3 user flags present, 4 stored bytes are zstd (REFERENCE
 * only), 5 alias (reserved, refused today), 6-7 durability class of the commit (matters only while
 * the entry is in a memtable; a flush comes after the sync).
 *
 * The checksum of a reference is XXH3-64 of the raw value, the same number that travels over the
 * wire; (key, version) are bound to it by the checksum of the commit that carries the record. Pure
 * functions; decoding borrows from the bytes given. */
#ifndef KVD_STORAGE_ENTRY_H
#define KVD_STORAGE_ENTRY_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

enum entry_kind { ENTRY_TOMBSTONE = 0, ENTRY_INLINE = 1, ENTRY_REFERENCE = 2 };

/* When a commit is acknowledged (design of watermarks: docs/architecture.md). */
enum durability { DURABILITY_MEMORY = 0, DURABILITY_LOGGED = 1, DURABILITY_SYNCED = 2 };

/* Where the stored bytes of a separated value lie, and what they must be. */
struct value_ref {
    uint64_t segment;      /* file number of the segment */
    uint64_t offset;       /* of the first stored byte in it */
    uint32_t raw_bytes;    /* length of the value */
    uint32_t stored_bytes; /* length in the segment; equal to raw_bytes when not compressed */
    uint64_t checksum;     /* XXH3-64 of the raw value */
    bool compressed;       /* stored bytes are one zstd frame */
};

struct entry {
    enum entry_kind kind;
    enum durability durability;
    uint64_t expiry_ms;   /* absolute store time in ms since 1970; 0 is never */
    uint32_t user_flags;  /* the client's */
    struct slice value;   /* INLINE: borrowed */
    struct value_ref ref; /* REFERENCE */
};

#define ENTRY_HEAD_BYTES_MAX (1 + VARINT64_BYTES_MAX + VARINT32_BYTES_MAX)
#define ENTRY_REFERENCE_BYTES_MAX                                                                  \
    (ENTRY_HEAD_BYTES_MAX + 2 * VARINT64_BYTES_MAX + 2 * VARINT32_BYTES_MAX + 8)

/* The exact encoded length. */
size_t entry_bytes(const struct entry *entry);

/* Writes entry_bytes(entry) bytes at ptr; returns that length. */
size_t entry_store(uint8_t *ptr, const struct entry *entry);

/* Errors: CORRUPT when the bytes are not a whole, well-formed entry. */
enum status entry_load(struct slice bytes, struct entry *entry_out) MUST_CHECK;

/* Bytes that the entry holds in the log: stored bytes of a reference, else 0. */
static inline uint64_t entry_log_bytes(const struct entry *entry) {
    return entry->kind == ENTRY_REFERENCE ? entry->ref.stored_bytes : 0;
}

#endif
