/* fill.c: see fill.h. */
#include "server/fill.h"

#include "protocol/base/assert.h"

_Static_assert((int)WIRE_CONDITION_NONE == (int)STORE_ALWAYS, "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_ABSENT == (int)STORE_IF_ABSENT, "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_PRESENT == (int)STORE_IF_PRESENT,
               "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_VERSION == (int)STORE_IF_VERSION,
               "conditions are numbered alike");

struct store_condition fill_condition(uint8_t kind, uint64_t version) {
    ASSERT(kind <= WIRE_CONDITION_VERSION); /* the codec lets no other pass */
    return (struct store_condition){(enum store_condition_kind)kind, version};
}

uint64_t fill_ttl(const struct service *service, uint64_t ttl_ms, uint64_t expire_at_ms) {
    uint64_t now_ms;

    if (expire_at_ms == 0) {
        return ttl_ms;
    }
    now_ms = store_now_ms(service->store);
    return expire_at_ms > now_ms ? expire_at_ms - now_ms : 1;
}

enum status fill_namespace(const struct service *service, const struct wire_request *request,
                           bool create, uint32_t *namespace_id_out,
                           struct wire_refusal *refusal_out) {
    enum status status;

    if (!(request->options.flags & WIRE_FLAG_NAMESPACE)) {
        *namespace_id_out = STORE_NAMESPACE_DEFAULT;
        return STATUS_OK;
    }
    status =
        store_namespace(service->store, request->options.namespace_name, create, namespace_id_out);
    if (status == STATUS_INVALID) {
        refusal_out->text = "the name of the namespace has control characters";
    } else if (status == STATUS_BUSY) {
        refusal_out->text = "there are too many namespaces";
    }
    return status;
}

enum status fill_without_namespace(uint8_t condition) {
    switch (condition) {
    case WIRE_CONDITION_PRESENT:
        return STATUS_ABSENT;
    case WIRE_CONDITION_VERSION:
        return STATUS_VERSION_MISMATCH;
    default:
        return STATUS_OK;
    }
}

enum status fill_result(enum status status, struct wire_refusal *refusal_out) {
    if (status == STATUS_INVALID && !refusal_out->text) {
        refusal_out->text = "the expiry is too far in the future";
    }
    return status;
}

enum status fill_range_result(enum status status, struct wire_refusal *refusal_out) {
    if (status == STATUS_INVALID) {
        refusal_out->text = "the range ends before it begins";
    }
    return status;
}

_Static_assert(WIRE_RETRY_CLIENT_BYTES == STORE_RETRY_CLIENT_BYTES, "one token");

struct store_token fill_token_of(const struct wire_options *options) {
    struct store_token token = {.sequence = options->retry_sequence};

    memcpy(token.client, options->retry_client, sizeof token.client);
    return token;
}

void fill_token(struct store_commit *commit, const struct wire_options *options, uint64_t number) {
    if (options->flags & WIRE_FLAG_RETRY_TOKEN) {
        struct store_token token = fill_token_of(options);
        token.number = number;
        store_commit_set_token(commit, &token);
    }
}

/* Whether a request may have come to nothing because it was done before. Those of a TRANSACT are
 * found out by executing it. */
static bool may_be_done(const struct wire_request *request, enum status status) {
    switch (status) {
    case STATUS_NOT_FOUND:
    case STATUS_ABSENT:
    case STATUS_EXISTS:
    case STATUS_VERSION_MISMATCH:
    case STATUS_GONE:
        return true;
    case STATUS_INVALID:
    case STATUS_OVERFLOW:
    case STATUS_TOO_LARGE:
    case STATUS_QUOTA:
        return request->opcode == WIRE_TRANSACT;
    default:
        return false;
    }
}

bool fill_refusal(struct store_commit *commit, const struct wire_request *request,
                  enum status status) {
    if (!(request->options.flags & WIRE_FLAG_RETRY_TOKEN) || !may_be_done(request, status)) {
        return false;
    }
    store_commit_reset(commit);
    fill_token(commit, &request->options, 0);
    store_commit_refuse(commit, status);
    return true;
}
