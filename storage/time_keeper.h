/* time_keeper.h: keeps the rows of time_index.h in the system namespace, while some namespace keeps
 * its versions for a time.
 *
 * The tick of the commit lane asks once a second whether there is anything to commit. If the store
 * has changed since the last row: one more row (rows are at least a second apart, and more the
 * longer the retention is, so that TIME_ROWS_WANTED cover it). Right behind a commit that sets a
 * namespace comes one at once (at most one a millisecond, and while there are fewer than
 * TIME_ROWS_AT_ONCE_MAX): after a reopen, its retention goes back to the first row that shows the
 * commit. Rows of which nobody has a use any more are deleted, some with each commit; one that is
 * older than all retention stays: it tells what the store was when the retention began. The commit
 * is an ordinary one, of class LOGGED: a row that a crash undoes makes answers older, never wrong.
 *
 * Threads: load: at open. tick: the commit lane. A commit that it has handed out is completed on
 * any thread; until then there is no other. */
#ifndef KVD_STORAGE_TIME_KEEPER_H
#define KVD_STORAGE_TIME_KEEPER_H

#include "storage/commit_request.h"
#include "storage/namespaces.h"
#include "storage/time_index.h"

#define TIME_ROWS_WANTED 16384u
#define TIME_ROWS_MAX 65536u /* half a mebibyte of memory */
/* Or who sets often would push old ones out. */
#define TIME_ROWS_AT_ONCE_MAX (TIME_ROWS_MAX / 8 * 3)
#define TIME_ROW_MS_MIN 1000u
#define TIME_ROWS_DELETED 64u /* by one commit */

struct time_keeper {
    struct time_index *index;      /* borrowed */
    struct namespaces *namespaces; /* borrowed */
    struct store_commit *commit;   /* owned */
    _Atomic bool busy;             /* release by the completion, acquire by the tick */
    enum status ended;             /* how the commit ended, and its version; theirs while busy */
    uint64_t ended_version;
    /* commit lane */
    uint64_t *rows; /* owned; their times, ascending */
    size_t row_count;
    size_t row_capacity;
    uint64_t own_version; /* of its last commit: no reason for another one */
    bool wanted;          /* a row at once */
    uint64_t added_ms;    /* what the commit adds; 0: no row */
    size_t deleted;       /* and deletes, of the oldest rows */
};

/* Errors: NO_MEMORY. */
enum status time_keeper_init(struct time_keeper *keeper, struct time_index *index,
                             struct namespaces *namespaces, struct store *store,
                             const struct value_policy *policy) MUST_CHECK;

/* Its commit must have completed. A zeroed struct is allowed. */
void time_keeper_deinit(struct time_keeper *keeper);

/* A row found at open, in their order: it is noted in the index too. Errors: CORRUPT, NO_MEMORY. */
enum status time_keeper_load(struct time_keeper *keeper, struct slice key,
                             struct slice value) MUST_CHECK;

/* The settings of a namespace have become visible: the next tick, which should be at once, makes a
 * row of it. The commit lane. */
static inline void time_keeper_want(struct time_keeper *keeper) {
    keeper->wanted = true;
}

static inline bool time_keeper_is_wanted(const struct time_keeper *keeper) {
    return keeper->wanted;
}

/* A commit, ready to be submitted, or NULL. */
struct store_commit *time_keeper_tick(struct time_keeper *keeper, uint64_t now_ms,
                                      uint64_t visible);

#endif
