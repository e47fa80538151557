/* commit_group.h: makes one group of what waits, and writes it. Part of commit.h's step: the commit
 * thread only. */
#ifndef KVD_STORAGE_COMMIT_GROUP_H
#define KVD_STORAGE_COMMIT_GROUP_H

#include "storage/commit_pipeline.h"

/* Takes commits from the head of pipeline->first, up to the size of a group; each is completed or
 * waits for its watermark. At least one is taken, or: WOULD_BLOCK: the first one's conditions need
 * the disk; BUSY: the memtable is full and all its predecessors wait for their flush. */
enum status commit_group_run(struct commit_pipeline *pipeline) MUST_CHECK;

/* Judges a commit against the newest state; false: it needs the disk (see commit_judge). */
bool commit_group_judge(struct commit_pipeline *pipeline, struct store_commit *commit,
                        enum read_wait wait);

/* Freezes the active memtable if it holds anything. On the commit lane, or while that is idle and
 * nothing is submitted (closing). Errors: BUSY (VIEW_FROZEN_MAX wait for their flush), NO_MEMORY.
 */
enum status commit_group_freeze(struct commit_pipeline *pipeline) MUST_CHECK;

#endif
