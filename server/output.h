/* output.h: the bytes on their way to one client.
 *
 *      bytes            sending + sent
 *      | being filled | being written by the loop | -> socket
 *
 * Answers are appended to `bytes`. output_flush tries one write at once, which is all there is to
 * do for a client that reads; what the socket does not take becomes `sending`, which the loop
 * writes when it can, and a fresh buffer is filled meanwhile. The loop's thread only. */
#ifndef KVD_SERVER_OUTPUT_H
#define KVD_SERVER_OUTPUT_H

#include "server/buffer_pool.h"

#include <uv.h>

struct output {
    uv_stream_t *stream;      /* borrowed: of the connection */
    struct buffer_pool *pool; /* borrowed: of the loop */
    struct buffer bytes;      /* to be written */
    size_t bytes_cap;         /* of one such buffer */
    struct buffer sending;    /* the loop's while `in_flight` */
    uv_write_t request;
    uv_shutdown_t end_request;
    bool in_flight;
    bool failed;                         /* a write failed: close the connection */
    uint64_t progress_ms;                /* when the client last took bytes, or had none to take */
    size_t seen_bytes;                   /* queued at the last look for progress */
    uint64_t written_bytes;              /* taken by the socket in all */
    void (*drained_cb)(struct output *); /* after a delayed write ended, well or not */
};

void output_init(struct output *output, uv_stream_t *stream, struct buffer_pool *pool,
                 size_t bytes_cap, uint64_t now_ms);

/* Frees what is left; no write may be in flight. */
void output_deinit(struct output *output);

/* The buffer to append answers to; takes a warm one if there is none. */
struct buffer *output_buffer(struct output *output);

/* Bytes that the client has not taken yet. */
size_t output_queued(const struct output *output);

/* Memory that they cost. */
size_t output_memory(const struct output *output);

/* Writes what can be written without waiting; the loop goes on with the rest. */
void output_flush(struct output *output, uint64_t now_ms);

/* Says to the client that nothing more will come; all must have been written. */
void output_end(struct output *output);

/* Whether bytes wait that the client has taken none of for `timeout_ms`. */
bool output_stalled(struct output *output, uint64_t now_ms, uint64_t timeout_ms);

#endif
