/* transaction.c: see transaction.h. */
#include "storage/transaction.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>

static uint64_t deadline_of(const struct transaction_options *options) {
    uint64_t lifetime_ms = options->asked->lifetime_ms;

    return lifetime_ms > 0 && lifetime_ms < UINT64_MAX - options->now_ms
               ? options->now_ms + lifetime_ms
               : UINT64_MAX;
}

/* Its own snapshot. It enters the window first, so at a version that is not above the snapshot's:
 * whatever comes between stays in memory. */
static enum status begin_now(struct store_transaction *txn,
                             const struct transaction_options *options) {
    struct slice owner = options->asked->owner;
    char name[STORE_OWNER_BYTES_MAX + 1] = "";
    struct store_snapshot_info info;
    enum status status;

    if (!txn->read_only) {
        conflict_window_enter(txn->window, &txn->ticket, txn->deadline_ms);
    }
    if (owner.len > 0) {
        memcpy(name, owner.ptr, owner.len < sizeof name ? owner.len : sizeof name - 1);
    }
    status = snapshots_open(txn->snapshots, name, options->asked->lifetime_ms, &info);
    if (status == STATUS_OK) {
        txn->snapshot_id = info.id;
        txn->version = info.version;
        txn->now_ms = info.now_ms;
        txn->owns_snapshot = true;
    }
    return status;
}

static enum status begin_at(struct store_transaction *txn,
                            const struct transaction_options *options) {
    struct store_snapshot_info info;
    enum status status = snapshots_find(txn->snapshots, options->asked->snapshot_id, &info);

    if (status == STATUS_OK && !txn->read_only) {
        status =
            conflict_window_enter_at(txn->window, &txn->ticket, info.version, txn->deadline_ms);
    }
    if (status == STATUS_OK) {
        txn->snapshot_id = info.id;
        txn->version = info.version;
        txn->now_ms = info.now_ms;
    }
    return status;
}

enum status transaction_create(const struct transaction_options *options,
                               struct store_transaction **txn_out) {
    const struct store_transaction_options *asked = options->asked;
    uint64_t bytes_max = asked->write_bytes_max;
    struct store_transaction *txn = memory_alloc_zeroed(sizeof *txn);
    enum status status;

    if (!txn) {
        return STATUS_NO_MEMORY;
    }
    txn->store = options->store;
    txn->snapshots = options->snapshots;
    txn->window = options->window;
    txn->read_only = asked->read_only;
    txn->stream = asked->stream;
    txn->deadline_ms = deadline_of(options);
    write_set_init(&txn->writes, bytes_max > 0 && bytes_max < STORE_TRANSACTION_BYTES_MAX
                                     ? bytes_max
                                     : STORE_TRANSACTION_BYTES_MAX);
    read_set_init(&txn->reads, TRANSACTION_READ_BYTES_MAX);
    buffer_init(&txn->scratch, VALUE_BYTES_MAX);
    status = asked->snapshot_id != 0 ? begin_at(txn, options) : begin_now(txn, options);
    if (status != STATUS_OK) {
        transaction_destroy(txn);
        return status;
    }
    *txn_out = txn;
    return STATUS_OK;
}

void transaction_destroy(struct store_transaction *txn) {
    ASSERT(txn->walks == 0);
    conflict_window_leave(txn->window, &txn->ticket);
    if (txn->owns_snapshot) {
        enum status status = snapshots_close(txn->snapshots, txn->snapshot_id);
        (void)status; /* NOT_FOUND: past its deadline */
    }
    write_set_deinit(&txn->writes);
    read_set_deinit(&txn->reads);
    buffer_deinit(&txn->scratch);
    memory_free(txn);
}

enum status transaction_note_row(struct store_transaction *txn, struct slice row,
                                 struct read_expiry expiry) {
    return txn->read_only
               ? STATUS_OK
               : read_set_add_row(&txn->reads, row, table_target_make(row, 0).row_hash, expiry);
}

void transaction_note_range(struct store_transaction *txn, struct slice from, struct slice to,
                            struct read_expiry expiry) {
    enum status status =
        txn->read_only ? STATUS_OK : read_set_add_range(&txn->reads, from, to, expiry);

    txn->failed = txn->failed == STATUS_OK ? status : txn->failed;
}
