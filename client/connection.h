/* connection.h: struct kvd, and the one way in which a call goes to the server and back.
 *
 *      kvd_put ... -> connection_begin -> connection_call -> transport -> response
 *                                              \-> on loss: reads once more, writes UNKNOWN, or
 *                                                  with retry_ms once more with the same token
 *
 * A call: connection_begin clears the last error and refuses while a pipeline is open;
 * connection_call connects if need be (socket, HELLO), encodes, sends, waits, decodes. What the
 * response points to lives in the receive buffer until the next call. Every failure leaves its
 * status, text, number and item in struct kvd, for kvd_error. One thread at a time. */
#ifndef KVD_CLIENT_CONNECTION_H
#define KVD_CLIENT_CONNECTION_H

#include "client/page.h"
#include "client/result.h"
#include "client/transport.h"
#include "protocol/wire.h"

#include <kvd/kvd.h>

#define CONNECTION_ERROR_BYTES 512

/* What is remembered of a queued request of a pipeline until its result is read. */
struct pending {
    uint64_t end; /* where its frame ends, as transport_queued counts */
    uint32_t id;
    uint16_t opcode;
    bool is_write;
    bool verify;    /* compare values with their checksums */
    bool keys_only; /* SCAN */
};

struct pipeline {
    struct pending *ring; /* owned; `capacity` elements, a power of two, or NULL */
    uint64_t capacity;
    uint64_t head;     /* requests whose result was read since the pipeline was empty */
    uint64_t tail;     /* requests queued since then */
    uint64_t answered; /* where the last answered request's frame ended */
    enum status lost;  /* not OK: the connection is gone, and why */
    char error[CONNECTION_ERROR_BYTES]; /* of the last result, or of the loss */
};

struct kvd {
    /* constant after kvd_connect */
    char *address;
    char *client_name;
    char *namespace_name; /* "" for the default one */
    enum kvd_durability durability;

    uint32_t timeout_ms;
    uint32_t retry_ms;                 /* writes are repeated for so long; 0: never */
    struct kvd_retry_token last_token; /* of the last write that might be repeated */
    uint32_t next_id;
    struct transport transport;
    struct buffer scratch; /* lists of MGET */
    struct kvd_server_info info;
    uint32_t agreed; /* flags of HELLO */

    struct pipeline pipeline;
    struct kvd_page page; /* of the last result of a pipeline, if it was a SCAN's */

    /* about the last call */
    char error[CONNECTION_ERROR_BYTES];
    uint64_t error_detail;
    uint32_t error_item;
    bool has_conflict;             /* it ended with CONFLICT, */
    struct wire_conflict conflict; /* this one; in the receive buffer */
};

/* A handle that is not connected; NULL when out of memory. kvd_close frees it. */
struct kvd *connection_create(const char *address, const struct kvd_connect_options *options);

/* Whether the options of kvd_connect are valid; takes a client id, if writes are to be repeated.
 * Errors: INVALID, INTERNAL (there are no random bytes). */
enum status connection_check(struct kvd *db) MUST_CHECK;

static inline struct slice connection_slice(struct kvd_bytes bytes) {
    return slice_make(bytes.ptr, bytes.len);
}

/* Remembers a failure found here; returns `status`. `format` is printf's. */
enum status connection_fail(struct kvd *db, enum status status, uint64_t detail, const char *format,
                            ...) __attribute__((format(printf, 4, 5)));

/* Forgets the last error. Errors: BUSY when results of a pipeline are unread. */
enum status connection_begin(struct kvd *db) MUST_CHECK;

/* Connects if not connected; drops a connection that the peer has closed when `fresh` is asked.
 * Errors: as kvd_connect. */
enum status connection_ready(struct kvd *db, int64_t deadline_ms, bool fresh) MUST_CHECK;

/* The steps of HELLO, for callers that never wait: its frame into the send buffer, and what its
 * answer means. Errors: NO_MEMORY; as kvd_connect. */
enum status connection_hello_encode(struct kvd *db, uint32_t *id_out) MUST_CHECK;
enum status connection_hello_judge(struct kvd *db, const struct wire_response *response) MUST_CHECK;

/* Closes the socket; the next call opens it again. */
void connection_drop(struct kvd *db);

/* When the call that begins now has to end. */
int64_t connection_deadline(const struct kvd *db);

/* A request with the connection's namespace and the options of the call. */
struct wire_request connection_read_request(const struct kvd *db, uint16_t opcode,
                                            const struct kvd_read_options *options);
struct wire_request connection_write_request(const struct kvd *db, uint16_t opcode,
                                             const struct kvd_write_options *options);

/* Sets the flags of the state that is to be read. */
void connection_set_state(struct wire_options *wire, const struct kvd_state *state);

/* Whether HELLO agreed to the options, and frames of so many bytes of body. Errors: UNSUPPORTED,
 * TOO_LARGE. */
enum status connection_admits(struct kvd *db, uint32_t flags, size_t body_len) MUST_CHECK;

/* Gives it an id, checks it against what HELLO told, and appends its frame to the send buffer, or
 * nothing. Errors: UNSUPPORTED, TOO_LARGE, NO_MEMORY. */
enum status connection_encode(struct kvd *db, struct wire_request *request) MUST_CHECK;

/* One request, one response; connection_begin comes before. The status of the response is returned
 * and remembered as if it had arisen here. */
enum status connection_call(struct kvd *db, struct wire_request *request,
                            struct wire_response *response_out) MUST_CHECK;

/* Takes the next response, which must answer `asked`. Errors: of transport_next_frame, PROTOCOL,
 * UNSUPPORTED: the connection is of no use then. */
enum status connection_receive(struct kvd *db, const struct pending *asked, int64_t deadline_ms,
                               struct wire_response *response_out) MUST_CHECK;

/* The same of a frame that is there. Errors: PROTOCOL, UNSUPPORTED. */
enum status connection_decode(struct kvd *db, const struct wire_frame *frame,
                              const struct pending *asked,
                              struct wire_response *response_out) MUST_CHECK;

/* Writes the text of an error response: the server's, or the status's. */
void connection_describe(const struct wire_response *response, char *text_out, size_t room);

/* Whether a request must not be sent twice. */
bool connection_is_write(uint16_t opcode);

#endif
