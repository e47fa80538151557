/* pipeline.c: many requests on their way at once.
 *
 *      queue ->  ring of pending requests  -> next
 *                head ............... tail
 *
 * Queueing appends a frame to the send buffer and an element to the ring. `next` flushes what is
 * queued, then takes one frame from the receive buffer, which usually holds many: one send and one
 * recv for a whole pipeline. When the connection is lost, responses that had arrived are still
 * handed out; what is left in the ring then gets a result made here. */
#include "client/pipeline.h"

#include "client/batch.h"
#include "client/pending.h"
#include "client/write.h"

#include <stdio.h>

#define PENDING_MAX 1048576u                      /* 32 MiB of ring */
#define UNANSWERED_BYTES_MAX ((uint64_t)64 << 20) /* as kvd.h promises */

static enum status start(struct kvd *db) {
    struct pipeline *pipeline = &db->pipeline;
    enum status status = connection_begin(db);

    if (status == STATUS_OK) {
        status = connection_ready(db, connection_deadline(db), true);
    }
    if (status == STATUS_OK) {
        pipeline->head = 0;
        pipeline->tail = 0;
        pipeline->lost = STATUS_OK;
        pipeline->answered = transport_queued(&db->transport);
    }
    return status;
}

/* Room for one more, on a connection that is open. */
static enum status admit(struct kvd *db) {
    struct pipeline *pipeline = &db->pipeline;
    uint64_t bytes;

    if (pending_is_empty(pipeline)) {
        enum status status = start(db);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (pipeline->lost != STATUS_OK) {
        return connection_fail(db, STATUS_BUSY, 0, "the connection was lost: read the results");
    }
    bytes = transport_queued(&db->transport) - pipeline->answered;
    if (pipeline->tail - pipeline->head >= PENDING_MAX || bytes >= UNANSWERED_BYTES_MAX) {
        return connection_fail(db, STATUS_BUSY, PENDING_MAX,
                               "the pipeline is full: read results first");
    }
    return STATUS_OK;
}

enum kvd_status pipeline_queue(struct kvd *db, struct wire_request *request) {
    enum status status = admit(db);

    if (status == STATUS_OK) {
        status = pending_room(db);
    }
    if (status == STATUS_OK) {
        status = connection_encode(db, request);
    }
    if (status == STATUS_OK) {
        pending_push(db, request);
    }
    return result_public(status);
}

static enum kvd_status queue_key(struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                 const struct kvd_read_options *options) {
    struct wire_request request = connection_read_request(db, opcode, options);

    request.key = connection_slice(key);
    return pipeline_queue(db, &request);
}

static enum kvd_status queue_write(struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                   struct kvd_bytes bytes,
                                   const struct kvd_write_options *options) {
    struct wire_request request = write_key_request(db, opcode, key, bytes, options);

    return pipeline_queue(db, &request);
}

enum kvd_status kvd_pipeline_ping(struct kvd *db) {
    struct wire_request request = {.opcode = WIRE_PING};

    return pipeline_queue(db, &request);
}

enum kvd_status kvd_pipeline_get(struct kvd *db, struct kvd_bytes key,
                                 const struct kvd_read_options *options) {
    return queue_key(db, WIRE_GET, key, options);
}

enum kvd_status kvd_pipeline_exists(struct kvd *db, struct kvd_bytes key,
                                    const struct kvd_read_options *options) {
    return queue_key(db, WIRE_EXISTS, key, options);
}

enum kvd_status kvd_pipeline_meta(struct kvd *db, struct kvd_bytes key,
                                  const struct kvd_read_options *options) {
    return queue_key(db, WIRE_META, key, options);
}

enum kvd_status kvd_pipeline_scan(struct kvd *db, const struct kvd_scan_options *options) {
    struct wire_request request;
    enum status status = page_request(db, options, &request);

