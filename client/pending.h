/* pending.h: the requests that were queued and not answered, oldest first, and how the answer of
 * each becomes a kvd_result; for pipeline.c, which waits, and async.c, which does not.
 *
 *      push ->  tail ............... head  -> result, pop (by the caller: head++)
 *
 * Belongs to a struct kvd; one thread. */
#ifndef KVD_CLIENT_PENDING_H
#define KVD_CLIENT_PENDING_H

#include "client/connection.h"

static inline bool pending_is_empty(const struct pipeline *pipeline) {
    return pipeline->head == pipeline->tail;
}

static inline struct pending *pending_at(const struct pipeline *pipeline, uint64_t index) {
    return &pipeline->ring[index & (pipeline->capacity - 1)];
}

/* Sees to it that one more can be pushed. Errors: NO_MEMORY. */
enum status pending_room(struct kvd *db) MUST_CHECK;

/* Remembers a request whose frame is the last one of the send buffer. */
void pending_push(struct kvd *db, const struct wire_request *request);

/* What becomes of a request whose answer will never come, as the connection was lost with `lost`:
 * UNKNOWN for a write that may have been sent whole. */
enum status pending_lost(const struct kvd *db, const struct pending *pending, enum status lost);

/* Fills status, values and texts of a result from its response; both borrow from db. */
void pending_result(struct kvd *db, const struct pending *pending,
                    const struct wire_response *response, struct kvd_result *result);

enum kvd_operation pending_operation(uint16_t opcode);

#endif
