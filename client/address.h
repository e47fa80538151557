/* address.h: "HOST:PORT", "[IPV6]:PORT" and "unix:PATH" to a connected socket. Any thread. */
#ifndef KVD_CLIENT_ADDRESS_H
#define KVD_CLIENT_ADDRESS_H

#include "protocol/base/status.h"

#include <stdint.h>

struct address_error {
    const char *text; /* static: which step failed */
    int os_errno;     /* or 0 */
};

/* Connects within the deadline (of clock.h's clock); *fd_out is owned by the caller: close
 * on exec, and for TCP without delay. All addresses that a name has are tried in turn. Errors:
 * INVALID (not an address), CONNECT, TIMEOUT; *error_out is filled then. */
enum status address_connect(const char *address, int64_t deadline_ms, int *fd_out,
                            struct address_error *error_out) MUST_CHECK;

#endif
