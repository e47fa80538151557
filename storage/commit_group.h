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

#endif
