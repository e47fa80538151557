/* maintenance.h: runs flush and compaction when there is something to do.
 *
 * One step each on the BACKGROUND lane, posted when a memtable is frozen or a version installed;
 * each runs one job and posts itself again while there is more. A job that fails for want of space
 * or through an I/O error is tried again after a while, with new files; one that meets damaged
 * bytes stops compaction (reads and writes go on; flush does not read tables) and is kept as the
 * sticky error that statistics and store_health show (R11). A failed manifest fails the log.
 *
 * Threads: any, for the functions here; the steps run one at a time each. */
#ifndef KVD_STORAGE_MAINTENANCE_H
#define KVD_STORAGE_MAINTENANCE_H

#include "storage/compaction.h"
#include "storage/store.h"

struct maintenance_stats {
    _Atomic uint64_t flushes; /* relaxed, all */
    _Atomic uint64_t compactions;
    _Atomic uint64_t compaction_input_bytes;
    _Atomic uint64_t compaction_output_bytes;
    _Atomic uint64_t failures;
};

/* One kind of job. */
struct maintenance_job {
    struct maintenance *maintenance;
    struct step step;
    /* guarded by maintenance.mu */
    bool queued;
    bool running;
    bool again;         /* wanted while it was running */
    struct error error; /* of the last run; status OK when it went well */
};

struct maintenance {
    struct job_context context;  /* constant */
    struct scheduler *scheduler; /* borrowed; constant */
    store_log_cb log_cb;         /* constant; may be NULL */
    void *log_arg;
    struct maintenance_stats stats;
    _Atomic enum status flush_status; /* relaxed: how the last flush ended, for the commit lane */
    struct maintenance_job flush;
    struct maintenance_job compaction;
    struct mutex mu;
    /* guarded by mu; a leaf but for the scheduler's */
    bool stopping;
    bool compact_all;   /* until one sorted level is left */
    struct error error; /* the last failure; OK when the job has succeeded since */
};

void maintenance_init(struct maintenance *maintenance, const struct job_context *context,
                      struct scheduler *scheduler, store_log_cb log_cb, void *log_arg);

/* There may be a frozen memtable. */
void maintenance_want_flush(struct maintenance *maintenance);

/* There may be something to compact; `all`: until one sorted level is left. */
void maintenance_want_compaction(struct maintenance *maintenance, bool all);

/* No compaction begins any more, and no job is tried again; flushes still run. */
void maintenance_stop(struct maintenance *maintenance);

/* Stopped and the scheduler drained before. */
void maintenance_deinit(struct maintenance *maintenance);

/* The sticky error of the jobs, or OK. */
enum status maintenance_error(struct maintenance *maintenance, struct error *error_out);

#endif
