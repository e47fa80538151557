/* feed.h: the change feed: what was committed, in the order of the commits.
 *
 *      position 7 --store_feed_read--> commit 8: put a, delete b | commit 11: put a | position 11
 *
 * It is read from the log itself, from wherever the reader stands: nothing is queued for a reader,
 * so one that is slow, or gone, costs no memory, and no writer ever waits for it. Only what is
 * durable is told: no crash takes back what a reader has seen. What the log does not have any more
 * is a gap, and told as such: who needs all of it begins anew from a snapshot.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_FEED_H
#define KVD_STORAGE_DOOR_FEED_H

#include "storage/door/reads.h"

/* Where a reader stands. Between two commits, skip and value_offset are 0. The numbers mean the
 * same for as long as the store lives, over restarts too. */
struct store_feed_position {
    uint64_t version;      /* commits up to this version are done */
    uint32_t skip;         /* so many operations of the next commit are done */
    uint64_t value_offset; /* and so many bytes of the value after those */
};

enum store_feed_kind {
    STORE_FEED_PUT,         /* a new value; or an old one with a new expiry */
    STORE_FEED_DELETE,      /* of one key */
    STORE_FEED_DELETE_RANGE /* of all keys in [key, to) */
};

struct store_feed_source; /* the store's */

/* One change. Slices are borrowed during the callback. The range deletes of a commit come before
 * all else of it, and delete nothing that it writes itself. */
struct store_feed_change {
    enum store_feed_kind kind;
    uint64_t version;             /* of its commit */
    uint64_t time_ms;             /* store time at which it was written */
    bool last;                    /* no more of this commit follows */
    bool superseded;              /* PUT: a later commit has replaced the value, or it has expired,
                                     and its bytes are gone. Only what was written by touch, persist
                                     or rewind, or uploaded, can be */
    struct slice key;             /* DELETE_RANGE: the first key */
    struct slice to;              /* DELETE_RANGE: the key behind the last; empty: no end */
    struct store_value_info info; /* PUT */
    uint64_t value_offset;        /* in: so much of the value has been given before. Out, with END:
                                     where to begin the next time */
    const struct store_feed_source *source;
};

/* OK: the change is done with. END: the page is full; the next read begins with this change. Any
 * other status ends the read with it. */
typedef enum status (*store_feed_cb)(void *arg, struct store_feed_change *change);

struct store_feed_query {
    struct slice name; /* of the namespace, borrowed likewise; when one of this name was dropped,
                          that is told as a range delete. Empty: */
    uint32_t namespace_id; /* the one with this id, whose drop is not told */
    struct slice from;     /* keys in [from, to); borrowed during the call */
    struct slice to;       /* empty: to the end */
    struct store_feed_position position;
    uint64_t look_bytes_max; /* so much of the log is looked through at most; 0: 16 MiB */
};

struct store_feed_result {
    struct store_feed_position next;
    uint64_t durable_version; /* when the read began: how far there was anything to tell */
    bool at_end;              /* all of that has been told: wait for durable_version + 1 */
    uint64_t gap_from;        /* not 0: the versions gap_from to gap_to are not in the log any */
    uint64_t gap_to;          /* more; `next` is behind them, and nothing was called back */
};

/* Calls back for the changes after the position. For an I/O thread. Errors: INVALID (a position
 * that no commit has reached), CORRUPT (file and offset named), IO, NO_MEMORY, and what the
 * callback returned but END. */
enum status store_feed_read(struct store *store, const struct store_feed_query *query,
                            store_feed_cb change_cb, void *arg,
                            struct store_feed_result *result_out, struct error *error) MUST_CHECK;

/* Appends bytes [offset, offset + length) of the value of a PUT that is not superseded, cut at its
 * end, verified. During the callback only. Errors: TOO_LARGE (the buffer's cap), CORRUPT, IO,
 * NO_MEMORY; the buffer is as it was then. */
enum status store_feed_value(const struct store_feed_change *change, uint64_t offset,
                             uint64_t length, struct buffer *destination,
                             struct error *error) MUST_CHECK;

/* Up to which version everything is durable: what a feed at rest waits to pass (store_hold_wait).
 */
uint64_t store_durable_version(const struct store *store);

#endif
