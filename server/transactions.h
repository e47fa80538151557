/* transactions.h: the open transactions of a connection.
 *
 * Each has an id of its own on the connection, and may be used by one request at a time: by the
 * loop, or, while a task of it is in flight, by an I/O thread; nothing else of the connection is
 * executed meanwhile. One that was left alone for too long, or is too old, is ended: its memory and
 * its snapshot go, its place stays, so that the client learns why. */
#ifndef KVD_SERVER_TRANSACTIONS_H
#define KVD_SERVER_TRANSACTIONS_H

#include "storage/store.h"

#define TRANSACTIONS_MAX 64u /* of one connection */
#define TRANSACTION_NOT_OPEN "this connection has no such transaction"

struct transaction {
    uint64_t id;
    struct store_transaction *store_transaction; /* owned; NULL once it was ended */
    uint64_t begun_ms;                           /* monotonic, as all here */
    uint64_t used_ms;                            /* when a request for it last came */
    uint64_t lifetime_ms;
    bool read_only;
    const char *ended_text; /* why; static; NULL while it is open */
};

struct transactions {
    uint32_t count;
    struct transaction items[TRANSACTIONS_MAX]; /* the first `count` */
};

/* Takes over an open one; one that was ended gives its place away. Errors: BUSY (too many are
 * open); it stays the caller's then. */
enum status transactions_add(struct transactions *transactions,
                             const struct transaction *transaction) MUST_CHECK;

/* NULL if there is none. Valid until the next add or remove. */
struct transaction *transactions_find(struct transactions *transactions, uint64_t id);

/* Takes its place away; the transaction in it is the caller's. */
void transactions_remove(struct transactions *transactions, struct transaction *transaction);

/* Ends those that were not used for idle_ms, or are older than they may become. Not while a task of
 * one is in flight. */
void transactions_sweep(struct transactions *transactions, uint64_t now_ms, uint64_t idle_ms);

/* The memory that they hold. Not while a task of one is in flight. */
uint64_t transactions_memory(const struct transactions *transactions);

/* Ends and frees all; not the struct. */
void transactions_clear(struct transactions *transactions);

#endif
