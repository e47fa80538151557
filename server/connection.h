/* connection.h: one client: bytes in, bytes out, for life on one loop.
 *
 *      OPEN ------> FINISHING ------> LINGERING ----> CLOSING -> CLOSED -> freed
 *       |           no more           end of stream   |
 *       |           requests          sent; what comes|
 *       |                             is dropped      |
 *       +--- the socket fails, or a client that does not take its answers -+
 *
 * A read callback executes what came, in place where it can: complete frames run from the loop's
 * receive area, only an unfinished rest is copied to `received`. When a frame is larger than the
 * area, `received` grows as its bytes arrive, never by the length that it declares. Requests that
 * cannot be executed yet stay as received bytes, and the socket is not read meanwhile; so what a
 * client can cost is bounded by what it was given answers for.
 *
 * The memory of a connection stays until every reply that another thread works for has come back.
 * One loop's thread only. */
#ifndef KVD_SERVER_CONNECTION_H
#define KVD_SERVER_CONNECTION_H

#include "server/loop.h"
#include "server/output.h"
#include "server/session.h"

enum connection_phase {
    CONNECTION_OPEN,
    CONNECTION_FINISHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSING,
    CONNECTION_CLOSED
};

/* What a connection with received bytes waits for. */
enum connection_waits {
    WAITS_FOR_BYTES, /* the next frame is not complete */
    WAITS_FOR_TURN,  /* others were first */
    WAITS_FOR_REPLY  /* writes in flight, or too much in flight or unread */
};

struct connection {
    struct loop *loop; /* borrowed */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct loop_turn turn;
    struct connection *next;  /* of the same loop */
    struct connection **link; /* what points to this one; NULL when not in the list */
    void (*reply_back_cb)(struct message *message); /* for replies from other threads */
    void (*gone_cb)(void *arg);                     /* after the memory was freed */
    void *gone_arg;

    enum connection_phase phase;
    enum connection_waits waits;
    bool reading;      /* the loop reads the socket */
    bool end_of_file;  /* the client sends no more */
    bool broken;       /* memory was out for an answer: close at once */
    const char *fault; /* what the client did wrong, for the log; NULL if nothing */

    struct session session;
    struct client_record record; /* what others see of it */
    struct output output;
    struct reply_queue replies;
    size_t task_bytes;      /* that the answer of an I/O thread is expected to have */
    struct buffer received; /* bytes not executed yet, from received_start on */
    size_t received_start;
    size_t frame_bytes;        /* length that the unfinished frame says it has, or its header has */
    size_t upload_memory;      /* of its uploads, when a job last ended */
    size_t transaction_memory; /* when it was last charged */
    size_t charged_bytes;      /* to the memory of clients */
    uint64_t counted_bytes;    /* sent, of which the metrics know */
    uint64_t bytes_in;         /* so far */
    uint64_t requests;         /* executed so far */

    uint64_t opened_ms;
    uint64_t last_read_ms;     /* when bytes last came */
    uint64_t read_ns;          /* the same by uv_hrtime */
    uint64_t frame_started_ms; /* when the unfinished frame began */
    uint64_t finishing_ms;     /* when FINISHING or LINGERING began */
};

struct connection_options {
    struct loop *loop;
    int descriptor; /* connected, non-blocking; the connection's when open succeeded */
    bool is_unix;
    void (*gone_cb)(void *arg);
    void *gone_arg;
};

/* Takes a socket over and begins to read it. Errors: NO_MEMORY, IO. */
enum status connection_open(const struct connection_options *options,
                            struct connection **connection_out) MUST_CHECK;

/* Executes no further request; closes when what is in flight is answered and sent. */
void connection_finish(struct connection *connection);

/* Closes at once. Answers in flight are lost, what they answer is not. */
void connection_close(struct connection *connection);

/* The same, because the memory of clients is used up. */
void connection_shed(struct connection *connection);

/* Looks at the time: closes what is over one of its limits. */
void connection_sweep(struct connection *connection);

/* hooks.turn_cb of the loop. */
void connection_turn_cb(struct loop_turn *turn);

/* Memory that the client costs just now. */
size_t connection_memory(const struct connection *connection);

/* done_cb of the commits that connections submit; called on a thread of the engine. */
void connection_commit_done_cb(struct store_commit *commit, const struct store_outcome *outcome);

#endif
