/* connection.c: see connection.h. */
#include "server/connection.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/answers.h"
#include "server/command.h"
#include "server/log.h"
#include "server/requests.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define RECEIVE_STEP_BYTES (64u * 1024) /* `received` grows by at least so much */
#define FLUSH_BYTES (64u * 1024)        /* answers of an unfinished burst that go out early */
#define LINGER_MS 1000                  /* a client may need so long to read why it is closed */
#define STALL_MS 5000     /* the same of a client that takes nothing, beyond the output limit */
#define FAULT_LOG_MS 1000 /* at most one line in so long about clients that do wrong */

static struct connection *of_turn(struct loop_turn *turn) {
    return (struct connection *)((char *)turn - offsetof(struct connection, turn));
}

static struct connection *of_output(struct output *output) {
    return (struct connection *)((char *)output - offsetof(struct connection, output));
}

static struct connection *of_handle(uv_handle_t *handle) {
    return (struct connection *)((char *)handle - offsetof(struct connection, socket));
}

/* ---- The end */

static void unlink_from_list(struct connection *connection) {
    if (connection->link) {
        *connection->link = connection->next;
        if (connection->next) {
            connection->next->link = connection->link;
        }
        connection->link = NULL;
    }
}

/* Whether an I/O thread frees its uploads first. */
static bool free_uploads(struct connection *connection) {
    struct uploads *uploads = connection->session.uploads;

    if (uploads && uploads_are_any(uploads)) {
        if (requests_reap(connection, true)) {
            return true;
        }
        uploads_clear(uploads);
    }
    memory_free(uploads);
    connection->session.uploads = NULL;
    return false;
}

/* Frees it once nobody knows it any more. */
static void bury_if_dead(struct connection *connection) {
    void (*gone_cb)(void *) = connection->gone_cb;
    void *gone_arg = connection->gone_arg;

    if (connection->phase != CONNECTION_CLOSED) {
        return;
    }
    answers_drop(connection);
    if (connection->replies.count > 0 || connection->turn.scheduled || free_uploads(connection)) {
        return;
    }
    if (connection->session.transactions) {
        transactions_clear(connection->session.transactions);
        memory_free(connection->session.transactions);
    }
    output_deinit(&connection->output);
    buffer_pool_give(&connection->loop->buffers, &connection->received);
    memory_free(connection);
    gone_cb(gone_arg);
}

static void closed_cb(uv_handle_t *handle) {
    struct connection *connection = of_handle(handle);

    connection->phase = CONNECTION_CLOSED;
    bury_if_dead(connection);
}

static void count_sent(struct connection *connection) {
    metrics_add(connection->loop->metrics, METRIC_BYTES_OUT,
                connection->output.written_bytes - connection->counted_bytes);
    connection->counted_bytes = connection->output.written_bytes;
}

void connection_close(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct reply *reply;

    if (connection->phase >= CONNECTION_CLOSING) {
        return;
    }
    connection->phase = CONNECTION_CLOSING;
    for (reply = connection->replies.oldest; reply; reply = reply->next) {
        atomic_store_explicit(&reply->cancelled, true, memory_order_relaxed);
    }
    answers_end_waits(connection);
    command_snapshots_end(loop->service, &connection->session);
    unlink_from_list(connection);
    client_list_remove(loop->service->clients, &connection->record);
    metrics_add(loop->metrics, METRIC_CONNECTIONS_CLOSED, 1);
    count_sent(connection);
    service_connection_left(loop->service, connection->record.named);
    (void)client_memory_charge(&loop->service->client_memory, -(int64_t)connection->charged_bytes);
    connection->charged_bytes = 0; /* it is free soon; so nobody else closes for it */
    uv_close(&connection->socket.handle, closed_cb);
}

