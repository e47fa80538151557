/* commit_pipeline.h: what the rooms of the commit lane share: commit.h (queue, step, tick) and
 * commit_group.h (one group). Only they use it, the store sets it up, and statistics read it. */
#ifndef KVD_STORAGE_COMMIT_PIPELINE_H
#define KVD_STORAGE_COMMIT_PIPELINE_H

#include "storage/commit_log.h"
#include "storage/commit_request.h"
#include "storage/namespaces.h"
#include "storage/space_guard.h"
#include "storage/space_promise.h"
#include "storage/syncer.h"
#include "storage/time_keeper.h"

struct conflict_window;

#define COMMIT_GROUP_BYTES (8u * 1024 * 1024) /* a group is closed at so many bytes */
#define COMMIT_SEGMENT_FRACTION 64u
#define COMMIT_VERSIONS_AHEAD (UINT64_C(1) << 20) /* by which the ceiling is raised at a time */

struct commit_options {
    struct commit_log *log;
    struct watermarks *marks;
    struct view_holder *views;
    struct version_set *versions;
    struct store_clock *clock;
    struct namespaces *namespaces;
    struct space_guard *space;
    struct syncer *syncer;
    struct scheduler *scheduler;
    struct time_keeper *times;                /* NULL: nobody asks for times */
    struct conflict_window *window;           /* NULL: there are no transactions */
    const struct space_promise *promise;      /* puts wait while it says so; NULL: never */
    const _Atomic enum status *flush_status;  /* how the last flush ended, see maintenance.h */
    enum status (*jobs_status_cb)(void *arg); /* OK, or what keeps jobs from making room */
    void (*frozen_cb)(void *arg);             /* a memtable was frozen: flush it */
    void *arg;
    uint64_t memtable_bytes;      /* a memtable is frozen at so many bytes, */
    uint64_t unflushed_log_bytes; /* or when it holds so much of the log */
    uint64_t segment_bytes_min;   /* a segment is sealed at 1 / COMMIT_SEGMENT_FRACTION of the */
    uint64_t segment_bytes_max;   /* store's weight, within these bounds */
    uint64_t next_version;
    uint64_t version_ceiling;
};

struct commit_stats {
    _Atomic uint64_t commits; /* relaxed, all */
    _Atomic uint64_t groups;
    _Atomic uint64_t repeats; /* answered with what was done before */
    _Atomic uint64_t log_bytes;
    _Atomic uint64_t delays;
    _Atomic uint64_t delay_ms;
};

struct commit_pipeline {
    struct commit_options options; /* constant; what it points to is borrowed */
    struct commit_stats stats;
    struct step step;
    struct step tick; /* once a second, on the commit lane too */
    struct mutex mu;
    /* guarded by mu */
    struct store_commit *queue_first;
    struct store_commit *queue_last;
    bool active;   /* the step is queued, running, halted, or waited for by an I/O thread */
    bool stopping; /* the tick is not queued again, and nothing is put off */
    bool halt_wanted;
    bool halted; /* the step runs no more until commit_resume */
    struct condvar halted_changed;
    /* commit lane */
    struct store_commit *first; /* taken from the queue */
    struct store_commit *last;
    uint64_t next_version;
    uint64_t version_ceiling;
    uint64_t tick_sequence;        /* of the log at the last tick */
    bool in_gate;                  /* of aliases (alias_gate.h); also while an I/O thread judges */
    uint32_t refusals;             /* of puts, for want of space, since the last flush for that */
    enum status puts_refused;      /* why, while no memtable can be flushed; or OK */
    struct log_commit *group;      /* owned; GROUP_COMMITS_MAX */
    struct store_commit **members; /* owned; of the group, in order */
    uint8_t *row;                  /* owned; ROW_BYTES_MAX */
};

/* Whether what was submitted is to be taken now, with no more delays. Any thread. */
static inline bool commit_pipeline_is_stopping(struct commit_pipeline *pipeline) {
    bool stopping;

    mutex_lock(&pipeline->mu);
    stopping = pipeline->stopping;
    mutex_unlock(&pipeline->mu);
    return stopping;
}

#endif
