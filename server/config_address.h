/* config_address.h: the addresses that kvd listens on, from text. Pure.
 *
 *     127.0.0.1:7450   [::1]:7450   localhost:7450   unix:/run/kvd/kvd.sock
 *
 * "localhost" is 127.0.0.1. Other names are not looked up: where a server listens must not depend
 * on what a name server says that day. */
#ifndef KVD_SERVER_CONFIG_ADDRESS_H
#define KVD_SERVER_CONFIG_ADDRESS_H

#include "protocol/base/error.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum config_address_kind { CONFIG_ADDRESS_IPV4, CONFIG_ADDRESS_IPV6, CONFIG_ADDRESS_UNIX };

/* Room for sun_path (108 with its NUL) and for any IPv6 address. */
#define CONFIG_ADDRESS_HOST_MAX 108

struct config_address {
    enum config_address_kind kind;
    char host[CONFIG_ADDRESS_HOST_MAX]; /* numeric, without brackets; the path of a Unix socket */
    uint16_t port;                      /* 0: a free one; unused by a Unix socket */
    bool loopback;                      /* cannot be reached from another machine */
};

/* Errors: INVALID; the text says what is wrong and what is expected. */
enum status config_address_parse(const char *text, struct config_address *address_out,
                                 struct error *error) MUST_CHECK;

/* The same for the socket calls; returns its length. */
socklen_t config_address_sockaddr(const struct config_address *address,
                                  struct sockaddr_storage *sockaddr_out);

#endif