static void log_fault(struct connection *connection) {
    struct service *service = connection->loop->service;
    uint64_t suppressed;

    metrics_add(connection->loop->metrics, METRIC_CLOSED_FOR_PROTOCOL, 1);
    if (log_limit_pass(&service->fault_limit, loop_now_ms(connection->loop) + 1, FAULT_LOG_MS,
                       &suppressed)) {
        log_warn(service->log, "connection refused for what it sent",
                 LOG_FIELDS(log_text("reason", connection->fault),
                            log_number("suppressed", suppressed)));
    }
}

static void close_for(struct connection *connection, enum metric metric, const char *reason) {
    struct service *service = connection->loop->service;
    uint64_t suppressed;

    metrics_add(connection->loop->metrics, metric, 1);
    if (log_limit_pass(&service->close_limit, loop_now_ms(connection->loop) + 1, FAULT_LOG_MS,
                       &suppressed)) {
        log_warn(service->log, "connection closed",
                 LOG_FIELDS(log_text("reason", reason), log_number("suppressed", suppressed)));
    }
    connection_close(connection);
}

void connection_shed(struct connection *connection) {
    close_for(connection, METRIC_CLOSED_FOR_MEMORY,
              "the memory for clients is used up, and it used the most");
}

void connection_finish(struct connection *connection) {
    if (connection->phase == CONNECTION_OPEN) {
        connection->phase = CONNECTION_FINISHING;
        answers_end_waits(connection);
        loop_schedule(connection->loop, &connection->turn);
    }
}

/* ---- Answers */

/* Another thread is done with a reply. */
static void reply_back_cb(struct message *message) {
    struct reply *reply = (struct reply *)((char *)message - offsetof(struct reply, message));
    struct connection *connection = reply->owner;

    answers_take_back(connection, reply);
    if (connection->phase == CONNECTION_CLOSED) {
        bury_if_dead(connection);
    } else {
        loop_schedule(connection->loop, &connection->turn);
    }
}

void connection_commit_done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct reply *reply = store_commit_arg(commit);

    reply->outcome = *outcome;
    mailbox_post(reply->mailbox, &reply->message);
}

/* ---- A turn */

static void start_reading(struct connection *connection);

static size_t received_len(const struct connection *connection) {
    return connection->received.len - connection->received_start;
}

size_t connection_memory(const struct connection *connection) {
    return sizeof *connection + connection->received.capacity + output_memory(&connection->output) +
           connection->replies.bytes + connection->replies.task_bytes +
           connection->replies.write_bytes + connection->upload_memory +
           connection->transaction_memory;
}

static void charge(struct connection *connection) {
    struct service *service = connection->loop->service;
    size_t bytes;
    int64_t delta;

    if (connection->session.transactions && connection->replies.jobs == 0) {
        connection->transaction_memory =
            (size_t)transactions_memory(connection->session.transactions);
    }
    bytes = connection_memory(connection);
    delta = (int64_t)bytes - (int64_t)connection->charged_bytes;
    connection->charged_bytes = bytes;
    if (delta != 0 && client_memory_charge(&service->client_memory, delta) && delta > 0) {
        service->shed_cb(service->shed_arg, connection->loop->index);
    }
}

/* What others see of it. */
static void publish(struct connection *connection) {
    struct client_list *clients = connection->loop->service->clients;
    const struct client_figures figures = {.read_ms = connection->last_read_ms,
                                           .requests = connection->requests,
                                           .bytes_in = connection->bytes_in,
                                           .bytes_out = connection->output.written_bytes,
                                           .queued_bytes = output_queued(&connection->output) +
                                                           connection->replies.bytes,
                                           .memory_bytes = connection_memory(connection),
                                           .in_flight = connection->replies.count,
                                           .snapshots = connection->session.snapshot_count};

    client_record_update(&connection->record, &figures);
    if (connection->session.greeted && !connection->record.named) {
        connection->record.named = true;
        service_connection_greeted(connection->loop->service);
        client_list_name(clients, &connection->record, connection->session.name);
    }
}

