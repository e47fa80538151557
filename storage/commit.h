/* commit.h: the way of a commit: from the queue to the log.
 *
 *      submit (any thread) -> queue -> commit step:   judge conditions -> version -> memtable
 *                                                     -> one append -> `visible`, `written`
 *                                      sync step:     one fdatasync -> `durable`
 *
 * All commits that wait when the step runs make one group, so groups grow by themselves under load.
 * Within a group a commit sees the ones before it. Nothing fails between the first insert and the
 * append but the append itself, after which the log has failed for good and what was inserted is
 * never flushed.
 *
 * When a condition needs the disk, the step stops and an I/O thread judges that commit; the queue
 * waits, so nothing can change in between, and order is kept. When flush or compaction fall behind,
 * the step runs later, by milliseconds that grow with the debt: writes are paced, never cut off.
 *
 * Threads: submit: any. The step: the commit lane. Full disk: commits that put get NO_SPACE before
 * anything is written; deletes go on. */
#ifndef KVD_STORAGE_COMMIT_H
#define KVD_STORAGE_COMMIT_H

#include "storage/commit_log.h"
#include "storage/commit_request.h"
#include "storage/namespaces.h"
#include "storage/space_guard.h"
#include "storage/syncer.h"

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
    const _Atomic enum status *flush_status; /* how the last flush ended, see maintenance.h */
    void (*frozen_cb)(void *arg);            /* a memtable was frozen: flush it */
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
    bool active;   /* the step is queued, running, or waited for by an I/O thread */
    bool stopping; /* the tick is not queued again, and nothing is put off */
    /* commit lane */
    struct store_commit *first; /* taken from the queue */
    struct store_commit *last;
    uint64_t next_version;
    uint64_t version_ceiling;
    uint64_t tick_sequence;        /* of the log at the last tick */
    enum status puts_refused;      /* why, while no memtable can be flushed; or OK */
    struct log_commit *group;      /* owned; GROUP_COMMITS_MAX */
    struct store_commit **members; /* owned; of the group, in order */
    uint8_t *row;                  /* owned; ROW_BYTES_MAX */
};

/* Starts the tick. Errors: NO_MEMORY. */
enum status commit_pipeline_init(struct commit_pipeline *pipeline,
                                 const struct commit_options *options) MUST_CHECK;

/* Ends the tick, and the putting off of commits: what was submitted is taken now, into a memtable
 * beyond its size where needed. The scheduler may be drained after. */
void commit_pipeline_stop(struct commit_pipeline *pipeline);
static inline bool commit_pipeline_is_stopping(struct commit_pipeline *pipeline) {
    bool stopping;

    mutex_lock(&pipeline->mu);
    stopping = pipeline->stopping;
    mutex_unlock(&pipeline->mu);
    return stopping;
}

/* Stopped and drained before. A zeroed struct is allowed. */
void commit_pipeline_deinit(struct commit_pipeline *pipeline);

/* See store_submit. The batches are finished (batch.h) by the caller. */
void commit_submit(struct commit_pipeline *pipeline, struct store_commit *const *commits,
                   uint32_t count);

#endif
