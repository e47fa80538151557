/* async.c: see async.h. */
#include "client/async.h"

#include "client/clock.h"
#include "client/pending.h"
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <poll.h>
#include <unistd.h>

static struct async_call *call_at(const struct kvd_async *async, uint64_t index) {
    return &async->calls[index % async->requests_max];
}

/* --- connecting --- */

/* Takes the socket away; it stays open until the next step. */
static void retire(struct kvd_async *async) {
    struct transport *transport = &async->db->transport;

    if (transport->fd >= 0) {
        if (async->retired_fd >= 0) {
            close(async->retired_fd);
        }
        shutdown(transport->fd, SHUT_RDWR); /* for the peer, it ends now */
        async->retired_fd = transport->fd;
        transport->fd = -1;
    }
}

static void fail(struct kvd_async *async, enum status status) {
    async->state = ASYNC_FAILED;
    async->failure = status;
}

static void say_hello(struct kvd_async *async) {
    enum status status = connection_hello_encode(async->db, &async->hello_id);

    async->state = ASYNC_HELLO;
    if (status != STATUS_OK) {
        fail(async, status);
    }
}

static void fail_connect(struct kvd_async *async, const struct address_error *error) {
    char room[128];
    const char *reason = error->os_errno ? strerror_r(error->os_errno, room, sizeof room) : "";

    fail(async, connection_fail(async->db, STATUS_CONNECT, 0, "%s: %s: %s", async->db->address,
                                error->text, reason));
}

/* Begins with the next of the places that the address leads to. */
static void try_next(struct kvd_async *async) {
    struct kvd *db = async->db;
    struct address_error error = {"no such place", 0};
    enum status status = STATUS_CONNECT;
    int fd = -1;

    retire(async);
    while (async->target < async->targets.count && status == STATUS_CONNECT) {
        status = address_begin(&async->targets.targets[async->target++], &fd, &error);
    }
    transport_adopt(&db->transport, fd);
    if (status == STATUS_OK) {
        say_hello(async);
    } else if (status == STATUS_WOULD_BLOCK) {
        async->state = ASYNC_CONNECTING;
    } else {
        fail_connect(async, &error);
    }
}

static void begin_connect(struct kvd_async *async) {
    async->target = 0;
    async->wanted = 0;
    async->ready_by_ms = connection_deadline(async->db);
    async->db->pipeline.answered = 0;
    try_next(async);
}

static void continue_connect(struct kvd_async *async) {
    struct pollfd poll_fd = {.fd = async->db->transport.fd, .events = POLLOUT};
    struct address_error error;

    if (poll(&poll_fd, 1, 0) <= 0) {
        return;
    }
    if (address_finish(poll_fd.fd, &error) == STATUS_OK) {
        say_hello(async);
    } else if (async->target < async->targets.count) {
        try_next(async);
    } else {
        fail_connect(async, &error);
    }
}

/* --- the life of a handle --- */

static enum status check_options(struct kvd_async *async, const struct kvd_async_options *options) {
    struct address_error error = {0};
    enum status status = connection_check(async->db);

    if (status == STATUS_OK && options->requests_max > KVD_ASYNC_REQUESTS_MAX) {
        return connection_fail(async->db, STATUS_INVALID, KVD_ASYNC_REQUESTS_MAX,
                               "requests_max is above %u", KVD_ASYNC_REQUESTS_MAX);
    }
    if (status == STATUS_OK) {
        status = address_resolve(async->db->address, &async->targets, &error);
        if (status != STATUS_OK) {
            connection_fail(async->db, status, 0, "%s: %s", async->db->address, error.text);
        }
    }
    return status;
}

enum kvd_status kvd_async_open(const char *address, const struct kvd_async_options *options,
                               struct kvd_async **async_out) {
    const struct kvd_async_options none = {.requests_max = 0};
    const struct kvd_async_options *from = options ? options : &none;
    struct kvd_async *async = memory_alloc_zeroed(sizeof *async);
    enum status status;

    *async_out = NULL;
    if (!async) {
        return KVD_NO_MEMORY;
    }
    async->retired_fd = -1;
    async->requests_max = from->requests_max ? from->requests_max : KVD_ASYNC_REQUESTS_DEFAULT;
    async->bytes_max = from->bytes_max ? from->bytes_max : KVD_ASYNC_BYTES_DEFAULT;
    async->db = connection_create(address, &from->connect);
    if (!async->db) {
        memory_free(async);
        return KVD_NO_MEMORY;
    }
    *async_out = async;
    status = check_options(async, from);
    if (status == STATUS_OK) {
        async->calls = memory_alloc_array(async->requests_max, sizeof *async->calls);
        status = async->calls
                     ? STATUS_OK
                     : connection_fail(async->db, STATUS_NO_MEMORY, 0, "out of memory here");
    }
    if (status == STATUS_OK) {
        begin_connect(async);
    }
    return result_public(status);
}