static void shutdown_done(struct connection *connection, uint64_t now_ms) {
    connection->phase = CONNECTION_LINGERING;
    connection->finishing_ms = now_ms;
    output_end(&connection->output);
    start_reading(connection);
}

/* A connection that executes nothing any more closes when everything is sent. One that did wrong
 * lingers: closing with bytes unread would take the explanation away from the client. */
static void finish_if_sent(struct connection *connection, uint64_t now_ms) {
    if (connection->phase != CONNECTION_FINISHING || connection->replies.count > 0 ||
        output_queued(&connection->output) > 0) {
        return;
    }
    if (!connection->fault) {
        connection_close(connection);
        return;
    }
    log_fault(connection);
    if (connection->end_of_file) {
        connection_close(connection);
    } else {
        shutdown_done(connection, now_ms);
    }
}

/* Sends what is to be sent, and decides what comes next. The last thing in every callback. */
static void settle(struct connection *connection) {
    uint64_t now_ms = loop_now_ms(connection->loop);
    bool wants_turn = connection->phase == CONNECTION_OPEN && connection->waits == WAITS_FOR_TURN &&
                      received_len(connection) > 0;
    bool was_full = output_queued(&connection->output) > 0;

    if (!wants_turn || connection->output.bytes.len >= FLUSH_BYTES) {
        output_flush(&connection->output, now_ms);
        count_sent(connection);
    }
    publish(connection);
    if (connection->output.failed) {
        connection_close(connection);
        return;
    }
    if (connection->broken) {
        close_for(connection, METRIC_CLOSED_FOR_MEMORY, "no memory for its answers");
        return;
    }
    if (connection->waits == WAITS_FOR_REPLY && was_full &&
        output_queued(&connection->output) == 0) {
        wants_turn = true; /* it may have waited for just that */
    }
    if (connection->end_of_file && connection->waits == WAITS_FOR_BYTES &&
        connection->phase == CONNECTION_OPEN) {
        connection_finish(connection);
    }
    finish_if_sent(connection, now_ms);
    if (connection->phase == CONNECTION_OPEN) {
        charge(connection); /* perhaps it is closed for that */
        if (wants_turn) {
            loop_schedule(connection->loop, &connection->turn);
        } else if (connection->waits == WAITS_FOR_BYTES && connection->phase == CONNECTION_OPEN) {
            start_reading(connection);
        }
    }
}

/* Executes from `received`. */
static void execute_received(struct connection *connection) {
    struct slice bytes = slice_make(connection->received.data + connection->received_start,
                                    received_len(connection));

    connection->received_start += requests_execute(connection, bytes);
    if (received_len(connection) == 0) {
        connection->received_start = 0;
        buffer_pool_give(&connection->loop->buffers, &connection->received);
    }
}

void connection_turn_cb(struct loop_turn *turn) {
    struct connection *connection = of_turn(turn);

    if (connection->phase >= CONNECTION_CLOSING) {
        bury_if_dead(connection);
        return;
    }
    answers_advance(connection);
    if (connection->phase == CONNECTION_OPEN && connection->waits != WAITS_FOR_BYTES) {
        execute_received(connection);
    }
    settle(connection);
}

static void drained_cb(struct output *output) {
    struct connection *connection = of_output(output);

    if (connection->phase < CONNECTION_CLOSING) {
        loop_schedule(connection->loop, &connection->turn);
    }
}

/* ---- Receiving */

/* Moves what is left to the front, so that `received` can take more behind it. */
static void compact(struct connection *connection) {
    buffer_consume(&connection->received, connection->received_start);
    connection->received_start = 0;
}

/* A short rest is put before the receive area when the next bytes have come; behind a long one, the
 * socket is read into `received` itself, which grows as bytes arrive. */
static bool rest_is_short(const struct connection *connection) {
    return received_len(connection) <= LOOP_HEADROOM_BYTES;
}

