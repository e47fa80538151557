/* conflict_window.h: the recent commits that transactions are judged against, in memory.
 *
 *      versions    ....... floor ....... S1 ...... S2 ............ newest
 *      tables      everything that was flushed
 *      retained                 | m1 | m2 | m3 |                        (this room)
 *      view                                    | frozen | active |      (view.h)
 *
 * A transaction that read at version S may commit if nothing that it read has a version above S.
 * That is looked up in memtables alone, never in tables: a memtable that leaves the view after its
 * flush stays here for as long as an open read-write transaction is older than its newest commit.
 * When more is retained than the budget allows, the oldest memtable goes, and the floor rises to
 * its newest version: transactions below the floor can no longer be judged (TXN_TOO_OLD). With no
 * such transaction open, nothing is retained and nobody but a flush comes here.
 *
 * No commit escapes both places: a flush hands its memtable over before it takes it out of the
 * view; a judge takes the view first and asks here after. A transaction enters before its snapshot
 * is registered, with a version that is not above it, so that nothing between is missed.
 *
 * Threads: any. The mutex is a leaf; memory is freed outside it. */
#ifndef KVD_STORAGE_CONFLICT_WINDOW_H
#define KVD_STORAGE_CONFLICT_WINDOW_H

#include "storage/lock.h"
#include "storage/memtable.h"
#include "storage/watermarks.h"

#define WINDOW_MEMTABLES_MAX 64u /* retained; a judge looks into each */

/* The place of an open transaction. In the transaction; zeroed: not entered. */
struct window_ticket {
    struct window_ticket *newer; /* guarded by the window's mu, as all of it */
    struct window_ticket *older;
    uint64_t version;
    uint64_t deadline_ms; /* store time; it keeps nothing after it */
    bool entered;
};

struct conflict_window {
    const struct watermarks *marks; /* borrowed; constant */
    uint64_t bytes_max;             /* constant */
    struct mutex mu;
    /* guarded by mu */
    struct window_ticket *oldest; /* ascending by version */
    struct window_ticket *newest;
    struct memtable *retained[WINDOW_MEMTABLES_MAX]; /* shared; oldest first */
    uint32_t retained_count;
    uint64_t retained_bytes;
    uint64_t floor;
    uint64_t open; /* tickets */
    uint64_t cuts; /* memtables dropped while somebody still needed them */
};

void conflict_window_init(struct conflict_window *window, const struct watermarks *marks,
                          uint64_t bytes_max);

/* All tickets have left. */
void conflict_window_deinit(struct conflict_window *window);

/* Enters at the version that is visible now. Cannot fail. */
void conflict_window_enter(struct conflict_window *window, struct window_ticket *ticket,
                           uint64_t deadline_ms);

/* Enters at a version of the past. Errors: TXN_TOO_OLD: commits since then are forgotten. */
enum status conflict_window_enter_at(struct conflict_window *window, struct window_ticket *ticket,
                                     uint64_t version, uint64_t deadline_ms) MUST_CHECK;

/* Leaves, if entered; what nobody needs any more is let go. */
void conflict_window_leave(struct conflict_window *window, struct window_ticket *ticket);

/* For a flush, before the memtable leaves the view: keeps it if an open transaction needs it. The
 * same one may come again, when its flush has failed. */
void conflict_window_retire(struct conflict_window *window, struct memtable *memtable,
                            uint64_t now_ms);

/* The retained memtables with anything newer than `version`, referenced for the caller. Errors:
 * TXN_TOO_OLD: some are gone. */
enum status conflict_window_take(struct conflict_window *window, uint64_t version,
                                 struct memtable *memtables_out[WINDOW_MEMTABLES_MAX],
                                 uint32_t *count_out) MUST_CHECK;

/* What has been written up to `version`, which is visible, stands in no memtable: who began before
 * it can not be judged any more, and is too old. */
void conflict_window_forget(struct conflict_window *window, uint64_t version);

struct conflict_window_stats {
    uint64_t open;
    uint64_t memtables;
    uint64_t bytes;
    uint64_t cuts;
};

void conflict_window_read_stats(struct conflict_window *window,
                                struct conflict_window_stats *stats_out);

#endif
