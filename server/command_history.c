/* command_history.c: HISTORY, DIFF and REWIND: the states that were. See command.h. */
#include "server/command.h"
#include "server/lookup.h"
#include "server/page_range.h"
#include "server/states.h"

#include <uv.h>

#define PAGE_NS_MAX 1000000000ull /* a page pins its views no longer, once it has an entry */

static uint32_t smaller(uint32_t wanted, uint32_t max) {
    return wanted != 0 && wanted < max ? wanted : max;
}

/* ---- HISTORY */

struct history {
    struct buffer *answer;
    uint32_t count;
};

static enum status version_cb(void *arg, const struct store_version *found) {
    struct history *history = arg;
    const struct wire_version version = {
        .version = found->info.version,
        .time_ms = found->time_ms,
        .deleted = found->deleted,
        .record = lookup_record(&found->info, 0),
    };
    enum status status = wire_version_entry(history->answer, &version);

    history->count += status == STATUS_OK;
    return status;
}

enum status command_history(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) {
    uint32_t limit = smaller(request->range.limit, context->service->limits.wire.scan_entries_max);
    struct store_history_query query = {
        .key = request->key, .before = request->before, .limit = limit};
    struct history history = {.answer = answer};
    size_t mark;
    size_t page_mark;
    enum status status = wire_response_begin(answer, request->id, STATUS_OK, 0, &mark);

    if (status == STATUS_OK) {
        status = wire_page_begin(answer, &page_mark);
    }
    if (status == STATUS_OK) {
        status = lookup_namespace(context, request, &query.namespace_id);
    }
    if (status == STATUS_OK) {
        status = store_history(context->read, &query, version_cb, &history, error);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) { /* no namespace, no versions */
        return status;
    }
    wire_history_finish(answer, page_mark, history.count, history.count < limit);
    return wire_response_finish(answer, mark);
}

/* ---- DIFF */

struct diff {
    struct buffer *answer;
    struct buffer last_key; /* owned: the cursor of the next page */
    uint32_t count;
    uint32_t count_max;
    size_t mark;
    size_t bytes_max;
    uint64_t started_ns;
};

static const uint8_t change_kinds[] = {
    [STORE_CHANGE_ADDED] = WIRE_CHANGE_ADDED,
    [STORE_CHANGE_CHANGED] = WIRE_CHANGE_CHANGED,
    [STORE_CHANGE_REMOVED] = WIRE_CHANGE_REMOVED,
};

/* END when the page is full. */
static enum status change_cb(void *arg, const struct store_change *found) {
    struct diff *diff = arg;
    const struct wire_change change = {
        .kind = change_kinds[found->kind],
        .key = found->key,
        .before = lookup_record(&found->before, 0),
        .after = lookup_record(&found->after, 0),
    };
    bool full = diff->count == diff->count_max || diff->answer->len - diff->mark >= diff->bytes_max;
    enum status status = STATUS_OK;

    if (full || (diff->count > 0 && uv_hrtime() - diff->started_ns > PAGE_NS_MAX)) {
        return STATUS_END;
    }
    buffer_clear(&diff->last_key);
    status = buffer_append_u8(&diff->last_key, PAGE_CURSOR_FORMAT);
    if (status == STATUS_OK) {
        status = buffer_append(&diff->last_key, found->key.ptr, found->key.len);
    }
    if (status == STATUS_OK) {
        status = wire_change_entry(diff->answer, &change);
    }
    diff->count += status == STATUS_OK;
    return status;
}

static uint64_t greater(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* What a read of its own must be held for, the answer must be. */
static void add_hold(struct read_context *context, struct store_read *read) {
    struct store_hold hold = store_read_hold_take(read);
    struct store_hold *sum = &context->read->hold;

    sum->written_version = greater(sum->written_version, hold.written_version);
    sum->durable_version = greater(sum->durable_version, hold.durable_version);
}

/* Errors: those of store_diff; END when the page was full. */
static enum status walk_diff(struct read_context *context, const struct wire_request *request,
                             struct diff *diff, struct error *error) {
    struct store_read from;
    struct store_read to;
    struct store_range range;
    uint32_t namespace_id;
    enum status status = lookup_namespace(context, request, &namespace_id);

    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* empty in all states */
    }
    status = page_range_make(&request->range, namespace_id, context->service->limits.wire.key_max,
                             context->scratch, &range, error);
    if (status != STATUS_OK) {
        return status;
    }
    status =
        states_begin(context->service, request, &request->from_state, context->read, &from, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = states_begin(context->service, request, &request->to_state, context->read, &to, error);
    if (status == STATUS_OK) {
        status = store_diff(&from, &to, &range, change_cb, diff, error);
        add_hold(context, &to);
        store_read_end(&to);
    }
    add_hold(context, &from);
    store_read_end(&from);
    return status;
}

enum status command_diff(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) {
    const struct wire_limits *limits = &context->service->limits.wire;
    struct diff diff = {
        .answer = answer,
        .count_max = smaller(request->range.limit, limits->scan_entries_max),
        .bytes_max = smaller(request->range.page_bytes, limits->scan_page_bytes_max),
        .started_ns = uv_hrtime(),
    };
    size_t page_mark;
    bool at_end;
    enum status status = wire_response_begin(answer, request->id, STATUS_OK, 0, &diff.mark);

    buffer_init(&diff.last_key, WIRE_CURSOR_BYTES_MAX);
    if (status == STATUS_OK) {
        status = wire_page_begin(answer, &page_mark);
    }
    if (status == STATUS_OK) {
        status = walk_diff(context, request, &diff, error);
    }
    at_end = status == STATUS_OK;
    if (at_end) {
        buffer_clear(&diff.last_key);
    }
    if (status == STATUS_OK || status == STATUS_END) {
        status =
            wire_page_finish(answer, page_mark, diff.count, buffer_slice(&diff.last_key), at_end);
    }
    buffer_deinit(&diff.last_key);
    return status == STATUS_OK ? wire_response_finish(answer, diff.mark) : status;
}

/* ---- REWIND */

/* Fills context->commit. */
static enum status fill_rewind(struct job_context *context, const struct wire_request *request,
                               struct store_read *present, struct error *error) {
    uint8_t prefix_end[UINT16_MAX];
    struct store_read past;
    struct store_range range;
    uint32_t namespace_id = STORE_NAMESPACE_DEFAULT;
    enum status status = STATUS_OK;

    if (request->options.flags & WIRE_FLAG_NAMESPACE) {
        status = store_namespace(context->service->store, request->options.namespace_name, false,
                                 &namespace_id);
    }
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* empty in all states */
    }
    if (request->range.from.len > sizeof prefix_end) {
        return STATUS_TOO_LARGE;
    }
    status = states_begin(context->service, request, &request->to_state, present, &past, error);
    if (status != STATUS_OK) {
        return status;
    }
    range = page_range_whole(&request->range, namespace_id, prefix_end);
    status = store_rewind(&past, present, &range, context->commit, &context->number, error);
    store_read_end(&past);
    return status;
}

enum status command_rewind(struct job_context *context, const struct wire_request *request,
                           struct error *error) {
    struct store_read present;
    enum status status;

    context->number = 0;
    store_read_begin(context->service->store, &present);
    status = fill_rewind(context, request, &present, error);
    store_read_end(&present);
    if (status == STATUS_TOO_LARGE && error->status != status) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                         "more keys differ than one commit takes: rewind smaller ranges");
    }
    return status == STATUS_OK ? STATUS_PENDING : status;
}
