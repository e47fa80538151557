/* commit_ready.h: everything that comes before a commit may be inserted: may it come in now, are
 * its conditions met, what are its deferred operations, which namespaces does it touch, has it been
 * done before. Part of
 * commit.h's step: the commit thread, or an I/O thread while that waits. */
#ifndef KVD_STORAGE_COMMIT_READY_H
#define KVD_STORAGE_COMMIT_READY_H

#include "storage/commit_pipeline.h"

/* Bytes in memory that are still to be written to tables. */
uint64_t commit_ready_unflushed_bytes(const struct view *view);

/* Whether so many bytes more may be written beside the log: the reserve of the disk is not for what
 * comes in. Any thread. Errors: NO_SPACE, LOG_FAILED. */
enum status commit_ready_room(const struct commit_log *log, struct view_holder *views,
                              const struct space_guard *space, uint64_t bytes,
                              struct error *error) MUST_CHECK;

/* Judges and resolves a commit against the newest state; false: it needs the disk (commit_judge.h,
 * commit_resolve.h). */
bool commit_ready_judge(struct commit_pipeline *pipeline, struct store_commit *commit,
                        const struct view *view, enum read_wait wait);

/* Whether the commit at the head may come in. Errors: BUSY: later (the space promise); else what it
 * is to fail with: NO_SPACE, or what keeps the jobs that make room from running. */
enum status commit_ready_admit(struct commit_pipeline *pipeline, const struct store_commit *commit,
                               const struct view *view) MUST_CHECK;

/* Completes the batch of a commit that was judged: the rows of the catalogue, each key once, the
 * quotas, and the row of its token. Errors: what the commit is to fail with. */
enum status commit_ready_finish(struct commit_pipeline *pipeline, struct store_commit *commit,
                                const struct view *view) MUST_CHECK;

#endif