int kvd_async_fd(const struct kvd_async *async) {
    return async->db->transport.fd;
}

short kvd_async_events(const struct kvd_async *async) {
    const struct transport *transport = &async->db->transport;

    if (transport->fd < 0) {
        return 0;
    }
    if (async->state == ASYNC_CONNECTING) {
        return POLLOUT;
    }
    return transport->out_sent < transport->out.len ? POLLIN | POLLOUT : POLLIN;
}

static bool is_connecting(const struct kvd_async *async) {
    return async->state == ASYNC_CONNECTING || async->state == ASYNC_HELLO;
}

int kvd_async_timeout_ms(const struct kvd_async *async) {
    const struct pipeline *pipeline = &async->db->pipeline;
    const struct async_call *oldest = call_at(async, pipeline->head);

    if (async->state == ASYNC_FAILED) {
        return 0;
    }
    if (!pending_is_empty(pipeline)) { /* an older one ends sooner than a younger one */
        return oldest->refusal != STATUS_OK ? 0 : clock_left_ms(oldest->deadline_ms);
    }
    return is_connecting(async) ? clock_left_ms(async->ready_by_ms) : -1;
}

uint64_t kvd_async_pending(const struct kvd_async *async) {
    return kvd_pipeline_pending(async->db);
}

const char *kvd_async_error(const struct kvd_async *async) {
    return async ? kvd_error(async->db) : kvd_error(NULL);
}

/* --- submitting --- */

static enum status admit(struct kvd_async *async) {
    const struct pipeline *pipeline = &async->db->pipeline;
    uint64_t bytes = transport_queued(&async->db->transport) - pipeline->answered;

    if (async->closing || !async->calls) {
        return connection_fail(async->db, STATUS_SHUTTING_DOWN, 0, "the handle is closed");
    }
    if (pipeline->tail - pipeline->head >= async->requests_max ||
        bytes + async->db->scratch.len >= async->bytes_max) {
        return connection_fail(async->db, STATUS_BUSY, async->requests_max,
                               "too much is unanswered: wait for callbacks");
    }
    return pending_room(async->db);
}

/* A connection, on its way or there, for the next request. */
static void see_to_connection(struct kvd_async *async) {
    struct kvd *db = async->db;

    if (async->state == ASYNC_OPEN && !async->stepping && pending_is_empty(&db->pipeline) &&
        transport_is_stale(&db->transport)) {
        async->state = ASYNC_IDLE; /* closed while idle: nothing is lost */
    }
    if (async->state == ASYNC_IDLE) {
        begin_connect(async);
    }
}

