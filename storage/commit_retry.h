/* commit_retry.h: a commit with a retry token takes effect once, however often it is sent.
 *
 *      judged     is there a row of its token?  yes: it is a repeat: nothing is written, and its
 *                 outcome is the one that the row tells (retry_row.h)
 *      ready      no: the row joins its batch, and so its fate in the log
 *      refused    a condition, a conflict ...: the row alone is written, so that a first copy of
 *                 the commit that comes in later cannot do what the repeat was told has not been
 *                 done
 *
 * The lookup sees what is not visible yet, the earlier commits of the same group included, and
 * commits come one by one: of two copies, the one that comes second is the repeat, on whatever
 * connection. A repeat is answered when the first commit is durable: its answer rests on what that
 * one had read as well. A row expires STORE_RETRY_WINDOW_MS after its commit.
 *
 * Commit lane, or an I/O thread while that waits. */
#ifndef KVD_STORAGE_COMMIT_RETRY_H
#define KVD_STORAGE_COMMIT_RETRY_H

#include "storage/commit_judge.h"

/* Looks for the row of the commit's token. False when the disk would have to be waited for
 * (READ_WAIT_NEVER only). If it is there, commit->is_repeat, with the outcome and its hold; if not,
 * the outcome is that of store_commit_refuse, or OK: to be judged. Any other: the lookup failed. */
bool commit_retry_find(struct store_commit *commit, const struct commit_sight *sight);

/* Adds the row to the batch, which is finished. Errors: TOO_LARGE (too many results), NO_MEMORY. */
enum status commit_retry_stage(struct store_commit *commit, uint64_t now_ms) MUST_CHECK;

/* Whether the commit, which is refused with its outcome, is to be inserted all the same: with the
 * row of its token, and nothing else. */
bool commit_retry_stage_refusal(struct store_commit *commit, uint64_t now_ms);

#endif
