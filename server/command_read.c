/* command_read.c: GET, MGET, EXISTS and META. See command.h.
 *
 * A value travels once: the store appends it to the answer, directly behind the place that was left
 * for its record. */
#include "server/command.h"
#include "server/lookup.h"

/* No key is looked up behind so many bytes: with one more value of any size, the list still fits
 * the largest frame. */
#define ANSWER_BYTES_MAX (512u * 1024)

static enum status answer_record(struct read_context *context, const struct wire_request *request,
                                 bool with_value, struct buffer *answer, struct error *error) {
    struct lookup lookup = {
        .key = request->key, .flags = lookup_flags(request), .with_value = with_value};
    size_t mark;
    enum status status = lookup_namespace(context, request, &lookup.namespace_id);

    if (status == STATUS_OK) {
        status = wire_response_begin(answer, request->id, STATUS_OK, lookup.flags, &mark);
    }
    if (status == STATUS_OK) {
        status = lookup_append(context, &lookup, answer, error);
    }
    return status == STATUS_OK ? wire_response_finish(answer, mark) : status;
}

enum status command_get(struct read_context *context, const struct wire_request *request,
                        struct buffer *answer, struct error *error) {
    return answer_record(context, request, true, answer, error);
}

enum status command_meta(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) {
    return answer_record(context, request, false, answer, error);
}

enum status command_exists(struct read_context *context, const struct wire_request *request,
                           struct buffer *answer, struct error *error) {
    struct store_value_info info;
    uint32_t namespace_id;
    enum status status = lookup_namespace(context, request, &namespace_id);

    if (status == STATUS_OK) {
        status =
            store_get(context->read, namespace_id, request->key, context->wait, NULL, &info, error);
    }
    return status == STATUS_OK ? wire_response_version(answer, request->id, info.version) : status;
}

#define PART_SHORT_BYTES (256u * 1024) /* more than this does not belong on a loop */

bool command_get_range_is_long(const struct wire_request *request) {
    return request->length > PART_SHORT_BYTES;
}

enum status command_get_range(struct read_context *context, const struct wire_request *request,
                              struct buffer *answer, struct error *error) {
    uint32_t value_max = context->service->limits.wire.value_max;
    uint32_t length = request->length < value_max ? request->length : value_max;
    uint32_t flags = lookup_flags(request);
    struct store_value_info info;
    struct wire_record record;
    struct store_part part = {.key = request->key, .offset = request->offset, .length = length};
    size_t mark;
    size_t record_mark;
    enum status status = lookup_namespace(context, request, &part.namespace_id);

    if (status == STATUS_OK) {
        status = wire_response_begin(answer, request->id, STATUS_OK, flags, &mark);
    }
    if (status == STATUS_OK) {
        status = wire_record_begin(answer, flags, &record_mark);
    }
    if (status == STATUS_OK) {
        status = store_get_range(context->read, &part, context->wait, answer, &info, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    record = lookup_record(&info, flags);
    wire_record_finish(answer, record_mark, flags, &record);
    return wire_response_finish(answer, mark);
}

/* ---- MGET */

/* One entry: found, absent, or damaged. Errors: those that end the list. */
static enum status append_entry(struct read_context *context, const struct lookup *lookup,
                                struct buffer *answer) {
    struct error error = {.status = STATUS_OK};
    size_t mark = buffer_mark(answer);
    enum status status = wire_mget_entry_begin(answer);

    if (status == STATUS_OK) {
        status = lookup->namespace_id == 0 ? STATUS_NOT_FOUND
                                           : lookup_append(context, lookup, answer, &error);
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT || status == STATUS_IO ||
        status == STATUS_TOO_LARGE) {
        char line[ERROR_TEXT_MAX + ERROR_PATH_MAX];
        struct slice text = slice_from_text(status_text(status));
        buffer_rollback(answer, mark);
        if (error.status == status) {
            text = slice_make(line, (size_t)error_format(&error, line, sizeof line));
        }
        return wire_mget_entry_error(answer, status, text);
    }
    if (status != STATUS_OK) {
        buffer_rollback(answer, mark);
    }
    return status;
}

enum status command_mget(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) {
    struct lookup lookup = {.flags = lookup_flags(request), .with_value = true};
    struct wire_list list = request->list;
    uint32_t answered = 0;
    size_t mark;
    size_t list_mark;
    enum status status = lookup_namespace(context, request, &lookup.namespace_id);

    (void)error; /* each entry carries its own */
    if (status == STATUS_NOT_FOUND) {
        lookup.namespace_id = 0;
    } else if (status != STATUS_OK) {
        return status;
    }
    status = wire_response_begin(answer, request->id, STATUS_OK, lookup.flags, &mark);
    if (status == STATUS_OK) {
        status = wire_list_begin(answer, &list_mark);
    }
    while (status == STATUS_OK && answered < request->list.count &&
           answer->len - mark < ANSWER_BYTES_MAX) {
        status = wire_list_next_key(&list, &lookup.key);
        if (status == STATUS_OK) {
            status = append_entry(context, &lookup, answer);
        }
        answered += status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    wire_list_finish(answer, list_mark, answered);
    return wire_response_finish(answer, mark);
}
