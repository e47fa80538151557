/* bench_connection.c: windows of requests and their replies. See bench_connection.h. */
#include "client/kvcli/bench_connection.h"

#include "client/kvcli/bench_socket.h"
#include "client/kvcli/clock.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_BYTES_MAX ((size_t)2 << 30)
#define IN_BYTES_MAX ((size_t)2 << 30)
#define READ_BYTES_MIN ((size_t)16 * 1024)
#define READ_BYTES_MAX ((size_t)1024 * 1024)
#define REPLY_HEAD_BYTES 64u /* of a get's reply, roughly */

/* Enough to take the replies of a window at once. */
static size_t read_bytes(const struct bench_plan *plan) {
    size_t bytes = (size_t)(plan->pipeline * (plan->value_bytes + REPLY_HEAD_BYTES));

    if (bytes < READ_BYTES_MIN) {
        return READ_BYTES_MIN;
    }
    return bytes < READ_BYTES_MAX ? bytes : READ_BYTES_MAX;
}

/* Reads once, behind what is there. Errors: WOULD_BLOCK, CLOSED, IO, NO_MEMORY. */
static enum status read_once(struct bench_connection *connection) {
    struct buffer *in = &connection->in;
    size_t bytes = read_bytes(connection->plan);
    size_t mark = buffer_mark(in);
    uint8_t *start;
    enum status status = buffer_extend(in, bytes, &start);
    ssize_t taken;

    if (status != STATUS_OK) {
        return status;
    }
    taken = recv(connection->fd, start, bytes, 0);
    buffer_rollback(in, mark + (taken > 0 ? (size_t)taken : 0));
    if (taken > 0) {
        return STATUS_OK;
    }
    if (taken == 0) {
        return STATUS_CLOSED;
    }
    return errno == EAGAIN || errno == EINTR ? STATUS_WOULD_BLOCK : STATUS_IO;
}

/* Counts one reply; `now_ns` is when its bytes were there. */
static void count_reply(struct bench_connection *connection, struct bench_slot *slot,
                        const struct bench_reply *reply, uint64_t now_ns,
                        struct bench_counts *counts) {
    uint64_t ns = now_ns > connection->start_ns ? now_ns - connection->start_ns : 0;

    if (reply->outcome == BENCH_FAILED) {
        if (counts->failures == 0) {
            memcpy(counts->first_failure, reply->text, sizeof reply->text);
        }
        counts->failures++;
        return;
    }
    counts->misses += reply->outcome == BENCH_MISS;
    counts->entries += reply->entries;
    if (slot->kind == BENCH_MODIFY && !slot->is_second) {
        slot->is_pending = true;
        connection->pending++;
        return;
    }
    counts->done[slot->kind]++;
    bench_histogram_add(&counts->ns[slot->kind], ns);
}

static enum bench_call call_of(const struct bench_slot *slot) {
    if (slot->kind == BENCH_SCAN) {
        return BENCH_CALL_SCAN;
    }
    return slot->kind == BENCH_GET || (slot->kind == BENCH_MODIFY && !slot->is_second)
               ? BENCH_CALL_GET
               : BENCH_CALL_PUT;
}

static enum status take_replies(struct bench_connection *connection, struct bench_inserts *inserts,
                                struct bench_counts *counts) {
    struct slice rest = buffer_slice(&connection->in);
    uint64_t now_ns = clock_now_ns();
    enum status status = STATUS_OK;

    while (rest.len > 0 && status == STATUS_OK) {
        struct bench_reply reply = {.bytes = 0};
        uint32_t index = connection->answered;
        struct bench_slot *slot = &connection->slots[index];
        if (index == connection->queued) {
            return STATUS_PROTOCOL; /* a reply to nothing */
        }
        status = connection->plan->codec->take_reply(
            rest, connection->next_id - connection->queued + index, call_of(slot), &reply);
        if (status == STATUS_OK) {
            count_reply(connection, slot, &reply, now_ns, counts);
            connection->answered++;
            rest = slice_make(rest.ptr + reply.bytes, rest.len - reply.bytes);
        }
        if (status == STATUS_OK && slot->kind == BENCH_INSERT) {
            bench_inserts_answer(inserts, slot->number);
        }
    }
    buffer_consume(&connection->in, connection->in.len - rest.len);
    return status == STATUS_NEED_MORE ? STATUS_OK : status;
}

