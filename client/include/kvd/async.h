/* async.h: libkvd for programs with an event loop: a handle whose calls never wait. Included by
 * kvd.h.
 *
 *     kvd_async_open("127.0.0.1:4411", NULL, &async);
 *     kvd_async_get(async, kvd_text("name"), NULL, on_value, NULL);
 *     while (kvd_async_pending(async) > 0) {
 *         struct pollfd poll_fd = {.fd = kvd_async_fd(async), .events = kvd_async_events(async)};
 *         poll(&poll_fd, 1, kvd_async_timeout_ms(async));
 *         kvd_async_step(async);
 *     }
 *     kvd_async_close(async);
 *
 * Each request has a callback, called once, from kvd_async_step or kvd_async_close and from nowhere
 * else, in the order in which the requests were submitted; they take effect in that order too.
 * Nothing is ever sent twice. A connection that broke is opened anew by the next request.
 *
 * One thread at a time. A program with libuv finds the event loop's side ready in <kvd/kvd_uv.h>.
 */
#ifndef KVD_ASYNC_H
#define KVD_ASYNC_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KVD_ASYNC_REQUESTS_MAX 65536u
#define KVD_ASYNC_REQUESTS_DEFAULT 1024u
#define KVD_ASYNC_BYTES_DEFAULT (16u << 20)

struct kvd_async; /* opaque */

/* Of a handle, from kvd_async_open on; zeroed is the default. */
struct kvd_async_options {
    struct kvd_connect_options connect; /* timeout_ms: of each request, from its submission on */
    uint32_t requests_max;              /* without an answer; 0 = 1,024; at most 65,536 */
    uint32_t bytes_max;                 /* of such requests; 0 = 16 MiB */
};

/* Takes a result; what it points to is valid during the call. It may submit more requests, cancel,
 * and close the handle; it must not step. result->index counts the requests of the handle. */
typedef void (*kvd_result_cb)(const struct kvd_result *result, void *arg);

/* Makes a handle and begins to connect. Does not wait, but for the name of a host to be looked up,
 * here and nowhere else; numeric addresses and unix paths need no look-up. *async_out is set also
 * on failure, so that kvd_async_error can tell the reason (NULL only on KVD_NO_MEMORY): call
 * kvd_async_close in any case. That nobody listens is told by the first step, not here. Errors:
 * KVD_INVALID (address, options), KVD_CONNECT (no such host), KVD_NO_MEMORY. */
KVD_API enum kvd_status kvd_async_open(const char *address, const struct kvd_async_options *options,
                                       struct kvd_async **async_out);

/* Ends all requests as kvd_async_cancel does, calling their callbacks, closes and frees. Requests
 * submitted by those callbacks are refused with KVD_SHUTTING_DOWN. From within a callback of a
 * step, it is that step which does all this, before it returns. NULL is allowed. */
KVD_API void kvd_async_close(struct kvd_async *async);

/* The descriptor to poll; -1 while there is no connection. Ask again after each call on the handle:
 * a new connection has another one. One that the handle has given up stays open, so that it can be
 * taken out of an event loop, until the next step. Owned by the handle. */
KVD_API int kvd_async_fd(const struct kvd_async *async);

/* What to poll it for: POLLIN, POLLOUT, or both; 0 while there is no connection. */
KVD_API short kvd_async_events(const struct kvd_async *async);

/* In how many milliseconds to step at the latest, though nothing happens on the descriptor: 0 now,
 * -1 never. */
KVD_API int kvd_async_timeout_ms(const struct kvd_async *async);

/* Sends, receives and times out what can be without waiting, and calls callbacks. Call it when poll
 * says so, or at any time. Receives at most 64 KiB, or one longer answer, a step. Errors: why
 * the connection was lost in this step: KVD_CONNECT, KVD_CLOSED, KVD_TIMEOUT, KVD_PROTOCOL,
 * KVD_UNSUPPORTED, KVD_NO_MEMORY, what the server refused HELLO with; the requests were told
 * likewise, and the handle can be used on. KVD_SHUTTING_DOWN: a callback has closed it, and it is
 * gone. */
KVD_API enum kvd_status kvd_async_step(struct kvd_async *async);

