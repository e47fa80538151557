/* bench_socket.c: connected sockets. See bench_socket.h. */
#include "client/kvcli/bench_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void set_options(int fd, uint64_t timeout_ms) {
    struct timeval timeout = {(time_t)(timeout_ms / 1000), (suseconds_t)(timeout_ms % 1000) * 1000};
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket refuses it */
}

static int connect_one(int family, const struct sockaddr *address, socklen_t len,
                       uint64_t timeout_ms) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    set_options(fd, timeout_ms);
    if (connect(fd, address, len) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static enum status connect_unix(const char *path, uint64_t timeout_ms, int *fd_out,
                                struct error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof address.sun_path) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the path of a Unix socket has 1 to %zu bytes",
                         sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, len);
    *fd_out = connect_one(AF_UNIX, (const struct sockaddr *)&address, sizeof address, timeout_ms);
    return *fd_out >= 0 ? STATUS_OK
                        : error_set(error, STATUS_CONNECT, errno, path, ERROR_NO_OFFSET, "connect");
}

/* Splits "host:port" and "[host]:port"; false if it is neither. */
static bool split_address(const char *address, char host[256], const char **port_out) {
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;

    if (!colon || !colon[1] || len >= 256) {
        return false;
    }
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    memcpy(host, address, len);
    host[len] = 0;
    *port_out = colon + 1;
    return len > 0;
}

enum status bench_socket_connect(const char *address, uint64_t timeout_ms, int *fd_out,
                                 struct error *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *port;
    char host[256];
    int fd = -1;
    int failure;

    if (strncmp(address, "unix:", 5) == 0) {
        return connect_unix(address + 5, timeout_ms, fd_out, error);
    }
    if (!split_address(address, host, &port)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the address '%s' is neither HOST:PORT nor unix:PATH", address);
    }
    failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0) {
        return error_set(error, STATUS_CONNECT, 0, address, ERROR_NO_OFFSET, "%s",
                         gai_strerror(failure));
    }
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        fd = connect_one(at->ai_family, at->ai_addr, at->ai_addrlen, timeout_ms);
    }
    freeaddrinfo(found);
    *fd_out = fd;
    return fd >= 0 ? STATUS_OK
                   : error_set(error, STATUS_CONNECT, errno, address, ERROR_NO_OFFSET, "connect");
}
