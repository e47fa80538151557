/* store_transaction.c: the part of the door that begins and ends transactions (transaction.h).
 *
 * At its end a transaction becomes an ordinary commit: its range deletes, then its rows, each as
 * its last operation left it. The commit lane judges what it has read before all else. */
#include "storage/transaction.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"
#include "storage/store_state.h"

/* ---- Begin and end ----------------------------------------------------------------------------
 */

enum status store_transaction_begin(struct store *store,
                                    const struct store_transaction_options *options,
                                    struct store_transaction **txn_out) {
    struct transaction_options create = {.store = store,
                                         .snapshots = &store->snapshots,
                                         .window = &store->window,
                                         .now_ms = store_clock_now_ms(&store->clock),
                                         .asked = options};

    atomic_fetch_add_explicit(&store->transactions, 1, memory_order_relaxed);
    return transaction_create(&create, txn_out);
}

void store_transaction_destroy(struct store_transaction *txn) {
    if (txn) {
        store_commit_destroy(txn->commit);
        transaction_destroy(txn);
    }
}

uint64_t store_transaction_memory(const struct store_transaction *txn) {
    return sizeof *txn + txn->writes.bytes + txn->scratch.capacity +
           read_set_memory_bytes(&txn->reads);
}

/* ---- Reads ------------------------------------------------------------------------------------
 */

/* Whether its snapshot is still there: it was when the view was pinned (snapshots.h). */
static enum status check_deadline(const struct store_transaction *txn) {
    struct store_snapshot_info info;

    if (store_clock_now_ms(&txn->store->clock) >= txn->deadline_ms) {
        return STATUS_DEADLINE;
    }
    return snapshots_find(txn->snapshots, txn->snapshot_id, &info) == STATUS_OK ? STATUS_OK
                                                                                : STATUS_DEADLINE;
}

enum status store_read_begin_transaction(struct store_transaction *txn, struct store_read *read) {
    enum status status;

    store_read_begin(txn->store, read);
    status = check_deadline(txn);
    if (status != STATUS_OK) {
        store_read_end(read);
        return status;
    }
    read->version = txn->version;
    read->now_ms = txn->now_ms;
    read->transaction = txn;
    return STATUS_OK;
}

/* What a commit that makes it writes is its row of the catalogue. */
enum status store_transaction_note_namespace(struct store_read *read, struct slice name) {
    uint8_t key[NAMESPACE_KEY_BYTES_MAX];
    uint8_t row[ROW_BYTES_MAX];
    size_t key_bytes;

    ASSERT(read->transaction);
    if (name.len > NAMESPACE_NAME_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    key_bytes = namespace_key_store(key, name);
    return transaction_note_row(
        read->transaction,
        slice_make(row, row_store(row, NAMESPACE_SYSTEM, slice_make(key, key_bytes))),
        (struct read_expiry){0});
}

/* ---- The commit -------------------------------------------------------------------------------
 */

static enum status add_ranges(const struct store_transaction *txn) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < txn->writes.range_count && status == STATUS_OK; i++) {
        const struct key_range *range = &txn->writes.ranges[i];
        struct store_range deleted = {
            .namespace_id = range->namespace_id, .from = range->from, .to = range->to};
        status = store_commit_delete_range(txn->commit, &deleted);
    }
    return status;
}

/* Times are absolute here, so they are counted from 0. */
static enum status add_row(struct store_commit *commit, const struct write *write) {
    struct store_put put = {.namespace_id = row_namespace(write->row),
                            .key = row_user_key(write->row),
                            .value = write->value,
                            .ttl_ms = write->expiry_ms,
                            .user_flags = write->user_flags};

    switch (write->kind) {
    case WRITE_PUT:
        return commit_request_put(commit, &put, 0);
    case WRITE_DELETE:
        return commit_request_delete(commit, put.namespace_id, put.key, NULL);
    case WRITE_EXPIRE:
        return commit_request_expire(commit, put.namespace_id, put.key, write->expiry_ms, NULL);
    case WRITE_NONE:
        break;
    }
    return STATUS_OK;
}

