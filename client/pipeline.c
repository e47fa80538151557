/* pipeline.c: many requests on their way at once.
 *
 *      queue ->  ring of pending requests  -> next
 *                head ............... tail
 *
 * Queueing appends a frame to the send buffer and an element to the ring. `next` flushes what is
 * queued, then takes one frame from the receive buffer, which usually holds many: one send and one
 * recv for a whole pipeline. When the connection is lost, responses that had arrived are still
 * handed out; what is left in the ring then gets a result made here. */
#include "client/batch.h"
#include "client/record.h"
#include "client/write.h"

#include "protocol/base/memory.h"

#include <stdio.h>

#define PENDING_MAX 1048576u                      /* 32 MiB of ring */
#define PENDING_FIRST 64u                         /* a usual depth; then doubled */
#define UNANSWERED_BYTES_MAX ((uint64_t)64 << 20) /* as kvd.h promises */

static bool is_empty(const struct pipeline *pipeline) {
    return pipeline->head == pipeline->tail;
}

static struct pending *at(const struct pipeline *pipeline, uint64_t index) {
    return &pipeline->ring[index & (pipeline->capacity - 1)];
}

static enum status grow(struct kvd *db) {
    struct pipeline *pipeline = &db->pipeline;
    uint64_t capacity = pipeline->capacity ? pipeline->capacity * 2 : PENDING_FIRST;
    struct pending *ring = memory_alloc_array((size_t)capacity, sizeof *ring);

    if (!ring) {
        return connection_fail(db, STATUS_NO_MEMORY, 0, "out of memory here");
    }
    for (uint64_t i = pipeline->head; i < pipeline->tail; i++) {
        ring[i & (capacity - 1)] = *at(pipeline, i);
    }
    memory_free(pipeline->ring);
    pipeline->ring = ring;
    pipeline->capacity = capacity;
    return STATUS_OK;
}

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

    if (is_empty(pipeline)) {
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
    return pipeline->tail - pipeline->head < pipeline->capacity ? STATUS_OK : grow(db);
}

static enum kvd_status queue(struct kvd *db, struct wire_request *request) {
    struct pipeline *pipeline = &db->pipeline;
    enum status status = admit(db);

    if (status == STATUS_OK) {
        status = connection_encode(db, request);
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    *at(pipeline, pipeline->tail) = (struct pending){
        .end = transport_queued(&db->transport),
        .id = request->id,
        .opcode = request->opcode,
        .is_write = connection_is_write(request->opcode),
        .verify = (request->options.flags & WIRE_FLAG_WANT_CHECKSUM) != 0,
    };
    pipeline->tail++;
    return KVD_OK;
}

static enum kvd_status queue_key(struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                 const struct kvd_read_options *options) {
    struct wire_request request = connection_read_request(db, opcode, options);

    request.key = connection_slice(key);
    return queue(db, &request);
}

static enum kvd_status queue_write(struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                   struct kvd_bytes bytes,
                                   const struct kvd_write_options *options) {
    struct wire_request request = write_key_request(db, opcode, key, bytes, options);

    return queue(db, &request);
}

enum kvd_status kvd_pipeline_ping(struct kvd *db) {
    struct wire_request request = {.opcode = WIRE_PING};

    return queue(db, &request);
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

enum kvd_status kvd_pipeline_put(struct kvd *db, struct kvd_bytes key, struct kvd_bytes value,
                                 const struct kvd_write_options *options) {
    struct wire_request request = write_put_request(db, key, value, options);

    return queue(db, &request);
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
    return queue(db, &request);
}

enum kvd_status kvd_pipeline_delete_range(struct kvd *db, struct kvd_bytes from,
                                          struct kvd_bytes to,
                                          const struct kvd_write_options *options) {
    struct wire_request request = write_range_request(db, from, to, options);

    return queue(db, &request);
}

enum kvd_status kvd_pipeline_batch(struct kvd *db, const struct kvd_batch *batch,
                                   const struct kvd_write_options *options) {
    struct wire_request request = batch_request(db, batch, options);

    if (batch->count == 0) {
        return result_public(connection_fail(db, STATUS_INVALID, 0, "the batch is empty"));
    }
    return queue(db, &request);
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

    if (is_empty(&db->pipeline)) {
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

static enum kvd_operation operation_of(uint16_t opcode) {
    switch (opcode) {
    case WIRE_GET:
        return KVD_OPERATION_GET;
    case WIRE_EXISTS:
        return KVD_OPERATION_EXISTS;
    case WIRE_META:
        return KVD_OPERATION_META;
    case WIRE_PUT:
        return KVD_OPERATION_PUT;
    case WIRE_DELETE:
        return KVD_OPERATION_DELETE;
    case WIRE_BATCH:
        return KVD_OPERATION_BATCH;
    case WIRE_ADD:
        return KVD_OPERATION_ADD;
    case WIRE_APPEND:
        return KVD_OPERATION_APPEND;
    case WIRE_TOUCH:
        return KVD_OPERATION_TOUCH;
    case WIRE_PERSIST:
        return KVD_OPERATION_PERSIST;
    case WIRE_DELETE_RANGE:
        return KVD_OPERATION_DELETE_RANGE;
    default:
        return KVD_OPERATION_PING;
    }
}

/* The result of a request whose response will never come. */
static void give_up(struct kvd *db, const struct pending *pending, struct kvd_result *result) {
    bool sent = transport_sent(&db->transport) >= pending->end;
    enum status status = pending->is_write && sent ? STATUS_UNKNOWN : db->pipeline.lost;

    result->status = result_public(status);
    result->error = db->pipeline.error;
}

static void fill_done(const struct pending *pending, const struct wire_response *response,
                      struct kvd_result *result) {
    bool record = pending->opcode == WIRE_GET || pending->opcode == WIRE_META;

    if (record) {
        result->meta = record_meta(&response->record);
    }
    if (pending->opcode == WIRE_GET) {
        result->value = kvd_bytes(response->payload.ptr, response->payload.len);
    }
    result->number = pending->opcode == WIRE_ADD ? response->sum : (int64_t)response->number;
    result->version = record ? response->record.version : response->version;
}

static void fill_result(struct kvd *db, const struct pending *pending,
                        const struct wire_response *response, struct kvd_result *result) {
    enum status status = response->status;

    if (status == STATUS_OK) {
        status = record_verify(db, pending->verify && pending->opcode == WIRE_GET,
                               &response->record, response->payload);
        result->error = db->error;
    } else {
        connection_describe(response, db->pipeline.error, sizeof db->pipeline.error);
        result->error = db->pipeline.error;
        result->detail = response->error.detail;
    }
    if (status == STATUS_OK) {
        fill_done(pending, response, result);
        result->error = "";
    }
    result->status = result_public(status);
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
    status = connection_receive(db, pending->id, pending->opcode, false, deadline_ms, response);
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

    if (is_empty(pipeline)) {
        return KVD_END;
    }
    pending = *at(pipeline, pipeline->head);
    *result_out = (struct kvd_result){
        .operation = operation_of(pending.opcode), .index = pipeline->head, .error = ""};
    if (take_response(db, &pending, &response) == STATUS_OK) {
        fill_result(db, &pending, &response, result_out);
    } else {
        give_up(db, &pending, result_out);
    }
    pipeline->head++;
    pipeline->answered = pending.end;
    return KVD_OK;
}
