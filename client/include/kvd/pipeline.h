/* pipeline.h: queue many requests, send once, read all results. Included by kvd.h.
 *
 *     for (i = 0; i < n; i++) kvd_pipeline_get(db, keys[i], NULL);
 *     while ((status = kvd_pipeline_next(db, &result)) == KVD_OK) use(&result);
 *
 * Requests take effect in the order in which they were queued, and results come in that order.
 * Between the first queued request and the KVD_END that kvd_pipeline_next returns, the other calls
 * on this connection return KVD_BUSY. Nothing of a pipeline is ever sent twice. */
#ifndef KVD_PIPELINE_H
#define KVD_PIPELINE_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a result is the result of. */
enum kvd_operation {
    KVD_OPERATION_PING,
    KVD_OPERATION_GET,
    KVD_OPERATION_EXISTS,
    KVD_OPERATION_META,
    KVD_OPERATION_PUT,
    KVD_OPERATION_DELETE,
    KVD_OPERATION_BATCH,
    KVD_OPERATION_ADD,
    KVD_OPERATION_APPEND,
    KVD_OPERATION_TOUCH,
    KVD_OPERATION_PERSIST,
    KVD_OPERATION_DELETE_RANGE,
    KVD_OPERATION_SCAN,
};

struct kvd_page; /* opaque: the entries of one page of a scan */

/* The end of one request of a pipeline or of an asynchronous handle. */
struct kvd_result {
    enum kvd_status status;       /* of this operation */
    enum kvd_operation operation; /* what was asked */
    uint64_t index;   /* pipelines: 0 for the first queued since it was empty; else of the handle */
    uint64_t version; /* commit version of a write; the record's for a read */
    int64_t number;   /* add: the sum; append: the new length */
    struct kvd_meta meta; /* get, meta; else zero */
    struct kvd_bytes
        value; /* get; borrowed until the next call on the connection, or the callback's end */
    uint64_t detail;         /* as kvd_error_detail */
    const char *error;       /* as kvd_error; "" if status is KVD_OK; borrowed likewise */
    struct kvd_page *page;   /* scan: for kvd_page_next; borrowed likewise; else NULL */
    struct kvd_bytes cursor; /* scan: the cursor of the next page; empty: there is none; borrowed
                                likewise */
};

/* Queue one request; nothing is sent. Key and value are copied. Errors: those found without the
 * server (KVD_INVALID, KVD_TOO_LARGE; KVD_CONNECT ... on the first), KVD_NO_MEMORY, KVD_BUSY when
 * 64 MiB or 1,048,576 requests are waiting: read results first. Nothing was queued then. */
KVD_API enum kvd_status kvd_pipeline_ping(struct kvd *db);

/* The value will be in result.value, its record in result.meta. Options and errors here and below:
 * as for the call of kvd.h of the same name, and as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_get(struct kvd *db, struct kvd_bytes key,
                                         const struct kvd_read_options *options);

/* KVD_OK if it is there, with result.version. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_exists(struct kvd *db, struct kvd_bytes key,
                                            const struct kvd_read_options *options);

/* The record, in result.meta. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_meta(struct kvd *db, struct kvd_bytes key,
                                          const struct kvd_read_options *options);

/* One page of a scan: the first, or, with options.cursor, a later one; its entries in result.page.
 * options.limit is of the page then, as options.page_entries is. NULL: of all keys. Errors: as
 * kvd_pipeline_ping, KVD_INVALID (prefix and range). */
KVD_API enum kvd_status kvd_pipeline_scan(struct kvd *db, const struct kvd_scan_options *options);

/* Takes the next entry of a page, in the order of the scan; what it points to is borrowed as the
 * page is. Errors: KVD_END when all are taken; KVD_CHECKSUM (options.verify), KVD_PROTOCOL, with a
 * text in kvd_error or kvd_async_error. */
KVD_API enum kvd_status kvd_page_next(struct kvd_page *page, struct kvd_entry *entry_out);

/* Stores. Of all writes, result.version will be the version of the commit. Errors: as
 * kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_put(struct kvd *db, struct kvd_bytes key,
                                         struct kvd_bytes value,
                                         const struct kvd_write_options *options);

/* Deletes a key. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_delete(struct kvd *db, struct kvd_bytes key,
                                            const struct kvd_write_options *options);

/* Deletes [from, to), or, with an empty `to`, from `from` on. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_delete_range(struct kvd *db, struct kvd_bytes from,
                                                  struct kvd_bytes to,
                                                  const struct kvd_write_options *options);

/* Adds to a number; the sum will be in result.number. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_add(struct kvd *db, struct kvd_bytes key, int64_t amount,
                                         const struct kvd_write_options *options);

/* Adds bytes at the end; the new length will be in result.number. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_append(struct kvd *db, struct kvd_bytes key,
                                            struct kvd_bytes bytes,
                                            const struct kvd_write_options *options);

/* Gives a key the expiry of `options`. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_touch(struct kvd *db, struct kvd_bytes key,
                                           const struct kvd_write_options *options);

/* Takes a key's expiry away. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_persist(struct kvd *db, struct kvd_bytes key,
                                             const struct kvd_write_options *options);

/* Commits a batch; an empty one is KVD_INVALID. Errors: as kvd_pipeline_ping. */
KVD_API enum kvd_status kvd_pipeline_batch(struct kvd *db, const struct kvd_batch *batch,
                                           const struct kvd_write_options *options);

/* Sends what is queued, in as few system calls as the kernel allows, and does not wait for answers
 * (it takes those that arrive meanwhile). More may be queued afterwards. When the connection breaks
 * here, kvd_pipeline_next tells what became of each request. Errors: KVD_TIMEOUT, KVD_CLOSED. */
KVD_API enum kvd_status kvd_pipeline_flush(struct kvd *db);

/* The result of the oldest unanswered request; sends first what is still queued. KVD_OK means that
 * there is a result (whose own status may be any); KVD_END that none is unanswered. When the
 * connection is lost, each request that was left gets its result all the same: KVD_UNKNOWN for
 * writes that may have been sent, KVD_CLOSED or KVD_TIMEOUT for the others. Errors: none but
 * KVD_END. */
KVD_API enum kvd_status kvd_pipeline_next(struct kvd *db, struct kvd_result *result_out);

/* Requests queued or sent whose result was not read yet. */
KVD_API uint64_t kvd_pipeline_pending(const struct kvd *db);

#ifdef __cplusplus
}
#endif

#endif
