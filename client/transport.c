/* transport.c: see transport.h. */
#include "client/transport.h"

#include "client/address.h"
#include "client/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES_MIN 65536u          /* room offered to one recv; a socket buffer's worth */
#define IN_BYTES_MAX ((size_t)2 << 30) /* one largest frame, and as much of others */
#define OUT_BYTES_MAX ((size_t)WIRE_BODY_CEILING * 2)

void transport_init(struct transport *transport) {
    *transport = (struct transport){.fd = -1};
    buffer_init(&transport->out, OUT_BYTES_MAX);
    buffer_init(&transport->in, IN_BYTES_MAX);
}

void transport_deinit(struct transport *transport) {
    transport_close(transport);
    buffer_deinit(&transport->out);
    buffer_deinit(&transport->in);
}

static enum status fail(struct transport *transport, enum status status, const char *text,
                        int os_errno) {
    char reason[128] = "";

    if (os_errno != 0) {
        /* GNU's strerror_r: the result need not be in the buffer. */
        snprintf(transport->error, sizeof transport->error, "%s: %s", text,
                 strerror_r(os_errno, reason, sizeof reason));
    } else {
        snprintf(transport->error, sizeof transport->error, "%s", text);
    }
    return status;
}

void transport_adopt(struct transport *transport, int fd) {
    transport_close(transport);
    buffer_clear(&transport->out);
    buffer_clear(&transport->in);
    transport->out_sent = 0;
    transport->in_taken = 0;
    transport->queued = 0;
    transport->fd = fd;
}

enum status transport_open(struct transport *transport, const char *address, int64_t deadline_ms) {
    struct address_error error = {0};
    enum status status;

    transport_adopt(transport, -1);
    status = address_connect(address, deadline_ms, &transport->fd, &error);
    return status == STATUS_OK ? status : fail(transport, status, error.text, error.os_errno);
}

void transport_close(struct transport *transport) {
    if (transport->fd >= 0) {
        close(transport->fd);
        transport->fd = -1;
    }
}

bool transport_is_stale(const struct transport *transport) {
    uint8_t byte;
    ssize_t got;

    if (transport->in_taken < transport->in.len) {
        return true;
    }
    got = recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return !(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

uint64_t transport_queued(const struct transport *transport) {
    return transport->queued + transport->out.len;
}

uint64_t transport_sent(const struct transport *transport) {
    return transport->queued + transport->out_sent;
}

/* Waits until one of `events` is possible. */
static enum status wait_for(struct transport *transport, short events, int64_t deadline_ms) {
    struct pollfd poll_fd = {.fd = transport->fd, .events = events};
    int ready;

    do {
        ready = poll(&poll_fd, 1, clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) {
        return fail(transport, STATUS_CLOSED, "poll", errno);
    }
    return ready > 0 ? STATUS_OK
                     : fail(transport, STATUS_TIMEOUT, "the server did not answer in time", 0);
}

/* Makes room for `bytes` more behind what is not taken yet. */
static enum status make_room(struct transport *transport, size_t bytes) {
    struct buffer *in = &transport->in;

    if (transport->in_taken == in->len || in->capacity - in->len < bytes) {
        buffer_consume(in, transport->in_taken);
        transport->in_taken = 0;
    }
    return buffer_reserve(in, bytes);
}

enum status transport_pull(struct transport *transport, size_t wanted) {
    struct buffer *in = &transport->in;
    enum status status = make_room(transport, wanted > READ_BYTES_MIN ? wanted : READ_BYTES_MIN);
    ssize_t got;

    if (status != STATUS_OK) {
        return fail(transport, status, "no room for the answer", 0);
    }
    do {
        got = recv(transport->fd, in->data + in->len, in->capacity - in->len, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        return fail(transport, STATUS_CLOSED, "the server closed the connection", 0);
    }
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK
                   ? STATUS_OK
                   : fail(transport, STATUS_CLOSED, "receiving", errno);
    }
    in->len += (size_t)got;
    return STATUS_OK;
}

/* Takes in what the peer still said before the socket failed, such as the reason. */
static void receive_last_words(struct transport *transport) {
    char error[TRANSPORT_ERROR_BYTES];
    size_t before;

    memcpy(error, transport->error, sizeof error);
    do {
        before = transport->in.len - transport->in_taken;
    } while (transport_pull(transport, 0) == STATUS_OK &&
             transport->in.len - transport->in_taken > before);
    memcpy(transport->error, error, sizeof error);
}

static enum status send_some(struct transport *transport) {
    struct buffer *out = &transport->out;
    ssize_t sent;

    do {
        sent = send(transport->fd, out->data + transport->out_sent, out->len - transport->out_sent,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        transport->out_sent += (size_t)sent;
        return STATUS_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return STATUS_WOULD_BLOCK;
    }
    fail(transport, STATUS_CLOSED, "sending", errno);
    receive_last_words(transport);
    return STATUS_CLOSED;
}

/* Forgets what was sent. */
static void forget_sent(struct transport *transport) {
    transport->queued += transport->out_sent;
    buffer_consume(&transport->out, transport->out_sent);
    transport->out_sent = 0;
}

enum status transport_push(struct transport *transport) {
    enum status status = STATUS_OK;

    while (transport->out_sent < transport->out.len && status == STATUS_OK) {
        status = send_some(transport);
    }
    if (status == STATUS_OK || transport->out_sent > transport->out.len / 2) {
        forget_sent(transport); /* moves no more bytes than were sent */
    }
    return status;
}

enum status transport_flush(struct transport *transport, int64_t deadline_ms) {
    enum status status = STATUS_OK;

    while (transport->out_sent < transport->out.len && status == STATUS_OK) {
        status = send_some(transport);
        if (status == STATUS_WOULD_BLOCK) {
            status = wait_for(transport, POLLIN | POLLOUT, deadline_ms);
            if (status == STATUS_OK) {
                status = transport_pull(transport, 0);
            }
        }
    }
    if (status == STATUS_OK) {
        forget_sent(transport);
    }
    return status;
}

enum status transport_take(struct transport *transport, uint32_t body_max, size_t *wanted_out,
                           struct wire_frame *frame_out) {
    struct slice received = slice_make(transport->in.data + transport->in_taken,
                                       transport->in.len - transport->in_taken);
    const char *reason = "";
    size_t wanted = 0;
    enum status status =
        wire_frame_decode(received, WIRE_KIND_RESPONSE, body_max, frame_out, &wanted, &reason);

    if (status == STATUS_OK) {
        transport->in_taken += WIRE_FRAME_HEADER_BYTES + frame_out->body_len;
    } else if (status == STATUS_NEED_MORE) {
        *wanted_out = wanted - received.len;
    } else {
        fail(transport, status, reason, 0);
    }
    return status;
}

enum status transport_next_frame(struct transport *transport, uint32_t body_max,
                                 int64_t deadline_ms, struct wire_frame *frame_out) {
    struct wire_frame frame;
    size_t wanted = 0;
    enum status status;

    while ((status = transport_take(transport, body_max, &wanted, &frame)) == STATUS_NEED_MORE) {
        if (transport->fd < 0) {
            return STATUS_CLOSED; /* the reason was told when it was closed */
        }
        status = wait_for(transport, POLLIN, deadline_ms);
        if (status == STATUS_OK) {
            status = transport_pull(transport, wanted);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (status == STATUS_OK) {
        *frame_out = frame;
    }
    return status;
}
