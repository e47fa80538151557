/* batch.h: the operations of one commit, encoded as they will stand in the log.
 *
 *      meta:    | op | op | op | ...            values: | stored bytes | stored bytes | ...
 *
 *      op: +-------+-----------+-----------+----------+--------------+----------------------------+
 *           | flags | namespace | key block | [expiry] | [user flags] | INLINE: value block | |  u8
 * |  varint   | (varint   |  varint  |    varint    | REFERENCE: offset in values| |       | |  +
 * bytes) |          |              |  raw bytes, [stored bytes] | |       |           |           |
 * |              |  varints; checksum u64     |
 *           +-------+-----------+-----------+----------+--------------+----------------------------+
 *
 * flags: bits 0-1 kind (enum entry_kind), 2 expiry, 3 user flags, 4 stored bytes are zstd. A small
 * value stands in meta; a separated one in values, and the tree will refer to it there. A key
 * occurs once in a finished batch: batch_finish keeps the last operation on each and drops the
 * earlier ones. The writer fills the two buffers on the thread that parsed the request; the commit
 * thread writes both to the log as they are, and never copies or hashes a separated value.
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
    bool finished; /* each key occurs once */
};

/* One decoded operation. Slices borrow from the batch's meta. */
struct batch_op {
    uint32_t namespace_id;
    struct slice key;
    enum entry_kind kind;
    uint64_t expiry_ms; /* absolute, 0 is never */
    uint32_t user_flags;
    struct slice value;     /* INLINE */
    uint64_t values_offset; /* REFERENCE: where its stored bytes start in values */
    uint32_t raw_bytes;     /* REFERENCE */
    uint32_t stored_bytes;  /* REFERENCE; equal to raw_bytes when not compressed */
    uint64_t checksum;      /* REFERENCE: XXH3-64 of the raw value */
    bool compressed;        /* REFERENCE */
};

/* An empty batch; nothing is allocated. */
void batch_init(struct batch *batch);
void batch_deinit(struct batch *batch);

/* Empties it and keeps the memory. */
void batch_clear(struct batch *batch);

/* Appends one operation. For REFERENCE, values_offset and stored_bytes are set here: `stored` is
 * copied to the end of values. For INLINE `stored` is ignored, and for TOMBSTONE the value fields.
 * Errors: TOO_LARGE (COMMIT_BYTES_MAX, COMMIT_OPS_MAX), NO_MEMORY; the batch is unchanged then. */
enum status batch_append(struct batch *batch, const struct batch_op *op,
                         struct slice stored) MUST_CHECK;

/* Leaves only the last operation on each key. A batch of one operation costs nothing. Dropped
 * operations leave their stored bytes behind in values, as garbage. Errors: NO_MEMORY. */
enum status batch_finish(struct batch *batch) MUST_CHECK;

/* Takes the next operation from `meta` (struct batch's, or from disk). `values_bytes` bounds where
 * separated values may lie. Errors: END, CORRUPT. */
enum status batch_take(struct reader *meta, uint64_t values_bytes,
                       struct batch_op *op_out) MUST_CHECK;

#endif
