/* ranges.h: all range deletes that a view has to honour, made ready to be asked.
 *
 *      range deletes        t=3   [b ............ k)
 *                           t=9          [f ............. p)
 *      points of the set        b        f      k         p
 *      covers                   3        9,3    9         none
 *
 * The rows are cut at every end of a range. A point holds for all rows from it up to the next: its
 * covers are the versions, newest first, of the range deletes there. A query is a binary search; a
 * walk in row order keeps a place and does not search.
 *
 * A range delete of version t hides an entry of version v at a read of version S if v < t <= S.
 *
 * A set never changes; the next is made from it. What no reader can tell apart is left out: an
 * older cover that keep_rules.h lets go because of a newer one, points with the covers of the point
 * before. Shared by reference count; any thread. */
#ifndef KVD_STORAGE_RANGES_H
#define KVD_STORAGE_RANGES_H

#include "storage/keep_rules.h"
#include "storage/range_row.h"

struct range_set;

/* A range delete to be added. */
struct range_delete {
    struct key_range range; /* valid; borrowed during the call */
    uint64_t version;
    uint8_t durability; /* enum durability of its commit */
};

/* The set with the covers of `base` (NULL: none) and of `count` range deletes more. With `rules`
 * (or NULL), covers that they let go are left out. *set_out is NULL when nothing is left. Errors:
 * NO_MEMORY, TOO_LARGE (keys of 4 GiB together). */
enum status range_set_build(const struct range_set *base, const struct range_delete *deletes,
                            size_t count, const struct keep_rules *rules,
                            struct range_set **set_out) MUST_CHECK;

/* Says of a cover of [from, to) whether it may be forgotten. */
typedef bool (*range_set_forget_cb)(void *arg, struct slice from, struct slice to,
                                    uint64_t version);

/* The set without the covers that the rules (or NULL) let go or that the callback (or NULL) says
 * may be forgotten. *set_out is `set` itself, referenced, when nothing goes; NULL when nothing is
 * left. Errors: NO_MEMORY. */
enum status range_set_prune(struct range_set *set, const struct keep_rules *rules,
                            range_set_forget_cb forget_cb, void *arg,
                            struct range_set **set_out) MUST_CHECK;

/* NULL is allowed for both. */
void range_set_ref(struct range_set *set);
void range_set_unref(struct range_set *set);

/* Figures; 0 for NULL. */
size_t range_set_points(const struct range_set *set);
size_t range_set_memory_bytes(const struct range_set *set);

/* One cover of a row. */
struct range_cover {
    uint64_t version;   /* VERSION_NONE: there is none */
    uint8_t durability; /* enum durability of its commit */
};

/* ---- Queries: NULL is the set without range deletes ----------------------------------------- */

/* The newest range delete with version <= `version` that covers the row. */
struct range_cover range_set_covering(const struct range_set *set, struct slice row,
                                      uint64_t version);

/* The oldest range delete with version > `version` that covers the row: the one that ended an entry
 * of that version, if no newer entry came between. */
struct range_cover range_set_ending(const struct range_set *set, struct slice row,
                                    uint64_t version);

/* For the drop of a whole table: whether each row in [smallest, largest] (both included) is covered
 * by a range delete with above < version <= limit. Returns the highest version that this rests on
 * (of each row the oldest such one): what is of a version <= above is hidden for every reader of at
 * least that version. VERSION_NONE when some row is not covered. */
uint64_t range_set_covers_rows(const struct range_set *set, struct slice smallest,
                               struct slice largest, uint64_t above, uint64_t limit);

/* Whether any row in [smallest, largest] is covered by a range delete with above < version <=
 * limit: then a rewrite of a table of these rows may find something to drop. */
bool range_set_touches_rows(const struct range_set *set, struct slice smallest,
                            struct slice largest, uint64_t above, uint64_t limit);

/* The same two queries for rows that come in an order: remembers the place of the row before.
 * Borrows the set. */
struct range_walk {
    const struct range_set *set;
    size_t point; /* the place: points up to it (0: before the first) */
};

static inline struct range_walk range_walk_make(const struct range_set *set) {
    return (struct range_walk){set, 0};
}

struct range_cover range_walk_covering(struct range_walk *walk, struct slice row, uint64_t version);
struct range_cover range_walk_ending(struct range_walk *walk, struct slice row, uint64_t version);

#endif
