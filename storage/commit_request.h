/* commit_request.h: one commit on its way: what the door calls struct store_commit.
 *
 * Filled by its owner's thread (keys and values are copied, checked and compressed here, so that
 * the commit thread does none of that), then handed through the queue of commit.h, and given back
 * by its callback.
 *
 * Beside the batch stand, in buffers of their own, what is judged or worked out on the commit lane
 * and is no part of the log as such:
 *
 *      conditions   are they met?                            commit_judge.h
 *      basis        does what a rewind rests on still hold?  rewind_basis.h
 *      transaction  is all that it has read still so?        transaction_judge.h
 *      deferred     additions, appends, new expiries         commit_resolve.h
 *      catalogue    namespaces made, changed, dropped        commit_catalogue.h
 *      token        has it taken effect before?              commit_retry.h
 *
 * The last three end as ordinary operations in the batch, so replay knows nothing of them. */
#ifndef KVD_STORAGE_COMMIT_REQUEST_H
#define KVD_STORAGE_COMMIT_REQUEST_H

#include "storage/batch.h"
#include "storage/compression.h"
#include "storage/scheduler.h"
#include "storage/snapshots.h"
#include "storage/store.h"

struct commit_pipeline;
struct store_transaction;

/* How values are stored; constant after open. */
struct value_policy {
    uint64_t append_bytes_max;       /* a value grows no longer by appends */
    uint32_t value_threshold;        /* values of at least so many bytes are separated */
    struct compression *compression; /* borrowed; NULL: values are stored as they are */
};

struct store_commit {
    /* owner's until submitted, then the store's */
    struct store *store;               /* borrowed, for the door */
    const struct value_policy *policy; /* borrowed from the store */
    struct batch batch;
    struct buffer conditions;  /* encoded, see commit_condition_take */
    struct buffer deferred;    /* encoded, see commit_deferred_take */
    struct buffer catalogue;   /* encoded, see commit_catalogue.h */
    struct buffer basis;       /* encoded, see rewind_basis.h */
    struct buffer scratch;     /* a compressed value on its way to the batch */
    struct snapshots *held_in; /* borrowed: where the commit holds a version of the past, or NULL */
    uint64_t held_id;          /* there */
    struct store_transaction *transaction; /* borrowed: what it has read is judged; or NULL */
    uint32_t operations;                   /* asked for, duplicates included */
    bool puts;                             /* any operation stores a value */
    bool makes_aliases;                    /* a deferred operation may */
    uint64_t stream;                       /* those of one keep their order; 0: of nobody */
    bool has_token;
    struct store_token token;
    enum status refused; /* not OK: how it ends, if its token was not used before */
    void *arg;           /* the owner's */
    /* the store's, while submitted */
    struct commit_pipeline *pipeline; /* borrowed */
    enum store_durability durability;
    store_commit_cb done_cb;
    struct store_commit *next;
    struct step step;      /* for what needs the disk: judges and resolves on an I/O thread */
    bool judged;           /* conditions judged and the deferred resolved; not again */
    bool is_repeat;        /* judged: its token was used before; the outcome is that of then */
    bool ready;            /* all operations stand in the batch, and it is finished */
    struct buffer results; /* int64_t each, of additions and appends */
    struct buffer work;    /* a value being worked out */
    struct buffer items;   /* commit_resolve.c's */
    struct buffer dropped; /* uint32_t each: ids of the namespaces that it drops */
    bool names_namespace;  /* the batch carries a row of the catalogue */
    struct store_outcome outcome;
    struct store_waiter waiter; /* for the durability asked for */
};

struct commit_condition {
    uint32_t namespace_id;
    struct slice key; /* borrowed from the commit */
    uint32_t operation;
    struct store_condition condition;
};

/* Takes the next condition from the encoded ones. END after the last. */
enum status commit_condition_take(struct reader *reader,
                                  struct commit_condition *condition_out) MUST_CHECK;

/* An operation that depends on the value that is there. */
enum commit_deferred_kind { DEFERRED_ADD, DEFERRED_APPEND, DEFERRED_EXPIRE };

struct commit_deferred {
    enum commit_deferred_kind kind;
    uint32_t namespace_id;
    struct slice key; /* borrowed from the commit */
    uint32_t operation;
    uint32_t meta_bytes; /* of the batch when it was added: it comes after these operations */
    int64_t amount;      /* ADD */
    struct slice bytes;  /* APPEND; borrowed from the commit */
    uint64_t expiry_ms;  /* EXPIRE; 0 is never */
};

/* Takes the next one from the encoded ones. END after the last. */
enum status commit_deferred_take(struct reader *reader,
                                 struct commit_deferred *deferred_out) MUST_CHECK;

/* See store.h. `now_ms` is the store's time, from which the expiry is counted. */
enum status commit_request_put(struct store_commit *commit, const struct store_put *put,
                               uint64_t now_ms) MUST_CHECK;

/* The put of a value whose extents are durable: those of `large`, an entry of kind LARGE, which are
 * copied. put->value is not looked at. Errors as commit_request_put. */
enum status commit_request_put_large(struct store_commit *commit, const struct store_put *put,
                                     const struct entry *large, uint64_t now_ms) MUST_CHECK;
enum status commit_request_delete(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key,
                                  const struct store_condition *condition) MUST_CHECK;

enum status commit_request_add(struct store_commit *commit, uint32_t namespace_id, struct slice key,
                               int64_t amount, const struct store_condition *condition) MUST_CHECK;
enum status commit_request_append(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, struct slice bytes,
                                  const struct store_condition *condition) MUST_CHECK;
enum status commit_request_expire(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, uint64_t expiry_ms,
                                  const struct store_condition *condition) MUST_CHECK;

/* Appends to the batch the put of `value`, inline or separated, compressed where that pays: kind,
 * value and what belongs to a reference are set here, but for op->checksum, which is that of
 * `value` (needed from the threshold on). `value` is not in the batch. Errors: those of
 * batch_append. */
enum status commit_request_store(struct store_commit *commit, const struct batch_op *op,
                                 struct slice value) MUST_CHECK;

enum status commit_request_create(struct store *store, const struct value_policy *policy,
                                  struct store_commit **commit_out) MUST_CHECK;
void commit_request_destroy(struct store_commit *commit);
void commit_request_reset(struct store_commit *commit);

/* Lets go of the version that a rewind holds. By the owner, or once it has ended. */
void commit_request_let_go(struct store_commit *commit);

#endif
