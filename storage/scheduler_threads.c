/* scheduler_threads.c: the scheduler of production: a queue and its threads per lane.
 *
 *      post -> [ lane: head -> step -> step -> tail ] <- workers (1 for COMMIT and SYNC)
 *      post_after -> [ lane: delayed, soonest first ] -- due --^
 *
 * Posting takes the lane's mutex for a few instructions and signals only when a worker sleeps that
 * nobody has woken yet: on a busy lane a post is a lock, two stores and an unlock. One sleeping
 * worker of a lane (its watch) waits with a timeout for the first delayed step, the others without.
 *
 * `pending` counts due steps queued and running over all lanes; a step that posts another raises it
 * before its own end lowers it, so it reaches 0 only when everything is idle: what drain waits for.
 *
 * Invariants:
 *  1. wakeups <= workers that were woken and have not run yet: each queued step has an awake worker
 *     or one on its way (spurious wake-ups only make wakeups smaller).
 *  2. If delayed steps exist and no worker watches, a worker is awake.
 *
 * No callback runs under a lock. Posting must have returned before the scheduler is destroyed. */
#include "storage/scheduler.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/lock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#define IO_THREADS_MAX 64
#define WALK_THREADS_MAX 16
#define BACKGROUND_THREADS_MAX 16
#define THREADS_MAX (2 + IO_THREADS_MAX + WALK_THREADS_MAX + BACKGROUND_THREADS_MAX)
#define THREAD_NAME_BYTES 16 /* the kernel's limit, NUL included */

struct threads;

struct lane_queue {
    struct threads *threads; /* borrowed: its scheduler; constant */
    struct mutex mu;
    struct condvar work;
    /* guarded by mu */
    struct step *head GUARDED_BY(mu);    /* due, in order of posting */
    struct step *tail GUARDED_BY(mu);    /* valid when head is not NULL */
    struct step *delayed GUARDED_BY(mu); /* soonest first, equals in order of posting */
    uint32_t sleeping GUARDED_BY(mu);    /* workers inside a wait, woken or not */
    uint32_t wakeups GUARDED_BY(mu);     /* of those, how many were signalled */
    bool watched GUARDED_BY(mu);         /* a worker waits for the first delayed step */
    bool stopping GUARDED_BY(mu);
};

struct threads {
    struct scheduler scheduler; /* first: what callers see */
    struct lane_queue lanes[LANE_COUNT];
    pthread_t handles[THREADS_MAX]; /* the creating thread's */
    uint32_t handle_count;
    struct mutex idle_mu;
    struct condvar idle;
    atomic_uint_fast64_t pending;  /* due steps, queued or running */
    atomic_uint_fast32_t drainers; /* waiting for pending == 0; both are sequentially consistent:
                                      either the last step sees the drainer, or it sees 0 */
};

static struct threads *threads_of(struct scheduler *scheduler) {
    return (struct threads *)scheduler;
}

static struct lane_queue *lane_of(struct scheduler *scheduler, enum lane lane) {
    ASSERT((unsigned)lane < LANE_COUNT);
    return &threads_of(scheduler)->lanes[lane];
}

static void pending_lower(struct threads *threads) {
    if (atomic_fetch_sub(&threads->pending, 1) == 1 && atomic_load(&threads->drainers) > 0) {
        mutex_lock(&threads->idle_mu);
        condvar_broadcast(&threads->idle);
        mutex_unlock(&threads->idle_mu);
    }
}

static void push_due_locked(struct lane_queue *lane, struct step *step) REQUIRES(lane->mu) {
    step->next = NULL;
    if (lane->head) {
        lane->tail->next = step;
    } else {
        lane->head = step;
    }
    lane->tail = step;
    atomic_fetch_add(&lane->threads->pending, 1);
}

static struct step *pop_due_locked(struct lane_queue *lane) REQUIRES(lane->mu) {
    struct step *step = lane->head;
    if (step) {
        ASSERT(step->queued);
        lane->head = step->next;
        step->next = NULL;
        step->queued = false;
    }
    return step;
}

/* Moves what has become due; returns how many. */
static uint32_t promote_locked(struct lane_queue *lane) REQUIRES(lane->mu) {
    uint32_t moved = 0;
    uint64_t now_ns = lane->delayed ? lock_clock_ns() : 0;
    while (lane->delayed && lane->delayed->not_before_ns <= now_ns) {
        struct step *step = lane->delayed;
        lane->delayed = step->next;
        push_due_locked(lane, step);
        moved++;
    }
    return moved;
}

