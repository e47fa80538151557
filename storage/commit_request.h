/* commit_request.h: one commit on its way: what the door calls struct store_commit.
 *
 * Filled by its owner's thread (keys and values are copied, checked and compressed here, so that
 * the commit thread does none of that), then handed through the queue of commit.h, and given back
 * by its callback. Conditions stand in a buffer of their own, as they are no part of the log. */
#ifndef KVD_STORAGE_COMMIT_REQUEST_H
#define KVD_STORAGE_COMMIT_REQUEST_H

#include "storage/batch.h"
#include "storage/compression.h"
#include "storage/scheduler.h"
#include "storage/store.h"

struct commit_pipeline;

/* How values are stored; constant after open. */
struct value_policy {
    uint32_t value_threshold;        /* values of at least so many bytes are separated */
    struct compression *compression; /* borrowed; NULL: values are stored as they are */
};

struct store_commit {
    /* owner's until submitted, then the store's */
    struct store *store;               /* borrowed, for the door */
    const struct value_policy *policy; /* borrowed from the store */
    struct batch batch;
    struct buffer conditions; /* encoded, see commit_condition_take */
    struct buffer scratch;    /* a compressed value on its way to the batch */
    uint32_t operations;      /* asked for, duplicates included */
    bool puts;                /* any operation stores a value */
    bool names_namespace;     /* the batch carries an entry of the catalogue */
    void *arg;                /* the owner's */
    /* the store's, while submitted */
    struct commit_pipeline *pipeline; /* borrowed */
    enum store_durability durability;
    store_commit_cb done_cb;
    struct store_commit *next;
    struct step step; /* for conditions that need the disk: judges on an I/O thread */
    bool judged;      /* by that step; the commit thread waits for it */
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

/* See store.h. `now_ms` is the store's time, from which the expiry is counted. */
enum status commit_request_put(struct store_commit *commit, const struct store_put *put,
                               uint64_t now_ms) MUST_CHECK;
enum status commit_request_delete(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key,
                                  const struct store_condition *condition) MUST_CHECK;

enum status commit_request_create(struct store *store, const struct value_policy *policy,
                                  struct store_commit **commit_out) MUST_CHECK;
void commit_request_destroy(struct store_commit *commit);
void commit_request_reset(struct store_commit *commit);

#endif
