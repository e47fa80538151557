/* address.h: "HOST:PORT", "[IPV6]:PORT" and "unix:PATH" to a connected socket. Any thread. */
#ifndef KVD_CLIENT_ADDRESS_H
#define KVD_CLIENT_ADDRESS_H

#include "protocol/base/status.h"

#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TARGETS_MAX 16u /* of one name; more are never tried */

struct address_error {
    const char *text; /* static: which step failed */
    int os_errno;     /* or 0 */
};

struct address_target {
    struct sockaddr_storage name;
    socklen_t len;
};

/* Where an address leads to. */
struct address_targets {
    struct address_target targets[ADDRESS_TARGETS_MAX];
    size_t count;
};

/* Looks an address up; only a host name can take time. Errors: INVALID (not an address), CONNECT
 * (no such host). */
enum status address_resolve(const char *address, struct address_targets *targets_out,
                            struct address_error *error_out) MUST_CHECK;

/* Begins to connect and does not wait: WOULD_BLOCK until the socket is writable, and then
 * address_finish tells. *fd_out is owned by the caller on OK and WOULD_BLOCK. Errors: CONNECT. */
enum status address_begin(const struct address_target *target, int *fd_out,
                          struct address_error *error_out) MUST_CHECK;
enum status address_finish(int fd, struct address_error *error_out) MUST_CHECK;

/* Connects within the deadline (of clock.h's clock); *fd_out is owned by the caller: close
 * on exec, and for TCP without delay. All addresses that a name has are tried in turn. Errors:
 * INVALID (not an address), CONNECT, TIMEOUT; *error_out is filled then. */
enum status address_connect(const char *address, int64_t deadline_ms, int *fd_out,
                            struct address_error *error_out) MUST_CHECK;

#endif