/* Whether the caller must signal once the lock is let go. */
static bool claim_wakeup_locked(struct lane_queue *lane) REQUIRES(lane->mu) {
    if (lane->sleeping <= lane->wakeups) {
        return false;
    }
    lane->wakeups++;
    return true;
}

static void wake_all_locked(struct lane_queue *lane) REQUIRES(lane->mu) {
    lane->wakeups = lane->sleeping;
    condvar_broadcast(&lane->work);
}

static void sleep_locked(struct lane_queue *lane) REQUIRES(lane->mu) {
    lane->sleeping++;
    if (lane->delayed && !lane->watched) {
        lane->watched = true;
        (void)condvar_wait_until(&lane->work, &lane->mu, lane->delayed->not_before_ns);
        lane->watched = false;
    } else {
        condvar_wait(&lane->work, &lane->mu);
    }
    lane->sleeping--;
    if (lane->wakeups > 0) {
        lane->wakeups--;
    }
}

/* Runs a popped step without the lock; returns with it held again. */
static void run_locked(struct lane_queue *lane, struct step *step) REQUIRES(lane->mu) {
    bool hand_over = lane->delayed && !lane->watched && claim_wakeup_locked(lane);
    mutex_unlock(&lane->mu);
    if (hand_over) {
        condvar_signal(&lane->work); /* another worker takes the watch (invariant 2) */
    }
    step->run_cb(step); /* the step may be gone from here on */
    pending_lower(lane->threads);
    mutex_lock(&lane->mu);
}

static void *worker_main(void *arg) {
    struct lane_queue *lane = arg;
    mutex_lock(&lane->mu);
    for (;;) {
        struct step *step;
        if (promote_locked(lane) > 1 && claim_wakeup_locked(lane)) {
            condvar_signal(&lane->work); /* several fell due at once: do not do them alone */
        }
        step = pop_due_locked(lane);
        if (step) {
            run_locked(lane, step);
        } else if (lane->stopping) {
            break;
        } else {
            sleep_locked(lane);
        }
    }
    mutex_unlock(&lane->mu);
    return NULL;
}

static void threads_post(struct scheduler *scheduler, enum lane lane_id, struct step *step) {
    struct lane_queue *lane = lane_of(scheduler, lane_id);
    bool wake;

    mutex_lock(&lane->mu);
    ASSERT(!step->queued);
    step->queued = true;
    push_due_locked(lane, step);
    wake = claim_wakeup_locked(lane);
    mutex_unlock(&lane->mu);
    if (wake) {
        condvar_signal(&lane->work);
    }
}

static void threads_post_after(struct scheduler *scheduler, enum lane lane_id, struct step *step,
                               uint64_t delay_ms) {
    struct lane_queue *lane = lane_of(scheduler, lane_id);
    uint64_t due_ns = lock_clock_ns() + delay_ms * NS_PER_MS;
    struct step **link;

    ASSERT(delay_ms <= SCHEDULER_DELAY_MS_MAX);
    mutex_lock(&lane->mu);
    ASSERT(!step->queued);
    step->queued = true;
    step->not_before_ns = due_ns;
    for (link = &lane->delayed; *link && (*link)->not_before_ns <= due_ns;) {
        link = &(*link)->next;
    }
    step->next = *link;
    *link = step;
    if (lane->delayed == step) {
        wake_all_locked(lane); /* the watch, if any, waits for a later one */
    }
    mutex_unlock(&lane->mu);
}

/* Takes the step out of a list; *before_out is the one in front of it or NULL. */
static bool unlink_step(struct step **list, struct step *step, struct step **before_out) {
    struct step **link = list;
    *before_out = NULL;
    while (*link && *link != step) {
        *before_out = *link;
        link = &(*link)->next;
    }
    if (!*link) {
        return false;
    }
    *link = step->next;
    step->next = NULL;
    return true;
}

static bool threads_cancel(struct scheduler *scheduler, enum lane lane_id, struct step *step) {
    struct lane_queue *lane = lane_of(scheduler, lane_id);
    struct step *before;
    bool was_queued;
    bool was_due = false;

    mutex_lock(&lane->mu);
    was_queued = step->queued;
    if (was_queued && !unlink_step(&lane->delayed, step, &before)) {
        was_due = unlink_step(&lane->head, step, &before);
        ASSERT(was_due); /* else it is queued in another lane */
        if (lane->tail == step) {
            lane->tail = before;
        }
    }
    if (was_queued) {
        step->queued = false;
    }
    mutex_unlock(&lane->mu);
    if (was_due) {
        pending_lower(threads_of(scheduler));
    }
    return was_queued;
}

