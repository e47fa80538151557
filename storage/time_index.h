/* time_index.h: which version was the newest at which time: what "as it was at ten past nine" and
 * "kept for an hour" are counted by.
 *
 *      marks     (t1, v1)   (t2, v2)   (t3, v3)        at time t the store was visible up to v
 *      time t                     ^ t2 <= t < t3       -> v2
 *      version v                  ^ v2 < v <= v3       -> about t3
 *
 * The commit lane notes a mark after each group, at most one a millisecond. There are at most
 * TIME_MARKS_MAX: when full, what is older than the newest quarter is thinned out to one a second,
 * and if that is not enough, to every other one. A mark that is missing makes answers older, by the
 * distance of its neighbours, never newer: so nothing is let go too early.
 *
 * Marks are in memory. While some namespace keeps versions for a time, some of them also stand in
 * rows of the system namespace, from which they are loaded at open (time_keeper.h):
 *
 *      "time/" | milliseconds, be64   ->   version varint
 *
 * Threads: any. The mutex is a leaf. */
#ifndef KVD_STORAGE_TIME_INDEX_H
#define KVD_STORAGE_TIME_INDEX_H

#include "protocol/base/bytes.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/lock.h"

#include <stddef.h>

#define TIME_MARKS_MAX 65536u /* a mebibyte */

struct time_mark {
    uint64_t ms;
    uint64_t version;
};

struct time_index {
    struct mutex mu;
    /* guarded by mu */
    struct time_mark *marks; /* owned; both fields ascend, ms strictly */
    size_t count;
    size_t capacity;
};

/* Without marks. Errors: NO_MEMORY. */
enum status time_index_init(struct time_index *index) MUST_CHECK;

/* A zeroed struct is allowed. */
void time_index_deinit(struct time_index *index);

/* The store is visible up to `version` at `ms`. Older ones than those noted before are taken to be
 * of the same time. Cannot fail: without memory marks get thinner. */
void time_index_note(struct time_index *index, uint64_t ms, uint64_t version);

/* The newest mark at or before a time; false when there is none. */
bool time_index_until(struct time_index *index, uint64_t ms, struct time_mark *mark_out);

/* The oldest mark at or after a time; false when there is none. */
bool time_index_from(struct time_index *index, uint64_t ms, struct time_mark *mark_out);

/* The oldest mark that shows a version: about when that became visible. False: it is newer than all
 * marks. *exact_out (or NULL): whether an older mark does not show it, so that the time is not
 * merely an upper bound. */
bool time_index_showing(struct time_index *index, uint64_t version, struct time_mark *mark_out,
                        bool *exact_out);

/* ---- Rows ---- */

#define TIME_KEY_PREFIX "time/"
#define TIME_KEY_PREFIX_BYTES 5
#define TIME_KEY_BYTES (TIME_KEY_PREFIX_BYTES + 8)

void time_key_store(uint8_t key_out[TIME_KEY_BYTES], uint64_t ms);

/* Errors: CORRUPT. */
enum status time_row_load(struct slice key, struct slice value,
                          struct time_mark *mark_out) MUST_CHECK;

#endif
