/* bench_codec_redis.c: the little of RESP that GET and SET need. See bench_codec.h. */
#include "client/kvcli/bench_codec.h"
#include "protocol/base/assert.h"

#include <stdio.h>

#define BULK_BYTES_MAX (1u << 29) /* the server's own limit */

static enum status append_bulk(struct buffer *out, struct slice bytes) {
    char head[32];
    int len = snprintf(head, sizeof head, "$%zu\r\n", bytes.len);
    enum status status = buffer_append(out, head, (size_t)len);

    if (status == STATUS_OK) {
        status = buffer_append(out, bytes.ptr, bytes.len);
    }
    return status == STATUS_OK ? buffer_append(out, "\r\n", 2) : status;
}

static enum status append(struct buffer *out, const struct bench_plan *plan,
                          const struct bench_request *request) {
    bool is_put = request->call == BENCH_CALL_PUT;
    const char *head = is_put ? "*3\r\n$3\r\nSET\r\n" : "*2\r\n$3\r\nGET\r\n";
    enum status status = buffer_append(out, head, 13);

    (void)plan;
    ASSERT(request->call != BENCH_CALL_SCAN);
    if (status == STATUS_OK) {
        status = append_bulk(out, request->key);
    }
    return status == STATUS_OK && is_put ? append_bulk(out, request->value) : status;
}

/* Finds the line that `received` begins with; *line_out is without its end. */
static enum status take_line(struct slice received, struct slice *line_out) {
    const uint8_t *end = received.len ? memchr(received.ptr, '\r', received.len) : NULL;
    size_t len = end ? (size_t)(end - received.ptr) : 0;

    if (!end || len + 2 > received.len) {
        return received.len > 4096 ? STATUS_PROTOCOL : STATUS_NEED_MORE;
    }
    if (end[1] != '\n' || len == 0) {
        return STATUS_PROTOCOL;
    }
    *line_out = slice_make(received.ptr, len);
    return STATUS_OK;
}

static enum status take_bulk(struct slice received, struct slice line,
                             struct bench_reply *reply_out) {
    uint64_t len = 0;

    reply_out->bytes = line.len + 2;
    if (slice_equal(line, slice_from_text("$-1"))) {
        reply_out->outcome = BENCH_MISS;
        return STATUS_OK;
    }
    for (size_t i = 1; i < line.len; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9' || len > BULK_BYTES_MAX) {
            return STATUS_PROTOCOL;
        }
        len = len * 10 + (uint64_t)(line.ptr[i] - '0');
    }
    reply_out->bytes += (size_t)len + 2;
    reply_out->outcome = BENCH_DONE;
    return received.len < reply_out->bytes ? STATUS_NEED_MORE : STATUS_OK;
}

static enum status take_reply(struct slice received, uint32_t id, enum bench_call call,
                              struct bench_reply *reply_out) {
    bool is_put = call == BENCH_CALL_PUT;
    struct slice line;
    enum status status = take_line(received, &line);

    (void)id;
    if (status != STATUS_OK) {
        return status;
    }
    reply_out->bytes = line.len + 2;
    switch (line.ptr[0]) {
    case '$':
        return is_put ? STATUS_PROTOCOL : take_bulk(received, line, reply_out);
    case '+':
        reply_out->outcome = BENCH_DONE;
        return is_put ? STATUS_OK : STATUS_PROTOCOL;
    case '-':
        reply_out->outcome = BENCH_FAILED;
        snprintf(reply_out->text, sizeof reply_out->text, "%.*s",
                 (int)(line.len < 120 ? line.len : 120), (const char *)line.ptr);
        return STATUS_OK;
    default:
        return STATUS_PROTOCOL;
    }
}

const struct bench_codec bench_codec_redis = {
    .name = "redis",
    .append = append,
    .take_reply = take_reply,
};