enum status bench_connection_receive(struct bench_connection *connection,
                                     struct bench_inserts *inserts, struct bench_counts *counts) {
    enum status status = read_once(connection);

    if (status == STATUS_WOULD_BLOCK) {
        return STATUS_OK;
    }
    return status == STATUS_OK ? take_replies(connection, inserts, counts) : status;
}

enum status bench_connection_send(struct bench_connection *connection) {
    while (bench_connection_is_sending(connection)) {
        ssize_t sent = send(connection->fd, connection->out.data + connection->sent,
                            connection->out.len - connection->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR ? STATUS_OK : STATUS_IO;
        }
        connection->sent += (size_t)sent;
    }
    return STATUS_OK;
}

void bench_connection_reset(struct bench_connection *connection) {
    buffer_clear(&connection->out);
    connection->sent = 0;
    connection->queued = 0;
    connection->answered = 0;
    connection->pending = 0;
}

enum status bench_connection_add(struct bench_connection *connection,
                                 const struct bench_step *step) {
    struct bench_request request = {.id = connection->next_id,
                                    .call = call_of(&step->slot),
                                    .key = step->key,
                                    .value = step->value,
                                    .scan_limit = step->scan_limit};
    enum status status =
        connection->plan->codec->append(&connection->out, connection->plan, &request);

    if (status == STATUS_OK) {
        connection->slots[connection->queued++] = step->slot;
        connection->next_id++;
    }
    return status;
}

/* Exchanges hello on the still blocking socket. */
static enum status say_hello(struct bench_connection *connection) {
    const struct bench_codec *codec = connection->plan->codec;
    struct bench_reply reply = {.bytes = 0};
    enum status status = codec->append_hello(&connection->out);

    if (status == STATUS_OK) {
        status = bench_connection_send(connection);
    }
    if (status == STATUS_OK && bench_connection_is_sending(connection)) {
        status = STATUS_TIMEOUT;
    }
    while (status == STATUS_OK) {
        status = read_once(connection);
        if (status == STATUS_OK) {
            status = codec->take_reply(buffer_slice(&connection->in), 0, BENCH_CALL_GET, &reply);
            if (status != STATUS_NEED_MORE) {
                break;
            }
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK) {
        buffer_consume(&connection->in, reply.bytes);
        connection->next_id = 1;
        status = reply.outcome == BENCH_DONE ? STATUS_OK : STATUS_PROTOCOL;
    }
    bench_connection_reset(connection);
    return status == STATUS_WOULD_BLOCK ? STATUS_TIMEOUT : status;
}

enum status bench_connection_open(struct bench_connection *connection,
                                  const struct bench_plan *plan, struct error *error) {
    enum status status;

    *connection = (struct bench_connection){.plan = plan, .fd = -1};
    buffer_init(&connection->out, OUT_BYTES_MAX);
    buffer_init(&connection->in, IN_BYTES_MAX);
    connection->slots = memory_alloc_array((size_t)plan->pipeline, sizeof *connection->slots);
    if (!connection->slots) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "out of memory");
    }
    status = bench_socket_connect(plan->address, plan->timeout_ms, &connection->fd, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = plan->codec->append_hello ? say_hello(connection) : STATUS_OK;
    if (status != STATUS_OK) {
        return error_set(error, status, 0, plan->address, ERROR_NO_OFFSET,
                         "hello was not answered as by %s", plan->codec->name);
    }
    if (fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) | O_NONBLOCK) != 0) {
        return error_set(error, STATUS_CONNECT, errno, plan->address, ERROR_NO_OFFSET, "fcntl");
    }
    return STATUS_OK;
}

void bench_connection_deinit(struct bench_connection *connection) {
    if (connection->plan && connection->fd >= 0) {
        close(connection->fd);
    }
    buffer_deinit(&connection->out);
    buffer_deinit(&connection->in);
    memory_free(connection->slots);
    *connection = (struct bench_connection){.fd = -1};
}
