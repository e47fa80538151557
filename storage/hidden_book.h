/* hidden_book.h: what a table holds of entries that a newer entry of the same row, in the same
 * table, hides: how much of it goes when snapshots end and retention passes, in a fixed amount of
 * memory.
 *
 *      entry    version v, hidden by h, with `newer` newer ones of its row above it
 *      bucket   of some such entries: the least v, the greatest h, the least `newer`, their weight
 *
 * A bucket of which these three let all go lets each of its entries go. So whatever it says may go,
 * a rewrite of the table does free. What goes while the rest of its bucket stays is not seen: so
 * the buckets are made of entries that are held by the same. Those who write the table number such
 * entries alike (`group`, keep_rules_group), and within a group entries stand by h, as retention
 * lets them go. Up to 64 runs of entries of one group are kept apart; then the two neighbours that
 * weigh least become one, rather of one group than of two. 16 buckets are written down.
 *
 * One thread at a time; cannot fail. */
#ifndef KVD_STORAGE_HIDDEN_BOOK_H
#define KVD_STORAGE_HIDDEN_BOOK_H

#include <stdint.h>

#define HIDDEN_BUCKETS_MAX 16u
#define HIDDEN_POINTS_MAX 64u

struct hidden_bucket {
    uint64_t version_min; /* of the hidden entries */
    uint64_t hider_max;   /* the newest of what hides them next */
    uint64_t newer_min;   /* each has at least so many newer versions of its row above it */
    uint64_t entries;
    uint64_t weight; /* key, entry and log bytes */
};

/* A hidden entry, for the book. */
struct hidden_entry {
    uint64_t version;
    uint64_t hider; /* the version that hides it */
    uint64_t newer; /* 1 or more */
    uint64_t group;
    uint64_t weight;
};

/* Where in the order of entries: by group, then hider. */
struct hidden_place {
    uint64_t group;
    uint64_t hider;
};

/* All entries between two places. */
struct hidden_point {
    struct hidden_bucket sum;
    struct hidden_place first;
    struct hidden_place last;
};

/* A zeroed struct is empty. */
struct hidden_book {
    struct hidden_point points[HIDDEN_POINTS_MAX + 1]; /* ascending, apart from each other */
    uint32_t count;
};

void hidden_book_add(struct hidden_book *book, const struct hidden_entry *entry);

/* How many buckets. May be called in between. */
uint32_t hidden_book_make(const struct hidden_book *book,
                          struct hidden_bucket buckets_out[HIDDEN_BUCKETS_MAX]);

#endif
