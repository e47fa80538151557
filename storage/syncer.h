/* syncer.h: makes the log durable when somebody waits for it, and about every second anyway.
 *
 * A step on the SYNC lane: while one sync runs, the next group gathers; the step runs again as long
 * as a version is wanted that is not durable yet. Any thread. */
#ifndef KVD_STORAGE_SYNCER_H
#define KVD_STORAGE_SYNCER_H

#include "storage/commit_log.h"
#include "storage/scheduler.h"

struct syncer {
    struct commit_log *log;      /* borrowed; constant */
    struct scheduler *scheduler; /* borrowed; constant */
    struct step step;
    _Atomic uint64_t wanted; /* highest version that somebody waits for */
    _Atomic bool posted;     /* acq_rel: the step is queued */
};

void syncer_init(struct syncer *syncer, struct commit_log *log, struct scheduler *scheduler);

/* Sees to it that `version` becomes durable; it must be written already. */
void syncer_want(struct syncer *syncer, uint64_t version);

/* One sync, whatever the versions: for an empty group. */
void syncer_post(struct syncer *syncer);

#endif