static size_t receive_room(const struct connection *connection) {
    size_t len = received_len(connection);
    size_t missing = connection->frame_bytes > len ? connection->frame_bytes - len : 0;
    size_t room = len > RECEIVE_STEP_BYTES ? len : RECEIVE_STEP_BYTES;

    return missing > 0 && missing < room ? missing : room;
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *buf_out) {
    struct connection *connection = of_handle(handle);

    (void)suggested;
    *buf_out = uv_buf_init(NULL, 0);
    if (connection->phase != CONNECTION_OPEN) {
        *buf_out = uv_buf_init((char *)loop_receive_area(connection->loop), LOOP_RECEIVE_BYTES);
    } else if (connection->waits != WAITS_FOR_BYTES) {
        return; /* read_cb sees UV_ENOBUFS */
    } else if (rest_is_short(connection)) {
        *buf_out = uv_buf_init((char *)loop_receive_area(connection->loop), LOOP_RECEIVE_BYTES);
    } else {
        size_t room = receive_room(connection);
        compact(connection);
        if (buffer_reserve(&connection->received, room) != STATUS_OK) {
            connection->broken = true;
            return;
        }
        *buf_out =
            uv_buf_init((char *)connection->received.data + connection->received.len,
                        (unsigned)(connection->received.capacity - connection->received.len));
    }
}

/* Executes from the receive area, the rest of before put in front, and keeps what is left. */
static void execute_area(struct connection *connection, size_t len) {
    size_t rest = received_len(connection);
    uint8_t *start = loop_receive_area(connection->loop) - rest;
    size_t executed;

    if (rest > 0) {
        memcpy(start, connection->received.data + connection->received_start, rest);
        connection->received_start = 0;
        buffer_pool_give(&connection->loop->buffers, &connection->received);
    }
    executed = requests_execute(connection, slice_make(start, rest + len));
    if (executed == rest + len || connection->phase != CONNECTION_OPEN) {
        return;
    }
    if (executed > 0 || rest == 0) {
        connection->frame_started_ms = connection->last_read_ms;
    }
    buffer_pool_take(&connection->loop->buffers, connection->output.bytes_cap,
                     &connection->received);
    if (buffer_append(&connection->received, start + executed, rest + len - executed) !=
        STATUS_OK) {
        connection->broken = true;
    }
}

static void execute_more(struct connection *connection, size_t len) {
    connection->received.len += len;
    if (received_len(connection) >= connection->frame_bytes) {
        execute_received(connection);
        connection->frame_started_ms = connection->last_read_ms;
    }
}

static void receive(struct connection *connection, const uv_buf_t *buf, size_t len) {
    connection->last_read_ms = loop_now_ms(connection->loop);
    connection->read_ns = loop_clock_ns(connection->loop);
    connection->bytes_in += len;
    metrics_add(connection->loop->metrics, METRIC_BYTES_IN, len);
    if (connection->phase != CONNECTION_OPEN) {
        return; /* dropped */
    }
    if ((const uint8_t *)buf->base == loop_receive_area(connection->loop)) {
        execute_area(connection, len);
    } else {
        execute_more(connection, len);
    }
}

static void stop_reading(struct connection *connection) {
    if (connection->reading) {
        uv_read_stop(&connection->socket.stream);
        connection->reading = false;
    }
}

static void read_cb(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
    struct connection *connection = of_handle((uv_handle_t *)stream);

    if (connection->phase >= CONNECTION_CLOSING || count == 0) {
        return;
    }
    if (count == UV_ENOBUFS && !connection->broken) {
        if (!connection->turn.scheduled) { /* else it is read again at once */
            stop_reading(connection);
        }
        return;
    }
    if (count < 0 && count != UV_EOF) {
        connection_close(connection);
        return;
    }
    if (count > 0) {
        receive(connection, buf, (size_t)count);
    } else {
        connection->end_of_file = true;
        connection->reading = false;
        if (connection->phase == CONNECTION_LINGERING) {
            connection_close(connection);
            return;
        }
    }
    settle(connection);
}

