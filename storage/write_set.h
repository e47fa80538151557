/* write_set.h: what a transaction is going to write: rows in order, and range deletes.
 *
 *      [b, k) deleted     rows:   a = 1     d = 2     k deleted     m expires later
 *
 * A row stands here once, as the last operation left it, and a row that is here was written after
 * the range deletes that cover it: a range delete takes the rows that it covers out. So a reader
 * asks for the row first, then for the ranges, and then the store.
 *
 * A skiplist (Pugh, "Skip Lists", 1990) with a node a row, each allocated on its own, so that a row
 * that is written over and over takes no more. One thread at a time. */
#ifndef KVD_STORAGE_WRITE_SET_H
#define KVD_STORAGE_WRITE_SET_H

#include "storage/range_row.h"

#define WRITE_SET_HEIGHT_MAX 12

enum write_kind {
    WRITE_NONE, /* nothing here says anything of the row */
    WRITE_PUT,  /* value, expiry and flags are here */
    WRITE_DELETE,
    WRITE_EXPIRE /* the value that the store has, with the expiry that is here */
};

/* A row's operation. The slices borrow from the set until it changes. */
struct write {
    enum write_kind kind;
    struct slice row;
    struct slice value;
    uint64_t expiry_ms; /* absolute; 0: never */
    uint32_t user_flags;
};

struct write_node;

struct write_set {
    struct write_node *first[WRITE_SET_HEIGHT_MAX]; /* owned */
    struct key_range *ranges;                       /* owned, with their keys */
    uint32_t range_count;
    uint32_t range_capacity;
    uint32_t row_count;
    uint64_t random;
    size_t bytes; /* of all that is allocated */
    size_t bytes_max;
};

void write_set_init(struct write_set *set, size_t bytes_max);
void write_set_deinit(struct write_set *set);

static inline bool write_set_is_empty(const struct write_set *set) {
    return set->row_count == 0 && set->range_count == 0;
}

/* Sets the operation of write->row; what the slices point to is copied first, and may be the row's
 * old operation. Errors: TOO_LARGE (bytes_max, or more rows than a commit takes), NO_MEMORY;
 * nothing is changed then. */
enum status write_set_put(struct write_set *set, const struct write *write) MUST_CHECK;

/* Errors: TOO_LARGE (also: more ranges than a commit takes), NO_MEMORY. */
enum status write_set_delete_range(struct write_set *set, const struct key_range *range) MUST_CHECK;

/* What is going to be of a row; kind NONE if it stays as it is. */
struct write write_set_find(const struct write_set *set, struct slice row);

/* Whether a range delete covers a row that has no operation of its own. */
bool write_set_covers(const struct write_set *set, struct slice row);

/* The first row >= `row` (or > it, with `behind`), and the last one < `row` (an empty row: the last
 * of all). kind NONE when there is none. */
struct write write_set_seek(const struct write_set *set, struct slice row, bool behind);
struct write write_set_seek_before(const struct write_set *set, struct slice row);

#endif
