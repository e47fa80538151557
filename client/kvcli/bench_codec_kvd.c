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

static enum status append(struct buffer *out, const struct bench_plan *plan,
                          const struct bench_request *request) {
    struct wire_request frame = {
        .id = request->id,
        .opcode = request->is_put ? WIRE_PUT : WIRE_GET,
        .key = request->key,
        .value = request->value,
    };

    if (request->is_put && plan->durability != KVD_DURABILITY_DEFAULT) {
        frame.options.flags |= WIRE_FLAG_DURABILITY;
        frame.options.durability = (uint8_t)plan->durability;
    }
    if (plan->namespace_name && plan->namespace_name[0]) {
        frame.options.flags |= WIRE_FLAG_NAMESPACE;
        frame.options.namespace_name = slice_from_text(plan->namespace_name);
    }
    return wire_request_encode(out, &frame);
}

static void describe_failure(const struct wire_frame *frame, bool is_put,
                             struct bench_reply *reply) {
    struct wire_response response;
    const char *reason = "";

    if (wire_response_decode(frame, is_put ? WIRE_PUT : WIRE_GET, false, &response, &reason) !=
        STATUS_OK) {
        snprintf(reply->text, sizeof reply->text, "%s", reason);
        return;
    }
    snprintf(reply->text, sizeof reply->text, "%s: %.*s", status_name(response.status),
             (int)(response.error.text.len < 120 ? response.error.text.len : 120),
             (const char *)response.error.text.ptr);
}

static enum status take_reply(struct slice received, uint32_t id, bool is_put,
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
        describe_failure(&frame, is_put, reply_out);
    }
    return STATUS_OK;
}

static enum status take_echo(struct slice received, uint32_t id, bool is_put,
                             struct bench_reply *reply_out) {
    struct wire_frame frame;
    const char *reason;
    size_t wanted;
    enum status status =
        wire_frame_decode(received, WIRE_KIND_REQUEST, WIRE_BODY_CEILING, &frame, &wanted, &reason);

    if (status != STATUS_OK) {
        return status;
    }
    if (frame.id != id || frame.code != (is_put ? WIRE_PUT : WIRE_GET)) {
        return STATUS_PROTOCOL;
    }
    reply_out->bytes = WIRE_FRAME_HEADER_BYTES + (size_t)frame.body_len;
    reply_out->outcome = BENCH_DONE;
    return STATUS_OK;
}

const struct bench_codec bench_codec_kvd = {
    .name = "kvd",
    .is_kvd = true,
    .append_hello = append_hello,
    .append = append,
    .take_reply = take_reply,
};

const struct bench_codec bench_codec_echo = {
    .name = "echo",
    .append = append,
    .take_reply = take_echo,
};
