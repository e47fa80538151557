/* address.c: see address.h. */
#include "client/address.h"

#include "client/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HOST_BYTES_MAX 256
#define PORT_BYTES_MAX 6
#define UNIX_PREFIX "unix:"

#define PORT_MAX 65535u

struct host_port {
    char host[HOST_BYTES_MAX];
    char port[PORT_BYTES_MAX];
};

static enum status fail(struct address_error *error, enum status status, const char *text,
                        int os_errno) {
    *error = (struct address_error){text, os_errno};
    return status;
}

enum status address_finish(int fd, struct address_error *error_out) {
    int os_errno = 0;
    socklen_t len = sizeof os_errno;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_errno, &len) != 0) {
        os_errno = errno;
    }
    return os_errno == 0 ? STATUS_OK : fail(error_out, STATUS_CONNECT, "connecting", os_errno);
}

/* Waits for a connect that is under way. */
static enum status wait_connected(int fd, int64_t deadline_ms, struct address_error *error) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int ready;

    do {
        ready = poll(&poll_fd, 1, clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return fail(error, STATUS_TIMEOUT, "connecting took too long", 0);
    }
    return ready > 0 ? address_finish(fd, error) : fail(error, STATUS_CONNECT, "connecting", errno);
}

enum status address_begin(const struct address_target *target, int *fd_out,
                          struct address_error *error_out) {
    int fd = socket(target->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    enum status status = STATUS_OK;

    if (fd < 0) {
        return fail(error_out, STATUS_CONNECT, "opening a socket", errno);
    }
    if (target->name.ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                         sizeof on); /* slower without, not wrong */
    }
    if (connect(fd, (const struct sockaddr *)&target->name, target->len) != 0) {
        status = errno == EINPROGRESS ? STATUS_WOULD_BLOCK
                                      : fail(error_out, STATUS_CONNECT, "connecting", errno);
    }
    if (status == STATUS_CONNECT) {
        close(fd);
        return status;
    }
    *fd_out = fd;
    return status;
}

static enum status connect_one(const struct address_target *target, int64_t deadline_ms,
                               int *fd_out, struct address_error *error) {
    int fd = -1;
    enum status status = address_begin(target, &fd, error);

    if (status == STATUS_WOULD_BLOCK) {
        status = wait_connected(fd, deadline_ms, error);
        if (status != STATUS_OK) {
            close(fd);
        }
    }
    if (status == STATUS_OK) {
        *fd_out = fd;
    }
    return status;
}

static enum status resolve_unix(const char *path, struct address_targets *targets,
                                struct address_error *error) {
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof target.sun_path) {
        return fail(error, STATUS_INVALID, "the path of a unix address has 1 to 107 bytes", 0);
    }
    memcpy(target.sun_path, path, len + 1);
    memcpy(&targets->targets[0].name, &target, sizeof target);
    targets->targets[0].len = sizeof target;
    targets->count = 1;
    return STATUS_OK;
}

/* Splits at the last colon; an IPv6 address is in brackets. */
static bool split(const char *address, struct host_port *out) {
    const char *colon = strrchr(address, ':');
    const char *host = address;
    size_t host_len;
    size_t port_len;

    if (!colon) {
        return false;
    }
    host_len = (size_t)(colon - address);
    port_len = strlen(colon + 1);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len)) {
        return false;
    }
    if (host_len == 0 || host_len >= HOST_BYTES_MAX || port_len == 0 ||
        port_len >= PORT_BYTES_MAX || strspn(colon + 1, "0123456789") != port_len ||
        strtoul(colon + 1, NULL, 10) > PORT_MAX) { /* getaddrinfo would cut it to 16 bits */
        return false;
    }
    memcpy(out->host, host, host_len);
    memcpy(out->port, colon + 1, port_len);
    return true;
}

static enum status resolve_tcp(const char *address, struct address_targets *targets,
                               struct address_error *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct host_port parts = {0};
    struct addrinfo *found = NULL;
    int result;

    if (!split(address, &parts)) {
        return fail(error, STATUS_INVALID, "an address is HOST:PORT, [IPV6]:PORT or unix:PATH", 0);
    }
    result = getaddrinfo(parts.host, parts.port, &hints, &found);
    if (result != 0) {
        return fail(error, STATUS_CONNECT, gai_strerror(result), 0);
    }
    targets->count = 0;
    for (struct addrinfo *at = found; at && targets->count < ADDRESS_TARGETS_MAX;
         at = at->ai_next) {
        struct address_target *target = &targets->targets[targets->count++];
        memcpy(&target->name, at->ai_addr, at->ai_addrlen);
        target->len = at->ai_addrlen;
    }
    freeaddrinfo(found);
    return STATUS_OK;
}

enum status address_resolve(const char *address, struct address_targets *targets_out,
                            struct address_error *error_out) {
    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        return resolve_unix(address + strlen(UNIX_PREFIX), targets_out, error_out);
    }
    return resolve_tcp(address, targets_out, error_out);
}

enum status address_connect(const char *address, int64_t deadline_ms, int *fd_out,
                            struct address_error *error_out) {
    struct address_targets found = {.count = 0};
    enum status status = address_resolve(address, &found, error_out);
    enum status tried = STATUS_CONNECT;

    for (size_t i = 0; status == STATUS_OK && i < found.count && tried == STATUS_CONNECT; i++) {
        tried = connect_one(&found.targets[i], deadline_ms, fd_out, error_out);
    }
    return status == STATUS_OK ? tried : status;
}
