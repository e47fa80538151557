/* bench_connection.h: one connection of a benchmark: a window of requests out, its replies in.
 *
 *      idle --fill, begin--> sending --all written--> waiting --last reply--> idle
 *
 * Replies are taken in while requests are still going out, so that two full sockets cannot wait
 * for each other. One write sends a window and one read takes its replies, where the kernel's
 * buffers allow. Owned by one thread. */
#ifndef KVCLI_BENCH_CONNECTION_H
#define KVCLI_BENCH_CONNECTION_H

#include "client/kvcli/bench_codec.h"
#include "client/kvcli/bench_histogram.h"
#include "protocol/base/error.h"

/* What a thread counts. */
struct bench_counts {
    uint64_t gets; /* answered, misses included */
    uint64_t puts;
    uint64_t misses;
    uint64_t failures;
    struct bench_histogram get_ns;
    struct bench_histogram put_ns;
    char first_failure[BENCH_REPLY_TEXT_MAX];
};

struct bench_connection {
    const struct bench_plan *plan; /* borrowed */
    int fd;                        /* owned; -1 closed */
    bool wants_write;              /* epoll is asked to tell when it can be written */
    struct buffer out;             /* the window's requests */
    size_t sent;                   /* bytes of it */
    struct buffer in;              /* received and not taken yet */
    uint8_t *is_put;               /* owned; for each request of the window */
    uint32_t queued;               /* requests of the window */
    uint32_t answered;             /* of them */
    uint32_t next_id;
    uint64_t start_ns; /* when the window was, or should have been, sent */
    uint64_t due_ns;   /* with a rate: when the next window is to start */
};

/* Connects and says hello. Errors: INVALID, CONNECT, PROTOCOL, NO_MEMORY; *connection may be
 * deinitialised in any case. */
enum status bench_connection_open(struct bench_connection *connection,
                                  const struct bench_plan *plan, struct error *error) MUST_CHECK;
void bench_connection_deinit(struct bench_connection *connection);

/* Adds a request to the window of an idle connection. Errors: NO_MEMORY. */
enum status bench_connection_add(struct bench_connection *connection, bool is_put, struct slice key,
                                 struct slice value) MUST_CHECK;

static inline bool bench_connection_is_idle(const struct bench_connection *connection) {
    return connection->answered == connection->queued;
}

static inline bool bench_connection_is_sending(const struct bench_connection *connection) {
    return connection->sent < connection->out.len;
}

/* Empties an answered window for the next. */
void bench_connection_reset(struct bench_connection *connection);

/* Writes what the socket takes. Errors: IO. */
enum status bench_connection_send(struct bench_connection *connection) MUST_CHECK;

/* Reads what is there and counts the replies. Errors: IO, CLOSED, PROTOCOL, NO_MEMORY. */
enum status bench_connection_receive(struct bench_connection *connection,
                                     struct bench_counts *counts) MUST_CHECK;

#endif
