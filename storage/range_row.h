/* range_row.h: a range delete as it stands in the log and the tree: an ordinary small row of the
 * system namespace.
 *
 *      key      "range/" | XXH3-128 of the value, 16 bytes
 *      value    namespace varint | block: first key | block: key behind the last; empty: no end
 *
 * The version of the row is the version t of the range delete: it hides every entry of its range
 * with version < t. Those of its own commit live: the batch drops what comes before it (batch.h).
 * The same range deleted again is a newer version of the same row. So range deletes are durable,
 * replayed, flushed, compacted and salvaged as any row is. Pure functions. */
#ifndef KVD_STORAGE_RANGE_ROW_H
#define KVD_STORAGE_RANGE_ROW_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/format.h"

#define RANGE_KEY_PREFIX "range/"
#define RANGE_KEY_PREFIX_BYTES 6
#define RANGE_KEY_BYTES (RANGE_KEY_PREFIX_BYTES + 16)
#define RANGE_VALUE_BYTES_MAX                                                                      \
    (VARINT32_BYTES_MAX + 2 * ((size_t)VARINT32_BYTES_MAX + KEY_BYTES_MAX))

/* The keys of one namespace in [from, to). */
struct key_range {
    uint32_t namespace_id;
    struct slice from; /* user keys, borrowed */
    struct slice to;   /* empty: to the end of the namespace */
};

/* Whether the range may be deleted: neither the system namespace nor the last possible one, keys
 * within limits, from < to. */
bool key_range_is_valid(const struct key_range *range);

bool key_range_covers(const struct key_range *range, uint32_t namespace_id, struct slice key);

/* The same of a row (ikey.h). */
bool range_covers_row(const struct key_range *range, struct slice row);

/* Appends the value of the row of a valid range. Errors: those of buffer_append. */
enum status range_row_store(const struct key_range *range, uint8_t key_out[RANGE_KEY_BYTES],
                            struct buffer *value) MUST_CHECK;

/* Whether a key of the system namespace names a range delete. */
static inline bool range_row_is_key(struct slice key) {
    return key.len == RANGE_KEY_BYTES &&
           memcmp(key.ptr, RANGE_KEY_PREFIX, RANGE_KEY_PREFIX_BYTES) == 0;
}

/* Takes a range row apart; the range borrows from `value`. Errors: CORRUPT (not the key of this
 * value, or not a valid range). */
enum status range_row_parse(struct slice key, struct slice value,
                            struct key_range *range_out) MUST_CHECK;

#endif
