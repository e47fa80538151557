/* limits.h: what a client may cost, in one place. Filled from the configuration before the first
 * connection, constant afterwards. Those of the protocol, which HELLO publishes, are in `wire`. */
#ifndef KVD_SERVER_LIMITS_H
#define KVD_SERVER_LIMITS_H

#include "protocol/wire.h"

#include <stddef.h>
#include <stdint.h>

struct limits {
    struct wire_limits wire;
    uint32_t hello_body_max;      /* bytes of a frame's body before HELLO */
    uint32_t hello_frames_max;    /* frames before HELLO */
    uint32_t hello_timeout_ms;    /* HELLO must have come by then */
    uint32_t strangers_max;       /* connections before HELLO; others wait to be accepted */
    uint32_t progress_timeout_ms; /* a client that takes none of its replies is closed */
    uint32_t connections_max;
    uint32_t turn_requests_max;   /* requests of one connection before others get their turn */
    uint32_t tasks_max;           /* reads of one connection on I/O threads */
    size_t output_pause_bytes;    /* queued replies at which no request is started */
    size_t output_limit_bytes;    /* queued replies at which a client that stalls is closed */
    size_t write_bytes_max;       /* of one connection's commits in flight */
    uint64_t client_memory_bytes; /* of all connections */
};

/* The values that are not configured, and the defaults of those that are. */
void limits_init(struct limits *limits);

#endif
