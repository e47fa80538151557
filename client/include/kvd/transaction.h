/* transaction.h: transactions, and decisions in one round trip. Included by <kvd/kvd.h>.
 *
 * A transaction reads one state of the store beside its own writes, and becomes one commit, if
 * everything that it has read is as it would be read then: keys, absent keys, and ranges as far as
 * they were scanned. So transactions are serializable, phantoms included. One that loses against
 * another ends with KVD_CONFLICT and is to be run again: kvd_transact does that.
 *
 *      static enum kvd_status move(struct kvd *db, uint64_t transaction, void *arg) {
 *          struct kvd_read_options inside = {.at = {.transaction = transaction}};
 *          struct kvd_write_options write = {.transaction = transaction};
 *          ... kvd_get(db, from, &inside, &value), kvd_put(db, to, bytes, &write, NULL) ...
 *      }
 *      status = kvd_transact(db, move, arg, NULL, NULL);
 *
 * A transaction belongs to its connection and ends with it. A connection may have several, and
 * other calls between theirs. Writes wait in the server's memory, at most transaction_bytes of
 * kvd_server_info; their version_out is 0. A server ends a transaction that is older than its
 * transaction_age_ms or had no call for transaction_idle_ms: KVD_DEADLINE. */
#ifndef KVD_TRANSACTION_H
#define KVD_TRANSACTION_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How to begin one; zeroed: to read and write, from the newest state, as long as the server lets.
 */
struct kvd_transaction_options {
    bool read_only;       /* writes are KVD_INVALID; it never conflicts */
    uint64_t snapshot;    /* reads this open snapshot; 0: the newest state */
    uint64_t lifetime_ms; /* it ends so long after its begin; 0: the server's transaction_age_ms */
    uint32_t deadline_ms; /* of the request; 0 = none */
};

/* An open transaction. Times are milliseconds since 1970 UTC by the server's clock. */
struct kvd_transaction {
    uint64_t id;          /* for kvd_state and kvd_write_options; never 0 */
    uint64_t version;     /* everything up to here is seen */
    uint64_t time_ms;     /* expiry is judged at this time */
    uint64_t deadline_ms; /* it is ended then */
};

/* Begins one. `options` may be NULL. Errors: KVD_BUSY (as many are open as may be), KVD_GONE (the
 * snapshot), KVD_TXN_TOO_OLD (the snapshot is too old to write from). */
KVD_API enum kvd_status kvd_begin(struct kvd *db, const struct kvd_transaction_options *options,
                                  struct kvd_transaction *transaction_out);

/* Ends one, as a commit. Of `options` durability and deadline_ms count. *version_out may be NULL;
 * of one that wrote nothing it is the version that it has read. Whatever the result, the
 * transaction is over. Errors: KVD_CONFLICT (see kvd_conflict), KVD_TXN_TOO_OLD: run it again;
 * KVD_DEADLINE, KVD_GONE (it was not open any more), KVD_UNKNOWN, and as kvd_put. */
KVD_API enum kvd_status kvd_commit(struct kvd *db, uint64_t transaction,
                                   const struct kvd_write_options *options, uint64_t *version_out);

/* Ends one without a trace. Errors: KVD_GONE (it was over already). */
KVD_API enum kvd_status kvd_rollback(struct kvd *db, uint64_t transaction);

/* What a transaction had read and another commit changed. */
struct kvd_conflict {
    struct kvd_bytes namespace_name; /* empty: the default one, or one that was dropped */
    bool is_range;                   /* keys [from, to) were read; else the key `from` */
    bool expired;                    /* it expired; `version` is that which was read */
    struct kvd_bytes from;
    struct kvd_bytes to; /* empty: to the end of the namespace */
    uint64_t version;    /* the commit that won */
};

/* About the last call on `db`. What it points to is valid until the next one. Errors:
 * KVD_NOT_FOUND (it did not end with KVD_CONFLICT). */
KVD_API enum kvd_status kvd_conflict(const struct kvd *db, struct kvd_conflict *conflict_out);

/* What is done inside a transaction. It may be called several times. What it returns ends the
 * transaction: KVD_OK commits; KVD_CONFLICT and KVD_TXN_TOO_OLD roll back and try again; anything
 * else rolls back and is returned. */
typedef enum kvd_status (*kvd_transact_cb)(struct kvd *db, uint64_t transaction, void *arg);

/* How often and how; zeroed: the defaults. */
struct kvd_transact_options {
    struct kvd_transaction_options begin;
    uint32_t attempts_max;          /* 0: 20 */
    enum kvd_durability durability; /* of the commit */
};

/* Begins a transaction, calls transact_cb, commits; again from the begin, after a pause that grows
 * from about 1 ms to 100 ms, when another came before, up to attempts_max times in all. `options`
 * and version_out may be NULL. Errors: what transact_cb returned; as kvd_begin and kvd_commit.
 * KVD_UNKNOWN (the commit may have taken effect) is never tried again. */
KVD_API enum kvd_status kvd_transact(struct kvd *db, kvd_transact_cb transact_cb, void *arg,
                                     const struct kvd_transact_options *options,
                                     uint64_t *version_out);

/* --- decisions: a whole transaction in one request --- */

/* What is compared. */
enum kvd_compare_kind {
    KVD_COMPARE_PRESENCE = 1, /* with KVD_EQUAL: the key exists; with KVD_DIFFERENT: it does not */
    KVD_COMPARE_VERSION = 2,  /* the key's version, 0 if it does not exist, with `version` */
    KVD_COMPARE_VALUE = 3, /* the value, as bytes, with `value`; a key that does not exist is only
                              KVD_DIFFERENT */
};

/* How what is there must stand to what is given. */
enum kvd_relation { KVD_EQUAL = 1, KVD_DIFFERENT = 2, KVD_LESS = 3, KVD_GREATER = 4 };

/* One comparison; borrowed during the call. */
struct kvd_comparison {
    enum kvd_compare_kind kind;
    enum kvd_relation relation;
    struct kvd_bytes key;
    uint64_t version;
    struct kvd_bytes value;
};

/* What to do. */
struct kvd_decision {
    const struct kvd_comparison *comparisons; /* all must hold; none always do */
    size_t comparison_count;
    const struct kvd_batch *if_held; /* NULL: nothing; kvd_batch_get is allowed in both */
    const struct kvd_batch *otherwise;
};

/* Adds a read of a key to a batch, which then only kvd_decide takes. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_get(struct kvd_batch *batch, struct kvd_bytes key);

/* What one item came to. */
struct kvd_item_result {
    bool has_number; /* it was an add or an append */
    int64_t number;  /* the sum, or the new length */
    bool is_read;    /* it was a read */
    bool found;
    struct kvd_meta meta;
    struct kvd_bytes value; /* borrowed during the call */
};

/* Takes the result of item `index`, in their order. It must not use `db`. */
typedef void (*kvd_item_result_cb)(uint32_t index, const struct kvd_item_result *result, void *arg);

/* What came of it. */
struct kvd_decided {
    bool held; /* if_held was done; else `otherwise` */
    uint64_t version;
    kvd_item_result_cb result_cb; /* in: may be NULL */
    void *arg;                    /* in */
};

/* Judges and does either list, as one transaction; each item sees those before it. Of `options`
 * (may be NULL) durability and deadline_ms count. Errors: as kvd_batch_commit; KVD_CONFLICT (others
 * kept writing what was read; try again). */
KVD_API enum kvd_status kvd_decide(struct kvd *db, const struct kvd_decision *decision,
                                   const struct kvd_write_options *options,
                                   struct kvd_decided *decided);

#ifdef __cplusplus
}
#endif

#endif