enum kvd_status async_submit(struct kvd_async *async, struct wire_request *request,
                             kvd_result_cb result_cb, void *arg) {
    struct kvd *db = async->db;
    enum status status = admit(async);

    if (status != STATUS_OK) {
        return result_public(status);
    }
    see_to_connection(async);
    if (async->state == ASYNC_OPEN) {
        status = connection_encode(db, request);
    } else {
        request->id = db->next_id++;
        status = wire_request_encode(&db->scratch, request);
        if (status != STATUS_OK) {
            connection_fail(db, status, 0, "%s", status_text(status));
        }
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    *call_at(async, db->pipeline.tail) = (struct async_call){
        .result_cb = result_cb, .arg = arg, .deadline_ms = connection_deadline(db)};
    pending_push(db, request);
    if (async->state != ASYNC_OPEN) {
        pending_at(&db->pipeline, db->pipeline.tail - 1)->end = UINT64_MAX; /* sent: not at all */
    }
    return KVD_OK;
}

/* --- results --- */

/* Calls the callback of the oldest call, which has left the ring before. */
static void deliver(struct kvd_async *async, struct kvd_result *result) {
    struct pipeline *pipeline = &async->db->pipeline;
    struct async_call call = *call_at(async, pipeline->head);

    result->operation = pending_operation(pending_at(pipeline, pipeline->head)->opcode);
    result->index = pipeline->head++;
    if (call.result_cb) {
        call.result_cb(result, call.arg);
    }
}

/* Those whose end is known without an answer, but none that a callback submits. */
static void deliver_refused(struct kvd_async *async) {
    struct pipeline *pipeline = &async->db->pipeline;
    uint64_t end = pipeline->tail;

    while (pipeline->head < end && call_at(async, pipeline->head)->refusal != STATUS_OK) {
        const struct async_call *call = call_at(async, pipeline->head);
        struct kvd_result result = {
            .status = result_public(call->refusal),
            .error = call->was_lost ? async->lost_text : status_text(call->refusal),
        };
        deliver(async, &result);
    }
}

static void deliver_answer(struct kvd_async *async, const struct wire_response *response) {
    struct pipeline *pipeline = &async->db->pipeline;
    struct pending pending = *pending_at(pipeline, pipeline->head);
    struct kvd_result result = {.error = ""};

    pending_result(async->db, &pending, response, &result);
    pipeline->answered = pending.end;
    deliver(async, &result);
}

/* HELLO is answered: what waited is judged by it, and goes to the send buffer. */
static void release_waiting(struct kvd_async *async) {
    struct kvd *db = async->db;
    struct slice waiting = buffer_slice(&db->scratch);
    struct wire_frame frame;
    const char *reason;
    size_t wanted;
    enum status decoded;

    for (uint64_t i = db->pipeline.head; i < db->pipeline.tail; i++) {
        struct async_call *call = call_at(async, i);
        if (call->refusal != STATUS_OK) {
            continue; /* of an earlier connection */
        }
        decoded =
            wire_frame_decode(waiting, WIRE_KIND_REQUEST, UINT32_MAX, &frame, &wanted, &reason);
        ASSERT(decoded == STATUS_OK);
        wanted = WIRE_FRAME_HEADER_BYTES + frame.body_len;
        call->refusal = connection_admits(db, frame.flags, frame.body_len);
        if (call->refusal == STATUS_OK) {
            call->refusal = buffer_append(&db->transport.out, waiting.ptr, wanted);
        }
        if (call->refusal == STATUS_OK) {
            pending_at(&db->pipeline, i)->end = transport_queued(&db->transport);
        }
        waiting = slice_make(waiting.ptr + wanted, waiting.len - wanted);
    }
    buffer_clear(&db->scratch);
}

static enum status take_hello(struct kvd_async *async, const struct wire_frame *frame) {
    const struct pending asked = {.id = async->hello_id, .opcode = WIRE_HELLO};
    struct wire_response response;
    enum status status = connection_decode(async->db, frame, &asked, &response);

    if (status == STATUS_OK) {
        status = connection_hello_judge(async->db, &response);
    }
    if (status == STATUS_OK) {
        async->state = ASYNC_OPEN;
        async->db->pipeline.answered = transport_queued(&async->db->transport);
        release_waiting(async);
    }
    return status;
}

static enum status take_answer(struct kvd_async *async, const struct wire_frame *frame) {
    struct pipeline *pipeline = &async->db->pipeline;
    struct wire_response response;
    enum status status;

    if (pending_is_empty(pipeline)) {
        return connection_fail(async->db, STATUS_PROTOCOL, 0, "%s answered without being asked",
                               async->db->address);
    }
    status = connection_decode(async->db, frame, pending_at(pipeline, pipeline->head), &response);
    if (status == STATUS_OK) {
        deliver_answer(async, &response);
    }
    return status;
}

/* --- stepping --- */

static bool has_socket(const struct kvd_async *async) {
    return async->state == ASYNC_HELLO || async->state == ASYNC_OPEN;
}

/* Hands out all frames that have come. A callback may end the connection, or the handle. */
static enum status take_frames(struct kvd_async *async) {
    struct kvd *db = async->db;
    struct wire_frame frame;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && has_socket(async) && !async->closing) {
        status =
            transport_take(&db->transport, (uint32_t)db->info.frame_max, &async->wanted, &frame);
        if (status == STATUS_NEED_MORE) {
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            status = status == STATUS_TOO_LARGE ? STATUS_PROTOCOL : status;
            return connection_fail(db, status, 0, "%s: %s", db->address, db->transport.error);
        }
        status =
            async->state == ASYNC_HELLO ? take_hello(async, &frame) : take_answer(async, &frame);
        if (status == STATUS_OK && !async->closing) {
            deliver_refused(async); /* what HELLO did not allow, in its turn */
        }
    }
    return status;
}

