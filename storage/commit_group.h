/* commit_group.h: makes one group of what waits, and writes it. Part of commit.h's step: the commit
 * thread only. */
#ifndef KVD_STORAGE_COMMIT_GROUP_H
#define KVD_STORAGE_COMMIT_GROUP_H

#include "storage/commit_pipeline.h"

/* Takes commits from the head of pipeline->first, up to the size of a group; each is completed or
 * waits for its watermark. At least one is taken, or: WOULD_BLOCK: the first one needs the disk: an
 * I/O thread is to call commit_group_judge; BUSY: later: the memtable is full and all its
 * predecessors wait for their flush, or puts wait for space to be collected, or the first one makes
 * an alias while an install drops segments. */
enum status commit_group_run(struct commit_pipeline *pipeline) MUST_CHECK;

/* On an I/O thread, while the commit lane waits: judges and resolves the commit at the head. */
void commit_group_judge(struct commit_pipeline *pipeline, struct store_commit *commit);

/* Freezes the active memtable if it holds anything. On the commit lane, or while that is idle and
 * nothing is submitted (closing). Errors: BUSY (VIEW_FROZEN_MAX wait for their flush), NO_MEMORY.
 */
enum status commit_group_freeze(struct commit_pipeline *pipeline) MUST_CHECK;

/* A commit that is written by itself, at a version of its own, together with an edit. */
struct commit_single {
    struct store_commit *commit; /* finished; it puts nothing, and needs no judging */
    uint64_t version;            /* above all others, and from here on below all others */
    struct version_edit *edit;   /* installed just before; its version ceiling is set here */
};

/* On the commit lane, while it is halted (commit.h): installs the edit and writes the commit, which
 * makes both visible at once. With OK the commit completes as any does (UNKNOWN, should its append
 * fail), else it is still the caller's. Errors: INVALID (a commit has a higher version already),
 * NO_SPACE, NO_MEMORY: nothing was done. LOG_FAILED: the edit may or may not be durable. */
enum status commit_group_run_single(struct commit_pipeline *pipeline,
                                    const struct commit_single *single,
                                    struct error *error) MUST_CHECK;

#endif
