/* command_namespace.c: NAMESPACE_CREATE, NAMESPACE_DROP and NAMESPACE_LIST. See command.h. */
#include "server/command.h"

enum status command_namespace_create(const struct service *service,
                                     const struct wire_request *request,
                                     struct store_commit *commit,
                                     struct wire_refusal *refusal_out) {
    const struct store_namespace_settings settings = {
        .quota_bytes = request->settings.quota_bytes,
        .keep_ms = request->settings.keep_ms,
        .keep_versions = request->settings.keep_versions,
    };
    enum status status = store_commit_namespace_set(commit, request->payload, &settings);

    (void)service;
    if (status == STATUS_INVALID) {
        refusal_out->text = "the name of the namespace has control characters";
    } else if (status == STATUS_BUSY) {
        refusal_out->text = "there are too many namespaces";
    }
    return status;
}

enum status command_namespace_drop(const struct service *service,
                                   const struct wire_request *request, struct store_commit *commit,
                                   struct wire_refusal *refusal_out) {
    enum status status = store_commit_namespace_drop(commit, request->payload);

    (void)service;
    if (status == STATUS_NOT_FOUND) {
        refusal_out->text = "no such namespace";
    } else if (status == STATUS_INVALID) {
        refusal_out->text = "the default namespace cannot be dropped";
    }
    return status;
}

/* ---- NAMESPACE_LIST */

struct listing {
    struct buffer *answer;
    uint32_t count;
    enum status status; /* the first failure */
};

static void list_cb(void *arg, const struct store_namespace_info *info) {
    struct listing *listing = arg;
    const struct wire_namespace space = {
        .name = info->name,
        .id = info->id,
        .settings = {.quota_bytes = info->settings.quota_bytes,
                     .keep_ms = info->settings.keep_ms,
                     .keep_versions = info->settings.keep_versions},
        .keys = info->keys,
        .live_bytes = info->live_bytes,
        .pinned_bytes = info->pinned_bytes,
    };

    if (listing->status == STATUS_OK) {
        listing->status = wire_namespace_entry(listing->answer, &space);
        listing->count += listing->status == STATUS_OK;
    }
}

enum status command_namespace_list(struct read_context *context, const struct wire_request *request,
                                   struct buffer *answer, struct error *error) {
    struct listing listing = {.answer = answer, .status = STATUS_OK};
    size_t mark;
    size_t list_mark;
    enum status status = wire_response_begin(answer, request->id, STATUS_OK, 0, &mark);

    if (status == STATUS_OK) {
        status = wire_list_begin(answer, &list_mark);
    }
    if (status == STATUS_OK) {
        status = store_namespace_list(context->service->store, list_cb, &listing, error);
    }
    if (status == STATUS_OK) {
        status = listing.status;
    }
    if (status != STATUS_OK) {
        return status;
    }
    wire_list_finish(answer, list_mark, listing.count);
    return wire_response_finish(answer, mark);
}
