/* command_change.c: ADD, APPEND, TOUCH and PERSIST, which build on what a key has. See command.h.
 */
#include "server/command.h"
#include "server/fill.h"

enum status command_add(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct store_condition condition =
        fill_condition(request->options.condition, request->options.version);
    uint32_t namespace_id;
    enum status status = fill_namespace(service, request, true, &namespace_id, refusal_out);

    return status == STATUS_OK
               ? store_commit_add(commit, namespace_id, request->key, request->amount, &condition)
               : status;
}

enum status command_append(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit, struct wire_refusal *refusal_out) {
    struct store_condition condition =
        fill_condition(request->options.condition, request->options.version);
    uint32_t namespace_id;
    enum status status = fill_namespace(service, request, true, &namespace_id, refusal_out);

    return status == STATUS_OK
               ? store_commit_append(commit, namespace_id, request->key, request->value, &condition)
               : status;
}

/* TOUCH with its expiry; PERSIST has none. */
enum status command_expire(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit, struct wire_refusal *refusal_out) {
    const struct wire_options *options = &request->options;
    struct store_condition condition = fill_condition(options->condition, options->version);
    uint64_t ttl_ms = fill_ttl(service, options->ttl_ms, options->expire_at_ms);
    uint32_t namespace_id;
    enum status status = fill_namespace(service, request, false, &namespace_id, refusal_out);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_ABSENT;
    }
    if (status != STATUS_OK) {
        return status;
    }
    return fill_result(store_commit_expire(commit, namespace_id, request->key, ttl_ms, &condition),
                       refusal_out);
}
