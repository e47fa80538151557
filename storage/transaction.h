/* transaction.h: an open transaction: where it stands in time, what it has read and is to write.
 *
 * The door calls it struct store_transaction. From its begin to its end it holds a snapshot, so
 * that what it reads is kept, and, if it may write, a place in the conflict window, so that it can
 * be judged. Everything else is memory of its own.
 *
 *      a row that is read     own writes first (write_set.h), then the store, which is noted
 *                             (read_set.h), found or not
 *      a range                transaction_walk.h
 *      the end                its writes become the operations of a commit, which carries a pointer
 *                             back; the commit lane judges the reads (commit_judge.h)
 *
 * One thread at a time; the store's while submitted. */
#ifndef KVD_STORAGE_TRANSACTION_H
#define KVD_STORAGE_TRANSACTION_H

#include "storage/conflict_window.h"
#include "storage/read_set.h"
#include "storage/snapshots.h"
#include "storage/store.h"
#include "storage/transaction_judge.h"
#include "storage/write_set.h"

#define TRANSACTION_READ_BYTES_MAX (32u * 1024 * 1024) /* judged while all commits wait */

/* A name shorter than the door's; the same struct. */
struct store_transaction {
    struct store *store;            /* borrowed; constant, as all up to the next comment */
    struct snapshots *snapshots;    /* borrowed */
    struct conflict_window *window; /* borrowed */
    uint64_t snapshot_id;
    uint64_t version; /* it reads the state up to here, */
    uint64_t now_ms;  /* at this time */
    uint64_t deadline_ms;
    uint64_t stream;
    bool owns_snapshot;
    bool read_only;
    /* the caller's thread */
    bool has_token;
    struct store_token token; /* of its commit */
    struct window_ticket ticket;
    struct write_set writes;
    struct read_set reads;
    struct buffer scratch; /* a value being worked out */
    enum status failed;    /* OK, or why something that was read is not noted */
    uint32_t walks;        /* open cursors */
    /* the store's, while submitted */
    struct store_commit *commit; /* owned; NULL before */
    store_transaction_cb done_cb;
    void *done_arg;
    struct transaction_conflict conflict; /* once it has ended with CONFLICT */
    bool has_conflict;
};

struct transaction_options {
    struct store *store;
    struct snapshots *snapshots;
    struct conflict_window *window;
    uint64_t now_ms;
    const struct store_transaction_options *asked;
};

/* Errors: as store_transaction_begin. */
enum status transaction_create(const struct transaction_options *options,
                               struct store_transaction **txn_out) MUST_CHECK;
void transaction_destroy(struct store_transaction *txn);

/* Notes a row that was read of the store. Errors: TOO_LARGE, NO_MEMORY. */
enum status transaction_note_row(struct store_transaction *txn, struct slice row,
                                 struct read_expiry expiry) MUST_CHECK;

/* Notes a range that was walked; a failure fails the transaction at its end. */
void transaction_note_range(struct store_transaction *txn, struct slice from, struct slice to,
                            struct read_expiry expiry);

/* When an entry that was found expires. */
static inline struct read_expiry transaction_expiry_of(const struct entry *entry,
                                                       uint64_t version) {
    return (struct read_expiry){entry->expiry_ms, entry->expiry_ms ? version : VERSION_NONE};
}

/* The entry that a put of the transaction's own will be; borrows from it. */
static inline struct entry transaction_entry_of(const struct write *write) {
    return (struct entry){.kind = ENTRY_INLINE,
                          .value = write->value,
                          .expiry_ms = write->expiry_ms,
                          .user_flags = write->user_flags};
}

#endif
