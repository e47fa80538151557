/* scrub.h: reads all files again and again, slowly, to find what the disk has spoilt while there
 * is still another copy.
 *
 *      tables by number -> segments by number -> levels and relocations -> a round is over
 *
 * One file a step, of the newest version at that moment (verify.h says what is looked at); then it
 * rests for as long as the bytes that were read are worth at the configured rate. No version is
 * held between two steps, or longer than one file takes; a file that a job replaces in the middle
 * of a round is passed over, and what replaces it is newer, so it comes later in the round, or in
 * the next.
 *
 * A fault is said in the log once a file and round, and counted. It changes nothing else: reads of
 * the damaged part fail by themselves, and what can be done is for people (docs/operations.md).
 *
 * A step of the background lane, by delay; any thread may read the figures. */
#ifndef KVD_STORAGE_SCRUB_H
#define KVD_STORAGE_SCRUB_H

#include "storage/lock.h"
#include "storage/scheduler.h"
#include "storage/verify.h"
#include "storage/version_set.h"

#include <stdatomic.h>

struct scrub_options {
    struct env *env; /* borrowed, like the rest */
    const char *dir;
    struct compression *compression;
    struct version_set *versions;
    struct scheduler *scheduler;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t bytes_per_s; /* at first; 0: off */
    store_log_cb log_cb;  /* may be NULL */
    void *log_arg;
};

enum scrub_stage { SCRUB_TABLES, SCRUB_SEGMENTS, SCRUB_SHAPE };

struct scrub {
    struct scrub_options options; /* constant */
    struct step step;
    /* of the step alone */
    enum scrub_stage stage;
    uint64_t after; /* the number of the last file of the stage */
    bool said;      /* the fault of the present file */
    /* guarded by mu, a leaf but for the scheduler's */
    struct mutex mu;
    bool stopping;
    bool active; /* the step is queued, or runs */
    /* atomic, relaxed */
    _Atomic bool cancel;
    _Atomic uint64_t bytes_per_s; /* 0: off */
    _Atomic uint64_t rounds;
    _Atomic uint64_t bytes;
    _Atomic uint64_t faults;     /* files with faults, once a round each */
    _Atomic uint64_t last_fault; /* number of the last of them; 0: none, or no file */
};

/* Begins, unless the rate is 0. */
void scrub_start(struct scrub *scrub, const struct scrub_options *options);

/* Goes on at another rate from now on; 0: not, and the present round goes on where it was once
 * there is a rate again. Any thread. */
void scrub_set_rate(struct scrub *scrub, uint64_t bytes_per_s);

/* Begins no further file, and leaves the present one soon. May be called twice. */
void scrub_stop(struct scrub *scrub);

/* Stopped, and the scheduler drained, before. A zeroed struct is allowed. */
void scrub_deinit(struct scrub *scrub);

#endif
