/* output.c: see output.h. */
#include "server/output.h"

#include "protocol/base/assert.h"

#include <limits.h>

void output_init(struct output *output, uv_stream_t *stream, struct buffer_pool *pool,
                 size_t bytes_cap, uint64_t now_ms) {
    *output = (struct output){
        .stream = stream, .pool = pool, .bytes_cap = bytes_cap, .progress_ms = now_ms};
}

void output_deinit(struct output *output) {
    ASSERT(!output->in_flight);
    buffer_pool_give(output->pool, &output->bytes);
    buffer_pool_give(output->pool, &output->sending);
}

struct buffer *output_buffer(struct output *output) {
    if (!output->bytes.data) {
        buffer_pool_take(output->pool, output->bytes_cap, &output->bytes);
    }
    return &output->bytes;
}

/* The socket's queue is the part of `sending` that is still to be written. */
size_t output_queued(const struct output *output) {
    return output->bytes.len +
           (output->in_flight ? uv_stream_get_write_queue_size(output->stream) : 0);
}

size_t output_memory(const struct output *output) {
    return output->bytes.capacity + output->sending.capacity;
}

static void write_cb(uv_write_t *request, int code) {
    struct output *output = request->data;

    output->in_flight = false;
    if (code == 0) {
        output->written_bytes += output->seen_bytes;
    } else {
        output->failed = true;
    }
    output->seen_bytes = 0;
    buffer_pool_give(output->pool, &output->sending);
    output->progress_ms = uv_now(output->stream->loop);
    output->drained_cb(output);
}

/* Hands all bytes to the loop, `written` of which the socket has taken already. */
static void send_later(struct output *output, size_t written) {
    uv_buf_t rest;

    ASSERT(!output->in_flight);
    ASSERT(output->bytes.len - written <= UINT_MAX);
    output->sending = output->bytes;
    output->bytes = (struct buffer){.cap = output->bytes_cap};
    rest = uv_buf_init((char *)output->sending.data + written,
                       (unsigned)(output->sending.len - written));
    output->request.data = output;
    output->seen_bytes = rest.len;
    if (uv_write(&output->request, output->stream, &rest, 1, write_cb) == 0) {
        output->in_flight = true;
    } else {
        output->failed = true;
        buffer_pool_give(output->pool, &output->sending);
    }
}

void output_flush(struct output *output, uint64_t now_ms) {
    uv_buf_t all;
    int code;

    if (output->bytes.len == 0 || output->in_flight || output->failed) {
        if (output->bytes.len == 0) {
            buffer_pool_give(output->pool, &output->bytes);
        }
        return;
    }
    all = uv_buf_init((char *)output->bytes.data,
                      (unsigned)(output->bytes.len < UINT_MAX ? output->bytes.len : UINT_MAX));
    code = uv_try_write(output->stream, &all, 1);
    if (code < 0 && code != UV_EAGAIN) {
        output->failed = true;
        return;
    }
    output->progress_ms = now_ms;
    output->written_bytes += code > 0 ? (uint64_t)code : 0;
    if (code > 0 && (size_t)code == output->bytes.len) {
        buffer_clear(&output->bytes);
        buffer_pool_give(output->pool, &output->bytes);
        return;
    }
    send_later(output, code > 0 ? (size_t)code : 0);
}

bool output_stalled(struct output *output, uint64_t now_ms, uint64_t timeout_ms) {
    size_t waiting = output->in_flight ? uv_stream_get_write_queue_size(output->stream) : 0;

    if (waiting == 0) {
        output->progress_ms = now_ms;
        return false;
    }
    if (waiting < output->seen_bytes) {
        output->written_bytes += output->seen_bytes - waiting;
        output->seen_bytes = waiting;
        output->progress_ms = now_ms;
    }
    return now_ms - output->progress_ms >= timeout_ms;
}

static void end_cb(uv_shutdown_t *request, int code) {
    (void)request; /* part of the connection, which closes after its handle's callbacks */
    (void)code;
}

void output_end(struct output *output) {
    ASSERT(output_queued(output) == 0);
    (void)uv_shutdown(&output->end_request, output->stream, end_cb); /* it closes soon anyway */
}
