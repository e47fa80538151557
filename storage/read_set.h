/* read_set.h: what a transaction has read of the store: rows, there or not, and ranges of rows.
 *
 *      KEY     row, and when what it found expires
 *      RANGE   all rows in [from, to), and when the first of what it found expires
 *
 * A row is noted once, however often it is read: then nothing is allocated. Ranges that follow each
 * other, as the pages of a scan do, become one. One thread at a time. */
#ifndef KVD_STORAGE_READ_SET_H
#define KVD_STORAGE_READ_SET_H

#include "protocol/base/buffer.h"

struct read_set {
    struct buffer items; /* encoded, see read_set_take */
    uint32_t *slots;     /* owned: hash table of noted rows: where in items, plus 1; 0: free */
    uint32_t slot_count; /* a power of two, or 0 */
    uint32_t row_count;
    size_t last; /* where the last item begins */
};

/* When something that was found expires. */
struct read_expiry {
    uint64_t ms;      /* 0: never */
    uint64_t version; /* of what expires */
};

struct read_item {
    bool is_range;
    struct read_expiry expiry; /* the first */
    uint64_t row_hash;         /* of a row */
    struct slice from;         /* the row; or the first row of the range; all borrowed */
    struct slice to;           /* of a range: the row behind the last; empty: there is no end */
};

/* It will hold at most `bytes_max` of rows. */
void read_set_init(struct read_set *set, size_t bytes_max);
void read_set_deinit(struct read_set *set);

static inline bool read_set_is_empty(const struct read_set *set) {
    return set->items.len == 0;
}

static inline size_t read_set_memory_bytes(const struct read_set *set) {
    return set->items.capacity + set->slot_count * sizeof *set->slots;
}

/* `row_hash` is that of table_target_make: the judge looks rows up by it. Errors: TOO_LARGE,
 * NO_MEMORY: it is not noted then. */
enum status read_set_add_row(struct read_set *set, struct slice row, uint64_t row_hash,
                             struct read_expiry expiry) MUST_CHECK;
enum status read_set_add_range(struct read_set *set, struct slice from, struct slice to,
                               struct read_expiry expiry) MUST_CHECK;

/* The one that comes first. */
struct read_expiry read_expiry_first(struct read_expiry a, struct read_expiry b);

/* Takes the next item; false after the last. */
bool read_set_take(struct reader *reader, struct read_item *item_out);

#endif
