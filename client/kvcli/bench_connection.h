/* bench_connection.h: one connection of a benchmark: a window of requests out, its replies in.
 *
 *      idle --fill, begin--> sending --all written--> waiting --last reply--> idle
 *
 * A read-modify-write is a get in one window and a put in the next, which has these puts alone.
 *
 * Replies are taken in while requests are still going out, so that two full sockets cannot wait
 * for each other. One write sends a window and one read takes its replies, where the kernel's
 * buffers allow. Owned by one thread. */
#ifndef KVCLI_BENCH_CONNECTION_H
#define KVCLI_BENCH_CONNECTION_H

#include "client/kvcli/bench_codec.h"
#include "client/kvcli/bench_histogram.h"
#include "client/kvcli/bench_inserts.h"
#include "protocol/base/error.h"

/* What a thread counts. */
struct bench_counts {
    uint64_t done[BENCH_KINDS]; /* answered, misses included */
    uint64_t misses;            /* gets, and those of modifications */
    uint64_t entries;           /* of scans */
    uint64_t failures;
    uint64_t unsent; /* with a rate: whose time came, but no connection was free */
    struct bench_histogram ns[BENCH_KINDS];
    char first_failure[BENCH_REPLY_TEXT_MAX];
};

/* A request of the window. */
struct bench_slot {
    uint64_t number;      /* of its key */
    enum bench_kind kind; /* MODIFY: a get, and in a window behind this one a put */
    bool is_second;       /* that put */
    bool is_pending;      /* the get of a MODIFY was answered, and the put not sent */
};

/* What a request is. */
struct bench_step {
    struct bench_slot slot;
    struct slice key;
    struct slice value;  /* of all puts */
    uint32_t scan_limit; /* SCAN */
};

struct bench_connection {
    const struct bench_plan *plan; /* borrowed */
    int fd;                        /* owned; -1 closed */
    bool wants_write;              /* epoll is asked to tell when it can be written */
    struct buffer out;             /* the window's requests */
    size_t sent;                   /* bytes of it */
    struct buffer in;              /* received and not taken yet */
    struct bench_slot *slots;      /* owned; for each request of the window */
    uint32_t queued;               /* requests of the window */
    uint32_t pending;              /* slots that are */
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
enum status bench_connection_add(struct bench_connection *connection,
                                 const struct bench_step *step) MUST_CHECK;

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

/* Reads what is there and counts the replies; tells `inserts` of those. Errors: IO, CLOSED,
 * PROTOCOL, NO_MEMORY. */
enum status bench_connection_receive(struct bench_connection *connection,
                                     struct bench_inserts *inserts,
                                     struct bench_counts *counts) MUST_CHECK;

#endif
