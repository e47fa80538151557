/* commits.h: what is written.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_COMMITS_H
#define KVD_STORAGE_DOOR_COMMITS_H

#include "storage/door/opening.h"
#include "storage/door/reads.h"

/* ---- Large values -----------------------------------------------------------------------------
 *
 * A value too long for one frame is uploaded in pieces, and then named by a commit. An upload that
 * is abandoned, or broken by a crash, leaves only what GC takes. begin, append and finish wait for
 * the disk. One thread at a time for one upload. */

struct store_upload;

#define STORE_LARGE_BYTES_MAX (UINT64_C(16) * 1024 * 1024 * 1024)

/* Errors: NO_SPACE, NO_MEMORY, TOO_LARGE (the key), LOG_FAILED, READ_ONLY, IO. */
enum status store_upload_begin(struct store *store, uint32_t namespace_id, struct slice key,
                               struct store_upload **upload_out, struct error *error) MUST_CHECK;

/* Adds bytes at the end. Errors: TOO_LARGE (16 GiB), NO_SPACE, NO_MEMORY, IO: the upload can only
 * be abandoned then. */
enum status store_upload_append(struct store_upload *upload, struct slice bytes,
                                struct error *error) MUST_CHECK;

/* Bytes appended so far, and their XXH3-64. */
uint64_t store_upload_bytes(const struct store_upload *upload);
uint64_t store_upload_checksum(const struct store_upload *upload);

/* Memory that the upload holds, for budgets. */
uint64_t store_upload_memory(const struct store_upload *upload);

/* Syncs all pieces. Must come before store_commit_upload. Errors as append. */
enum status store_upload_finish(struct store_upload *upload, struct error *error) MUST_CHECK;

/* Frees the upload; what no commit has named becomes garbage. After the commit has completed, or
 * instead of it; not while it is submitted. NULL is allowed. */
void store_upload_destroy(struct store_upload *upload);

/* ---- Commits ----------------------------------------------------------------------------------
 */

enum store_condition_kind {
    STORE_ALWAYS,    /* no condition */
    STORE_IF_ABSENT, /* the key must not exist */
    STORE_IF_PRESENT,
    STORE_IF_VERSION /* the key must exist with exactly this version */
};

struct store_condition {
    enum store_condition_kind kind;
    uint64_t version;
};

struct store_put {
    uint32_t namespace_id;
    struct slice key;
    struct slice value;
    uint64_t ttl_ms;     /* from now; 0 is never to expire */
    uint32_t user_flags; /* kept with the value */
    bool has_checksum;   /* verify `checksum` first */
    uint64_t checksum;   /* XXH3-64 of the value */
    struct store_condition condition;
};

struct store_outcome {
    enum status status;    /* OK; EXISTS, ABSENT, VERSION_MISMATCH: a condition is not met and
                              nothing was done; ABSENT also for an expiry of no key; OVERFLOW, INVALID
                              (not a number): an addition; TOO_LARGE: an append; QUOTA; BUSY: a
                              rewind met changes; NO_SPACE, LOG_FAILED, READ_ONLY, NO_MEMORY, CORRUPT,
                              IO: nothing was done; UNKNOWN: it may or may not have taken effect */
    uint64_t version;      /* of the commit, when OK; of the key as found, when not met (0: none) */
    uint32_t operation;    /* the number (from 0) of the operation at fault */
    uint32_t result_count; /* of additions and appends, in the order of their operations */
    const int64_t
        *results;        /* the new number, or the new length; borrowed until the commit is reset */
    uint64_t number;     /* of the token of the commit that took effect; 0 without one */
    bool is_repeat;      /* the commit had been done, or refused, before, under its token; then: */
    struct slice answer; /* of the token of that one; borrowed until the commit is reset */
};

typedef void (*store_commit_cb)(struct store_commit *commit, const struct store_outcome *outcome);

/* An empty commit, to be reused: no allocation once warm. Errors: NO_MEMORY. */
enum status store_commit_create(struct store *store, struct store_commit **commit_out) MUST_CHECK;

/* Frees it; not while submitted. NULL is allowed. */
void store_commit_destroy(struct store_commit *commit);

/* Empties it for the next use; keeps its memory up to a bound. */
void store_commit_reset(struct store_commit *commit);

/* Adds an operation; key and value are copied (the value is compressed here, where that pays). All
 * operations take effect together, the last one on a key wins, and all conditions are judged
 * against the state before the commit. Errors: TOO_LARGE (key, value, commit), CHECKSUM (does not
 * match has_checksum), INVALID, NO_MEMORY; the commit is unchanged then. */
