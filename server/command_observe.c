/* command_observe.c: SLOWLOG, CLIENTS and HOTKEYS: what the server has observed. See command.h. */
#include "server/command.h"

#include "protocol/base/memory.h"

#include <uv.h>

_Static_assert(WIRE_PHASES == (unsigned)LATENCY_PHASES, "phases are the same on the wire");

/* An answer that is a list. */
struct listing {
    struct buffer *answer;
    size_t mark;
    size_t list_mark;
    uint32_t count;
};

static enum status listing_begin(struct listing *listing, const struct wire_request *request,
                                 struct buffer *answer) {
    enum status status;

    *listing = (struct listing){.answer = answer};
    status = wire_response_begin(answer, request->id, STATUS_OK, 0, &listing->mark);
    return status == STATUS_OK ? wire_list_begin(answer, &listing->list_mark) : status;
}

static enum status listing_end(struct listing *listing) {
    wire_list_finish(listing->answer, listing->list_mark, listing->count);
    return wire_response_finish(listing->answer, listing->mark);
}

/* ---- SLOWLOG */

static enum status append_slow(struct listing *listing, const struct slow_entry *entry) {
    const struct slow_note *note = &entry->note;
    size_t kept = note->key_len < sizeof note->key ? (size_t)note->key_len : sizeof note->key;
    struct wire_slow slow = {.number = entry->number,
                             .time_ms = entry->time_ms,
                             .client = entry->client,
                             .id = entry->id,
                             .opcode = entry->opcode,
                             .beside = entry->beside,
                             .total_us = entry->sample.total_us,
                             .request_bytes = note->bytes,
                             .key_len = note->key_len,
                             .key = slice_make(note->key, kept),
                             .peer = slice_from_text(entry->peer),
                             .name = slice_from_text(entry->name)};

    memcpy(slow.phase_us, entry->sample.phase_us, sizeof slow.phase_us);
    listing->count++;
    return wire_slow_entry(listing->answer, &slow);
}

enum status command_slowlog(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) {
    struct slow_log *log = context->service->slow_log;
    struct slow_entry entry = {.number = 0};
    struct listing listing;
    enum status status = listing_begin(&listing, request, answer);

    (void)error;
    if (log && request->action == WIRE_LOOK_CLEAR) {
        slow_log_clear(log);
        log = NULL;
    }
    while (log && status == STATUS_OK &&
           (request->handle == 0 || listing.count < request->handle) &&
           slow_log_take(log, entry.number, &entry)) {
        status = append_slow(&listing, &entry);
    }
    return status == STATUS_OK ? listing_end(&listing) : status;
}

/* ---- CLIENTS */

static enum status append_client(struct listing *listing, const struct client_view *view,
                                 uint64_t now_ms) {
    const struct client_figures *figures = &view->figures;
    const struct wire_client client = {
        .id = view->id,
        .age_ms = now_ms > view->opened_ms ? now_ms - view->opened_ms : 0,
        .idle_ms = now_ms > figures->read_ms ? now_ms - figures->read_ms : 0,
        .requests = figures->requests,
        .bytes_in = figures->bytes_in,
        .bytes_out = figures->bytes_out,
        .queued_bytes = figures->queued_bytes,
        .memory_bytes = figures->memory_bytes,
        .in_flight = figures->in_flight,
        .snapshots = figures->snapshots,
        .loop = view->loop,
        .peer = slice_from_text(view->peer),
        .name = slice_from_text(view->name),
    };

    listing->count++;
    return wire_client_entry(listing->answer, &client);
}

static enum status append_clients(struct listing *listing, struct client_list *clients,
                                  uint64_t limit) {
    uint64_t now_ms = uv_hrtime() / 1000000;
    struct client_view *views;
    uint32_t count;
    enum status status = client_list_copy(clients, &views, &count);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count && (limit == 0 || i < limit); i++) {
        status = append_client(listing, &views[i], now_ms);
    }
    memory_free(views);
    return status;
}

enum status command_clients(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) {
    struct client_list *clients = context->service->clients;
    struct listing listing;
    enum status status = listing_begin(&listing, request, answer);

    if (status == STATUS_OK && request->action == WIRE_LOOK_LIST) {
        status = append_clients(&listing, clients, request->handle);
    } else if (status == STATUS_OK && !client_list_close(clients, request->handle)) {
        return error_set(error, STATUS_NOT_FOUND, 0, NULL, ERROR_NO_OFFSET, "no such connection");
    }
    return status == STATUS_OK ? listing_end(&listing) : status;
}

/* ---- HOTKEYS */

static enum status append_hot_key(struct listing *listing, const struct hot_key_view *view) {
    size_t key = view->key_len < sizeof view->key ? view->key_len : sizeof view->key;
    size_t space = view->space_len < sizeof view->space ? view->space_len : sizeof view->space;
    const struct wire_hot_key hot = {.space = slice_make(view->space, space),
                                     .key_len = view->key_len,
                                     .key = slice_make(view->key, key),
                                     .reads = (uint64_t)(view->reads_per_s * 1000),
                                     .writes = (uint64_t)(view->writes_per_s * 1000)};

    listing->count++;
    return wire_hot_key_entry(listing->answer, &hot);
}

static enum status append_hot_keys(struct listing *listing, const struct service *service,
                                   uint64_t limit) {
    struct hot_key_view *views;
    uint32_t count;
    enum status status = hot_keys_collect(service->hot_keys, SERVICE_LOOPS_MAX,
                                          uv_hrtime() / 1000000, &views, &count);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count && (limit == 0 || i < limit); i++) {
        status = append_hot_key(listing, &views[i]);
    }
    memory_free(views);
    return status;
}

static void clear_hot_keys(const struct service *service) {
    for (uint32_t i = 0; i < SERVICE_LOOPS_MAX; i++) {
        if (service->hot_keys[i]) {
            hot_keys_clear(service->hot_keys[i], uv_hrtime() / 1000000);
        }
    }
}

enum status command_hotkeys(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) {
    struct listing listing;
    enum status status = listing_begin(&listing, request, answer);

    (void)error;
    if (request->action == WIRE_LOOK_CLEAR) {
        clear_hot_keys(context->service);
    } else if (status == STATUS_OK) {
        status = append_hot_keys(&listing, context->service, request->handle);
    }
    return status == STATUS_OK ? listing_end(&listing) : status;
}
