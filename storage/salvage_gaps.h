/* salvage_gaps.h: the rows of which entries may be missing, because a table or part of one cannot
 * be read, and up to which version. One thread. */
#ifndef KVD_STORAGE_SALVAGE_GAPS_H
#define KVD_STORAGE_SALVAGE_GAPS_H

#include "protocol/base/buffer.h"

#include <stdbool.h>

struct salvage_gap {
    size_t from_at; /* in `rows` */
    size_t from_len;
    size_t to_at;
    size_t to_len;
    uint64_t version_max; /* of what is missing */
};

struct salvage_gaps {
    struct buffer rows;       /* owned */
    struct salvage_gap *list; /* owned */
    size_t count;
    size_t capacity;
};

void salvage_gaps_init(struct salvage_gaps *gaps);
void salvage_gaps_deinit(struct salvage_gaps *gaps);

/* Entries of rows in [from, to] (both included; copied) of versions up to version_max may be
 * missing. An empty `from` is the first row of all, an empty `to` the last. Errors: NO_MEMORY. */
enum status salvage_gaps_add(struct salvage_gaps *gaps, struct slice from, struct slice to,
                             uint64_t version_max) MUST_CHECK;

/* Takes `count` of them out, from the one with this index on: nothing is missing there after all.
 */
void salvage_gaps_remove(struct salvage_gaps *gaps, size_t first, size_t count);

/* Whether an entry of the row with this version may be missing. */
bool salvage_gaps_have(const struct salvage_gaps *gaps, struct slice row, uint64_t version);

#endif
