/* operate.c: statistics, namespaces, and what an operator asks for. */
#include "client/line_text.h"
#include "client/write.h"

#define TEXT_BYTES_MAX 4096 /* a longer text is cut, as kvd.h says */

/* A request that is about the server, not about a namespace. */
static enum status call_server(struct kvd *db, struct wire_request *request,
                               struct wire_response *response_out) {
    request->options = (struct wire_options){0};
    return write_call(db, request, response_out);
}

static void hand_lines(struct wire_response *response, kvd_stat_cb line_cb, void *arg) {
    char name[WIRE_NAME_BYTES_MAX + 1];
    char value[TEXT_BYTES_MAX];
    struct slice name_bytes;
    struct slice value_bytes;

    while (line_cb && wire_response_next_stat(response, &name_bytes, &value_bytes) == STATUS_OK) {
        line_text(name_bytes, name, sizeof name);
        line_text(value_bytes, value, sizeof value);
        line_cb(name, value, arg);
    }
}

enum kvd_status kvd_stats(struct kvd *db, const char *section, kvd_stat_cb stat_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_STATS,
                                   .payload = slice_from_text(section ? section : "")};
    struct wire_response response;
    enum status status = call_server(db, &request, &response);

    if (status == STATUS_OK) {
        hand_lines(&response, stat_cb, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_explain(struct kvd *db, struct kvd_bytes key,
                            const struct kvd_read_options *options, kvd_stat_cb line_cb,
                            void *arg) {
    struct wire_request request = connection_read_request(db, WIRE_EXPLAIN, options);
    struct wire_response response;
    enum status status;

    request.key = connection_slice(key);
    status = write_call(db, &request, &response);
    if (status == STATUS_OK) {
        hand_lines(&response, line_cb, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_why_space(struct kvd *db, kvd_space_cb space_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_WHY, .payload = slice_from_text("space")};
    struct wire_response response;
    struct wire_holder holder;
    char kind[WIRE_NAME_BYTES_MAX + 1];
    char text[TEXT_BYTES_MAX];
    enum status status = call_server(db, &request, &response);

    while (status == STATUS_OK && wire_response_next_holder(&response, &holder) == STATUS_OK) {
        line_text(holder.kind, kind, sizeof kind);
        line_text(holder.holder, text, sizeof text);
        space_cb(kind, text, holder.bytes, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_maintain(struct kvd *db, enum kvd_action action, const char *argument,
                             kvd_stat_cb line_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_MAINTAIN,
                                   .action = (uint8_t)action,
                                   .payload = slice_from_text(argument ? argument : "")};
    struct wire_response response;
    enum status status = call_server(db, &request, &response);

    if (status == STATUS_OK) {
        hand_lines(&response, line_cb, arg);
    }
    return result_public(status);
}

/* --- namespaces --- */

static enum kvd_status change_namespace(struct kvd *db, struct wire_request *request,
                                        uint64_t *version_out) {
    struct wire_response response;
    enum status status = call_server(db, request, &response);

    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_namespace_set(struct kvd *db, const char *name,
                                  const struct kvd_namespace_settings *settings,
                                  uint64_t *version_out) {
    struct wire_request request = {.opcode = WIRE_NAMESPACE_CREATE,
                                   .payload = slice_from_text(name)};

    if (settings) {
        request.settings = (struct wire_settings){.quota_bytes = settings->quota_bytes,
                                                  .keep_ms = settings->keep_ms,
                                                  .keep_versions = settings->keep_versions};
    }
    return change_namespace(db, &request, version_out);
}

enum kvd_status kvd_namespace_drop(struct kvd *db, const char *name, uint64_t *version_out) {
    struct wire_request request = {.opcode = WIRE_NAMESPACE_DROP, .payload = slice_from_text(name)};

    return change_namespace(db, &request, version_out);
}

enum kvd_status kvd_namespace_list(struct kvd *db, kvd_namespace_cb namespace_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_NAMESPACE_LIST};
    struct wire_response response;
    struct wire_namespace space;
    char name[WIRE_NAMESPACE_BYTES_MAX + 1];
    enum status status = call_server(db, &request, &response);

    while (status == STATUS_OK && wire_response_next_namespace(&response, &space) == STATUS_OK) {
        struct kvd_namespace public = {
            .name = name,
            .id = space.id,
            .settings = {.quota_bytes = space.settings.quota_bytes,
                         .keep_ms = space.settings.keep_ms,
                         .keep_versions = space.settings.keep_versions},
            .keys = space.keys,
            .live_bytes = space.live_bytes,
            .pinned_bytes = space.pinned_bytes,
        };
        line_text(space.name, name, sizeof name);
        namespace_cb(&public, arg);
    }
    return result_public(status);
}
