/* transactions.c: see transactions.h. */
#include "server/transactions.h"

static void take_out(struct transactions *transactions, struct transaction *transaction) {
    *transaction = transactions->items[--transactions->count];
}

/* A place that an ended one still has; NULL if all are open. */
static struct transaction *find_ended(struct transactions *transactions) {
    for (uint32_t i = 0; i < transactions->count; i++) {
        if (transactions->items[i].ended_text) {
            return &transactions->items[i];
        }
    }
    return NULL;
}

enum status transactions_add(struct transactions *transactions,
                             const struct transaction *transaction) {
    if (transactions->count == TRANSACTIONS_MAX) {
        struct transaction *ended = find_ended(transactions);
        if (!ended) {
            return STATUS_BUSY;
        }
        take_out(transactions, ended);
    }
    transactions->items[transactions->count++] = *transaction;
    return STATUS_OK;
}

struct transaction *transactions_find(struct transactions *transactions, uint64_t id) {
    for (uint32_t i = 0; i < transactions->count; i++) {
        if (transactions->items[i].id == id) {
            return &transactions->items[i];
        }
    }
    return NULL;
}

void transactions_remove(struct transactions *transactions, struct transaction *transaction) {
    take_out(transactions, transaction);
}

static void end(struct transaction *transaction, const char *text) {
    store_transaction_destroy(transaction->store_transaction);
    transaction->store_transaction = NULL;
    transaction->ended_text = text;
}

/* Clocks are read here and there, a moment apart. */
static uint64_t elapsed(uint64_t now_ms, uint64_t since_ms) {
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

void transactions_sweep(struct transactions *transactions, uint64_t now_ms, uint64_t idle_ms) {
    for (uint32_t i = 0; i < transactions->count; i++) {
        struct transaction *transaction = &transactions->items[i];
        if (transaction->ended_text) {
            continue;
        }
        if (elapsed(now_ms, transaction->begun_ms) >= transaction->lifetime_ms) {
            end(transaction, "the transaction was open for longer than it may be");
        } else if (elapsed(now_ms, transaction->used_ms) >= idle_ms) {
            end(transaction, "the transaction was ended: no request for it came for too long");
        }
    }
}

uint64_t transactions_memory(const struct transactions *transactions) {
    uint64_t bytes = sizeof *transactions;

    for (uint32_t i = 0; i < transactions->count; i++) {
        if (transactions->items[i].store_transaction) {
            bytes += store_transaction_memory(transactions->items[i].store_transaction);
        }
    }
    return bytes;
}

void transactions_clear(struct transactions *transactions) {
    for (uint32_t i = 0; i < transactions->count; i++) {
        store_transaction_destroy(transactions->items[i].store_transaction);
    }
    transactions->count = 0;
}