static void start_reading(struct connection *connection) {
    if (connection->reading || connection->end_of_file) {
        return;
    }
    if (uv_read_start(&connection->socket.stream, alloc_cb, read_cb) == 0) {
        connection->reading = true;
    } else {
        connection->broken = true;
        loop_schedule(connection->loop, &connection->turn);
    }
}

/* ---- Time */

static const char *frame_fault(const struct connection *connection, uint64_t now_ms) {
    const struct service *service = connection->loop->service;
    uint32_t frame_timeout_ms =
        atomic_load_explicit(&service->frame_timeout_ms, memory_order_relaxed);

    if (!connection->session.greeted &&
        now_ms - connection->opened_ms >= service->limits.hello_timeout_ms) {
        return "no HELLO in time";
    }
    if (connection->waits == WAITS_FOR_BYTES && received_len(connection) > 0 &&
        now_ms - connection->frame_started_ms >= frame_timeout_ms) {
        return "a frame did not end in time";
    }
    return NULL;
}

static bool is_idle(const struct connection *connection, uint64_t now_ms) {
    uint32_t idle_timeout_ms =
        atomic_load_explicit(&connection->loop->service->idle_timeout_ms, memory_order_relaxed);

    return idle_timeout_ms != 0 && connection->replies.count == 0 &&
           output_queued(&connection->output) == 0 &&
           now_ms - connection->last_read_ms >= idle_timeout_ms;
}

/* Whether it was closed for not taking its answers. */
static bool close_if_stalled(struct connection *connection, uint64_t now_ms) {
    const struct limits *limits = &connection->loop->service->limits;
    size_t queued = output_queued(&connection->output) + connection->replies.bytes;
    bool beyond = queued > limits->output_limit_bytes;

    if (!output_stalled(&connection->output, now_ms,
                        beyond ? STALL_MS : limits->progress_timeout_ms)) {
        return false;
    }
    close_for(connection, beyond ? METRIC_CLOSED_FOR_MEMORY : METRIC_CLOSED_FOR_TIME,
              "it does not take its answers");
    return true;
}

void connection_sweep(struct connection *connection) {
    uint64_t now_ms = loop_now_ms(connection->loop);
    const char *fault;

    if (client_record_to_close(&connection->record)) {
        close_for(connection, METRIC_CLOSED_ON_REQUEST, "an operator asked for it");
    }
    if (connection->phase == CONNECTION_LINGERING &&
        now_ms - connection->finishing_ms >= LINGER_MS) {
        connection_close(connection);
    }
    if (connection->phase >= CONNECTION_LINGERING || close_if_stalled(connection, now_ms) ||
        connection->phase != CONNECTION_OPEN) {
        return;
    }
    if (answers_sweep(connection)) {
        loop_schedule(connection->loop, &connection->turn);
    }
    if (connection->session.uploads && connection->replies.jobs == 0 &&
        uploads_need_reap(connection->session.uploads, now_ms)) {
        (void)requests_reap(connection, false); /* without memory: at the next look */
    }
    if (connection->session.transactions && connection->replies.jobs == 0) {
        transactions_sweep(connection->session.transactions, now_ms,
                           connection->loop->service->limits.wire.transaction_idle_ms);
    }
    fault = frame_fault(connection, now_ms);
    if (fault) {
        metrics_add(connection->loop->metrics, METRIC_CLOSED_FOR_TIME, 1);
        requests_refuse(connection, STATUS_PROTOCOL, fault);
        loop_schedule(connection->loop, &connection->turn);
    } else if (is_idle(connection, now_ms)) {
        metrics_add(connection->loop->metrics, METRIC_CLOSED_FOR_TIME, 1);
        connection_close(connection);
    }
}

