/* bench_codec_kvd.c: kvd's own protocol, and its echo. See bench_codec.h. */
#include "client/kvcli/bench_codec.h"
#include "protocol/wire.h"

#include <stdio.h>

#define HELLO_ID 0u

static enum status append_hello(struct buffer *out) {
    struct wire_request request = {
        .id = HELLO_ID,
        .opcode = WIRE_HELLO,
        .version_min = WIRE_VERSION,
        .version_max = WIRE_VERSION,
        .features = WIRE_FLAGS_REQUEST,
        .payload = slice_from_text("kvcli bench"),
    };
    return wire_request_encode(out, &request);
}

static uint16_t opcode_of(enum bench_call call) {
    return call == BENCH_CALL_GET ? WIRE_GET : call == BENCH_CALL_PUT ? WIRE_PUT : WIRE_SCAN;
}

static enum status append(struct buffer *out, const struct bench_plan *plan,
                          const struct bench_request *request) {
    struct wire_request frame = {
        .id = request->id,
        .opcode = opcode_of(request->call),
        .key = request->key,
        .value = request->value,
    };

    if (request->call == BENCH_CALL_SCAN) {
        frame.range = (struct wire_range){.limit = request->scan_limit, .from = request->key};
        frame.key = slice_make(NULL, 0);
    }
    if (request->call == BENCH_CALL_PUT && plan->durability != KVD_DURABILITY_DEFAULT) {
        frame.options.flags |= WIRE_FLAG_DURABILITY;
        frame.options.durability = (uint8_t)plan->durability;
    }
    if (plan->namespace_name && plan->namespace_name[0]) {
        frame.options.flags |= WIRE_FLAG_NAMESPACE;
        frame.options.namespace_name = slice_from_text(plan->namespace_name);
    }
    return wire_request_encode(out, &frame);
}

static void describe_failure(const struct wire_frame *frame, enum bench_call call,
                             struct bench_reply *reply) {
    struct wire_response response;
    const char *reason = "";

    if (wire_response_decode(frame, opcode_of(call), false, &response, &reason) != STATUS_OK) {
        snprintf(reply->text, sizeof reply->text, "%s", reason);
        return;
    }
    snprintf(reply->text, sizeof reply->text, "%s: %.*s", status_name(response.status),
             (int)(response.error.text.len < 120 ? response.error.text.len : 120),
             (const char *)response.error.text.ptr);
}

/* Checks a page to its end, as a client that reads it would. */
static enum status count_entries(const struct wire_frame *frame, struct bench_reply *reply) {
    struct wire_response response;
    const char *reason;
    enum status status = wire_response_decode(frame, WIRE_SCAN, false, &response, &reason);

    if (status == STATUS_OK) {
        reply->entries = response.page.count;
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_PROTOCOL;
}

static enum status take_reply(struct slice received, uint32_t id, enum bench_call call,
                              struct bench_reply *reply_out) {
    struct wire_frame frame;
    const char *reason;
    size_t wanted;
    enum status code;
    enum status status = wire_frame_decode(received, WIRE_KIND_RESPONSE, WIRE_BODY_CEILING, &frame,
                                           &wanted, &reason);

    if (status != STATUS_OK) {
        return status;
    }
    if (frame.id != id || wire_status_from_number(frame.code, &code) != STATUS_OK) {
        return STATUS_PROTOCOL;
    }
    reply_out->bytes = WIRE_FRAME_HEADER_BYTES + (size_t)frame.body_len;
    reply_out->outcome = code == STATUS_OK          ? BENCH_DONE
                         : code == STATUS_NOT_FOUND ? BENCH_MISS
                                                    : BENCH_FAILED;
    if (reply_out->outcome == BENCH_FAILED) {
        describe_failure(&frame, call, reply_out);
    }
    return reply_out->outcome == BENCH_DONE && call == BENCH_CALL_SCAN
               ? count_entries(&frame, reply_out)
               : STATUS_OK;
}

static enum status take_echo(struct slice received, uint32_t id, enum bench_call call,
                             struct bench_reply *reply_out) {
    struct wire_frame frame;
    const char *reason;
    size_t wanted;
    enum status status =
        wire_frame_decode(received, WIRE_KIND_REQUEST, WIRE_BODY_CEILING, &frame, &wanted, &reason);

    if (status != STATUS_OK) {
        return status;
    }
    if (frame.id != id || frame.code != opcode_of(call)) {
        return STATUS_PROTOCOL;
    }
    reply_out->bytes = WIRE_FRAME_HEADER_BYTES + (size_t)frame.body_len;
    reply_out->outcome = BENCH_DONE;
    return STATUS_OK;
}

const struct bench_codec bench_codec_kvd = {
    .name = "kvd",
    .is_kvd = true,
    .has_scans = true,
    .append_hello = append_hello,
    .append = append,
    .take_reply = take_reply,
};

const struct bench_codec bench_codec_echo = {
    .name = "echo",
    .has_scans = true,
    .append = append,
    .take_reply = take_echo,
};