static enum status describe_transport(struct kvd_async *async, enum status status) {
    return connection_fail(async->db, status, 0, "%s: %s", async->db->address,
                           async->db->transport.error);
}

/* Receives, delivers, sends. What had arrived before a failure is delivered. */
static enum status exchange(struct kvd_async *async) {
    struct transport *transport = &async->db->transport;
    int fd = transport->fd;
    enum status pulled;
    enum status status;

    if (!has_socket(async)) {
        return STATUS_OK;
    }
    pulled = transport_pull(transport, async->wanted);
    status = take_frames(async);
    if (status == STATUS_OK && pulled != STATUS_OK && transport->fd == fd) {
        return describe_transport(async, pulled);
    }
    if (status != STATUS_OK || async->closing || !has_socket(async)) {
        return status;
    }
    status = transport_push(transport);
    if (status == STATUS_CLOSED) { /* the reason may have come before */
        enum status last = take_frames(async);
        return last == STATUS_OK ? describe_transport(async, status) : last;
    }
    return STATUS_OK;
}

static enum status check_time(struct kvd_async *async) {
    const struct pipeline *pipeline = &async->db->pipeline;
    int64_t end_ms = INT64_MAX;

    if (is_connecting(async)) {
        end_ms = async->ready_by_ms;
    }
    if (!pending_is_empty(pipeline) && call_at(async, pipeline->head)->refusal == STATUS_OK &&
        call_at(async, pipeline->head)->deadline_ms < end_ms) {
        end_ms = call_at(async, pipeline->head)->deadline_ms;
    }
    if (end_ms <= clock_now_ms()) {
        return connection_fail(async->db, STATUS_TIMEOUT, 0,
                               "%s: the server did not answer in time", async->db->address);
    }
    return STATUS_OK;
}

/* The connection is gone, and with it every answer that has not come. */
static void lose(struct kvd_async *async, enum status status) {
    struct kvd *db = async->db;

    for (uint64_t i = db->pipeline.head; i < db->pipeline.tail; i++) {
        struct async_call *call = call_at(async, i);
        if (call->refusal == STATUS_OK) {
            call->refusal = pending_lost(db, pending_at(&db->pipeline, i), status);
            call->was_lost = true;
        }
    }
    memcpy(async->lost_text, db->error, sizeof async->lost_text);
    retire(async);
    transport_adopt(&db->transport, -1);
    buffer_clear(&db->scratch);
    db->pipeline.answered = 0;
    async->state = ASYNC_IDLE;
}

static void destroy(struct kvd_async *async) {
    async->stepping = true;
    connection_fail(async->db, STATUS_CANCELLED, 0, "the handle was closed");
    lose(async, STATUS_CANCELLED);
    while (async->calls && !pending_is_empty(&async->db->pipeline)) {
        deliver_refused(async);
    }
    if (async->retired_fd >= 0) {
        close(async->retired_fd);
    }
    kvd_close(async->db);
    memory_free(async->calls);
    memory_free(async);
}

enum kvd_status kvd_async_step(struct kvd_async *async) {
    enum status status;

    ASSERT(!async->stepping);
    async->stepping = true;
    if (async->retired_fd >= 0) {
        close(async->retired_fd);
        async->retired_fd = -1;
    }
    if (async->calls) {
        deliver_refused(async);
    }
    if (async->state == ASYNC_CONNECTING) {
        continue_connect(async);
    }
    status = async->state == ASYNC_FAILED ? async->failure : exchange(async);
    if (status == STATUS_OK && !async->closing) {
        status = check_time(async);
    }
    if (status != STATUS_OK) {
        lose(async, status);
        deliver_refused(async);
    }
    async->stepping = false;
    if (async->closing) {
        destroy(async);
        return KVD_SHUTTING_DOWN;
    }
    return result_public(status);
}

void kvd_async_cancel(struct kvd_async *async) {
    connection_fail(async->db, STATUS_CANCELLED, 0, "cancelled");
    lose(async, STATUS_CANCELLED);
}

void kvd_async_close(struct kvd_async *async) {
    if (!async || async->closing) {
        return;
    }
    async->closing = true;
    if (!async->stepping) {
        destroy(async);
    }
}
