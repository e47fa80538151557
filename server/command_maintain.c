/* command_maintain.c: MAINTAIN, WHY and EXPLAIN: what a person asks of a running store. See
 * command.h. */
#include "server/command.h"
#include "server/lookup.h"
#include "server/why_slow.h"

#include <inttypes.h>
#include <stdio.h>
#include <uv.h>

#define LINES_MAX 100000u /* of one answer: a store with more faults than this is past reading */

/* Lines as they come. */
struct lines {
    struct buffer *answer;
    size_t mark;
    size_t list_mark;
    uint32_t count;
    enum status status; /* the first failure */
};

static enum status lines_begin(struct lines *lines, const struct wire_request *request,
                               struct buffer *answer) {
    *lines = (struct lines){.answer = answer, .status = STATUS_OK};
    lines->status = wire_response_begin(answer, request->id, STATUS_OK, 0, &lines->mark);
    if (lines->status == STATUS_OK) {
        lines->status = wire_list_begin(answer, &lines->list_mark);
    }
    return lines->status;
}

static enum status lines_end(struct lines *lines) {
    if (lines->status != STATUS_OK) {
        return lines->status;
    }
    wire_list_finish(lines->answer, lines->list_mark, lines->count);
    return wire_response_finish(lines->answer, lines->mark);
}

static void text_cb(void *arg, const char *name, const char *text) {
    struct lines *lines = arg;

    if (lines->status == STATUS_OK && lines->count < LINES_MAX) {
        lines->status =
            wire_stats_entry(lines->answer, slice_from_text(name), slice_from_text(text));
        lines->count += lines->status == STATUS_OK;
    }
}

static void add_number(struct lines *lines, const char *name, uint64_t number) {
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    text_cb(lines, name, text);
}

/* ---- EXPLAIN */

enum status command_explain(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) {
    struct lines lines;
    uint32_t namespace_id;
    enum status status = lookup_namespace(context, request, &namespace_id);

    if (status == STATUS_OK) {
        status = lines_begin(&lines, request, answer);
    }
    if (status == STATUS_OK) {
        status = store_explain(context->read, namespace_id, request->key, text_cb, &lines, error);
    }
    return status == STATUS_OK ? lines_end(&lines) : status;
}

/* ---- WHY */

static void space_cb(void *arg, const char *kind, const char *holder, uint64_t bytes) {
    struct lines *lines = arg;
    const struct wire_holder line = {
        .kind = slice_from_text(kind), .holder = slice_from_text(holder), .bytes = bytes};

    if (lines->status == STATUS_OK) {
        lines->status = wire_holder_entry(lines->answer, &line);
        lines->count += lines->status == STATUS_OK;
    }
}

/* Of the last minute or so; of all the time if nothing older was kept. */
static struct figures recent_growth(const struct service *service) {
    uint64_t now_ms = uv_hrtime() / 1000000;
    struct figures now;
    struct figures before = {.at_ms = now_ms};
    struct figures growth;

    figures_take(service->store, now_ms, &now);
    (void)figures_past_find(service->past, now_ms, &before);
    figures_subtract(&now, &before, &growth);
    return growth;
}

static void tell_slow(const struct service *service, struct lines *lines) {
    const struct why_slow_input input = {
        .latencies = service->latencies,
        .latency_count = SERVICE_LOOPS_MAX,
        .growth = recent_growth(service),
        .client_memory_bytes = client_memory_charged(&service->client_memory),
        .client_memory_limit_bytes = service->client_memory.limit_bytes,
    };

    why_slow(&input, space_cb, lines);
}

enum status command_why(struct read_context *context, const struct wire_request *request,
                        struct buffer *answer, struct error *error) {
    bool slow = slice_equal(request->payload, slice_from_text("slow"));
    struct lines lines;
    enum status status;

    if (!slow && !slice_equal(request->payload, slice_from_text("space"))) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "this server can say why space is used, and why it is slow: 'space' or "
                         "'slow'");
    }
    status = lines_begin(&lines, request, answer);
    if (status == STATUS_OK && slow) {
        tell_slow(context->service, &lines);
    } else if (status == STATUS_OK) {
        status = store_why_space(context->service->store, space_cb, &lines, error);
    }
    return status == STATUS_OK ? lines_end(&lines) : status;
}

/* ---- MAINTAIN */

static enum status verify(struct read_context *context, struct lines *lines, struct error *error) {
    struct store_verify_result result = {0};
    enum status status =
        store_verify(context->service->store, context->cancelled, text_cb, lines, &result, error);

    if (status == STATUS_OK) {
        add_number(lines, "files", result.files);
        add_number(lines, "bytes", result.bytes);
        add_number(lines, "entries", result.entries);
        add_number(lines, "values", result.values);
        add_number(lines, "faults", result.faults);
    }
    return status;
}

static enum status checkpoint(struct read_context *context, const struct wire_request *request,
                              struct lines *lines, struct error *error) {
    char path[WIRE_PATH_BYTES_MAX + 1];
    struct slice given = request->payload;
    enum status status;

    if (memchr(given.ptr, 0, given.len)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the path has a NUL in it");
    }
    memcpy(path, given.ptr, given.len); /* the codec has bounded it */
    path[given.len] = '\0';
    status = store_checkpoint(context->service->store, path, error);
    if (status == STATUS_OK) {
        text_cb(lines, "checkpoint", path);
    }
    return status;
}

static enum status act(struct read_context *context, const struct wire_request *request,
                       struct lines *lines, struct error *error) {
    struct store *store = context->service->store;

    switch ((enum wire_action)request->action) {
    case WIRE_ACTION_FLUSH:
        text_cb(lines, "flush", "the memtable is in a table");
        return store_flush(store, error);
    case WIRE_ACTION_COMPACT:
        text_cb(lines, "compact", "everything is in the bottom level");
        return store_compact(store, error);
    case WIRE_ACTION_COLLECT:
        text_cb(lines, "collect", "less than half of the allowed share is dead");
        return store_collect(store, error);
    case WIRE_ACTION_VERIFY:
        return verify(context, lines, error);
    case WIRE_ACTION_CHECKPOINT:
        return checkpoint(context, request, lines, error);
    }
    return STATUS_INVALID;
}

enum status command_maintain(struct read_context *context, const struct wire_request *request,
                             struct buffer *answer, struct error *error) {
    struct lines lines;
    enum status status = lines_begin(&lines, request, answer);

    if (status == STATUS_OK) {
        status = act(context, request, &lines, error);
    }
    return status == STATUS_OK ? lines_end(&lines) : status;
}
