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

#include "storage/commit_pipeline.h"

/* Starts the tick. Errors: NO_MEMORY. */
enum status commit_pipeline_init(struct commit_pipeline *pipeline,
                                 const struct commit_options *options) MUST_CHECK;

/* Ends the tick, and the putting off of commits: what was submitted is taken now, into a memtable
 * beyond its size where needed. The scheduler may be drained after. */
void commit_pipeline_stop(struct commit_pipeline *pipeline);

/* Keeps commits from being taken, and returns once no group is being made and no commit is judged
 * but not inserted. What is submitted waits; steps in the commit lane, and flushes, go on. One
 * caller at a time, who soon calls commit_resume. Waits: not for a step of the commit lane.
 * `drain`: see lane_call.h. */
void commit_halt(struct commit_pipeline *pipeline, bool drain);
void commit_resume(struct commit_pipeline *pipeline);

/* Stopped and drained before. A zeroed struct is allowed. */
void commit_pipeline_deinit(struct commit_pipeline *pipeline);

/* See store_submit. The batches are finished (batch.h) by the caller. */
void commit_submit(struct commit_pipeline *pipeline, struct store_commit *const *commits,
                   uint32_t count);

#endif
