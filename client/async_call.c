/* async_call.c: the requests of an asynchronous handle: each is built as for a pipeline. */
#include "client/async.h"
#include "client/batch.h"
#include "client/write.h"

static enum kvd_status submit_read(struct kvd_async *async, struct wire_request request,
                                   struct kvd_bytes key, kvd_result_cb result_cb, void *arg) {
    request.key = connection_slice(key);
    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_ping(struct kvd_async *async, kvd_result_cb result_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_PING};

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_get(struct kvd_async *async, struct kvd_bytes key,
                              const struct kvd_read_options *options, kvd_result_cb result_cb,
                              void *arg) {
    return submit_read(async, connection_read_request(async->db, WIRE_GET, options), key, result_cb,
                       arg);
}

enum kvd_status kvd_async_exists(struct kvd_async *async, struct kvd_bytes key,
                                 const struct kvd_read_options *options, kvd_result_cb result_cb,
                                 void *arg) {
    return submit_read(async, connection_read_request(async->db, WIRE_EXISTS, options), key,
                       result_cb, arg);
}

enum kvd_status kvd_async_meta(struct kvd_async *async, struct kvd_bytes key,
                               const struct kvd_read_options *options, kvd_result_cb result_cb,
                               void *arg) {
    return submit_read(async, connection_read_request(async->db, WIRE_META, options), key,
                       result_cb, arg);
}

enum kvd_status kvd_async_scan(struct kvd_async *async, const struct kvd_scan_options *options,
                               kvd_result_cb result_cb, void *arg) {
    struct wire_request request;
    enum status status = page_request(async->db, options, &request);

    return status == STATUS_OK ? async_submit(async, &request, result_cb, arg)
                               : result_public(status);
}

enum kvd_status kvd_async_put(struct kvd_async *async, struct kvd_bytes key, struct kvd_bytes value,
                              const struct kvd_write_options *options, kvd_result_cb result_cb,
                              void *arg) {
    struct wire_request request = write_put_request(async->db, key, value, options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_delete(struct kvd_async *async, struct kvd_bytes key,
                                 const struct kvd_write_options *options, kvd_result_cb result_cb,
                                 void *arg) {
    struct wire_request request =
        write_key_request(async->db, WIRE_DELETE, key, kvd_bytes(NULL, 0), options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_delete_range(struct kvd_async *async, struct kvd_bytes from,
                                       struct kvd_bytes to, const struct kvd_write_options *options,
                                       kvd_result_cb result_cb, void *arg) {
    struct wire_request request = write_range_request(async->db, from, to, options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_add(struct kvd_async *async, struct kvd_bytes key, int64_t amount,
                              const struct kvd_write_options *options, kvd_result_cb result_cb,
                              void *arg) {
    struct wire_request request =
        write_key_request(async->db, WIRE_ADD, key, kvd_bytes(NULL, 0), options);

    request.amount = amount;
    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_append(struct kvd_async *async, struct kvd_bytes key,
                                 struct kvd_bytes bytes, const struct kvd_write_options *options,
                                 kvd_result_cb result_cb, void *arg) {
    struct wire_request request = write_key_request(async->db, WIRE_APPEND, key, bytes, options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_touch(struct kvd_async *async, struct kvd_bytes key,
                                const struct kvd_write_options *options, kvd_result_cb result_cb,
                                void *arg) {
    struct wire_request request =
        write_key_request(async->db, WIRE_TOUCH, key, kvd_bytes(NULL, 0), options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_persist(struct kvd_async *async, struct kvd_bytes key,
                                  const struct kvd_write_options *options, kvd_result_cb result_cb,
                                  void *arg) {
    struct wire_request request =
        write_key_request(async->db, WIRE_PERSIST, key, kvd_bytes(NULL, 0), options);

    return async_submit(async, &request, result_cb, arg);
}

enum kvd_status kvd_async_batch(struct kvd_async *async, const struct kvd_batch *batch,
                                const struct kvd_write_options *options, kvd_result_cb result_cb,
                                void *arg) {
    struct wire_request request = batch_request(async->db, batch, options);

    if (batch->count == 0) {
        return result_public(connection_fail(async->db, STATUS_INVALID, 0, "the batch is empty"));
    }
    return async_submit(async, &request, result_cb, arg);
}
