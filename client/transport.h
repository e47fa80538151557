/* transport.h: one socket and its two buffers; whole frames in, whole frames out.
 *
 *      out:  | sent ..... | not sent yet |        in:  | taken ... | not taken yet |
 *
 * The caller appends frames to `out` and calls transport_flush, which sends and, while the socket
 * takes no more, receives: so two sides that both write cannot wait for each other for ever.
 * transport_next_frame hands out one frame that borrows from `in` until the next call here. The
 * buffers keep their memory, so a warm transport allocates nothing.
 *
 * Deadlines are on clock.h's clock. After any error the caller closes; frames received before stay
 * readable. One thread. Errors leave a text in `error`. */
#ifndef KVD_CLIENT_TRANSPORT_H
#define KVD_CLIENT_TRANSPORT_H

#include "protocol/wire.h"

#define TRANSPORT_ERROR_BYTES 256

struct transport {
    int fd;            /* owned; -1 when closed */
    struct buffer out; /* frames that are not sent yet, or in part */
    size_t out_sent;   /* bytes of `out` that the kernel took */
    struct buffer in;
    size_t in_taken;                   /* bytes of `in` that were handed out */
    uint64_t queued;                   /* bytes sent in earlier flushes of this connection */
    char error[TRANSPORT_ERROR_BYTES]; /* about the last failure */
};

/* A closed transport; nothing is allocated. */
void transport_init(struct transport *transport);
void transport_deinit(struct transport *transport);

/* Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH"; both buffers are emptied. Errors: INVALID
 * (address), CONNECT, TIMEOUT, NO_MEMORY. */
enum status transport_open(struct transport *transport, const char *address,
                           int64_t deadline_ms) MUST_CHECK;

/* The same with a connected socket, which it takes. */
void transport_adopt(struct transport *transport, int fd);

/* Closes the socket; what was received stays readable until the next open. */
void transport_close(struct transport *transport);

/* Whether the peer closed, or spoke without being asked: then a request must not be sent here. */
bool transport_is_stale(const struct transport *transport);

/* Sends all of `out`, and receives meanwhile if the socket is full. Errors: TIMEOUT, CLOSED,
 * NO_MEMORY, TOO_LARGE (over 2 GiB of replies). */
enum status transport_flush(struct transport *transport, int64_t deadline_ms) MUST_CHECK;

/* For callers that never wait. transport_push sends what the kernel takes (WOULD_BLOCK: it took
 * not all); transport_pull receives once, about one frame that is wanted or 64 KiB, OK also if
 * there was nothing; transport_take hands out a frame that is there, or NEED_MORE. Errors: as the
 * calls below that wait. */
enum status transport_push(struct transport *transport) MUST_CHECK;
enum status transport_pull(struct transport *transport, size_t wanted) MUST_CHECK;
enum status transport_take(struct transport *transport, uint32_t body_max, size_t *wanted_out,
                           struct wire_frame *frame_out) MUST_CHECK;

/* Where the bytes appended so far end, and how many of them the kernel took: both count from the
 * opening on. A frame that ends behind transport_sent() cannot have reached the peer whole. */
uint64_t transport_queued(const struct transport *transport);
uint64_t transport_sent(const struct transport *transport);

/* The next frame of kind RESPONSE; receives as needed. Errors: TIMEOUT, CLOSED, PROTOCOL, TOO_LARGE
 * (declared body above body_max), NO_MEMORY. */
enum status transport_next_frame(struct transport *transport, uint32_t body_max,
                                 int64_t deadline_ms, struct wire_frame *frame_out) MUST_CHECK;

#endif
