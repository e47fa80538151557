/* command_write.c: PUT, DELETE, DELETE_RANGE and BATCH, as commits. See command.h. */
#include "server/command.h"
#include "server/fill.h"
#include "server/page_range.h"

enum status command_put(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) {
    const struct wire_options *options = &request->options;
    struct store_put put = {
        .key = request->key,
        .value = request->value,
        .ttl_ms = fill_ttl(service, options->ttl_ms, options->expire_at_ms),
        .user_flags = request->user_flags,
        .has_checksum = (options->flags & WIRE_FLAG_CHECKSUM) != 0,
        .checksum = options->checksum,
        .condition = fill_condition(options->condition, options->version),
    };
    enum status status = fill_namespace(service, request, true, &put.namespace_id, refusal_out);

    return status == STATUS_OK ? fill_result(store_commit_put(commit, &put), refusal_out) : status;
}

/* What deletes in a namespace that does not exist leaves the commit empty: it makes none. */
enum status command_delete(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct store_condition condition =
        fill_condition(request->options.condition, request->options.version);
    uint32_t namespace_id;
    enum status status = fill_namespace(service, request, false, &namespace_id, refusal_out);

    if (status == STATUS_NOT_FOUND) {
        return fill_without_namespace(request->options.condition);
    }
    return status == STATUS_OK ? store_commit_delete(commit, namespace_id, request->key, &condition)
                               : status;
}

enum status command_delete_range(const struct service *service, const struct wire_request *request,
                                 struct store_commit *commit, struct wire_refusal *refusal_out) {
    uint8_t prefix_end[UINT16_MAX];
    struct store_range range;
    uint32_t namespace_id;
    enum status status = fill_namespace(service, request, false, &namespace_id, refusal_out);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (request->range.from.len > sizeof prefix_end) {
        return STATUS_TOO_LARGE;
    }
    range = page_range_whole(&request->range, namespace_id, prefix_end);
    return fill_range_result(store_commit_delete_range(commit, &range), refusal_out);
}

/* ---- BATCH */

static enum status add_put(const struct service *service, struct store_commit *commit,
                           uint32_t namespace_id, const struct wire_item *item) {
    struct store_put put = {
        .namespace_id = namespace_id,
        .key = item->key,
        .value = item->value,
        .ttl_ms = fill_ttl(service, item->ttl_ms, item->expire_at_ms),
        .user_flags = item->user_flags,
        .has_checksum = (item->flags & WIRE_ITEM_CHECKSUM) != 0,
        .checksum = item->checksum,
        .condition = fill_condition(item->condition, item->version),
    };

    return store_commit_put(commit, &put);
}

static enum status add_item(const struct service *service, struct store_commit *commit,
                            uint32_t namespace_id, const struct wire_item *item) {
    struct store_condition condition = fill_condition(item->condition, item->version);
    struct store_range range = {.namespace_id = namespace_id, .from = item->key, .to = item->value};
    uint64_t ttl_ms = fill_ttl(service, item->ttl_ms, item->expire_at_ms);

    switch ((enum wire_item_kind)item->kind) {
    case WIRE_ITEM_PUT:
        return add_put(service, commit, namespace_id, item);
    case WIRE_ITEM_DELETE:
        return store_commit_delete(commit, namespace_id, item->key, &condition);
    case WIRE_ITEM_DELETE_RANGE:
        return store_commit_delete_range(commit, &range);
    case WIRE_ITEM_ADD:
        return store_commit_add(commit, namespace_id, item->key, item->amount, &condition);
    case WIRE_ITEM_APPEND:
        return store_commit_append(commit, namespace_id, item->key, item->value, &condition);
    case WIRE_ITEM_TOUCH:
    case WIRE_ITEM_PERSIST:
        return store_commit_expire(commit, namespace_id, item->key, ttl_ms, &condition);
    case WIRE_ITEM_GET: /* the codec lets none pass */
        break;
    }
    return STATUS_INVALID;
}

/* Whether every item is an unconditional delete: such a batch makes no namespace. */
static bool only_deletes(const struct wire_request *request) {
    struct wire_list list = request->list;
    struct wire_item item;

    while (wire_list_next_item(&list, &item) == STATUS_OK) {
        bool deletes = item.kind == WIRE_ITEM_DELETE || item.kind == WIRE_ITEM_DELETE_RANGE;
        if (!deletes || item.condition != WIRE_CONDITION_NONE) {
            return false;
        }
    }
    return true;
}

static enum status batch_namespace(const struct service *service,
                                   const struct wire_request *request, uint32_t *namespace_id_out,
                                   struct wire_refusal *refusal_out) {
    enum status status = fill_namespace(service, request, false, namespace_id_out, refusal_out);

    if (status == STATUS_NOT_FOUND && !only_deletes(request)) {
        status = fill_namespace(service, request, true, namespace_id_out, refusal_out);
    }
    return status;
}

enum status command_batch(const struct service *service, const struct wire_request *request,
                          struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct wire_list list = request->list;
    struct wire_item item;
    uint32_t namespace_id;
    enum status status = batch_namespace(service, request, &namespace_id, refusal_out);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < request->list.count; i++) {
        status = wire_list_next_item(&list, &item);
        if (status == STATUS_OK) {
            status = add_item(service, commit, namespace_id, &item);
            status = item.kind == WIRE_ITEM_DELETE_RANGE ? fill_range_result(status, refusal_out)
                                                         : fill_result(status, refusal_out);
            refusal_out->item = i;
        }
    }
    if (status == STATUS_OK) {
        refusal_out->item = WIRE_NO_ITEM;
    }
    return status;
}
