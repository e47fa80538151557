/* command_transaction.c: TXN_BEGIN, TXN_ABORT, and the writes of a transaction. See command.h.
 *
 * Reads of a transaction are the ordinary ones, on a read of its own (requests.c). Its writes run
 * the same way: they answer from a read, wait nowhere on a loop, and change nothing but what the
 * transaction holds in memory. */
#include "server/command.h"
#include "server/fill.h"
#include "server/page_range.h"
#include "server/write_item.h"

#include "protocol/base/memory.h"

#include <uv.h>

/* ---- TXN_BEGIN and TXN_ABORT */

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static enum status begin(const struct service *service, const struct session *session,
                         const struct wire_request *request, uint64_t lifetime_ms,
                         struct store_transaction **txn_out) {
    const struct store_transaction_options options = {
        .read_only = (request->begin_flags & WIRE_BEGIN_READ_ONLY) != 0,
        .snapshot_id = request->options.flags & WIRE_FLAG_SNAPSHOT ? request->options.snapshot : 0,
        .lifetime_ms = lifetime_ms,
        .owner = slice_from_text(session->owner),
        .write_bytes_max = service->limits.wire.transaction_bytes,
        .stream = session->stream,
    };

    return store_transaction_begin(service->store, &options, txn_out);
}

static enum status append_begun(struct buffer *answer, const struct wire_request *request,
                                const struct transaction *transaction) {
    struct wire_snapshot state = {.id = transaction->id};
    struct store_read read;
    enum status status = store_read_begin_transaction(transaction->store_transaction, &read);

    if (status != STATUS_OK) {
        return status;
    }
    state.version = read.version;
    state.time_ms = read.now_ms;
    state.deadline_ms = read.now_ms + transaction->lifetime_ms;
    store_read_end(&read);
    return wire_response_snapshot(answer, request->id, &state);
}

/* Ids start anywhere, so that one of a connection that was lost means nothing on the next. */
static bool have_transactions(struct session *session) {
    if (session->transactions) {
        return true;
    }
    session->transactions = memory_alloc_zeroed(sizeof *session->transactions);
    if (uv_random(NULL, NULL, &session->transaction_ids, sizeof session->transaction_ids, 0,
                  NULL) != 0) {
        session->transaction_ids = uv_hrtime();
    }
    session->transaction_ids |= 1; /* 0 is none */
    return session->transactions != NULL;
}

enum status command_txn_begin(const struct service *service, struct session *session,
                              const struct wire_request *request, struct buffer *answer,
                              struct wire_refusal *refusal_out) {
    uint64_t age_ms = service->limits.wire.transaction_age_ms;
    uint64_t now_ms = uv_hrtime() / 1000000;
    size_t mark = buffer_mark(answer);
    struct transaction transaction = {
        .read_only = (request->begin_flags & WIRE_BEGIN_READ_ONLY) != 0,
        .begun_ms = now_ms,
        .used_ms = now_ms,
        .lifetime_ms = request->lifetime_ms == 0 ? age_ms : smaller(request->lifetime_ms, age_ms)};
    enum status status;

    if (!have_transactions(session)) {
        return STATUS_NO_MEMORY;
    }
    transaction.id = session->transaction_ids++;
    status =
        begin(service, session, request, transaction.lifetime_ms, &transaction.store_transaction);
    if (status != STATUS_OK) {
        refusal_out->text = status == STATUS_NOT_FOUND     ? "no such snapshot is open"
                            : status == STATUS_TXN_TOO_OLD ? "the snapshot is too old to write from"
                            : status == STATUS_BUSY        ? "too many snapshots are open"
                                                           : NULL;
        return status == STATUS_NOT_FOUND ? STATUS_GONE : status;
    }
    status = append_begun(answer, request, &transaction);
    if (status == STATUS_OK) {
        status = transactions_add(session->transactions, &transaction);
        refusal_out->text = "this connection has as many transactions open as it may";
    }
    if (status != STATUS_OK) {
        buffer_rollback(answer, mark);
        store_transaction_destroy(transaction.store_transaction);
    }
    return status;
}

enum status command_txn_abort(const struct service *service, struct session *session,
                              const struct wire_request *request, struct buffer *answer,
                              struct wire_refusal *refusal_out) {
    struct transaction *transaction =
        session->transactions ? transactions_find(session->transactions, request->handle) : NULL;

    (void)service;
    if (!transaction) {
        refusal_out->text = TRANSACTION_NOT_OPEN;
        return STATUS_GONE;
    }
    store_transaction_destroy(transaction->store_transaction);
    transactions_remove(session->transactions, transaction);
    return wire_response_empty(answer, request->id);
}

/* ---- Writes */

/* The request as an item; `prefix_out` has room for the longest key. */
static struct wire_item item_of(const struct wire_request *request, uint8_t *prefix_out) {
    const struct wire_options *options = &request->options;
    struct wire_item item = {
        .condition = options->condition,
        .user_flags = request->user_flags,
        .version = options->version,
        .ttl_ms = options->ttl_ms,
        .expire_at_ms = options->expire_at_ms,
        .checksum = options->checksum,
        .amount = request->amount,
        .key = request->key,
        .value = request->value,
        .flags = options->flags & WIRE_FLAG_CHECKSUM ? WIRE_ITEM_CHECKSUM : 0,
    };
    struct store_range range;

    switch (request->opcode) {
    case WIRE_PUT:
        item.kind = WIRE_ITEM_PUT;
        break;
    case WIRE_DELETE:
        item.kind = WIRE_ITEM_DELETE;
        break;
    case WIRE_ADD:
        item.kind = WIRE_ITEM_ADD;
        break;
    case WIRE_APPEND:
        item.kind = WIRE_ITEM_APPEND;
        break;
    case WIRE_TOUCH:
        item.kind = WIRE_ITEM_TOUCH;
        break;
    case WIRE_PERSIST:
        item.kind = WIRE_ITEM_PERSIST;
        break;
    default:
        item.kind = WIRE_ITEM_DELETE_RANGE;
        range = page_range_whole(&request->range, 0, prefix_out);
        item.key = range.from;
        item.value = range.to;
        break;
    }
    return item;
}

static enum status append_written(struct buffer *answer, const struct wire_request *request,
                                  const struct wire_result *result) {
    return result->kind == WIRE_RESULT_NUMBER
               ? wire_response_version_number(answer, request->id, 0, (uint64_t)result->number)
               : wire_response_version(answer, request->id, 0);
}

enum status command_write_inside(struct read_context *context, const struct wire_request *request,
                                 struct buffer *answer, struct error *error) {
    uint8_t prefix_end[UINT16_MAX];
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, 0};
    struct wire_result result;
    struct wire_item item;
    uint32_t namespace_id;
    enum status status = fill_namespace(context->service, request, true, &namespace_id, &refusal);

    if (status != STATUS_OK || request->range.from.len > sizeof prefix_end) {
        return status != STATUS_OK ? status : STATUS_TOO_LARGE;
    }
    item = item_of(request, prefix_end);
    status = write_item_apply(context, namespace_id, &item, &result, &refusal, error);
    if (status == STATUS_OK) {
        return append_written(answer, request, &result);
    }
    return refusal.text ? wire_response_error(answer, request->id, status, &refusal) : status;
}
