/* entry.h: what the tree holds for one (row, version): a small value itself, a reference to a value
 * in the log, the list of extents of a large value, or a tombstone. The codec of the bytes beside
 * an internal key, in memtables and tables alike.
 *
 *      | flags u8 | [expiry varint] | [user flags varint] | [record version varint] | by kind:
 *
 *      TOMBSTONE   nothing
 *      INLINE      the value, to the end
 *      REFERENCE   segment, offset, raw bytes, [stored bytes] varints; checksum u64
 *      LARGE       bytes varint, checksum u64, extent count varint; extents, to the end, each:
 *                  segment, offset, raw bytes, stored bytes varints; checksum u64
 *
 * flags: bits 0-1 kind, 2 expiry present, 3 user flags present, 4 stored bytes are zstd (REFERENCE
 * only), 5 alias (REFERENCE and LARGE), 6-7 durability class of the commit (matters only while the
 * entry is in a memtable; a flush comes after the sync).
 *
 * An alias refers to a record that an older version of the same row wrote: `record version` is that
 * older one. Else the record carries the entry's own version.
 *
 * The checksum of a reference is XXH3-64 of the raw value, the same number that travels over the
 * wire; (key, version) are bound to it by the checksum of the commit that carries the record. That
 * of an extent is of its block index, which holds the checksum of each block. Pure functions;
 * decoding borrows from the bytes given. */
#ifndef KVD_STORAGE_ENTRY_H
#define KVD_STORAGE_ENTRY_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

enum entry_kind { ENTRY_TOMBSTONE = 0, ENTRY_INLINE = 1, ENTRY_REFERENCE = 2, ENTRY_LARGE = 3 };

/* When a commit is acknowledged (design of watermarks: docs/architecture.md). */
enum durability { DURABILITY_MEMORY = 0, DURABILITY_LOGGED = 1, DURABILITY_SYNCED = 2 };

/* Where the stored bytes of a separated value, or of an extent of a large one, lie, and what they
 * must be. */
struct value_ref {
    uint64_t segment;      /* file number of the segment */
    uint64_t offset;       /* of the first stored byte in it */
    uint32_t raw_bytes;    /* length of the value, or of the extent's part of it */
    uint32_t stored_bytes; /* length in the segment; equal to raw_bytes when not compressed; of an
                              extent: its blocks and their index */
    uint64_t checksum;     /* XXH3-64 of the raw value; of an extent: of its block index */
    bool compressed;       /* stored bytes are one zstd frame; false for extents */
};

struct entry {
    enum entry_kind kind;
    enum durability durability;
    uint64_t expiry_ms;      /* absolute store time in ms since 1970; 0 is never */
    uint32_t user_flags;     /* the client's */
    uint32_t extent_count;   /* LARGE */
    bool alias;              /* REFERENCE, LARGE: the record is of an older version of the row */
    uint64_t record_version; /* alias only: that version; see entry_record_version */
    struct slice value;      /* INLINE: borrowed */
    struct value_ref ref;    /* REFERENCE */
    uint64_t large_bytes;    /* LARGE: length of the whole value */
    uint64_t large_checksum; /* LARGE: XXH3-64 of the whole value */
    struct slice extents;    /* LARGE: encoded, for entry_extent_next; borrowed */
};

#define ENTRY_HEAD_BYTES_MAX (1 + 2 * VARINT64_BYTES_MAX + VARINT32_BYTES_MAX)
#define ENTRY_REFERENCE_BYTES_MAX                                                                  \
    (ENTRY_HEAD_BYTES_MAX + 2 * VARINT64_BYTES_MAX + 2 * VARINT32_BYTES_MAX + 8)
#define ENTRY_EXTENT_BYTES_MAX (2 * VARINT64_BYTES_MAX + 2 * VARINT32_BYTES_MAX + 8)

/* The exact encoded length. */
size_t entry_bytes(const struct entry *entry);

/* Writes entry_bytes(entry) bytes at ptr; returns that length. */
size_t entry_store(uint8_t *ptr, const struct entry *entry);

/* Errors: CORRUPT when the bytes are not a whole, well-formed entry. The extents of a large value
 * have been walked, and their lengths add up. */
enum status entry_load(struct slice bytes, struct entry *entry_out) MUST_CHECK;

/* Whether an entry counts as absent at `now_ms`: a tombstone, or expired. */
static inline bool entry_is_dead(const struct entry *entry, uint64_t now_ms) {
    return entry->kind == ENTRY_TOMBSTONE || (entry->expiry_ms != 0 && entry->expiry_ms <= now_ms);
}

/* The version that the records of an entry of this version carry. */
static inline uint64_t entry_record_version(const struct entry *entry, uint64_t version) {
    return entry->alias ? entry->record_version : version;
}

/* Length of the value. */
uint64_t entry_value_bytes(const struct entry *entry);

/* Bytes that the entry refers to in the log: stored bytes of its records, else 0. */
uint64_t entry_log_bytes(const struct entry *entry);

/* ---- Extents of a large value ---- */

/* Appends one extent in the form that entries and batches hold. Errors: NO_MEMORY, TOO_LARGE. */
enum status entry_extent_append(struct buffer *extents, const struct value_ref *extent) MUST_CHECK;

/* Takes the next extent off *rest; false at the end (or where it is not well formed, which in a
 * loaded entry it always is). */
bool entry_extent_next(struct slice *rest, struct value_ref *extent_out);

/* Whether `extents` is a well-formed list of `count` extents of together `large_bytes`. */
bool entry_extents_are_valid(struct slice extents, uint32_t count, uint64_t large_bytes);

/* ---- All records that an entry refers to ---- */

struct entry_refs {
    struct value_ref one; /* REFERENCE */
    struct slice extents; /* LARGE: what is left; borrowed from the entry */
    bool has_one;
};

static inline struct entry_refs entry_refs_begin(const struct entry *entry) {
    struct entry_refs refs = {.has_one = entry->kind == ENTRY_REFERENCE};

    if (entry->kind == ENTRY_REFERENCE) {
        refs.one = entry->ref;
    } else if (entry->kind == ENTRY_LARGE) {
        refs.extents = entry->extents;
    }
    return refs;
}

/* The next record; false at the end. */
static inline bool entry_refs_next(struct entry_refs *refs, struct value_ref *ref_out) {
    if (refs->has_one) {
        refs->has_one = false;
        *ref_out = refs->one;
        return true;
    }
    return entry_extent_next(&refs->extents, ref_out);
}

#endif
