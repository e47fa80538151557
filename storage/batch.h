/* batch.h: the operations of one commit, encoded as they will stand in the log.
 *
 *      meta:    | op | op | op | ...            values: | stored bytes | stored bytes | ...
 *
 *      op: | flags u8 | namespace varint | key block (varint, bytes) | [expiry varint]
 *          | [user flags varint] | [record version varint] | by kind:
 *
 *      TOMBSTONE        nothing
 *      INLINE           value block
 *      REFERENCE        offset in values, raw bytes, [stored bytes] varints; checksum u64
 *      .. extent        the same, stored bytes always there; checksum of its block index
 *      .. alias         segment, offset in it, raw bytes, [stored bytes] varints; checksum u64
 *      LARGE            bytes varint, checksum u64, extent count varint, block of extents (entry.h)
 *
 * flags: bits 0-1 kind (enum entry_kind), 2 expiry, 3 user flags, 4 stored bytes are zstd, 5 alias
 * (record version is there), 7 extent. A small value stands in meta; a separated one in values, and
 * the tree will refer to it there. An alias and a large value refer to records that lie in the log
 * already, by their place there, and have nothing in values. An extent is a record of part of a
 * large value: it stands only in extent and survivor segments, never makes an entry of its own, and
 * carries the key so that it can be told whose it is. A key occurs once in a finished batch:
 * batch_finish keeps the last operation on each and drops the earlier ones. The writer fills the
 * two buffers on the thread that parsed the request; the commit thread writes both to the log as
 * they are, and never copies or hashes a separated value.
 *
 * Owned by one thread at a time. */
#ifndef KVD_STORAGE_BATCH_H
#define KVD_STORAGE_BATCH_H

#include "protocol/base/buffer.h"
#include "storage/entry.h"

struct batch {
    struct buffer meta;   /* owned */
    struct buffer values; /* owned */
    uint32_t op_count;
    bool finished;         /* each key occurs once */
    bool refers_elsewhere; /* some operation may be an alias or a large value */
};

/* One decoded operation. Slices borrow from the batch's meta. */
struct batch_op {
    uint32_t namespace_id;
    struct slice key;
    enum entry_kind kind;
    uint64_t expiry_ms; /* absolute, 0 is never */
    uint32_t user_flags;
    struct slice value;      /* INLINE */
    uint64_t values_offset;  /* REFERENCE, not alias: where its stored bytes start in values */
    uint32_t raw_bytes;      /* REFERENCE */
    uint32_t stored_bytes;   /* REFERENCE; equal to raw_bytes when not compressed, nor an extent */
    uint64_t checksum;       /* REFERENCE: XXH3-64 of the raw value; of an extent: of its index */
    bool compressed;         /* REFERENCE */
    bool extent;             /* REFERENCE: a record of part of a large value */
    bool alias;              /* REFERENCE, LARGE: to a record of an older version of this key */
    uint64_t record_version; /* alias: that version */
    uint64_t segment;        /* alias REFERENCE: where its stored bytes are */
    uint64_t offset;
    uint64_t large_bytes; /* LARGE: as in struct entry, with the next three */
    uint64_t large_checksum;
    uint32_t extent_count;
    struct slice extents; /* LARGE; borrowed from meta, as key and value are */
};

/* Whether the operation has its bytes in values. */
static inline bool batch_op_has_value(const struct batch_op *op) {
    return op->kind == ENTRY_REFERENCE && !op->alias;
}

/* What the tree will hold for the operation, if its commit's values begin at `values_offset` of
 * `segment`. Not for extents (asserted). Borrows as the operation does. */
struct entry batch_op_entry(const struct batch_op *op, uint64_t segment, uint64_t values_offset,
                            enum durability durability);

/* An empty batch; nothing is allocated. */
void batch_init(struct batch *batch);
void batch_deinit(struct batch *batch);

/* Empties it and keeps the memory. */
void batch_clear(struct batch *batch);

/* Appends one operation. For a REFERENCE that is no alias, values_offset and stored_bytes are set
 * here: `stored` is copied to the end of values; for all others `stored` is ignored, and for
 * TOMBSTONE the value fields.
 * Errors: TOO_LARGE (COMMIT_BYTES_MAX, COMMIT_OPS_MAX), NO_MEMORY; the batch is unchanged then. */
enum status batch_append(struct batch *batch, const struct batch_op *op,
                         struct slice stored) MUST_CHECK;

/* The same for a REFERENCE whose values are the caller's to write: op->stored_bytes of them, at
 * op->values_offset of the commit's values, are already where they need no copying. Such a batch is
 * no more than the meta of its commit. */
enum status batch_append_placed(struct batch *batch, const struct batch_op *op) MUST_CHECK;

#define BATCH_RANGES_MAX 256u /* range deletes in one commit */

/* Leaves only the last operation on each key, and none that a later range delete covers. A batch of
 * one operation costs nothing. Dropped operations leave their stored bytes behind in values, as
 * garbage. Errors: TOO_LARGE (BATCH_RANGES_MAX), NO_MEMORY. (batch_finish.c) */
enum status batch_finish(struct batch *batch) MUST_CHECK;

/* Takes the next operation from `meta` (struct batch's, or from disk). `values_bytes` bounds where
 * separated values may lie. Errors: END, CORRUPT. */
enum status batch_take(struct reader *meta, uint64_t values_bytes,
                       struct batch_op *op_out) MUST_CHECK;

#endif
