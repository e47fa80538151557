/* commit_wait.c: see commit_wait.h. */
#include "storage/commit_wait.h"

void commit_wait_begin(struct commit_wait *wait, struct store_commit *commit) {
    *wait = (struct commit_wait){.done = false};
    mutex_init(&wait->mu);
    condvar_init(&wait->ended);
    commit->arg = wait;
}

void commit_wait_done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct commit_wait *wait = commit->arg;

    mutex_lock(&wait->mu);
    wait->status = outcome->status;
    wait->done = true;
    condvar_signal(&wait->ended); /* under the lock: the waiter's stack holds it */
    mutex_unlock(&wait->mu);
}

static bool is_done(struct commit_wait *wait) {
    bool done;

    mutex_lock(&wait->mu);
    done = wait->done;
    mutex_unlock(&wait->mu);
    return done;
}

void commit_wait_cancel(struct commit_wait *wait) {
    condvar_deinit(&wait->ended);
    mutex_deinit(&wait->mu);
}

enum status commit_wait_end(struct commit_wait *wait, struct scheduler *scheduler) {
    enum status status;

    while (scheduler && !is_done(wait) && scheduler_sim_run_one(scheduler, true)) {
    }
    mutex_lock(&wait->mu);
    while (!wait->done) {
        condvar_wait(&wait->ended, &wait->mu);
    }
    status = wait->status;
    mutex_unlock(&wait->mu);
    commit_wait_cancel(wait);
    return status;
}
