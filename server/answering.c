/* answering.c: see answering.h. */
#include "server/answering.h"

#include "server/observe.h"

#include <inttypes.h>
#include <stdio.h>

#define REFUSAL_TEXT_MAX 160

void answering_init(struct connection *connection, struct reply *reply, enum reply_phase phase) {
    struct loop *loop = connection->loop;

    reply->owner = connection;
    reply->mailbox = &loop->mailbox;
    reply->service = loop->service;
    reply->message.deliver_cb = connection->reply_back_cb;
    reply->phase = phase;
    trace_begin(&reply->trace, connection->read_ns, loop_clock_ns(loop));
    reply_queue_push(&connection->replies, reply);
}

struct reply *answering_add(struct connection *connection, enum reply_phase phase) {
    struct reply *reply = reply_pool_take(&connection->loop->replies);

    if (!reply) {
        connection->broken = true;
        return NULL;
    }
    answering_init(connection, reply, phase);
    return reply;
}

void answering_give_bytes(struct connection *connection, struct reply *reply) {
    if (!reply->bytes.data) {
        buffer_pool_take(&connection->loop->buffers, connection->output.bytes_cap, &reply->bytes);
    }
}

bool answering_begin(struct connection *connection, struct answer *answer_out) {
    struct reply *newest = connection->replies.newest;

    if (connection->replies.count == 0) {
        answer_out->reply = NULL;
        answer_out->buffer = output_buffer(&connection->output);
    } else {
        bool fits = newest->phase == REPLY_DONE && !newest->is_write;
        struct reply *reply = fits ? newest : answering_add(connection, REPLY_DONE);
        if (!reply) {
            return false;
        }
        answering_give_bytes(connection, reply);
        answer_out->reply = reply;
        answer_out->buffer = &reply->bytes;
    }
    answer_out->mark = buffer_mark(answer_out->buffer);
    return true;
}

void answering_end(struct connection *connection, const struct answer *answer, enum status status) {
    if (status != STATUS_OK) {
        connection->broken = true;
    }
    if (answer->reply) {
        connection->replies.bytes += answer->buffer->len - answer->mark;
    }
}

/* A limit that was passed is said in the text as well. */
static enum status append_refusal(struct buffer *buffer, uint32_t id, enum status status,
                                  const struct wire_refusal *refusal) {
    char text[REFUSAL_TEXT_MAX];
    struct wire_refusal numbered = {text, refusal->item, refusal->detail};

    if (status != STATUS_TOO_LARGE || refusal->detail == 0) {
        return wire_response_error(buffer, id, status, refusal);
    }
    snprintf(text, sizeof text, "%s (%" PRIu64 ")", refusal->text, refusal->detail);
    return wire_response_error(buffer, id, status, &numbered);
}

void answering_error(struct connection *connection, uint32_t id, enum status status,
                     const struct wire_refusal *refusal) {
    struct answer answer;
    enum status appended;

    metrics_add(connection->loop->metrics, METRIC_REQUESTS_REFUSED, 1);
    if (!answering_begin(connection, &answer)) {
        return;
    }
    if (refusal && refusal->text) {
        appended = append_refusal(answer.buffer, id, status, refusal);
    } else if (refusal && refusal->item != WIRE_NO_ITEM) {
        struct wire_refusal named = {status_text(status), refusal->item, refusal->detail};
        appended = wire_response_error(answer.buffer, id, status, &named);
    } else {
        appended = reply_append_error(answer.buffer, id, status, NULL);
    }
    answering_end(connection, &answer, appended);
}

void answering_failure(struct connection *connection, uint32_t id, enum status status,
                       const struct error *error) {
    struct answer answer;

    metrics_add(connection->loop->metrics, METRIC_REQUESTS_REFUSED, 1);
    if (answering_begin(connection, &answer)) {
        answering_end(connection, &answer, reply_append_error(answer.buffer, id, status, error));
    }
}

void answering_hold(struct connection *connection, const struct answer *answer,
                    const struct wire_request *request, size_t frame_bytes,
                    const struct store_hold *hold) {
    struct reply *reply = answer->mark == 0 ? answer->reply : NULL;

    metrics_add(connection->loop->metrics, METRIC_REPLIES_HELD, 1);
    if (!reply) {
        size_t len = answer->buffer->len - answer->mark;
        reply = answering_add(connection, REPLY_HELD);
        if (!reply) {
            return;
        }
        answering_give_bytes(connection, reply);
        if (buffer_append(&reply->bytes, answer->buffer->data + answer->mark, len) != STATUS_OK) {
            reply->lost = true; /* found when it comes back */
        }
        buffer_rollback(answer->buffer, answer->mark);
    }
    reply->phase = REPLY_HELD;
    reply->id = request->id;
    reply->opcode = request->opcode;
    observe_note(&reply->note, request, frame_bytes);
    connection->replies.bytes += reply->bytes.len;
    reply->waiter = (struct store_waiter){.hold = *hold, .done_cb = reply_held_cb, .arg = reply};
    store_hold_wait(connection->loop->service->store, &reply->waiter);
}
