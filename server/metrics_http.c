/* metrics_http.c: see metrics_http.h. */
#include "server/metrics_http.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/config_address.h"
#include "server/exposition.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64
#define TEXT_BYTES_MAX (1u << 20)
#define CONNECTION_BYTES_MAX (16u << 10) /* of memory: the head of a request and of its answer */
#define HEALTH_TEXT_MAX 768
#define ADDRESS_TEXT_MAX (CONFIG_ADDRESS_HOST_MAX + 16)

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct metrics_http {
    const struct service *service;
    struct MHD_Daemon *daemon;
    uint16_t port;
    atomic_bool stopping;
};

/* ---- Answers */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type,
                              struct slice text) {
    /* copied by the library, which does not write to what it copies */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text.len, (void *)(uintptr_t)text.ptr, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (!response) {
        return MHD_NO; /* closes the connection */
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        (code != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES)) {
        result = MHD_queue_response(connection, code, response);
    }
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned code,
                                   const char *text) {
    return answer(connection, code, TYPE_TEXT, slice_from_text(text));
}

static enum MHD_Result answer_metrics(const struct metrics_http *http,
                                      struct MHD_Connection *connection) {
    struct buffer text;
    enum MHD_Result result;

    buffer_init(&text, TEXT_BYTES_MAX);
    if (exposition_write(http->service, &text) == STATUS_OK) {
        result = answer(connection, MHD_HTTP_OK, TYPE_METRICS, buffer_slice(&text));
    } else {
        result = answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    }
    buffer_deinit(&text);
    return result;
}

static enum MHD_Result answer_health(struct metrics_http *http, struct MHD_Connection *connection) {
    struct error error = {.status = STATUS_OK};
    char text[HEALTH_TEXT_MAX];
    int len;

    if (atomic_load_explicit(&http->stopping, memory_order_relaxed)) {
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
    }
    if (store_health(http->service->store, &error) == STATUS_OK) {
        return answer_text(connection, MHD_HTTP_OK, "ok\n");
    }
    len = error_format(&error, text, HEALTH_TEXT_MAX - 1);
    text[len] = '\n';
    text[len + 1] = '\0';
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* Called at the end of a request's head, then for what there is of a body, then at its end. An
 * answer before the end closes the connection, so only what is well made waits for it. */
static enum MHD_Result request_cb(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *http_version, const char *body,
                                  size_t *body_bytes, void **request) {
    struct metrics_http *http = arg;

    (void)http_version;
    (void)body;
    if (strcmp(path, "/metrics") != 0 && strcmp(path, "/healthz") != 0) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n");
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (!*request) {
        *request = http; /* seen */
        return MHD_YES;
    }
    if (*body_bytes > 0) {
        return MHD_NO; /* nobody sends a body with these */
    }
    return path[1] == 'm' ? answer_metrics(http, connection) : answer_health(http, connection);
}

/* ---- Listening */

static enum status socket_error(struct error *error, const char *text, const char *operation) {
    int code = errno;
    enum status status = code == EADDRINUSE                ? STATUS_LOCKED
                         : code == EACCES || code == EPERM ? STATUS_DENIED
                                                           : STATUS_IO;

    return error_set(error, status, code, text, ERROR_NO_OFFSET, "metrics.listen: %s", operation);
}

static enum status listen_on(const struct config_address *address, const char *text,
                             int *descriptor_out, struct error *error) {
    struct sockaddr_storage name;
    socklen_t len = config_address_sockaddr(address, &name);
    int descriptor = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (descriptor < 0) {
        return socket_error(error, text, "socket");
    }
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(descriptor, (struct sockaddr *)&name, len) != 0 || listen(descriptor, BACKLOG) != 0) {
        enum status status = socket_error(error, text, "bind");
        close(descriptor);
        return status;
    }
    *descriptor_out = descriptor;
    return STATUS_OK;
}

/* The port that the system chose, if it was asked to. */
static uint16_t bound_port(int descriptor) {
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;

    ASSERT(getsockname(descriptor, (struct sockaddr *)&bound, &len) == 0);
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

static void log_address(struct log *log, const struct config_address *address, uint16_t port) {
    char text[ADDRESS_TEXT_MAX];

    snprintf(text, sizeof text, address->kind == CONFIG_ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u",
             address->host, port);
    log_info(log, "metrics over HTTP", LOG_FIELDS(log_text("address", text)));
}

/* The descriptor is the daemon's from here on. After a failure it may be closed or not: it is left,
 * since kvd ends then. */
static enum status start_daemon(struct metrics_http *http, int descriptor) {
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, request_cb, http,
        MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT,
        METRICS_HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, METRICS_HTTP_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX, MHD_OPTION_END);
    return http->daemon ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status metrics_http_create(const char *address_text, const struct service *service,
                                struct metrics_http **http_out, struct error *error) {
    struct metrics_http *http = memory_alloc_zeroed(sizeof *http);
    struct config_address address;
    int descriptor = -1;
    enum status status = config_address_parse(address_text, &address, error);

    ASSERT(status != STATUS_OK || address.kind != CONFIG_ADDRESS_UNIX);
    if (status == STATUS_OK && !http) {
        status = error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "metrics.listen");
    }
    if (status == STATUS_OK) {
        status = listen_on(&address, address_text, &descriptor, error);
    }
    if (status == STATUS_OK) {
        http->service = service;
        http->port = bound_port(descriptor);
        status = start_daemon(http, descriptor);
        if (status != STATUS_OK) {
            error_set(error, status, 0, address_text, ERROR_NO_OFFSET,
                      "metrics.listen: cannot start to serve HTTP");
        }
    }
    if (status != STATUS_OK) {
        memory_free(http);
        return status;
    }
    log_address(service->log, &address, http->port);
    *http_out = http;
    return STATUS_OK;
}

uint16_t metrics_http_port(const struct metrics_http *http) {
    return http->port;
}

void metrics_http_stopping(struct metrics_http *http) {
    if (http) {
        atomic_store_explicit(&http->stopping, true, memory_order_relaxed);
    }
}

void metrics_http_destroy(struct metrics_http *http) {
    if (http) {
        MHD_stop_daemon(http->daemon);
        memory_free(http);
    }
}
