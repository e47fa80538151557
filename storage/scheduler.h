/* scheduler.h: who runs the engine's steps, and when.
 *
 * Nothing in storage/ blocks on a condition that another job must fulfil: commit, sync, cold reads
 * and background work are steps, short functions that run to their end and may post further steps.
 * A step runs in a lane:
 *
 *   COMMIT      one at a time, in order of posting: validates, inserts and appends
 *   SYNC        one at a time, in order: fdatasync of the log
 *   IO          several at once: reads that need the disk
 *   WALK        few at once: reads of so much that those in IO must not wait behind them
 *   BACKGROUND  several at once: flush, compaction, GC; may wait for a disk
 *
 * scheduler_threads runs them on threads; scheduler_sim runs one at a time on the caller's thread
 * in an order drawn from a seed, with time it makes up, so that a seed replays exactly.
 *
 * A step is an intrusive struct, owned by whoever posts it, untouched by others from the post until
 * its run_cb is entered; inside run_cb it may be posted again or freed. Posting a step that is
 * already queued is a mistake (asserted). Posting never fails and never allocates; any thread may
 * post. */
#ifndef KVD_STORAGE_SCHEDULER_H
#define KVD_STORAGE_SCHEDULER_H

#include "protocol/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum lane { LANE_COMMIT, LANE_SYNC, LANE_IO, LANE_WALK, LANE_BACKGROUND, LANE_COUNT };

#define SCHEDULER_DELAY_MS_MAX (UINT64_C(366) * 24 * 3600 * 1000) /* of post_after: a year */

struct step {
    void (*run_cb)(struct step *);
    struct step *next;      /* the scheduler's, while queued */
    uint64_t not_before_ns; /* the scheduler's: due time of a delayed step */
    bool queued;            /* the scheduler's */
};

struct scheduler;

struct scheduler_ops {
    void (*post)(struct scheduler *, enum lane, struct step *);
    void (*post_after)(struct scheduler *, enum lane, struct step *, uint64_t delay_ms);
    bool (*cancel)(struct scheduler *, enum lane, struct step *);
    void (*drain)(struct scheduler *);
    void (*destroy)(struct scheduler *);
};

/* Embedded as the first member of each implementation. */
struct scheduler {
    const struct scheduler_ops *ops;
};

static inline void step_init(struct step *step, void (*run_cb)(struct step *)) {
    *step = (struct step){.run_cb = run_cb};
}

/* Runs the step soon in its lane. */
static inline void scheduler_post(struct scheduler *scheduler, enum lane lane, struct step *step) {
    scheduler->ops->post(scheduler, lane, step);
}

/* Runs the step once `delay_ms` have passed (or on drain: never; cancel it before). */
static inline void scheduler_post_after(struct scheduler *scheduler, enum lane lane,
                                        struct step *step, uint64_t delay_ms) {
    scheduler->ops->post_after(scheduler, lane, step, delay_ms);
}

/* Takes a queued step back. False when it is not queued: it runs at this moment, or has run. */
static inline bool scheduler_cancel(struct scheduler *scheduler, enum lane lane,
                                    struct step *step) {
    return scheduler->ops->cancel(scheduler, lane, step);
}

/* Runs, or waits for, everything due, and what that posts, until all lanes are idle. Delayed steps
 * that are not due stay queued. Not to be called from a step. */
static inline void scheduler_drain(struct scheduler *scheduler) {
    scheduler->ops->drain(scheduler);
}

/* Drains, stops the threads, frees. No delayed step may be left, and no other thread may still be
 * inside a post. */
static inline void scheduler_destroy(struct scheduler *scheduler) {
    scheduler->ops->destroy(scheduler);
}

struct scheduler_threads_options {
    uint32_t io_threads;         /* 1 to 64 */
    uint32_t walk_threads;       /* 1 to 16 */
    uint32_t background_threads; /* 1 to 16 */
};

/* One thread for COMMIT, one for SYNC, the given numbers for the others; all signals blocked in
 * them, each named. Errors: NO_MEMORY, IO (a thread could not be started). */
enum status scheduler_threads_create(const struct scheduler_threads_options *options,
                                     struct scheduler **scheduler_out) MUST_CHECK;

/* The deterministic one. `seed` fixes the order in which due steps of different lanes (and of IO
 * and BACKGROUND within a lane) run. All calls from one thread. Errors: NO_MEMORY. */
enum status scheduler_sim_create(uint64_t seed, struct scheduler **scheduler_out) MUST_CHECK;

/* Runs one due step of the deterministic scheduler; when none is due but some are delayed, moves
 * its clock to the first of them if `may_wait`. False when there was nothing to run. Each step run
 * moves the clock by 1 us. */
bool scheduler_sim_run_one(struct scheduler *scheduler, bool may_wait);

/* Its clock, for an environment that shares it: nanoseconds since creation. */
uint64_t scheduler_sim_now_ns(const struct scheduler *scheduler);

#endif
