/* command_observe.c: SLOWLOG: what the server has observed of requests. See command.h. */
#include "server/command.h"

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
