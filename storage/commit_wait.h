/* commit_wait.h: waits for a commit: for threads that may, such as those of tools and the I/O lane.
 *
 *      commit_wait_begin(&wait, commit);
 *      submit, with commit_wait_done_cb
 *      status = commit_wait_end(&wait, scheduler);
 */
#ifndef KVD_STORAGE_COMMIT_WAIT_H
#define KVD_STORAGE_COMMIT_WAIT_H

#include "storage/commit_request.h"
#include "storage/lock.h"

struct commit_wait {
    struct mutex mu;
    struct condvar ended;
    bool done; /* guarded by mu, as the next */
    enum status status;
};

/* The commit's callback argument is the wait's until the end. */
void commit_wait_begin(struct commit_wait *wait, struct store_commit *commit);

void commit_wait_done_cb(struct store_commit *commit, const struct store_outcome *outcome);

/* Returns how the commit has ended. `scheduler`: the deterministic one, which has no threads, so
 * its steps are run here; NULL: any other. */
enum status commit_wait_end(struct commit_wait *wait, struct scheduler *scheduler) MUST_CHECK;

/* The commit was not submitted after all. */
void commit_wait_cancel(struct commit_wait *wait);

#endif
