/* command.h: what the handlers of commands are given, and their list.
 *
 * A handler is one of four kinds, and knows nothing of connections:
 *
 *   local   answers at once from what the session and the service know
 *   read    appends its answer to a buffer, from one read transaction. The same function runs on a
 *           loop, where it must not wait (and may return WOULD_BLOCK), and on an I/O thread
 *   write   fills a commit; the answer is made from the commit's outcome
 *   job     runs on an I/O thread, the only request of its connection meanwhile. It appends its
 *           answer, or fills a commit or a transaction (and returns PENDING), which its loop then
 *           submits
 *
 * A read or job that fails leaves the buffer as it was or with an unfinished answer: the caller
 * rolls it back to its mark and answers with an error. */
#ifndef KVD_SERVER_COMMAND_H
#define KVD_SERVER_COMMAND_H

#include "server/feed_look.h"
#include "server/service.h"
#include "server/session.h"

#include <stdatomic.h>

/* For one read, on one thread. */
struct read_context {
    const struct service *service;
    struct store_read *read; /* NULL for those that read no state of keys */
    enum store_wait wait;
    struct buffer *scratch;       /* for keys; what is in it lives as long as the call */
    const atomic_bool *cancelled; /* nobody is left to read the answer; NULL on a loop */
    struct feed_look *look;       /* of FEED; NULL on a loop */
};

/* For one job, on an I/O thread. */
struct job_context {
    const struct service *service;
    struct uploads **uploads;    /* of the session; the job's while it runs */
    uint64_t fresh_id;           /* of an upload that it may begin */
    uint64_t now_ms;             /* monotonic */
    struct store_commit *commit; /* empty; filled if PENDING is returned */
    uint64_t stream;             /* of its commit */
    uint64_t number;             /* out: for the answer of a commit (REWIND: keys changed) */
    struct store_transaction *transaction; /* out: to be submitted; its answer is complete but for
                                              the version */
    struct store_hold hold;                /* out: of what was read for the answer */
    struct buffer *answer;
    struct wire_refusal *refusal; /* out, on an error: text and detail, if there are any */
};

/* --- local. They append a whole answer, or nothing. Errors of buffer_reserve; other errors are the
 * client's, with *refusal_out filled. */
enum status command_hello(const struct service *service, struct session *session,
                          const struct wire_request *request, struct buffer *answer,
                          struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_ping(const struct service *service, struct session *session,
                         const struct wire_request *request, struct buffer *answer,
                         struct wire_refusal *refusal_out) MUST_CHECK;

/* After the commits of the connection that came before them. */
enum status command_snapshot_open(const struct service *service, struct session *session,
                                  const struct wire_request *request, struct buffer *answer,
                                  struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_snapshot_close(const struct service *service, struct session *session,
                                   const struct wire_request *request, struct buffer *answer,
                                   struct wire_refusal *refusal_out) MUST_CHECK;

enum status command_txn_begin(const struct service *service, struct session *session,
                              const struct wire_request *request, struct buffer *answer,
                              struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_txn_abort(const struct service *service, struct session *session,
                              const struct wire_request *request, struct buffer *answer,
                              struct wire_refusal *refusal_out) MUST_CHECK;

/* Closes the snapshots that end with the connection. */
void command_snapshots_end(const struct service *service, struct session *session);

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

enum status command_get_range(struct read_context *context, const struct wire_request *request,
                              struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_history(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_diff(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_feed(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_snapshot_list(struct read_context *context, const struct wire_request *request,
                                  struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_namespace_list(struct read_context *context, const struct wire_request *request,
                                   struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_why(struct read_context *context, const struct wire_request *request,
                        struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_config(struct read_context *context, const struct wire_request *request,
                           struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_maintain(struct read_context *context, const struct wire_request *request,
                             struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_clients(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_hotkeys(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_slowlog(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) MUST_CHECK;
enum status command_explain(struct read_context *context, const struct wire_request *request,
                            struct buffer *answer, struct error *error) MUST_CHECK;

/* What writes do inside a transaction, the one that the read belongs to. */
enum status command_write_inside(struct read_context *context, const struct wire_request *request,
                                 struct buffer *answer, struct error *error) MUST_CHECK;

/* Whether they are too long for a loop, and for others to wait behind them. */
bool command_scan_is_long(const struct wire_request *request);
bool command_count_is_long(const struct wire_request *request);
bool command_get_range_is_long(const struct wire_request *request);
bool command_bulk_load_is_long(const struct wire_request *request);

/* --- write. Errors: those of adding to a commit, with *refusal_out filled where there is more to
 * say; the commit is to be reset then. */
enum status command_put(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_delete(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit,
                           struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_batch(const struct service *service, const struct wire_request *request,
                          struct store_commit *commit, struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_delete_range(const struct service *service, const struct wire_request *request,
                                 struct store_commit *commit,
                                 struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_add(const struct service *service, const struct wire_request *request,
                        struct store_commit *commit, struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_append(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit,
                           struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_expire(const struct service *service, const struct wire_request *request,
                           struct store_commit *commit,
                           struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_namespace_create(const struct service *service,
                                     const struct wire_request *request,
                                     struct store_commit *commit,
                                     struct wire_refusal *refusal_out) MUST_CHECK;
enum status command_namespace_drop(const struct service *service,
                                   const struct wire_request *request, struct store_commit *commit,
                                   struct wire_refusal *refusal_out) MUST_CHECK;

/* --- job. Errors: those of the store; PENDING when the commit was filled. */
enum status command_rewind(struct job_context *context, const struct wire_request *request,
                           struct error *error) MUST_CHECK;
enum status command_transact(struct job_context *job, const struct wire_request *request,
                             struct error *error) MUST_CHECK;
enum status command_upload_begin(struct job_context *context, const struct wire_request *request,
                                 struct error *error) MUST_CHECK;
enum status command_upload_data(struct job_context *context, const struct wire_request *request,
                                struct error *error) MUST_CHECK;
enum status command_upload_commit(struct job_context *context, const struct wire_request *request,
                                  struct error *error) MUST_CHECK;
enum status command_bulk_load(struct job_context *context, const struct wire_request *request,
                              struct error *error) MUST_CHECK;
enum status command_upload_abort(struct job_context *context, const struct wire_request *request,
                                 struct error *error) MUST_CHECK;

#endif
