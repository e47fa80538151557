/* command.h: what the handlers of commands are given, and their list.
 *
 * A handler is one of three kinds, and knows nothing of connections:
 *
 *   local   answers at once from what the session and the service know
 *   read    appends its answer to a buffer, from one read transaction. The same function runs on a
 *           loop, where it must not wait (and may return WOULD_BLOCK), and on an I/O thread
 *   write   fills a commit; the answer is made from the commit's outcome
 *
 * A read that fails leaves the buffer as it was or with an unfinished answer: the caller rolls it
 * back to its mark and answers with an error. */
#ifndef KVD_SERVER_COMMAND_H
#define KVD_SERVER_COMMAND_H

#include "server/service.h"
#include "server/session.h"

/* For one read, on one thread. */
struct read_context {
    const struct service *service;
    struct store_read *read;
    enum store_wait wait;
    struct buffer *scratch; /* for keys; what is in it lives as long as the call */
};

/* --- local. They append a whole answer, or nothing. Errors of buffer_reserve; other errors are the
 * client's, with *refusal_out filled. */
enum status command_hello(const struct service *service, struct session *session,
                          const struct wire_request *request, struct buffer *answer,
                          struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_ping(const struct service *service, struct session *session,
                         const struct wire_request *request, struct buffer *answer,
                         struct wire_refusal *refusal_out) MUST_CHECK;

/* --- read. Errors: those of store_get and the cursor. */
enum status command_get(struct read_context *context, const struct wire_request *request,
                        struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_mget(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_exists(struct read_context *context, const struct wire_request *request,
                           struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_meta(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_scan(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_count(struct read_context *context, const struct wire_request *request,
                          struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_stats(struct read_context *context, const struct wire_request *request,
                          struct buffer *answer, struct error *error) MUST_CHECK;

/* Whether a scan is too long for a loop. */
bool command_scan_is_long(const struct wire_request *request);

/* --- write. Errors: those of adding to a commit, with *refusal_out filled where there is more to
 * say; the commit is to be reset then. */
enum status command_put(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_delete(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit,
                           struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_batch(const struct service *service, const struct wire_request *request,
                          struct store_commit *commit, struct wire_refusal *refusal_out) MUST_CHECK;

#endif
