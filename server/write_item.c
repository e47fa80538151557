/* write_item.c: see write_item.h. */
#include "server/write_item.h"

#include "protocol/base/assert.h"
#include "server/fill.h"

/* The item at hand. */
struct applied {
    struct read_context *context;
    uint32_t namespace_id;
    const struct wire_item *item;
    struct wire_result *result;
};

static enum status apply_put(const struct applied *applied, struct error *error) {
    const struct wire_item *item = applied->item;
    const struct store_put put = {
        .namespace_id = applied->namespace_id,
        .key = item->key,
        .value = item->value,
        .ttl_ms = fill_ttl(applied->context->service, item->ttl_ms, item->expire_at_ms),
        .user_flags = item->user_flags,
        .has_checksum = (item->flags & WIRE_ITEM_CHECKSUM) != 0,
        .checksum = item->checksum,
        .condition = fill_condition(item->condition, item->version),
    };

    return store_transaction_put(applied->context->read, &put, applied->context->wait, error);
}

/* Additions and their like have no condition of their own in the engine: it is judged first. */
static enum status judge(const struct applied *applied, struct error *error) {
    const struct wire_item *item = applied->item;
    struct read_context *context = applied->context;
    struct store_value_info info;
    enum status status;

    if (item->condition == WIRE_CONDITION_NONE) {
        return STATUS_OK;
    }
    status = store_get(context->read, applied->namespace_id, item->key, context->wait, NULL, &info,
                       error);
    switch (item->condition) {
    case WIRE_CONDITION_ABSENT:
        return status == STATUS_OK          ? STATUS_EXISTS
               : status == STATUS_NOT_FOUND ? STATUS_OK
                                            : status;
    case WIRE_CONDITION_PRESENT:
        return status == STATUS_NOT_FOUND ? STATUS_ABSENT : status;
    default:
        return status == STATUS_NOT_FOUND || (status == STATUS_OK && info.version != item->version)
                   ? STATUS_VERSION_MISMATCH
                   : status;
    }
}

static enum status apply_change(const struct applied *applied, struct wire_refusal *refusal_out,
                                struct error *error) {
    const struct wire_item *item = applied->item;
    struct read_context *context = applied->context;
    const struct store_change_of change = {
        .namespace_id = applied->namespace_id,
        .key = item->key,
        .amount = item->amount,
        .bytes = item->value,
        .ttl_ms = fill_ttl(context->service, item->ttl_ms, item->expire_at_ms),
    };
    uint64_t length = 0;
    enum status status = judge(applied, error);

    if (status != STATUS_OK) {
        return status;
    }
    switch (item->kind) {
    case WIRE_ITEM_ADD:
        applied->result->kind = WIRE_RESULT_NUMBER;
        return store_transaction_add(context->read, &change, context->wait,
                                     &applied->result->number, error);
    case WIRE_ITEM_APPEND:
        applied->result->kind = WIRE_RESULT_NUMBER;
        status = store_transaction_append(context->read, &change, context->wait, &length, error);
        applied->result->number = (int64_t)length;
        return status;
    default:
        return fill_result(store_transaction_expire(context->read, &change, context->wait, error),
                           refusal_out);
    }
}

static enum status apply(const struct applied *applied, struct wire_refusal *refusal_out,
                         struct error *error) {
    const struct wire_item *item = applied->item;
    const struct store_condition condition = fill_condition(item->condition, item->version);
    const struct store_range range = {
        .namespace_id = applied->namespace_id, .from = item->key, .to = item->value};

    switch ((enum wire_item_kind)item->kind) {
    case WIRE_ITEM_PUT:
        return fill_result(apply_put(applied, error), refusal_out);
    case WIRE_ITEM_DELETE:
        return store_transaction_delete(applied->context->read, applied->namespace_id, item->key,
                                        &condition, applied->context->wait, error);
    case WIRE_ITEM_DELETE_RANGE:
        return fill_range_result(store_transaction_delete_range(applied->context->read, &range),
                                 refusal_out);
    case WIRE_ITEM_ADD:
    case WIRE_ITEM_APPEND:
    case WIRE_ITEM_TOUCH:
    case WIRE_ITEM_PERSIST:
        return apply_change(applied, refusal_out, error);
    case WIRE_ITEM_GET:
        break;
    }
    ASSERT(false);
    return STATUS_INVALID;
}

/* The version that a condition met; it was just read. */
static uint64_t version_met(const struct applied *applied) {
    struct store_value_info info;

    return store_get(applied->context->read, applied->namespace_id, applied->item->key,
                     applied->context->wait, NULL, &info, NULL) == STATUS_OK
               ? info.version
               : 0;
}

static void explain(const struct applied *applied, enum status status, const struct error *error,
                    struct wire_refusal *refusal_out) {
    switch (status) {
    case STATUS_EXISTS:
    case STATUS_ABSENT:
    case STATUS_VERSION_MISMATCH:
        refusal_out->text = applied->item->condition == WIRE_CONDITION_NONE
                                ? "the key does not exist"
                                : status_text(status);
        refusal_out->detail = version_met(applied);
        break;
    case STATUS_INVALID:
        refusal_out->text = refusal_out->text ? refusal_out->text
                            : applied->item->kind == WIRE_ITEM_ADD
                                ? "the value is not a decimal number of 64 bits"
                                : "the request is not valid";
        break;
    case STATUS_TOO_LARGE:
        if (error->status == status) {
            break; /* it is about this value */
        }
        refusal_out->text = "the transaction writes more than it may";
        refusal_out->detail = applied->context->service->limits.wire.transaction_bytes;
        break;
    default:
        break;
    }
}

enum status write_item_apply(struct read_context *context, uint32_t namespace_id,
                             const struct wire_item *item, struct wire_result *result_out,
                             struct wire_refusal *refusal_out, struct error *error) {
    const struct applied applied = {context, namespace_id, item, result_out};
    enum status status;

    *result_out = (struct wire_result){.kind = WIRE_RESULT_DONE};
    status = apply(&applied, refusal_out, error);
    explain(&applied, status, error, refusal_out);
    return status;
}
