/* command_write.c: PUT, DELETE and BATCH, as commits. See command.h. */
#include "server/command.h"

#include "protocol/base/assert.h"

_Static_assert((int)WIRE_CONDITION_NONE == (int)STORE_ALWAYS, "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_ABSENT == (int)STORE_IF_ABSENT, "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_PRESENT == (int)STORE_IF_PRESENT,
               "conditions are numbered alike");
_Static_assert((int)WIRE_CONDITION_VERSION == (int)STORE_IF_VERSION,
               "conditions are numbered alike");

static struct store_condition condition_of(uint8_t kind, uint64_t version) {
    ASSERT(kind <= WIRE_CONDITION_VERSION); /* the codec lets no other pass */
    return (struct store_condition){(enum store_condition_kind)kind, version};
}

/* The store counts from now. A moment that has passed already is the next one: the key reads as
 * absent a millisecond later. */
static uint64_t ttl_of(const struct service *service, uint64_t ttl_ms, uint64_t expire_at_ms) {
    uint64_t now_ms;

    if (expire_at_ms == 0) {
        return ttl_ms;
    }
    now_ms = store_now_ms(service->store);
    return expire_at_ms > now_ms ? expire_at_ms - now_ms : 1;
}

static enum status namespace_of(const struct service *service, const struct wire_request *request,
                                uint32_t *namespace_id_out, struct wire_refusal *refusal_out) {
    enum status status;

    if (!(request->options.flags & WIRE_FLAG_NAMESPACE)) {
        *namespace_id_out = STORE_NAMESPACE_DEFAULT;
        return STATUS_OK;
    }
    status =
        store_namespace(service->store, request->options.namespace_name, true, namespace_id_out);
    if (status == STATUS_INVALID) {
        refusal_out->text = "the name of the namespace is not valid";
    } else if (status == STATUS_BUSY) {
        refusal_out->text = "there are too many namespaces";
    }
    return status;
}

enum status command_put(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) {
    const struct wire_options *options = &request->options;
    struct store_put put = {
        .key = request->key,
        .value = request->value,
        .ttl_ms = ttl_of(service, options->ttl_ms, options->expire_at_ms),
        .user_flags = request->user_flags,
        .has_checksum = (options->flags & WIRE_FLAG_CHECKSUM) != 0,
        .checksum = options->checksum,
        .condition = condition_of(options->condition, options->version),
    };
    enum status status = namespace_of(service, request, &put.namespace_id, refusal_out);

    return status == STATUS_OK ? store_commit_put(commit, &put) : status;
}

enum status command_delete(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct store_condition condition =
        condition_of(request->options.condition, request->options.version);
    uint32_t namespace_id;
    enum status status = namespace_of(service, request, &namespace_id, refusal_out);

    return status == STATUS_OK ? store_commit_delete(commit, namespace_id, request->key, &condition)
                               : status;
}

static enum status add_item(const struct service *service, struct store_commit *commit,
                            uint32_t namespace_id, const struct wire_item *item) {
    struct store_condition condition = condition_of(item->condition, item->version);
    struct store_put put = {
        .namespace_id = namespace_id,
        .key = item->key,
        .value = item->value,
        .ttl_ms = ttl_of(service, item->ttl_ms, item->expire_at_ms),
        .user_flags = item->user_flags,
        .has_checksum = (item->flags & WIRE_ITEM_CHECKSUM) != 0,
        .checksum = item->checksum,
        .condition = condition,
    };

    return item->kind == WIRE_ITEM_DELETE
               ? store_commit_delete(commit, namespace_id, item->key, &condition)
               : store_commit_put(commit, &put);
}

enum status command_batch(const struct service *service, const struct wire_request *request,
                          struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct wire_list list = request->list;
    struct wire_item item;
    uint32_t namespace_id;
    enum status status = namespace_of(service, request, &namespace_id, refusal_out);

    for (uint32_t i = 0; status == STATUS_OK && i < request->list.count; i++) {
        status = wire_list_next_item(&list, &item);
        if (status == STATUS_OK) {
            status = add_item(service, commit, namespace_id, &item);
            refusal_out->item = i;
        }
    }
    if (status == STATUS_OK) {
        refusal_out->item = WIRE_NO_ITEM;
    }
    return status;
}