    return status == STATUS_OK ? pipeline_queue(db, &request) : result_public(status);
}

enum kvd_status kvd_pipeline_put(struct kvd *db, struct kvd_bytes key, struct kvd_bytes value,
                                 const struct kvd_write_options *options) {
    struct wire_request request = write_put_request(db, key, value, options);

    return pipeline_queue(db, &request);
}

enum kvd_status kvd_pipeline_delete(struct kvd *db, struct kvd_bytes key,
                                    const struct kvd_write_options *options) {
    return queue_write(db, WIRE_DELETE, key, kvd_bytes(NULL, 0), options);
}

enum kvd_status kvd_pipeline_append(struct kvd *db, struct kvd_bytes key, struct kvd_bytes bytes,
                                    const struct kvd_write_options *options) {
    return queue_write(db, WIRE_APPEND, key, bytes, options);
}

enum kvd_status kvd_pipeline_touch(struct kvd *db, struct kvd_bytes key,
                                   const struct kvd_write_options *options) {
    return queue_write(db, WIRE_TOUCH, key, kvd_bytes(NULL, 0), options);
}

enum kvd_status kvd_pipeline_persist(struct kvd *db, struct kvd_bytes key,
                                     const struct kvd_write_options *options) {
    return queue_write(db, WIRE_PERSIST, key, kvd_bytes(NULL, 0), options);
}

enum kvd_status kvd_pipeline_add(struct kvd *db, struct kvd_bytes key, int64_t amount,
                                 const struct kvd_write_options *options) {
    struct wire_request request = write_key_request(db, WIRE_ADD, key, kvd_bytes(NULL, 0), options);

    request.amount = amount;
    return pipeline_queue(db, &request);
}

enum kvd_status kvd_pipeline_delete_range(struct kvd *db, struct kvd_bytes from,
                                          struct kvd_bytes to,
                                          const struct kvd_write_options *options) {
    struct wire_request request = write_range_request(db, from, to, options);

    return pipeline_queue(db, &request);
}

enum kvd_status kvd_pipeline_batch(struct kvd *db, const struct kvd_batch *batch,
                                   const struct kvd_write_options *options) {
    struct wire_request request = batch_request(db, batch, options);

    if (batch->count == 0) {
        return result_public(connection_fail(db, STATUS_INVALID, 0, "the batch is empty"));
    }
    return pipeline_queue(db, &request);
}

uint64_t kvd_pipeline_pending(const struct kvd *db) {
    return db->pipeline.tail - db->pipeline.head;
}

/* --- sending and reading --- */

/* From here on no more can be sent or received; what has arrived can still be read. */
static void lose(struct kvd *db, enum status status) {
    if (db->pipeline.lost == STATUS_OK) {
        db->pipeline.lost = status;
        snprintf(db->pipeline.error, sizeof db->pipeline.error, "%s: %.200s", db->address,
                 db->transport.error);
    }
    connection_drop(db);
}

enum kvd_status kvd_pipeline_flush(struct kvd *db) {
    enum status status = db->pipeline.lost;

    if (pending_is_empty(&db->pipeline)) {
        return KVD_OK;
    }
    if (status == STATUS_OK) {
        status = transport_flush(&db->transport, connection_deadline(db));
        if (status != STATUS_OK) {
            lose(db, status);
        }
    }
    if (status != STATUS_OK) {
        connection_fail(db, status, 0, "%s", db->pipeline.error);
    }
    return result_public(status);
}

/* The result of a request whose response will never come. */
static void give_up(struct kvd *db, const struct pending *pending, struct kvd_result *result) {
    result->status = result_public(pending_lost(db, pending, db->pipeline.lost));
    result->error = db->pipeline.error;
}

/* The response to `pending`; remembers the loss if there is none to be had. */
static enum status take_response(struct kvd *db, const struct pending *pending,
                                 struct wire_response *response) {
    int64_t deadline_ms = connection_deadline(db);
    enum status status = STATUS_OK;

    if (db->pipeline.lost == STATUS_OK &&
        transport_sent(&db->transport) < transport_queued(&db->transport)) {
        status = transport_flush(&db->transport, deadline_ms);
        if (status != STATUS_OK) {
            lose(db, status);
        }
    }
    if (db->pipeline.lost == STATUS_PROTOCOL || db->pipeline.lost == STATUS_UNSUPPORTED) {
        return db->pipeline.lost; /* the bytes that are left have no meaning any more */
    }
    status = connection_receive(db, pending, deadline_ms, response);
    if (status != STATUS_OK) {
        if (db->pipeline.lost == STATUS_OK || status == STATUS_PROTOCOL) {
            db->pipeline.lost = status;
            memcpy(db->pipeline.error, db->error, sizeof db->error);
        }
        connection_drop(db);
    }
    return status;
}

enum kvd_status kvd_pipeline_next(struct kvd *db, struct kvd_result *result_out) {
    struct pipeline *pipeline = &db->pipeline;
    struct wire_response response;
    struct pending pending;

    if (pending_is_empty(pipeline)) {
        return KVD_END;
    }
    pending = *pending_at(pipeline, pipeline->head);
    *result_out = (struct kvd_result){
        .operation = pending_operation(pending.opcode), .index = pipeline->head, .error = ""};
    if (take_response(db, &pending, &response) == STATUS_OK) {
        pending_result(db, &pending, &response, result_out);
    } else {
        give_up(db, &pending, result_out);
    }
    pipeline->head++;
    pipeline->answered = pending.end;
    return KVD_OK;
}
