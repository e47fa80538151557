/* transactions.h: reads and writes that are one.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_TRANSACTIONS_H
#define KVD_STORAGE_DOOR_TRANSACTIONS_H

#include "storage/door/commits.h"
#include "storage/door/reads.h"

/* ---- Transactions -----------------------------------------------------------------------------
 *
 * A transaction reads one state, the newest at its begin, beside its own writes, which wait in
 * memory. store_transaction_submit makes them one commit, if everything that was read is as it
 * would be read then: keys, absent keys, and ranges as far as cursors have walked them. So
 * transactions are serializable, in the order of their versions, phantoms included. What was
 * written blindly does not conflict; a transaction that writes nothing never does, and counts as
 * done at its begin.
 *
 * One thread at a time for one transaction and its reads. A read belongs to it from
 * store_read_begin_transaction to store_read_end; short ones, as always, one after the other or
 * several. store_get, store_get_range and cursors work on it as on any other; store_history,
 * store_diff and store_rewind see the state without the transaction's writes, and note nothing. A
 * value that it wrote itself has the version 0. Whether an open cursor shows a write that is made
 * meanwhile is not said. */

#define STORE_TRANSACTION_BYTES_MAX (UINT64_C(64) * 1024 * 1024 - 4096)

/* Zeroed: read and write, the newest state, no deadline, the most of writes. */
struct store_transaction_options {
    bool read_only;           /* it writes nothing, and what it reads is not noted */
    uint64_t snapshot_id;     /* reads this open snapshot, which must outlive it; 0: its own */
    uint64_t lifetime_ms;     /* it ends with DEADLINE so long after its begin; 0: never */
    struct slice owner;       /* for people: the connection; copied and cut */
    uint64_t write_bytes_max; /* of its writes in memory; 0: STORE_TRANSACTION_BYTES_MAX */
    uint64_t stream;          /* of its commit, as for store_commit_set_stream */
};

/* Errors: NOT_FOUND (no such snapshot), TXN_TOO_OLD (it is too old for a transaction that writes),
 * BUSY (too many snapshots), NO_MEMORY. */
enum status store_transaction_begin(struct store *store,
                                    const struct store_transaction_options *options,
                                    struct store_transaction **txn_out) MUST_CHECK;

/* Ends it without a trace, if it was not submitted; frees it. Not while it is submitted, nor while
 * it has reads. NULL is allowed. */
void store_transaction_destroy(struct store_transaction *txn);

/* Begins a read of the transaction. Errors: DEADLINE. Reads of one that may write answer TOO_LARGE
 * when it has read more than can be noted. */
enum status store_read_begin_transaction(struct store_transaction *txn,
                                         struct store_read *read) MUST_CHECK;

/* Notes that no namespace of this name was found: a transaction that makes one, and commits before
 * it, is in conflict with it. Errors: TOO_LARGE (more than can be noted), NO_MEMORY. */
enum status store_transaction_note_namespace(struct store_read *read, struct slice name) MUST_CHECK;

/* Its writes; they take a read of it, as conditions and additions read. Errors: INVALID (it is
 * read-only), TOO_LARGE (key, value, write_bytes_max), CHECKSUM, EXISTS, ABSENT, VERSION_MISMATCH
 * (a condition, judged now), those of store_get when something is read, NO_MEMORY; nothing is
 * changed then. */
enum status store_transaction_put(struct store_read *read, const struct store_put *put,
                                  enum store_wait wait, struct error *error) MUST_CHECK;
enum status store_transaction_delete(struct store_read *read, uint32_t namespace_id,
                                     struct slice key, const struct store_condition *condition,
                                     enum store_wait wait, struct error *error) MUST_CHECK;
enum status store_transaction_delete_range(struct store_read *read,
                                           const struct store_range *range) MUST_CHECK;

/* As store_commit_add and its like; what they find is read by the transaction. Errors also: INVALID
 * (not a number), OVERFLOW; ABSENT (an expiry of no key). */
struct store_change_of {
    uint32_t namespace_id;
    struct slice key;
    int64_t amount;     /* add */
    struct slice bytes; /* append */
    uint64_t ttl_ms;    /* expire */
};
enum status store_transaction_add(struct store_read *read, const struct store_change_of *change,
                                  enum store_wait wait, int64_t *number_out,
                                  struct error *error) MUST_CHECK;
enum status store_transaction_append(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, uint64_t *length_out,
                                     struct error *error) MUST_CHECK;
enum status store_transaction_expire(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, struct error *error) MUST_CHECK;

/* Memory that it holds, for budgets. */
uint64_t store_transaction_memory(const struct store_transaction *txn);

/* The token of its commit (store_commit_set_token), before that is submitted. A transaction that
 * writes nothing is then a commit too, so that a repeat, which may read otherwise, is known.
 * CONFLICT and its like are remembered, unless the token is provisional; store_transaction_conflict
 * knows no more of one that was remembered. */
void store_transaction_set_token(struct store_transaction *txn, const struct store_token *token);

typedef void (*store_transaction_cb)(void *arg, struct store_transaction *txn,
                                     const struct store_outcome *outcome);

/* Commits. All its reads must have ended. done_cb as with store_submit; after it, the transaction
 * can only be destroyed. The outcome is that of a commit, or: CONFLICT (store_transaction_conflict
 * tells more), TXN_TOO_OLD: so much was committed meanwhile that it is not known whether there is a
 * conflict; DEADLINE. Nothing was done then: run it again from the begin. */
void store_transaction_submit(struct store_transaction *txn, enum store_durability durability,
                              store_transaction_cb done_cb, void *arg);

/* What a transaction that ended with CONFLICT had read and another changed. */
struct store_conflict {
    bool is_range; /* rows [from, to) of the namespace; else the key `from` */
    bool expired;  /* it expired; `version` is that which was read */
    uint32_t namespace_id;
    struct slice from; /* both in the transaction's memory, until it is destroyed */
    struct slice to;   /* empty: to the end of the namespace */
    uint64_t version;  /* the commit that won */
};

/* Errors: NOT_FOUND (it did not end so). */
enum status store_transaction_conflict(const struct store_transaction *txn,
                                       struct store_conflict *conflict_out) MUST_CHECK;

#endif
