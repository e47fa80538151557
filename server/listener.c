/* listener.c: see listener.h. */
#include "server/listener.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/config_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPT_BURST 64u /* connections of one wake-up, before others get their turn */
#define PAUSE_MS 100u    /* without even a spare descriptor */
#define STRANGERS_MS 5u  /* while those that came say HELLO */
#define LOG_INTERVAL_MS 1000
#define REFUSAL_BYTES_MAX 256

_Static_assert(LISTENER_TEXT_MAX >= 5 + CONFIG_ADDRESS_HOST_MAX, "room for any Unix address");

struct endpoint {
    struct listener *listener;
    struct config_address address;
    int descriptor; /* -1: none */
    dev_t device;   /* of a socket file, so that only our own is taken away */
    ino_t inode;
    bool has_file;
    bool has_poll; /* the handle is initialised */
    uv_poll_t poll;
    char text[LISTENER_TEXT_MAX];
};

struct listener {
    struct listener_options options;
    struct endpoint endpoints[LISTENER_ADDRESSES_MAX];
    uint32_t count;
    int spare;        /* given up to refuse a connection; -1 when lost */
    uv_timer_t pause; /* ends a time without accepting */
    uint32_t closing; /* handles that are still to be closed */
    struct buffer refusal;
};

static int open_spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

enum status listener_create(const struct listener_options *options,
                            struct listener **listener_out) {
    struct listener *listener = memory_alloc_zeroed(sizeof *listener);

    if (!listener) {
        return STATUS_NO_MEMORY;
    }
    listener->options = *options;
    listener->spare = open_spare();
    buffer_init(&listener->refusal, REFUSAL_BYTES_MAX);
    if (listener->spare < 0) {
        memory_free(listener);
        return STATUS_IO;
    }
    ASSERT(uv_timer_init(options->uv, &listener->pause) == 0);
    listener->pause.data = listener;
    *listener_out = listener;
    return STATUS_OK;
}

/* ---- Binding */

static enum status bind_error(struct error *error, const char *text, const char *operation) {
    int code = errno;
    enum status status = code == EADDRINUSE                ? STATUS_LOCKED
                         : code == EACCES || code == EPERM ? STATUS_DENIED
                                                           : STATUS_IO;

    return error_set(error, status, code, text, ERROR_NO_OFFSET, "%s", operation);
}

/* Whether somebody listens behind a socket file. */
static bool is_served(const struct sockaddr_un *address, socklen_t len) {
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool served = probe < 0 || connect(probe, (const struct sockaddr *)address, len) == 0 ||
                  errno != ECONNREFUSED;

    if (probe >= 0) {
        close(probe);
    }
    return served;
}

/* Makes way for a socket file: only a dead server's is removed. */
static enum status clear_path(const struct sockaddr_un *address, socklen_t len,
                              struct error *error) {
    struct stat found;

    if (lstat(address->sun_path, &found) != 0) {
        return STATUS_OK;
    }
    if (!S_ISSOCK(found.st_mode)) {
        return error_set(error, STATUS_LOCKED, 0, address->sun_path, ERROR_NO_OFFSET,
                         "a file that is not a socket is in the way");
    }
    if (is_served(address, len)) {
        return error_set(error, STATUS_LOCKED, 0, address->sun_path, ERROR_NO_OFFSET,
                         "another server listens on this socket");
    }
    if (unlink(address->sun_path) != 0) {
        return bind_error(error, address->sun_path, "cannot remove the socket of a dead server");
    }
    return STATUS_OK;
}

static void remember_file(struct endpoint *endpoint) {
    struct stat found;

    if (lstat(endpoint->address.host, &found) == 0) {
        endpoint->device = found.st_dev;
        endpoint->inode = found.st_ino;
        endpoint->has_file = true;
    }
}

static void remove_file(struct endpoint *endpoint) {
    struct stat found;

    if (endpoint->has_file && lstat(endpoint->address.host, &found) == 0 &&
        found.st_dev == endpoint->device && found.st_ino == endpoint->inode) {
        (void)unlink(endpoint->address.host); /* left behind, it is replaced by the next start */
    }
    endpoint->has_file = false;
}

/* Writes the address as it is now, with the port that the system chose. */
static void name_endpoint(struct endpoint *endpoint) {
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    uint16_t port = endpoint->address.port;

    if (endpoint->address.kind == CONFIG_ADDRESS_UNIX) {
        memcpy(endpoint->text, "unix:", 5);
        memcpy(endpoint->text + 5, endpoint->address.host, sizeof endpoint->address.host);
        return;
    }
    if (getsockname(endpoint->descriptor, (struct sockaddr *)&bound, &len) == 0) {
        port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                 : ((struct sockaddr_in *)&bound)->sin_port);
    }
    snprintf(endpoint->text, sizeof endpoint->text,
             endpoint->address.kind == CONFIG_ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u",
             endpoint->address.host, port);
}