/* Gives up all requests, and the connection with them: the next step calls their callbacks, with
 * KVD_UNKNOWN for writes that may have been sent, with KVD_CANCELLED for the others. */
KVD_API void kvd_async_cancel(struct kvd_async *async);

/* Requests whose callback was not called yet. */
KVD_API uint64_t kvd_async_pending(const struct kvd_async *async);

/* One line about the last failure of the handle, as kvd_error; a request's own is in its result. */
KVD_API const char *kvd_async_error(const struct kvd_async *async);

/* Submit one request each, and do not send yet: that is the next step's. Key, value and batch are
 * copied; options as for the call of the same name in kvd.h. The callback may be NULL. Errors (the
 * callback is not called then): KVD_BUSY above requests_max or bytes_max: go on when callbacks were
 * called; KVD_INVALID, KVD_TOO_LARGE, KVD_UNSUPPORTED found without the server; KVD_NO_MEMORY,
 * KVD_SHUTTING_DOWN. */
KVD_API enum kvd_status kvd_async_ping(struct kvd_async *async, kvd_result_cb result_cb, void *arg);

/* The value in result->value, its record in result->meta. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_get(struct kvd_async *async, struct kvd_bytes key,
                                      const struct kvd_read_options *options,
                                      kvd_result_cb result_cb, void *arg);

/* KVD_OK if it is there, with result->version. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_exists(struct kvd_async *async, struct kvd_bytes key,
                                         const struct kvd_read_options *options,
                                         kvd_result_cb result_cb, void *arg);

/* The record in result->meta. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_meta(struct kvd_async *async, struct kvd_bytes key,
                                       const struct kvd_read_options *options,
                                       kvd_result_cb result_cb, void *arg);

/* One page of a scan, as kvd_pipeline_scan: its entries in result->page. For the next page, submit
 * the same with options.cursor set to result->cursor, in the callback or from a copy later: nothing
 * comes that was not asked for, so a slow program holds nothing up. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_scan(struct kvd_async *async,
                                       const struct kvd_scan_options *options,
                                       kvd_result_cb result_cb, void *arg);

/* Stores. Of all writes, result->version is the version of the commit. Errors: as kvd_async_ping.
 */
KVD_API enum kvd_status kvd_async_put(struct kvd_async *async, struct kvd_bytes key,
                                      struct kvd_bytes value,
                                      const struct kvd_write_options *options,
                                      kvd_result_cb result_cb, void *arg);

/* Deletes a key. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_delete(struct kvd_async *async, struct kvd_bytes key,
                                         const struct kvd_write_options *options,
                                         kvd_result_cb result_cb, void *arg);

/* Deletes all keys in [from, to), or, with an empty `to`, from `from` on. Errors: as
 * kvd_async_ping. */
KVD_API enum kvd_status kvd_async_delete_range(struct kvd_async *async, struct kvd_bytes from,
                                               struct kvd_bytes to,
                                               const struct kvd_write_options *options,
                                               kvd_result_cb result_cb, void *arg);

/* Adds to a number; the sum in result->number. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_add(struct kvd_async *async, struct kvd_bytes key, int64_t amount,
                                      const struct kvd_write_options *options,
                                      kvd_result_cb result_cb, void *arg);

/* Adds bytes at the end; the new length in result->number. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_append(struct kvd_async *async, struct kvd_bytes key,
                                         struct kvd_bytes bytes,
                                         const struct kvd_write_options *options,
                                         kvd_result_cb result_cb, void *arg);

/* Gives a key the expiry of `options`. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_touch(struct kvd_async *async, struct kvd_bytes key,
                                        const struct kvd_write_options *options,
                                        kvd_result_cb result_cb, void *arg);

/* Takes a key's expiry away. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_persist(struct kvd_async *async, struct kvd_bytes key,
                                          const struct kvd_write_options *options,
                                          kvd_result_cb result_cb, void *arg);

/* Commits a batch; an empty one is KVD_INVALID. Errors: as kvd_async_ping. */
KVD_API enum kvd_status kvd_async_batch(struct kvd_async *async, const struct kvd_batch *batch,
                                        const struct kvd_write_options *options,
                                        kvd_result_cb result_cb, void *arg);

#ifdef __cplusplus
}
#endif

#endif
