/* bench_codec.h: how the benchmark speaks to each kind of server.
 *
 * The generator is one program for all; only these few functions differ: kvd (the wire codec),
 * redis (a minimal RESP: GET and SET, no scans), echo (kvd's requests, sent back by the server as
 * they are: the floor of the network). Pure functions over buffers, any thread. */
#ifndef KVCLI_BENCH_CODEC_H
#define KVCLI_BENCH_CODEC_H

#include "client/kvcli/bench_plan.h"
#include "protocol/base/buffer.h"

#define BENCH_REPLY_TEXT_MAX 160

/* What is sent for a request. */
enum bench_call { BENCH_CALL_GET, BENCH_CALL_PUT, BENCH_CALL_SCAN };

enum bench_outcome { BENCH_DONE, BENCH_MISS, BENCH_FAILED };

struct bench_reply {
    size_t bytes; /* of `received` that the reply took */
    enum bench_outcome outcome;
    uint64_t entries;                /* of a scan */
    char text[BENCH_REPLY_TEXT_MAX]; /* what went wrong, if FAILED */
};

struct bench_request {
    uint32_t id; /* rises by one with each request of a connection */
    enum bench_call call;
    struct slice key;    /* of a scan: where it begins */
    struct slice value;  /* of a put */
    uint32_t scan_limit; /* of a scan: entries */
};

struct bench_codec {
    const char *name;
    bool is_kvd;    /* knows namespaces and durability */
    bool has_scans; /* knows BENCH_CALL_SCAN */

    /* Appends what a connection sends first; one reply answers it. NULL: nothing. */
    enum status (*append_hello)(struct buffer *out);

    /* Appends a request. Errors of buffer_reserve. */
    enum status (*append)(struct buffer *out, const struct bench_plan *plan,
                          const struct bench_request *request);

    /* Takes the reply to request `id` from the bytes received so far. Errors: NEED_MORE; PROTOCOL
     * when the stream is out of step. */
    enum status (*take_reply)(struct slice received, uint32_t id, enum bench_call call,
                              struct bench_reply *reply_out);
};

/* "kvd", "redis" or "echo"; NULL for other names. */
const struct bench_codec *bench_codec_find(const char *name);

extern const struct bench_codec bench_codec_kvd;
extern const struct bench_codec bench_codec_redis;
extern const struct bench_codec bench_codec_echo;

#endif