static enum status open_endpoint(struct endpoint *endpoint, const char *text, struct error *error) {
    struct sockaddr_storage name;
    socklen_t len = config_address_sockaddr(&endpoint->address, &name);
    bool is_unix = endpoint->address.kind == CONFIG_ADDRESS_UNIX;
    int one = 1;

    if (is_unix) {
        enum status status = clear_path((const struct sockaddr_un *)&name, len, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    endpoint->descriptor = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->descriptor < 0) {
        return bind_error(error, text, "socket");
    }
    if (!is_unix) { /* without these it works as well, only a restart may have to wait */
        (void)setsockopt(endpoint->descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (name.ss_family == AF_INET6) {
        (void)setsockopt(endpoint->descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (bind(endpoint->descriptor, (struct sockaddr *)&name, len) != 0) {
        enum status status = bind_error(error, text, "bind");
        close(endpoint->descriptor);
        endpoint->descriptor = -1;
        return status;
    }
    return STATUS_OK;
}

enum status listener_bind(struct listener *listener, const char *text, struct error *error) {
    struct endpoint *endpoint = &listener->endpoints[listener->count];
    enum status status;

    if (listener->count == LISTENER_ADDRESSES_MAX) {
        return error_set(error, STATUS_BUSY, 0, text, ERROR_NO_OFFSET, "more than %u addresses",
                         LISTENER_ADDRESSES_MAX);
    }
    *endpoint = (struct endpoint){.listener = listener, .descriptor = -1};
    status = config_address_parse(text, &endpoint->address, error);
    if (status == STATUS_OK) {
        status = open_endpoint(endpoint, text, error);
    }
    if (status == STATUS_OK) {
        if (endpoint->address.kind == CONFIG_ADDRESS_UNIX) {
            remember_file(endpoint);
        }
        listener->count++;
    }
    return status;
}

uint32_t listener_count(const struct listener *listener) {
    return listener->count;
}

const char *listener_text(const struct listener *listener, uint32_t index) {
    ASSERT(index < listener->count);
    return listener->endpoints[index].text;
}

/* ---- Accepting */

static void log_refusal(struct listener *listener, enum log_level level, const char *message,
                        int code) {
    struct service *service = listener->options.service;
    struct error error;
    uint64_t suppressed;

    if (!log_limit_pass(&service->accept_limit, uv_now(listener->options.uv) + 1, LOG_INTERVAL_MS,
                        &suppressed)) {
        return;
    }
    error_set(&error, STATUS_BUSY, code, NULL, ERROR_NO_OFFSET, "accept");
    log_write(service->log, level, message,
              LOG_FIELDS(log_error_detail(&error), log_number("suppressed", suppressed)));
}

/* Tells the client why, if it listens, and closes. */
static void refuse(struct listener *listener, int descriptor, const char *reason) {
    struct wire_refusal refusal = {reason, WIRE_NO_ITEM, 0};

    metrics_add(&listener->options.service->metrics[0], METRIC_CONNECTIONS_REFUSED, 1);
    buffer_clear(&listener->refusal);
    if (wire_response_error(&listener->refusal, 0, STATUS_BUSY, &refusal) == STATUS_OK) {
        ssize_t sent = send(descriptor, listener->refusal.data, listener->refusal.len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)sent; /* best effort: it is closed in any case */
        (void)shutdown(descriptor, SHUT_WR);
    }
    close(descriptor);
}

static void take_connection(struct listener *listener, int descriptor, bool is_unix) {
    struct service *service = listener->options.service;
    uint32_t before = service_connection_came(service);
    const char *reason = NULL;

    if (before >= atomic_load_explicit(&service->connections_max, memory_order_relaxed)) {
        reason = "connections_max is reached";
    } else if (listener->options.accept_cb(listener->options.arg, descriptor, is_unix) !=
               STATUS_OK) {
        reason = "out of memory";
    }
    if (reason) {
        service_connection_left(service, false);
        refuse(listener, descriptor, reason);
        log_refusal(listener, LOG_LEVEL_WARN, reason, 0);
    }
}

static void poll_cb(uv_poll_t *poll, int code, int events);

static void resume_cb(uv_timer_t *timer) {
    struct listener *listener = timer->data;

    if (listener->spare < 0) {
        listener->spare = open_spare();
    }
    for (uint32_t i = 0; i < listener->count; i++) {
        ASSERT(uv_poll_start(&listener->endpoints[i].poll, UV_READABLE, poll_cb) == 0);
    }
}

/* For a while nobody is accepted; who comes waits in the backlog. */
static void pause_accepting(struct listener *listener, uint32_t pause_ms) {
    for (uint32_t i = 0; i < listener->count; i++) {
        uv_poll_stop(&listener->endpoints[i].poll);
    }
    ASSERT(uv_timer_start(&listener->pause, resume_cb, pause_ms, 0) == 0);
}

/* Descriptors ran out: accepts with the spare one, only to refuse. */
static void refuse_with_spare(struct listener *listener, int listening) {
    int descriptor = -1;

    log_refusal(listener, LOG_LEVEL_ERROR, "out of file descriptors", errno);
    metrics_add(&listener->options.service->metrics[0], METRIC_ACCEPT_FAILURES, 1);
    if (listener->spare >= 0) {
        close(listener->spare);
        descriptor = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (descriptor >= 0) {
        refuse(listener, descriptor, "the server is out of file descriptors");
    }
    listener->spare = open_spare();
    if (listener->spare < 0) {
        pause_accepting(listener, PAUSE_MS);
    }
}

/* Returns whether another may wait. */
static bool accept_one(struct endpoint *endpoint) {
    struct listener *listener = endpoint->listener;
    struct service *service = listener->options.service;
    int descriptor;

    if (atomic_load_explicit(&service->strangers, memory_order_relaxed) >=
        service->limits.strangers_max) {
        log_refusal(listener, LOG_LEVEL_WARN, "connections wait until others have said HELLO", 0);
        pause_accepting(listener, STRANGERS_MS);
        return false;
    }
    descriptor = accept4(endpoint->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
        take_connection(listener, descriptor, endpoint->address.kind == CONFIG_ADDRESS_UNIX);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        refuse_with_spare(listener, endpoint->descriptor);
        return listener->spare >= 0;
    case ENOBUFS:
    case ENOMEM:
        log_refusal(listener, LOG_LEVEL_ERROR, "cannot accept", errno);
        metrics_add(&listener->options.service->metrics[0], METRIC_ACCEPT_FAILURES, 1);
        pause_accepting(listener, PAUSE_MS);
        return false;
    default: /* that connection's own failure, such as ECONNABORTED */
        return true;
    }
}

static void poll_cb(uv_poll_t *poll, int code, int events) {
    struct endpoint *endpoint = poll->data;
    uint32_t left = ACCEPT_BURST;

    (void)code;
    (void)events;
    while (left > 0 && accept_one(endpoint)) {
        left--;
    }
}

static enum status start_endpoint(struct endpoint *endpoint, struct error *error) {
    name_endpoint(endpoint);
    if (listen(endpoint->descriptor, BACKLOG) != 0) {
        return bind_error(error, endpoint->text, "listen");
    }
    if (uv_poll_init(endpoint->listener->options.uv, &endpoint->poll, endpoint->descriptor) != 0) {
        return error_set(error, STATUS_IO, 0, endpoint->text, ERROR_NO_OFFSET, "poll");
    }
    endpoint->has_poll = true;
    endpoint->poll.data = endpoint;
    ASSERT(uv_poll_start(&endpoint->poll, UV_READABLE, poll_cb) == 0);
    return STATUS_OK;
}

enum status listener_start(struct listener *listener, struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < listener->count; i++) {
        status = start_endpoint(&listener->endpoints[i], error);
    }
    return status;
}

/* ---- The end */

static void handle_closed(struct listener *listener) {
    ASSERT(listener->closing > 0);
    if (--listener->closing == 0) {
        buffer_deinit(&listener->refusal);
        memory_free(listener);
    }
}

static void poll_closed_cb(uv_handle_t *handle) {
    struct endpoint *endpoint = handle->data;

    handle_closed(endpoint->listener);
}

static void pause_closed_cb(uv_handle_t *handle) {
    handle_closed(handle->data);
}

/* The descriptor goes after its handle: libuv still takes it out of its set. */
static void close_endpoint(struct endpoint *endpoint) {
    if (endpoint->has_poll) {
        endpoint->listener->closing++;
        uv_close((uv_handle_t *)&endpoint->poll, poll_closed_cb);
    }
    close(endpoint->descriptor);
    endpoint->descriptor = -1;
    remove_file(endpoint);
}

void listener_close(struct listener *listener) {
    listener->closing = 1;
    for (uint32_t i = 0; i < listener->count; i++) {
        close_endpoint(&listener->endpoints[i]);
    }
    if (listener->spare >= 0) {
        close(listener->spare);
    }
    uv_close((uv_handle_t *)&listener->pause, pause_closed_cb);
}
