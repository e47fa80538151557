/* syncer.c: see syncer.h. */
#include "storage/syncer.h"

#include <stddef.h>

static void syncer_step(struct step *step) {
    struct syncer *syncer = (struct syncer *)((char *)step - offsetof(struct syncer, step));

    /* Cleared before the log's state is read: a wish that comes later posts the step again. */
    atomic_store_explicit(&syncer->posted, false, memory_order_seq_cst);
    if (commit_log_sync(syncer->log) == STATUS_OK &&
        atomic_load_explicit(&syncer->wanted, memory_order_acquire) >
            watermarks_durable(syncer->log->marks)) {
        syncer_post(syncer);
    }
}

void syncer_init(struct syncer *syncer, struct commit_log *log, struct scheduler *scheduler) {
    *syncer = (struct syncer){.log = log, .scheduler = scheduler};
    step_init(&syncer->step, syncer_step);
}

void syncer_post(struct syncer *syncer) {
    if (!atomic_exchange_explicit(&syncer->posted, true, memory_order_seq_cst)) {
        scheduler_post(syncer->scheduler, LANE_SYNC, &syncer->step);
    }
}

void syncer_want(struct syncer *syncer, uint64_t version) {
    uint64_t wanted = atomic_load_explicit(&syncer->wanted, memory_order_relaxed);

    while (version > wanted &&
           !atomic_compare_exchange_weak_explicit(&syncer->wanted, &wanted, version,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    if (version > watermarks_durable(syncer->log->marks)) {
        syncer_post(syncer);
    }
}
