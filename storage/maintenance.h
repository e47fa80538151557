/* maintenance.h: decides which background job runs next: flush, compaction, log GC.
 *
 *      flush    | one step, posted when a memtable is frozen: it may run beside all else
 *      tree     | one step, so that the jobs that change tables or segments never run together:
 *               |   1. tables that go whole          5. what was asked for by hand
 *               |   2. GC that puts wait for         6. GC from three quarters of its limit on
 *               |   3. tables with much that may go  7. tables with anything that may go
 *               |   4. a level over its weight       8. GC below that, once nothing is written
 *               |      3 has every second turn, until so much is freed in a second as is
 *               |      promised (reclaim_bytes_per_s); 7 comes to the same tables when 4 to 6
 *               |      have nothing to do, and to those with little once nothing is written
 *      tick     | every second: what waits for time alone (expiry, snapshots let go, idleness)
 *
 * A step does one piece of work, the first of the list that has any, and posts itself again while
 * it finds some. A piece that fails holds back its own kind and no other: until the next tick, or,
 * when it met damaged bytes, until the store is opened again (reads and writes go on; flush does
 * not read tables). What failed last is the sticky error that statistics and store_health show
 * (R11). A failed manifest fails the log.
 *
 * Threads: any, for the functions here; the steps run one at a time each. */
#ifndef KVD_STORAGE_MAINTENANCE_H
#define KVD_STORAGE_MAINTENANCE_H

#include "storage/compaction.h"
#include "storage/store.h"

/* How much garbage makes a GC worth its while: see gc_picker.h. */
enum collect_mode {
    COLLECT_URGENT, /* puts wait for it */
    COLLECT_LAZY,   /* the limit comes near */
    COLLECT_IDLE,   /* there is nothing else to do */
    COLLECT_ALL     /* asked for by hand */
};

/* The log GC and the space promise; set once they exist, all of it. */
struct collector {
    /* Collects one lot. Errors: END (nothing to do in this mode), those of compaction_run. */
    enum status (*run_cb)(void *arg, enum collect_mode mode, struct error *error);
    /* A flush, or a piece of the tree job, has installed a version. */
    void (*installed_cb)(void *arg);
    /* Sets the sizes that follow from the weight of the store (sizes.h), for one compaction. */
    void (*size_cb)(void *arg, struct job_context *context);
    void *arg;
};

/* What can fail by itself. */
enum maintenance_kind { KIND_FLUSH, KIND_DROP, KIND_COLLECT, KIND_COMPACT, KIND_TIDY, KIND_COUNT };

struct maintenance_stats {
    _Atomic uint64_t flushes; /* relaxed, all */
    _Atomic uint64_t compactions;
    _Atomic uint64_t compaction_input_bytes;
    _Atomic uint64_t compaction_output_bytes;
    _Atomic uint64_t dropped_tables;   /* whole, without reading them */
    _Atomic uint64_t tidied_tables;    /* rewritten for what may go */
    _Atomic uint64_t reclaimed_weight; /* what such work, and whole tables, have set free */
    _Atomic uint64_t collections;
    _Atomic uint64_t failures;
};

/* A step that runs one at a time. */
struct maintenance_job {
    struct maintenance *maintenance;
    struct step step;
    /* guarded by maintenance.mu */
    bool queued;
    bool running;
    bool again; /* wanted while it was running */
};

/* Work asked for by hand, by ticket: the tickets drawn before it begins are served by one run. */
struct maintenance_request {
    uint64_t wanted;    /* tickets drawn */
    uint64_t begun;     /* served by the present run, or the last one */
    uint64_t done;      /* served; less than `begun` while one is under way */
    struct error error; /* how the last one ended */
};

struct maintenance {
    struct job_context context;  /* constant */
    struct collector collector;  /* constant once work begins */
    struct scheduler *scheduler; /* borrowed; constant */
    store_log_cb log_cb;         /* constant; may be NULL */
    void *log_arg;
    struct maintenance_stats stats;
    _Atomic uint64_t reclaim_bytes_per_s; /* see store.h; relaxed */
    _Atomic enum status flush_status; /* relaxed: how the last flush ended, for the commit lane */
    struct maintenance_job flush;
    struct maintenance_job tree;
    struct maintenance_job tick;
    /* owned by the tree step */
    struct compaction_sweep sweep;
    uint64_t collect_rounds_left; /* of what was asked for by hand */
    uint64_t reclaimed_now;       /* weight freed by tidying since the last tick */
    uint64_t reclaim_ticks;       /* which tick that was */
    bool tidy_next;               /* its turn, before a level over its weight */
    bool by_hand_next;            /* its turn, before what is more urgent */
    struct mutex mu;
    struct condvar ended; /* a job has ended; only tools and I/O threads wait for it */
    /* guarded by mu; a leaf but for the scheduler's */
    bool stopping;
    bool paused; /* the tree job does nothing */
    bool idle;   /* nothing was written between the last two ticks */
    uint64_t visible_at_tick;
    uint64_t ticks; /* so far */
    uint64_t flushes_ended;
    struct maintenance_request compact_all;
    struct maintenance_request collect_all;
    struct error errors[KIND_COUNT]; /* of the last piece of each kind; OK when it went well */
    bool held[KIND_COUNT];           /* not before the next tick */
};

void maintenance_init(struct maintenance *maintenance, const struct job_context *context,
                      struct scheduler *scheduler, store_log_cb log_cb, void *log_arg);

/* Before the first of the functions below. */
void maintenance_set_collector(struct maintenance *maintenance, const struct collector *collector);

/* There may be a frozen memtable. */
void maintenance_want_flush(struct maintenance *maintenance);

/* There may be something to compact, or to collect. */
void maintenance_want_compaction(struct maintenance *maintenance);
void maintenance_want_gc(struct maintenance *maintenance);

/* Wait for the wanted work, and not for what comes in meanwhile: until all commits up to `version`,
 * whose memtable is frozen, are in tables; until all that was above the bottom level has reached
 * it, and what may go of that is gone; until GC finds nothing to do (or has been round the log
 * once). With `drain` (the deterministic scheduler) they run what is due themselves. Not for a
 * step. Errors: those of the jobs; CANCELLED when stopped. */
enum status maintenance_flush(struct maintenance *maintenance, uint64_t version, bool drain,
                              struct error *error) MUST_CHECK;
enum status maintenance_compact(struct maintenance *maintenance, bool drain,
                                struct error *error) MUST_CHECK;
enum status maintenance_collect(struct maintenance *maintenance, bool drain,
                                struct error *error) MUST_CHECK;

/* Keeps the tree job from doing anything, and returns once it does nothing: tables below level 0
 * stay as they are until maintenance_resume. Flushes go on. One caller at a time. Waits: not for a
 * step. Errors: CANCELLED (the store is closing; there is nothing to resume then). */
enum status maintenance_pause(struct maintenance *maintenance, struct error *error) MUST_CHECK;
void maintenance_resume(struct maintenance *maintenance);

/* What was asked for by hand ends with CANCELLED, and what is asked for from now on: once
 * *context.cancelled is set. Other jobs go on. */
void maintenance_cancel(struct maintenance *maintenance);

/* No job but a flush begins any more, and none is tried again. */
void maintenance_stop(struct maintenance *maintenance);

/* Stopped and the scheduler drained before. */
void maintenance_deinit(struct maintenance *maintenance);

/* The sticky error of the jobs, or OK. */
enum status maintenance_error(struct maintenance *maintenance, struct error *error_out);

#endif
