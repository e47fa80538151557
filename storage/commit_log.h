/* commit_log.h: the one log: the active segment, its order, its syncs, its rotation.
 *
 *      append (commit thread) ---> written        sync (any thread) ---> durable
 *
 * The commit thread appends groups. A sync takes what is written when it begins and raises the
 * durable watermark to it when it returned; one sync at a time. Rotation syncs and seals the old
 * segment, records its end and the new segment in the manifest, and only then lets the new one be
 * appended to (R3). The next segment's file is made by the rotation itself.
 *
 * The first failed append or sync is final (R1): the error is kept, waiters get UNKNOWN, and all
 * later calls answer LOG_FAILED.
 *
 * Threads: reserve, layout, append, rotate: the commit thread. sync, fail, error: any. */
#ifndef KVD_STORAGE_COMMIT_LOG_H
#define KVD_STORAGE_COMMIT_LOG_H

#include "storage/segment_writer.h"
#include "storage/store_clock.h"
#include "storage/version_set.h"
#include "storage/watermarks.h"

struct commit_log {
    /* constant after open; borrowed */
    struct env *env;
    const char *dir;
    struct version_set *versions;
    struct watermarks *marks;
    struct store_clock *clock;
    uint64_t incarnation;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t preallocate_bytes;
    store_log_cb log_cb; /* may be NULL */
    void *log_arg;
    /* commit thread */
    uint64_t sequence;        /* of the last group */
    uint64_t group_time_ms;   /* store time in it */
    bool last_group_is_empty; /* nothing is left to be vouched for */
    /* guarded by sync_mu, which is held during the sync on purpose: a second one would only wait in
     * the kernel. The commit thread takes it to rotate. */
    struct mutex sync_mu;
    struct segment_writer *writer; /* owned; the commit thread reads the pointer without the lock */
    /* guarded by mu; a leaf */
    struct mutex mu;
    struct log_position durable;
    struct error error;       /* the first failure */
    _Atomic bool failed;      /* release with `error` set */
    _Atomic uint64_t syncs;   /* relaxed */
    _Atomic uint64_t sync_ns; /* relaxed; that they took in all */
};

struct commit_log_options {
    struct env *env;
    const char *dir;
    struct version_set *versions;
    struct watermarks *marks;
    struct store_clock *clock;
    uint64_t incarnation;
    const uint8_t *store_id; /* STORE_ID_BYTES */
    uint64_t preallocate_bytes;
    uint64_t last_sequence;
    store_log_cb log_cb; /* told, once, that the log has failed; may be NULL */
    void *log_arg;
    bool nothing_to_replay; /* no memtable needs an older segment */
};

/* Begins a new active segment, recorded in the manifest. Errors: NO_SPACE, NO_MEMORY, IO,
 * LOG_FAILED; commit_log_close is needed after those too. */
enum status commit_log_open(struct commit_log *log, const struct commit_log_options *options,
                            struct error *error) MUST_CHECK;

/* Closes without a sync. A zeroed struct is allowed. */
void commit_log_close(struct commit_log *log);

/* Bytes of the active segment. */
uint64_t commit_log_segment_bytes(const struct commit_log *log);
uint64_t commit_log_segment(const struct commit_log *log);

/* See segment_writer_reserve and segment_writer_layout. */
enum status commit_log_reserve(struct commit_log *log, uint64_t bytes,
                               struct error *error) MUST_CHECK;
void commit_log_layout(const struct commit_log *log, struct log_commit *commits, size_t count);

/* Appends one group (of 0 commits: an empty one, which vouches for the last). Raises `visible`
 * and `written`: a reader of a separated value must find its bytes in the file.
 * Errors: LOG_FAILED: the log has failed, now or earlier. */
enum status commit_log_append(struct commit_log *log, const struct log_commit *commits,
                              size_t count, uint64_t last_version) MUST_CHECK;

/* Makes all that is written durable and raises the watermark. Errors: LOG_FAILED. */
enum status commit_log_sync(struct commit_log *log) MUST_CHECK;

/* Syncs and seals the active segment and begins the next one. Errors: NO_SPACE, NO_MEMORY (the old
 * one goes on), LOG_FAILED. */
enum status commit_log_rotate(struct commit_log *log, struct error *error) MUST_CHECK;

/* What is known to be durable. */
struct log_position commit_log_durable(struct commit_log *log);

/* Declares the log failed. The first call counts. */
void commit_log_fail(struct commit_log *log, const struct error *error);

static inline bool commit_log_failed(const struct commit_log *log) {
    return atomic_load_explicit(&log->failed, memory_order_acquire);
}

#endif