static enum status add_rows(const struct store_transaction *txn) {
    struct write write = write_set_seek(&txn->writes, slice_make(NULL, 0), false);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && write.kind != WRITE_NONE) {
        status = add_row(txn->commit, &write);
        write = write_set_seek(&txn->writes, write.row, true);
    }
    return status;
}

static enum status fill_commit(struct store_transaction *txn) {
    enum status status = txn->failed;

    if (status == STATUS_OK) {
        status = check_deadline(txn);
    }
    if (status == STATUS_OK) {
        status = store_commit_create(txn->store, &txn->commit);
    }
    if (status == STATUS_OK) {
        status = add_ranges(txn);
    }
    return status == STATUS_OK ? add_rows(txn) : status;
}

static void count(_Atomic uint64_t *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct store_transaction *txn = store_commit_arg(commit);

    if (outcome->status == STATUS_CONFLICT) {
        count(&txn->store->transactions_conflicts);
    } else if (outcome->status == STATUS_TXN_TOO_OLD) {
        count(&txn->store->transactions_too_old);
    }
    txn->done_cb(txn->done_arg, txn, outcome);
}

void store_transaction_set_token(struct store_transaction *txn, const struct store_token *token) {
    txn->has_token = true;
    txn->token = *token;
}

void store_transaction_submit(struct store_transaction *txn, enum store_durability durability,
                              store_transaction_cb transaction_cb, void *arg) {
    struct store_outcome outcome = {.status = STATUS_OK, .version = txn->version};
    bool wants_commit = txn->has_token || !write_set_is_empty(&txn->writes);

    ASSERT(!txn->commit);
    ASSERT(txn->walks == 0);
    txn->done_cb = transaction_cb;
    txn->done_arg = arg;
    if (wants_commit) {
        outcome.status = fill_commit(txn);
    }
    if (!wants_commit || outcome.status != STATUS_OK) {
        transaction_cb(arg, txn, &outcome);
        return;
    }
    txn->commit->transaction = write_set_is_empty(&txn->writes) ? NULL : txn;
    if (txn->has_token) {
        store_commit_set_token(txn->commit, &txn->token);
    }
    store_commit_set_arg(txn->commit, txn);
    store_commit_set_stream(txn->commit, txn->stream);
    store_submit(txn->store, &txn->commit, 1, durability, done_cb);
}

/* A namespace that was not there, and was made: all of it is what was read. */
static bool is_of_catalogue(const struct store_transaction *txn, struct store_conflict *conflict) {
    struct slice name;

    if (conflict->namespace_id != NAMESPACE_SYSTEM || !namespace_key_name(conflict->from, &name) ||
        namespaces_find(&txn->store->namespaces, name, false, &conflict->namespace_id) !=
            STATUS_OK) {
        return false;
    }
    conflict->is_range = true;
    conflict->from = slice_make(NULL, 0);
    return true;
}

enum status store_transaction_conflict(const struct store_transaction *txn,
                                       struct store_conflict *conflict_out) {
    const struct read_item *item = &txn->conflict.item;
    struct store_conflict conflict = {.is_range = item->is_range,
                                      .expired = txn->conflict.expired,
                                      .version = txn->conflict.version};

    if (!txn->has_conflict) {
        return STATUS_NOT_FOUND;
    }
    conflict.namespace_id = row_namespace(item->from);
    conflict.from = row_user_key(item->from);
    if (is_of_catalogue(txn, &conflict)) {
        *conflict_out = conflict;
        return STATUS_OK;
    }
    if (item->is_range && item->to.len > 0 && row_namespace(item->to) == conflict.namespace_id) {
        conflict.to = row_user_key(item->to);
    }
    *conflict_out = conflict;
    return STATUS_OK;
}
