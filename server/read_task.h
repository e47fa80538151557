/* read_task.h: reads, on the loop and on I/O threads, by the same function.
 *
 * A read that must wait for the disk is done again from its start on an I/O thread: a reply takes a
 * copy of the request's frame and a read transaction on the same state, so the answer is what the
 * loop would have found. */
#ifndef KVD_SERVER_READ_TASK_H
#define KVD_SERVER_READ_TASK_H

#include "server/dispatch.h"
#include "server/reply_queue.h"

#define READ_SCRATCH_BYTES_MAX (256u * 1024) /* two keys and a prefix */

/* Appends the answer to `answer`, which may be an error answer (*failed_out tells). Errors:
 * WOULD_BLOCK; NO_MEMORY or TOO_LARGE when not even an error could be appended. Nothing is appended
 * then. */
enum status read_run(struct read_context *context, const struct command *command,
                     const struct wire_request *request, struct buffer *answer,
                     bool *failed_out) MUST_CHECK;

/* The request of reply->frame, which was decoded before. Valid as long as the frame. */
void read_task_decode(const struct reply *reply, struct wire_request *request_out);

/* Whether the time for the work of `reply` has passed. */
bool read_task_is_late(const struct reply *reply);

/* Reads on an I/O thread for `reply`, whose frame, read, agreed, service and deadline are set. The
 * answer comes in reply->bytes (or reply->lost, if memory was out), the hold in reply->waiter.hold,
 * by its message. The reply must not be touched until then, but for `cancelled`. */
void read_task_post(struct reply *reply);

#endif
