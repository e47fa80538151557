/* commit_resolve.h: works out the deferred operations of a commit: additions, appends, new
 * expiries.
 *
 * On the commit lane, like conditions, against the newest state, the earlier commits of the same
 * group included: nothing can come between what is read and what is written. Then they stand in the
 * batch as plain operations.
 *
 *      ADD      the value as a decimal number, plus the amount: INLINE
 *      APPEND   the value, plus the bytes: INLINE or separated, as a put of the whole would be
 *      EXPIRE   a small value is copied; a record in the log is not: an alias of it
 *
 * Operations of one batch are worked out in their order, key by key: each sees what the ones before
 * it on the same key leave, puts, deletes and range deletes included, and the last one counts.
 *
 * A number is an optional '-' and digits, at most NUMBER_BYTES_MAX bytes, that fit 64 bits; what an
 * addition writes has no leading zeros. */
#ifndef KVD_STORAGE_COMMIT_RESOLVE_H
#define KVD_STORAGE_COMMIT_RESOLVE_H

#include "storage/commit_judge.h"

#define NUMBER_BYTES_MAX 20u

/* Appends the results to the batch and to commit->results, and raises commit->waiter.hold by what
 * they rest on. Sets commit->outcome to OK, or to the first operation that cannot be done (and why:
 * ABSENT, INVALID, OVERFLOW, TOO_LARGE; or CORRUPT, IO, NO_MEMORY). False when it takes the disk,
 * or so long that it is for an I/O thread (READ_WAIT_NEVER only): the commit is as it was. */
bool commit_resolve(struct store_commit *commit, const struct commit_sight *sight);

/* The number that `text` is. False when it is none. */
bool number_parse(struct slice text, int64_t *number_out);

#endif
