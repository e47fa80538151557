/* lookup.c: see lookup.h. */
#include "server/lookup.h"

enum status lookup_namespace(struct read_context *context, const struct wire_request *request,
                             uint32_t *namespace_id_out) {
    enum status status;

    if (!(request->options.flags & WIRE_FLAG_NAMESPACE)) {
        *namespace_id_out = STORE_NAMESPACE_DEFAULT;
        return STATUS_OK;
    }
    status = store_namespace(context->service->store, request->options.namespace_name, false,
                             namespace_id_out);
    if (status == STATUS_NOT_FOUND && context->read && context->read->transaction) {
        enum status noted =
            store_transaction_note_namespace(context->read, request->options.namespace_name);
        return noted == STATUS_OK ? STATUS_NOT_FOUND : noted;
    }
    return status;
}

uint32_t lookup_flags(const struct wire_request *request) {
    return request->options.flags & WIRE_FLAG_WANT_CHECKSUM ? WIRE_FLAG_CHECKSUM : 0;
}

struct wire_record lookup_record(const struct store_value_info *info, uint32_t flags) {
    return (struct wire_record){
        .version = info->version,
        .expires_at_ms = info->expiry_ms,
        .value_len = info->value_bytes,
        .user_flags = info->user_flags,
        .has_checksum = flags != 0,
        .checksum = info->checksum,
    };
}

enum status lookup_append(struct read_context *context, const struct lookup *lookup,
                          struct buffer *answer, struct error *error) {
    size_t cap = answer->cap;
    size_t value_max = context->service->limits.wire.value_max;
    struct store_value_info info;
    struct wire_record record;
    size_t record_mark;
    enum status status = wire_record_begin(answer, lookup->flags, &record_mark);

    if (status != STATUS_OK) {
        return status;
    }
    if (cap - answer->len > value_max) { /* what is longer fits no frame */
        answer->cap = answer->len + value_max;
    }
    status = store_get(context->read, lookup->namespace_id, lookup->key, context->wait,
                       lookup->with_value ? answer : NULL, &info, error);
    answer->cap = cap;
    if (status == STATUS_TOO_LARGE) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                         "the value is longer than value_max (%zu): read it with GET_RANGE",
                         value_max);
    }
    if (status != STATUS_OK) {
        return status;
    }
    record = lookup_record(&info, lookup->flags);
    wire_record_finish(answer, record_mark, lookup->flags, &record);
    return STATUS_OK;
}
