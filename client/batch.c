/* batch.c: see batch.h. */
#include "client/batch.h"

#include "client/checksum.h"
#include "client/write.h"
#include "protocol/base/memory.h"

enum kvd_status kvd_batch_create(struct kvd_batch **batch_out) {
    struct kvd_batch *batch = memory_alloc_zeroed(sizeof *batch);

    if (!batch) {
        return KVD_NO_MEMORY;
    }
    buffer_init(&batch->items, WIRE_BODY_CEILING);
    *batch_out = batch;
    return KVD_OK;
}

void kvd_batch_destroy(struct kvd_batch *batch) {
    if (batch) {
        buffer_deinit(&batch->items);
        memory_free(batch);
    }
}

static void set_conditions(struct wire_item *item, const struct kvd_write_options *options) {
    if (options->condition != KVD_IF_ANY) {
        item->flags |= WIRE_ITEM_CONDITION;
        item->condition = (uint8_t)options->condition;
        item->version = options->version;
    }
}

static void set_expiry(struct wire_item *item, const struct kvd_write_options *options) {
    if (options->ttl_ms != 0) {
        item->flags |= WIRE_ITEM_TTL;
        item->ttl_ms = options->ttl_ms;
    }
    if (options->expire_at_ms != 0) {
        item->flags |= WIRE_ITEM_EXPIRE_AT;
        item->expire_at_ms = options->expire_at_ms;
    }
}

static void set_put_fields(struct wire_item *item, const struct kvd_write_options *options) {
    set_expiry(item, options);
    if (options->checksum) {
        item->flags |= WIRE_ITEM_CHECKSUM;
        item->checksum = checksum_value(item->value);
    }
    if (options->user_flags != 0) {
        item->flags |= WIRE_ITEM_USER_FLAGS;
        item->user_flags = options->user_flags;
    }
}

static enum kvd_status add(struct kvd_batch *batch, struct wire_item *item) {
    enum status status;

    if ((item->key.len == 0 && item->kind != WIRE_ITEM_DELETE_RANGE) ||
        batch->count == UINT32_MAX || (item->ttl_ms != 0 && item->expire_at_ms != 0)) {
        return KVD_INVALID;
    }
    status = wire_list_add_item(&batch->items, item);
    if (status == STATUS_OK) {
        batch->count++;
        batch->bytes += item->key.len + item->value.len;
    }
    return result_public(status);
}

enum kvd_status kvd_batch_put(struct kvd_batch *batch, struct kvd_bytes key, struct kvd_bytes value,
                              const struct kvd_write_options *options) {
    struct wire_item item = {
        .kind = WIRE_ITEM_PUT, .key = connection_slice(key), .value = connection_slice(value)};

    if (options) {
        set_conditions(&item, options);
        set_put_fields(&item, options);
    }
    return add(batch, &item);
}

enum kvd_status kvd_batch_delete(struct kvd_batch *batch, struct kvd_bytes key,
                                 const struct kvd_write_options *options) {
    struct wire_item item = {.kind = WIRE_ITEM_DELETE, .key = connection_slice(key)};

    if (options) {
        set_conditions(&item, options);
    }
    return add(batch, &item);
}

enum kvd_status kvd_batch_delete_range(struct kvd_batch *batch, struct kvd_bytes from,
                                       struct kvd_bytes to) {
    struct wire_item item = {.kind = WIRE_ITEM_DELETE_RANGE,
                             .key = connection_slice(from),
                             .value = connection_slice(to)};

    return add(batch, &item);
}

enum kvd_status kvd_batch_add(struct kvd_batch *batch, struct kvd_bytes key, int64_t amount,
                              const struct kvd_write_options *options) {
    struct wire_item item = {.kind = WIRE_ITEM_ADD, .key = connection_slice(key), .amount = amount};

    if (options) {
        set_conditions(&item, options);
    }
    return add(batch, &item);
}

enum kvd_status kvd_batch_append(struct kvd_batch *batch, struct kvd_bytes key,
                                 struct kvd_bytes bytes, const struct kvd_write_options *options) {
    struct wire_item item = {
        .kind = WIRE_ITEM_APPEND, .key = connection_slice(key), .value = connection_slice(bytes)};

    if (options) {
        set_conditions(&item, options);
    }
    return add(batch, &item);
}

enum kvd_status kvd_batch_touch(struct kvd_batch *batch, struct kvd_bytes key,
                                const struct kvd_write_options *options) {
    struct wire_item item = {.kind = WIRE_ITEM_TOUCH, .key = connection_slice(key)};

    if (!options || (options->ttl_ms == 0 && options->expire_at_ms == 0)) {
        return KVD_INVALID;
    }
    set_conditions(&item, options);
    set_expiry(&item, options);
    return add(batch, &item);
}

enum kvd_status kvd_batch_persist(struct kvd_batch *batch, struct kvd_bytes key,
                                  const struct kvd_write_options *options) {
    struct wire_item item = {.kind = WIRE_ITEM_PERSIST, .key = connection_slice(key)};

    if (options) {
        set_conditions(&item, options);
    }
    return add(batch, &item);
}

enum kvd_status kvd_batch_get(struct kvd_batch *batch, struct kvd_bytes key) {
    struct wire_item item = {.kind = WIRE_ITEM_GET, .key = connection_slice(key)};

    return add(batch, &item);
}

uint32_t kvd_batch_count(const struct kvd_batch *batch) {
    return batch->count;
}

size_t kvd_batch_bytes(const struct kvd_batch *batch) {
    return batch->bytes;
}

void kvd_batch_clear(struct kvd_batch *batch) {
    buffer_clear(&batch->items);
    batch->count = 0;
    batch->bytes = 0;
}

struct wire_request batch_request(const struct kvd *db, const struct kvd_batch *batch,
                                  const struct kvd_write_options *options) {
    struct wire_request request = connection_write_request(db, WIRE_BATCH, options);

    request.list.count = batch->count;
    request.list.bytes = buffer_slice(&batch->items);
    return request;
}

enum kvd_status kvd_batch_commit_results(struct kvd *db, const struct kvd_batch *batch,
                                         const struct kvd_write_options *options,
                                         struct kvd_results *results, uint64_t *version_out) {
    struct wire_request request = batch_request(db, batch, options);
    struct wire_response response;
    size_t count = 0;
    int64_t result;
    enum status status;

    if (batch->count == 0) {
        return result_public(connection_fail(db, STATUS_INVALID, 0, "the batch is empty"));
    }
    status = write_call(db, &request, &response);
    if (status != STATUS_OK) {
        return result_public(status);
    }
    while (wire_response_next_result(&response, &result) == STATUS_OK) {
        if (results && count < results->room) {
            results->values[count] = result;
        }
        count++;
    }
    if (results) {
        results->count = count;
    }
    if (version_out) {
        *version_out = response.version;
    }
    return KVD_OK;
}

enum kvd_status kvd_batch_commit(struct kvd *db, const struct kvd_batch *batch,
                                 const struct kvd_write_options *options, uint64_t *version_out) {
    return kvd_batch_commit_results(db, batch, options, NULL, version_out);
}