enum status store_commit_put(struct store_commit *commit, const struct store_put *put) MUST_CHECK;
enum status store_commit_delete(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key,
                                const struct store_condition *condition) MUST_CHECK;

/* Deletes every key in [range->from, range->to), as one operation whatever their number;
 * range->reverse has no meaning. Errors as above. */
enum status store_commit_delete_range(struct store_commit *commit,
                                      const struct store_range *range) MUST_CHECK;

/* Adds to a decimal 64-bit number kept as text; an absent key counts as 0. Keeps expiry and user
 * flags. */
enum status store_commit_add(struct store_commit *commit, uint32_t namespace_id, struct slice key,
                             int64_t amount, const struct store_condition *condition) MUST_CHECK;

/* Adds bytes at the end of a value; an absent key counts as empty. Keeps expiry and user flags. */
enum status store_commit_append(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, struct slice bytes,
                                const struct store_condition *condition) MUST_CHECK;

/* Gives a key a new expiry, ttl_ms from now; 0: none any more. The value is not copied. */
enum status store_commit_expire(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, uint64_t ttl_ms,
                                const struct store_condition *condition) MUST_CHECK;

/* Names the value of a finished upload; put->value is not looked at, put->key and namespace must be
 * those of the upload. The upload must outlive the commit. */
enum status store_commit_upload(struct store_commit *commit, const struct store_put *put,
                                struct store_upload *upload) MUST_CHECK;

/* Makes a namespace, or changes its settings. Errors: INVALID (the default one may be changed, not
 * named twice in a commit), NO_MEMORY. */
enum status store_commit_namespace_set(struct store_commit *commit, struct slice name,
                                       const struct store_namespace_settings *settings) MUST_CHECK;

/* Drops a namespace with all its keys, at once. Errors: NOT_FOUND, INVALID (the default one),
 * NO_MEMORY. */
enum status store_commit_namespace_drop(struct store_commit *commit, struct slice name) MUST_CHECK;

/* The caller's word, returned by store_commit_arg; e.g. the request that it belongs to. */
void store_commit_set_arg(struct store_commit *commit, void *arg);
void *store_commit_arg(const struct store_commit *commit);

/* Whose commit it is, until the reset: commits of one stream take effect in the order of their
 * submission, whatever waits. 0, if not set: of nobody, in the order of all. While puts wait for
 * space, deletes of a stream may pass those of other streams (nobody has seen them yet). */
void store_commit_set_stream(struct store_commit *commit, uint64_t stream);

/* A retry token: what a client names a write by that it may have to send again. Sequences of a
 * client ascend; a write that is sent again has that of the first time. */
#define STORE_RETRY_CLIENT_BYTES 16u
#define STORE_RETRY_SEQUENCES 1024u /* from the oldest that may still be repeated to the newest */
#define STORE_RETRY_WINDOW_MS (UINT64_C(10) * 60 * 1000) /* a repeat must come within */

struct store_token {
    uint8_t client[STORE_RETRY_CLIENT_BYTES];
    uint64_t sequence;
    /* the submitter's: what its answer tells beside the outcome; kept with it, and not with a
     * refusal */
    uint64_t number;
    struct slice answer; /* borrowed until the commit has ended; not too long: else TOO_LARGE */
    bool provisional; /* CONFLICT and TXN_TOO_OLD are not kept: it is run again under this token */
};

/* Of all commits with one token, whenever and by whomever submitted, at most one takes effect; the
 * others are given its outcome, results included, once it is durable: whatever their own operations
 * are. A refusal (any status but OK that says nothing was done for a reason of the data, not of the
 * disk or the memory) is remembered likewise. UNKNOWN: the token is older than what is kept.
 * INVALID: the results are not those of such a commit. Until the reset. */
void store_commit_set_token(struct store_commit *commit, const struct store_token *token);

/* A commit with a token, empty otherwise: that of a request which cannot be executed again (what it
 * refers to has ended) and is found by its token, if it ever was. If not, it ends with `status`,
 * which is remembered if it is one of a refusal: a first copy can take no effect any more. */
void store_commit_refuse(struct store_commit *commit, enum status status);

/* Submits `count` filled commits in this order; they get ascending versions in this order, within
 * each stream. Each
 * completes by done_cb, once, when it has reached `durability`, or has failed: never before this
 * function was entered, perhaps before it returns. Commits are the store's until then. An empty
 * commit completes with OK and the newest version. */
void store_submit(struct store *store, struct store_commit *const *commits, uint32_t count,
                  enum store_durability durability, store_commit_cb done_cb);

#endif
