/* observe.c: see observe.h. */
#include "server/observe.h"

#include "protocol/base/assert.h"
#include <stdio.h>
#include <string.h>

_Static_assert(SLOW_LOG_PEER_BYTES_MAX >= SESSION_PEER_BYTES_MAX, "a peer fits");
_Static_assert(SLOW_LOG_NAME_BYTES_MAX >= SESSION_NAME_BYTES_MAX, "a name fits");

/* Whether its list is of items: of a TRANSACT those if all comparisons hold. */
static bool has_items(const struct wire_request *request) {
    return request->opcode == WIRE_BATCH || request->opcode == WIRE_TRANSACT;
}

/* ---- Keys */

/* The key at `index` of those that a request names; a range delete in a batch names none. */
static bool key_at(const struct wire_request *request, uint32_t index, struct slice *key_out) {
    struct wire_list list = request->list;
    struct wire_item item = {0};
    bool there = true;

    *key_out = request->key;
    for (uint32_t i = 0; there && request->opcode == WIRE_MGET && i <= index; i++) {
        there = wire_list_next_key(&list, key_out) == STATUS_OK;
    }
    for (uint32_t i = 0; there && has_items(request) && i <= index; i++) {
        there = wire_list_next_item(&list, &item) == STATUS_OK;
        *key_out = item.key;
    }
    return there && item.kind != WIRE_ITEM_DELETE_RANGE && key_out->len > 0;
}

void observe_samples(struct loop *loop, const struct command *command,
                     const struct wire_request *request, uint32_t count) {
    struct slice key;
    uint32_t index = loop->keys_to_sample - 1;

    while (index < count) {
        if (key_at(request, index, &key)) {
            hot_keys_sample(loop->hot_keys, request->options.namespace_name, key,
                            command->kind != COMMAND_READ);
        }
        index += hot_keys_distance(loop->hot_keys);
    }
    loop->keys_to_sample = index - count + 1;
}

/* ---- Time */

void observe_back(struct reply *reply, uint64_t now_ns) {
    switch (reply->phase) {
    case REPLY_IN_COMMIT:
        trace_phase(&reply->trace, LATENCY_COMMITTED, now_ns);
        return;
    case REPLY_HELD:
        trace_phase(&reply->trace, LATENCY_HELD, now_ns);
        return;
    case REPLY_WAITING:
        trace_pause(&reply->trace, now_ns);
        return;
    case REPLY_IN_TASK:
    case REPLY_DONE:
        trace_skip(&reply->trace, now_ns);
        return;
    }
    ASSERT(false);
}

/* The key that a request is about, or begins with. */
static struct slice key_of(const struct wire_request *request) {
    struct wire_list list = request->list;
    struct slice key = request->key;
    struct wire_item item;

    if (request->opcode == WIRE_MGET && wire_list_next_key(&list, &key) == STATUS_OK) {
        return key;
    }
    if (has_items(request) && wire_list_next_item(&list, &item) == STATUS_OK) {
        return item.key;
    }
    return key.len > 0 ? key : request->range.from;
}

void observe_note(struct slow_note *note, const struct wire_request *request, size_t frame_bytes) {
    slow_note_set(note, key_of(request), frame_bytes);
}

/* Where the client is, without the number behind it. */
static void copy_peer(const char *peer, char text_out[SLOW_LOG_PEER_BYTES_MAX]) {
    const char *end = strrchr(peer, ' ');

    snprintf(text_out, SLOW_LOG_PEER_BYTES_MAX, "%.*s", end ? (int)(end - peer) : 0, peer);
}

static void write_down(const struct service *service, const struct session *session,
                       struct slow_entry *entry) {
    entry->time_ms = store_now_ms(service->store);
    entry->client = session->id;
    copy_peer(session->peer, entry->peer);
    snprintf(entry->name, sizeof entry->name, "%s", session->name);
    slow_log_add(service->slow_log, entry);
}

void observe_done(struct loop *loop, const struct session *session, const struct reply *reply,
                  uint64_t now_ns) {
    const struct command *command = dispatch_find(reply->opcode);
    struct slow_entry entry;

    if (!command) {
        return; /* no request: it freed uploads */
    }
    trace_sample(&reply->trace, now_ns, &entry.sample);
    latency_add(loop->latency, latency_command(command->metric), &entry.sample, 1);
    if (slow_log_wants(loop->service->slow_log, entry.sample.total_us)) {
        entry.id = reply->id;
        entry.opcode = reply->opcode;
        entry.beside = 0;
        entry.note = reply->note;
        write_down(loop->service, session, &entry);
    }
}

/* The first of them stands for all: which one took the time is not known. */
static void write_down_burst(struct loop *loop, const struct session *session, uint32_t requests,
                             struct slow_entry *entry) {
    struct slice bytes = loop->burst.first;
    const struct wire_limits *limits = &loop->service->limits.wire;
    struct wire_frame frame = {0};
    struct wire_request request;
    struct wire_refusal refusal;
    const char *reason;
    size_t wanted;

    if (wire_frame_decode(bytes, WIRE_KIND_REQUEST, limits->frame_max, &frame, &wanted, &reason) !=
            STATUS_OK ||
        wire_request_decode(&frame, limits, session->agreed, &request, &refusal) != STATUS_OK) {
        return; /* a HELLO that was the first to say what is agreed */
    }
    entry->id = frame.id;
    entry->opcode = frame.code;
    entry->beside = requests - 1;
    observe_note(&entry->note, &request, bytes.len);
    write_down(loop->service, session, entry);
}

void observe_burst(struct loop *loop, const struct session *session, uint64_t read_ns) {
    struct slow_entry entry = {0};
    uint64_t now_ns = loop_clock_tick(loop);
    uint32_t requests = burst_end(&loop->burst, loop->latency, read_ns, now_ns, &entry.sample);

    if (requests > 0 && slow_log_wants(loop->service->slow_log, entry.sample.total_us)) {
        write_down_burst(loop, session, requests, &entry);
    }
}
