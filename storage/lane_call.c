/* lane_call.c: see lane_call.h. */
#include "storage/lane_call.h"

#include "storage/lock.h"

struct call {
    struct step step; /* first */
    void (*run_cb)(void *arg);
    void *arg;
    struct mutex mu;
    struct condvar ended;
    bool done; /* guarded by mu */
};

static void call_step(struct step *step) {
    struct call *call = (struct call *)step;

    call->run_cb(call->arg);
    mutex_lock(&call->mu);
    call->done = true;
    condvar_signal(&call->ended); /* under the lock: the waiter's stack holds it */
    mutex_unlock(&call->mu);
}

void lane_call(struct scheduler *scheduler, enum lane lane, bool drain, void (*run_cb)(void *arg),
               void *arg) {
    struct call call = {.run_cb = run_cb, .arg = arg};

    mutex_init(&call.mu);
    condvar_init(&call.ended);
    step_init(&call.step, call_step);
    scheduler_post(scheduler, lane, &call.step);
    if (drain) {
        scheduler_drain(scheduler);
    }
    mutex_lock(&call.mu);
    while (!call.done) {
        condvar_wait(&call.ended, &call.mu);
    }
    mutex_unlock(&call.mu);
    condvar_deinit(&call.ended);
    mutex_deinit(&call.mu);
}
