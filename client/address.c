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

/* Waits for a connect that is under way. */
static enum status wait_connected(int fd, int64_t deadline_ms, struct address_error *error) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int os_errno = 0;
    socklen_t len = sizeof os_errno;
    int ready;

    do {
        ready = poll(&poll_fd, 1, clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return fail(error, STATUS_TIMEOUT, "connecting took too long", 0);
    }
    if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_errno, &len) != 0) {
        return fail(error, STATUS_CONNECT, "connecting", errno);
    }
    return os_errno == 0 ? STATUS_OK : fail(error, STATUS_CONNECT, "connecting", os_errno);
}

static enum status connect_one(const struct sockaddr *target, socklen_t target_len,
                               int64_t deadline_ms, int *fd_out, struct address_error *error) {
    int fd = socket(target->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    enum status status = STATUS_OK;

    if (fd < 0) {
        return fail(error, STATUS_CONNECT, "opening a socket", errno);
    }
    if (connect(fd, target, target_len) != 0) {
        status = errno == EINPROGRESS ? wait_connected(fd, deadline_ms, error)
                                      : fail(error, STATUS_CONNECT, "connecting", errno);
    }
    if (status != STATUS_OK) {
        close(fd);
        return status;
    }
    if (target->sa_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                         sizeof on); /* slower without, not wrong */
    }
    *fd_out = fd;
    return STATUS_OK;
}

static enum status connect_unix(const char *path, int64_t deadline_ms, int *fd_out,
                                struct address_error *error) {
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof target.sun_path) {
        return fail(error, STATUS_INVALID, "the path of a unix address has 1 to 107 bytes", 0);
    }
    memcpy(target.sun_path, path, len + 1);
    return connect_one((const struct sockaddr *)&target, sizeof target, deadline_ms, fd_out, error);
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

static enum status connect_tcp(const char *address, int64_t deadline_ms, int *fd_out,
                               struct address_error *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct host_port parts = {0};
    struct addrinfo *found = NULL;
    enum status status = STATUS_CONNECT;
    int result;

    if (!split(address, &parts)) {
        return fail(error, STATUS_INVALID, "an address is HOST:PORT, [IPV6]:PORT or unix:PATH", 0);
    }
    result = getaddrinfo(parts.host, parts.port, &hints, &found);
    if (result != 0) {
        return fail(error, STATUS_CONNECT, gai_strerror(result), 0);
    }
    for (struct addrinfo *at = found; at && status == STATUS_CONNECT; at = at->ai_next) {
        status = connect_one(at->ai_addr, at->ai_addrlen, deadline_ms, fd_out, error);
    }
    freeaddrinfo(found);
    return status;
}

enum status address_connect(const char *address, int64_t deadline_ms, int *fd_out,
                            struct address_error *error_out) {
    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        return connect_unix(address + strlen(UNIX_PREFIX), deadline_ms, fd_out, error_out);
    }
    return connect_tcp(address, deadline_ms, fd_out, error_out);
}
