/* answering.h: where the answer of the request at hand goes: to the connection's output, if nothing
 * before it waits, or into its queue of replies.
 *
 * Without memory for an answer the connection is broken. The loop's thread only. */
#ifndef KVD_SERVER_ANSWERING_H
#define KVD_SERVER_ANSWERING_H

#include "server/connection.h"

/* Where an answer is appended to that comes next in order. */
struct answer {
    struct buffer *buffer;
    size_t mark;
    struct reply *reply; /* the buffer is this one's; NULL: it is the output's */
};

/* Makes a reply of the connection, and puts it at the end of its queue. */
void answering_init(struct connection *connection, struct reply *reply, enum reply_phase phase);

/* The same with one from the pool; NULL: the connection is broken. */
struct reply *answering_add(struct connection *connection, enum reply_phase phase);

/* Sees that a reply has a buffer. */
void answering_give_bytes(struct connection *connection, struct reply *reply);

/* Returns whether there is a place; if not, the connection is broken. */
bool answering_begin(struct connection *connection, struct answer *answer_out);

/* `status`: whether what was appended is whole. */
void answering_end(struct connection *connection, const struct answer *answer, enum status status);

/* An error answer; `refusal` may be NULL. */
void answering_error(struct connection *connection, uint32_t id, enum status status,
                     const struct wire_refusal *refusal);

/* The same for a request that failed with a detail. */
void answering_failure(struct connection *connection, uint32_t id, enum status status,
                       const struct error *error);

/* Takes the answer away from where it was appended and keeps it until the hold is passed. */
void answering_hold(struct connection *connection, const struct answer *answer,
                    const struct wire_request *request, size_t frame_bytes,
                    const struct store_hold *hold);

#endif
