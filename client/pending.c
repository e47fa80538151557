/* pending.c: see pending.h. */
#include "client/pending.h"

#include "client/record.h"
#include "protocol/base/memory.h"

#define PENDING_FIRST 64u /* a usual depth; then doubled */

static enum status grow(struct kvd *db) {
    struct pipeline *pipeline = &db->pipeline;
    uint64_t capacity = pipeline->capacity ? pipeline->capacity * 2 : PENDING_FIRST;
    struct pending *ring = memory_alloc_array((size_t)capacity, sizeof *ring);

    if (!ring) {
        return connection_fail(db, STATUS_NO_MEMORY, 0, "out of memory here");
    }
    for (uint64_t i = pipeline->head; i < pipeline->tail; i++) {
        ring[i & (capacity - 1)] = *pending_at(pipeline, i);
    }
    memory_free(pipeline->ring);
    pipeline->ring = ring;
    pipeline->capacity = capacity;
    return STATUS_OK;
}

enum status pending_room(struct kvd *db) {
    const struct pipeline *pipeline = &db->pipeline;

    return pipeline->tail - pipeline->head < pipeline->capacity ? STATUS_OK : grow(db);
}

void pending_push(struct kvd *db, const struct wire_request *request) {
    *pending_at(&db->pipeline, db->pipeline.tail) = (struct pending){
        .end = transport_queued(&db->transport),
        .id = request->id,
        .opcode = request->opcode,
        .is_write = connection_is_write(request->opcode),
        .verify = (request->options.flags & WIRE_FLAG_WANT_CHECKSUM) != 0,
        .keys_only = (request->range.flags & WIRE_RANGE_KEYS_ONLY) != 0,
    };
    db->pipeline.tail++;
}

enum status pending_lost(const struct kvd *db, const struct pending *pending, enum status lost) {
    bool sent = transport_sent(&db->transport) >= pending->end;

    return pending->is_write && sent ? STATUS_UNKNOWN : lost;
}

enum kvd_operation pending_operation(uint16_t opcode) {
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
    case WIRE_SCAN:
        return KVD_OPERATION_SCAN;
    default:
        return KVD_OPERATION_PING;
    }
}

static void fill_page(struct kvd *db, const struct pending *pending,
                      const struct wire_response *response, struct kvd_result *result) {
    db->page = (struct kvd_page){.db = db, .response = *response, .verify = pending->verify};
    result->page = &db->page;
    result->cursor = page_cursor(&db->page);
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

void pending_result(struct kvd *db, const struct pending *pending,
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
    if (status == STATUS_OK && pending->opcode == WIRE_SCAN) {
        fill_page(db, pending, response, result);
        result->error = "";
    } else if (status == STATUS_OK) {
        fill_done(pending, response, result);
        result->error = "";
    }
    result->status = result_public(status);
}
