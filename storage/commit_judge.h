/* commit_judge.h: are the conditions of a commit met, and is what its transaction has read still
 * so?
 *
 * All are judged against the newest state, not yet visible commits included, so only the commit
 * thread, or an I/O thread on its behalf while it waits, may ask. */
#ifndef KVD_STORAGE_COMMIT_JUDGE_H
#define KVD_STORAGE_COMMIT_JUDGE_H

#include "storage/commit_request.h"
#include "storage/view.h"

struct conflict_window;

/* What a commit is judged and resolved against. */
struct commit_sight {
    const struct view *view; /* borrowed */
    const struct watermarks *marks;
    struct conflict_window *window; /* borrowed; NULL: there are no transactions */
    uint64_t now_ms;
    enum read_wait wait;
};

/* Looks a key up in the newest state and raises commit->waiter.hold by what is found, dead or not.
 * Errors: as view_find. */
enum status commit_sight_find(const struct commit_sight *sight, struct store_commit *commit,
                              uint32_t namespace_id, struct slice key,
                              struct view_hit *hit_out) MUST_CHECK;

/* Sets commit->outcome (OK, or the first condition that is not met, or the read's error), and
 * commit->waiter.hold to what that answer rests on. False when the disk would have to be waited for
 * (READ_WAIT_NEVER only). */
bool commit_judge(struct store_commit *commit, const struct commit_sight *sight);

#endif
