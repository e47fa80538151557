/* config_address.c: the addresses that kvd listens on, from text. */
#include "server/config_address.h"

#include "protocol/base/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

_Static_assert(CONFIG_ADDRESS_HOST_MAX == sizeof((struct sockaddr_un *)0)->sun_path,
               "a path that fits the one fits the other");
_Static_assert(CONFIG_ADDRESS_HOST_MAX >= INET6_ADDRSTRLEN, "any IPv6 address fits");

static enum status fail(struct error *error, const char *text, const char *reason) {
    return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "address '%.120s': %s", text,
                     reason);
}

static enum status parse_unix(const char *text, struct config_address *address,
                              struct error *error) {
    const char *path = text + strlen(UNIX_PREFIX);
    size_t len = strlen(path);

    if (len == 0) {
        return fail(error, text, "expected a path after unix:");
    }
    if (len >= sizeof address->host) {
        return fail(error, text, "a path of a Unix socket has at most 107 bytes");
    }
    address->kind = CONFIG_ADDRESS_UNIX;
    address->loopback = true;
    memcpy(address->host, path, len + 1);
    return STATUS_OK;
}

static bool parse_port(const char *text, uint16_t *port_out) {
    unsigned port = 0;
    size_t digits = 0;

    while (digits < 6 && text[digits] >= '0' && text[digits] <= '9') {
        port = port * 10 + (unsigned)(text[digits] - '0');
        digits++;
    }
    if (digits == 0 || text[digits] != '\0' || port > UINT16_MAX) {
        return false;
    }
    *port_out = (uint16_t)port;
    return true;
}

static bool is_loopback6(const struct in6_addr *binary) {
    return IN6_IS_ADDR_LOOPBACK(binary) ||
           (IN6_IS_ADDR_V4MAPPED(binary) && binary->s6_addr[12] == 127);
}

/* Fills kind and loopback from the numeric host. */
static bool parse_host(struct config_address *address, bool bracketed) {
    struct in_addr binary4;
    struct in6_addr binary6;

    if (bracketed) {
        address->kind = CONFIG_ADDRESS_IPV6;
        if (inet_pton(AF_INET6, address->host, &binary6) != 1) {
            return false;
        }
        address->loopback = is_loopback6(&binary6);
        /* one spelling, so that the same address twice is seen */
        return inet_ntop(AF_INET6, &binary6, address->host, sizeof address->host) != NULL;
    }
    if (strcmp(address->host, "localhost") == 0) {
        snprintf(address->host, sizeof address->host, "127.0.0.1");
    }
    address->kind = CONFIG_ADDRESS_IPV4;
    if (inet_pton(AF_INET, address->host, &binary4) != 1) {
        return false;
    }
    address->loopback = ntohl(binary4.s_addr) >> 24 == 127;
    return true;
}

static enum status parse_tcp(const char *text, struct config_address *address,
                             struct error *error) {
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    size_t host_bytes;

    if (!colon || !parse_port(colon + 1, &address->port)) {
        return fail(error, text, "expected HOST:PORT with a port of 0 to 65535, or unix:PATH");
    }
    host_bytes = (size_t)(colon - text);
    if (bracketed && (host_bytes < 2 || text[host_bytes - 1] != ']')) {
        return fail(error, text, "expected ']' behind the IPv6 address");
    }
    host_bytes -= bracketed ? 2 : 0;
    if (host_bytes >= sizeof address->host) {
        return fail(error, text, "the host is too long");
    }
    memcpy(address->host, text + (bracketed ? 1 : 0), host_bytes);
    address->host[host_bytes] = '\0';
    if (!bracketed && strchr(address->host, ':')) {
        return fail(error, text, "an IPv6 address stands in brackets, as in [::1]:7450");
    }
    if (!parse_host(address, bracketed)) {
        return fail(error, text, "the host is a numeric address or localhost");
    }
    return STATUS_OK;
}

enum status config_address_parse(const char *text, struct config_address *address_out,
                                 struct error *error) {
    struct config_address address = {0};
    enum status status;

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        status = parse_unix(text, &address, error);
    } else {
        status = parse_tcp(text, &address, error);
    }
    if (status == STATUS_OK) {
        *address_out = address;
    }
    return status;
}

socklen_t config_address_sockaddr(const struct config_address *address,
                                  struct sockaddr_storage *sockaddr_out) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const void *from = &local;
    socklen_t bytes = sizeof local;

    if (address->kind == CONFIG_ADDRESS_IPV4) {
        ASSERT(inet_pton(AF_INET, address->host, &ipv4.sin_addr) == 1);
        from = &ipv4;
        bytes = sizeof ipv4;
    } else if (address->kind == CONFIG_ADDRESS_IPV6) {
        ASSERT(inet_pton(AF_INET6, address->host, &ipv6.sin6_addr) == 1);
        from = &ipv6;
        bytes = sizeof ipv6;
    } else {
        memcpy(local.sun_path, address->host, sizeof local.sun_path);
    }
    memset(sockaddr_out, 0, sizeof *sockaddr_out);
    memcpy(sockaddr_out, from, bytes);
    return bytes;
}