static void threads_drain(struct scheduler *scheduler) {
    struct threads *threads = threads_of(scheduler);

    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        struct lane_queue *lane = &threads->lanes[i];
        mutex_lock(&lane->mu);
        if (promote_locked(lane) > 0) {
            wake_all_locked(lane);
        }
        mutex_unlock(&lane->mu);
    }
    mutex_lock(&threads->idle_mu);
    atomic_fetch_add(&threads->drainers, 1);
    while (atomic_load(&threads->pending) > 0) {
        condvar_wait(&threads->idle, &threads->idle_mu);
    }
    atomic_fetch_sub(&threads->drainers, 1);
    mutex_unlock(&threads->idle_mu);
}

/* Ends and joins all threads started, and frees. */
static void threads_stop(struct threads *threads) {
    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        struct lane_queue *lane = &threads->lanes[i];
        mutex_lock(&lane->mu);
        ASSERT(!lane->delayed); /* cancel it first: nobody would run it */
        lane->stopping = true;
        wake_all_locked(lane);
        mutex_unlock(&lane->mu);
    }
    for (uint32_t i = 0; i < threads->handle_count; i++) {
        int failed = pthread_join(threads->handles[i], NULL);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        ASSERT(!threads->lanes[i].head);
        condvar_deinit(&threads->lanes[i].work);
        mutex_deinit(&threads->lanes[i].mu);
    }
    condvar_deinit(&threads->idle);
    mutex_deinit(&threads->idle_mu);
    memory_free(threads);
}

static void threads_destroy(struct scheduler *scheduler) {
    threads_drain(scheduler);
    threads_stop(threads_of(scheduler));
}

static bool start_thread(struct threads *threads, enum lane lane, const char *name) {
    pthread_t *handle = &threads->handles[threads->handle_count];
    ASSERT(threads->handle_count < THREADS_MAX);
    if (pthread_create(handle, NULL, worker_main, &threads->lanes[lane]) != 0) {
        return false;
    }
    threads->handle_count++;
    (void)pthread_setname_np(*handle, name); /* a name is for people only */
    return true;
}

static bool start_numbered(struct threads *threads, enum lane lane, const char *kind,
                           uint32_t count) {
    for (uint32_t i = 1; i <= count; i++) {
        char name[THREAD_NAME_BYTES];
        (void)snprintf(name, sizeof name, "kvd-%s-%u", kind, i);
        if (!start_thread(threads, lane, name)) {
            return false;
        }
    }
    return true;
}

/* Threads inherit the mask of their creator: all blocked, so that signals reach the main thread. */
static bool start_all(struct threads *threads, const struct scheduler_threads_options *options) {
    sigset_t all;
    sigset_t before;
    bool ok;

    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
        return false;
    }
    ok = start_thread(threads, LANE_COMMIT, "kvd-commit") &&
         start_thread(threads, LANE_SYNC, "kvd-sync") &&
         start_numbered(threads, LANE_IO, "io", options->io_threads) &&
         start_numbered(threads, LANE_WALK, "walk", options->walk_threads) &&
         start_numbered(threads, LANE_BACKGROUND, "job", options->background_threads);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

enum status scheduler_threads_create(const struct scheduler_threads_options *options,
                                     struct scheduler **scheduler_out) {
    static const struct scheduler_ops ops = {.post = threads_post,
                                             .post_after = threads_post_after,
                                             .cancel = threads_cancel,
                                             .drain = threads_drain,
                                             .destroy = threads_destroy};
    struct threads *threads;

    ASSERT(options->io_threads >= 1 && options->io_threads <= IO_THREADS_MAX);
    ASSERT(options->walk_threads >= 1 && options->walk_threads <= WALK_THREADS_MAX);
    ASSERT(options->background_threads >= 1);
    ASSERT(options->background_threads <= BACKGROUND_THREADS_MAX);
    threads = memory_alloc_zeroed(sizeof *threads);
    if (!threads) {
        return STATUS_NO_MEMORY;
    }
    threads->scheduler.ops = &ops;
    mutex_init(&threads->idle_mu);
    condvar_init(&threads->idle);
    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        threads->lanes[i].threads = threads;
        mutex_init(&threads->lanes[i].mu);
        condvar_init(&threads->lanes[i].work);
    }
    if (!start_all(threads, options)) {
        threads_stop(threads);
        return STATUS_IO;
    }
    *scheduler_out = &threads->scheduler;
    return STATUS_OK;
}