/* ---- The beginning */

static int take_socket(struct connection *connection, const struct connection_options *options) {
    uv_loop_t *uv = &options->loop->uv;
    int code = options->is_unix ? uv_pipe_init(uv, &connection->socket.pipe, 0)
                                : uv_tcp_init(uv, &connection->socket.tcp);

    ASSERT(code == 0); /* they only fill memory */
    code = options->is_unix ? uv_pipe_open(&connection->socket.pipe, options->descriptor)
                            : uv_tcp_open(&connection->socket.tcp, options->descriptor);
    if (code == 0 && !options->is_unix) {
        (void)uv_tcp_nodelay(&connection->socket.tcp, 1); /* slower without, not wrong */
    }
    return code;
}

/* Who connected, for people: "127.0.0.1:4711 #9". */
static void describe_peer(struct connection *connection, bool is_unix) {
    struct service *service = connection->loop->service;
    uint64_t id = 1 + atomic_fetch_add_explicit(&service->connection_ids, 1, memory_order_relaxed);
    struct sockaddr_storage address = {0};
    int address_bytes = sizeof address;
    char host[48] = "unix";
    char text[sizeof host + 32];
    unsigned port = 0;

    connection->session.id = id;
    if (!is_unix && uv_tcp_getpeername(&connection->socket.tcp, (struct sockaddr *)&address,
                                       &address_bytes) == 0) {
        (void)uv_ip_name((const struct sockaddr *)&address, host, sizeof host);
        port = address.ss_family == AF_INET6
                   ? ntohs(((const struct sockaddr_in6 *)&address)->sin6_port)
                   : ntohs(((const struct sockaddr_in *)&address)->sin_port);
    }
    if (port > 0) {
        snprintf(text, sizeof text, "%s:%u #%" PRIu64, host, port, id);
    } else {
        snprintf(text, sizeof text, "%s #%" PRIu64, host, id);
    }
    snprintf(connection->record.peer, sizeof connection->record.peer, "%.*s",
             (int)strcspn(text, " "), text);
    snprintf(connection->session.peer, sizeof connection->session.peer, "%.*s",
             SESSION_PEER_BYTES_MAX, text);
}

static void free_unopened_cb(uv_handle_t *handle) {
    memory_free(of_handle(handle));
}

enum status connection_open(const struct connection_options *options,
                            struct connection **connection_out) {
    struct loop *loop = options->loop;
    const struct limits *limits = &loop->service->limits;
    struct connection *connection = memory_alloc_zeroed(sizeof *connection);
    uint64_t now_ms = loop_now_ms(loop);

    if (!connection) {
        return STATUS_NO_MEMORY;
    }
    connection->loop = loop;
    connection->session.stream = (uintptr_t)connection;
    if (take_socket(connection, options) != 0) {
        uv_close(&connection->socket.handle, free_unopened_cb);
        return STATUS_IO;
    }
    describe_peer(connection, options->is_unix);
    connection->gone_cb = options->gone_cb;
    connection->gone_arg = options->gone_arg;
    connection->reply_back_cb = reply_back_cb;
    connection->task_bytes = ANSWERS_TASK_BYTES_FIRST;
    connection->opened_ms = now_ms;
    connection->last_read_ms = now_ms;
    output_init(&connection->output, &connection->socket.stream, &loop->buffers,
                limits->output_pause_bytes + 2 * (size_t)limits->wire.frame_max, now_ms);
    connection->output.drained_cb = drained_cb;
    connection->record.id = connection->session.id;
    connection->record.opened_ms = now_ms;
    connection->record.loop = loop->index;
    client_list_add(loop->service->clients, &connection->record);
    metrics_add(loop->metrics, METRIC_CONNECTIONS_ACCEPTED, 1);
    start_reading(connection);
    publish(connection);
    charge(connection);
    *connection_out = connection;
    return STATUS_OK;
}
