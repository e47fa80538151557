/* request_encode.c: the client's half of request.h: structs to bytes. */
#include "protocol/request.h"

#include "protocol/base/assert.h"

/* Collects the first failure, so that a run of appends reads as the format does. */
struct encoder {
    struct buffer *buffer;
    enum status status;
};

static void put_u8(struct encoder *encoder, uint8_t value) {
    if (encoder->status == STATUS_OK) {
        encoder->status = buffer_append_u8(encoder->buffer, value);
    }
}

static void put_u16(struct encoder *encoder, uint16_t value) {
    if (encoder->status == STATUS_OK) {
        encoder->status = buffer_append_u16(encoder->buffer, value);
    }
}

static void put_u32(struct encoder *encoder, uint32_t value) {
    if (encoder->status == STATUS_OK) {
        encoder->status = buffer_append_u32(encoder->buffer, value);
    }
}

static void put_u64(struct encoder *encoder, uint64_t value) {
    if (encoder->status == STATUS_OK) {
        encoder->status = buffer_append_u64(encoder->buffer, value);
    }
}

static void put_varint(struct encoder *encoder, uint64_t value) {
    if (encoder->status == STATUS_OK) {
        encoder->status = buffer_append_varint(encoder->buffer, value);
    }
}

static void put_bytes(struct encoder *encoder, struct slice bytes) {
    if (encoder->status == STATUS_OK && bytes.len > 0) {
        encoder->status = buffer_append(encoder->buffer, bytes.ptr, bytes.len);
    }
}

static void put_block(struct encoder *encoder, struct slice bytes) {
    put_varint(encoder, bytes.len);
    put_bytes(encoder, bytes);
}

static void put_condition(struct encoder *encoder, uint8_t condition, uint64_t version) {
    put_u8(encoder, condition);
    if (condition == WIRE_CONDITION_VERSION) {
        put_u64(encoder, version);
    }
}

static void put_options(struct encoder *encoder, const struct wire_options *options) {
    uint32_t flags = options->flags;

    if (flags & WIRE_FLAG_DEADLINE) {
        put_u32(encoder, options->deadline_ms);
    }
    if (flags & WIRE_FLAG_DURABILITY) {
        put_u8(encoder, options->durability);
    }
    if (flags & WIRE_FLAG_RETRY_TOKEN) {
        put_bytes(encoder, slice_make(options->retry_client, WIRE_RETRY_CLIENT_BYTES));
        put_u64(encoder, options->retry_sequence);
    }
    if (flags & WIRE_FLAG_TTL) {
        put_u64(encoder, options->ttl_ms);
    }
    if (flags & WIRE_FLAG_EXPIRE_AT) {
        put_u64(encoder, options->expire_at_ms);
    }
    if (flags & WIRE_FLAG_CONDITION) {
        put_condition(encoder, options->condition, options->version);
    }
    if (flags & WIRE_FLAG_SNAPSHOT) {
        put_u64(encoder, options->snapshot);
    }
    if (flags & WIRE_FLAG_TRANSACTION) {
        put_u64(encoder, options->transaction);
    }
    if (flags & WIRE_FLAG_NAMESPACE) {
        put_block(encoder, options->namespace_name);
    }
    if (flags & WIRE_FLAG_CHECKSUM) {
        put_u64(encoder, options->checksum);
    }
    if (flags & WIRE_FLAG_EXTENSIONS) {
        put_block(encoder, options->extensions);
    }
    if (flags & WIRE_FLAG_AT_VERSION) {
        put_u64(encoder, options->at_version);
    }
    if (flags & WIRE_FLAG_AT_TIME) {
        put_u64(encoder, options->at_time_ms);
    }
}

static void put_range(struct encoder *encoder, const struct wire_range *range) {
    put_u8(encoder, range->flags);
    put_varint(encoder, range->limit);
    put_varint(encoder, range->page_bytes);
    put_block(encoder, range->from);
    put_block(encoder, range->to);
    put_block(encoder, range->cursor);
}

static void put_bounds(struct encoder *encoder, const struct wire_range *range) {
    put_u8(encoder, range->flags);
    put_block(encoder, range->from);
    put_block(encoder, range->to);
}

static void put_state(struct encoder *encoder, const struct wire_state *state) {
    put_u8(encoder, state->kind);
    if (state->kind != WIRE_STATE_NEWEST) {
        put_u64(encoder, state->value);
    }
}

static void put_list(struct encoder *encoder, const struct wire_list *list) {
    put_varint(encoder, list->count);
    put_bytes(encoder, list->bytes);
}

static void put_settings(struct encoder *encoder, const struct wire_settings *settings) {
    put_u64(encoder, settings->quota_bytes);
    put_u64(encoder, settings->keep_ms);
    put_u32(encoder, settings->keep_versions);
}

/* The opcodes whose body ends with a value, which the sender may send from elsewhere. */
static bool ends_with_value(uint16_t opcode) {
    return opcode == WIRE_PUT || opcode == WIRE_APPEND || opcode == WIRE_UPLOAD_DATA;
}

static void put_load(struct encoder *encoder, const struct wire_request *request) {
    put_u8(encoder, request->action);
    if (request->action == WIRE_LOAD_DATA || request->action == WIRE_LOAD_COMMIT) {
        put_u64(encoder, request->offset);
    }
    if (request->action == WIRE_LOAD_DATA) {
        put_list(encoder, &request->list);
    }
}

/* Those that say what and where besides a key. Returns whether the opcode is one. */
static bool put_operation_of_state(struct encoder *encoder, const struct wire_request *request) {
    switch (request->opcode) {
    case WIRE_GET_RANGE:
        put_u64(encoder, request->offset);
        put_u32(encoder, request->length);
        put_bytes(encoder, request->key);
        return true;
    case WIRE_HISTORY:
        put_u64(encoder, request->before);
        put_varint(encoder, request->range.limit);
        put_bytes(encoder, request->key);
        return true;
    case WIRE_DIFF:
        put_state(encoder, &request->from_state);
        put_state(encoder, &request->to_state);
        put_range(encoder, &request->range);
        return true;
    case WIRE_REWIND:
        put_state(encoder, &request->to_state);
        put_bounds(encoder, &request->range);
        return true;
    case WIRE_FEED:
        put_u64(encoder, request->position.version);
        put_u32(encoder, request->position.skip);
        put_u64(encoder, request->position.value_offset);
        put_u32(encoder, request->wait_ms);
        put_varint(encoder, request->range.page_bytes);
        put_bounds(encoder, &request->range);
        return true;
    case WIRE_SNAPSHOT_OPEN:
        put_u64(encoder, request->lifetime_ms);
        return true;
    case WIRE_UPLOAD_DATA:
        put_u64(encoder, request->handle);
        put_u64(encoder, request->offset);
        return true;
    case WIRE_UPLOAD_COMMIT:
        put_u64(encoder, request->handle);
        put_u32(encoder, request->user_flags);
        return true;
    case WIRE_UPLOAD_ABORT:
    case WIRE_SNAPSHOT_CLOSE:
    case WIRE_TXN_COMMIT:
    case WIRE_TXN_ABORT:
        put_u64(encoder, request->handle);
        return true;
    case WIRE_BULK_LOAD:
        put_load(encoder, request);
        return true;
    case WIRE_TXN_BEGIN:
        put_u8(encoder, request->begin_flags);
        put_u64(encoder, request->lifetime_ms);
        return true;
    case WIRE_TRANSACT:
        put_list(encoder, &request->comparisons);
        put_list(encoder, &request->list);
        put_list(encoder, &request->other_list);
        return true;
    case WIRE_SLOWLOG:
    case WIRE_CLIENTS:
    case WIRE_HOTKEYS:
        put_u8(encoder, request->action);
        put_u64(encoder, request->handle);
        return true;
    default:
        return false;
    }
}

/* The fields of the opcode, all but a value at its end. */
static void put_operation(struct encoder *encoder, const struct wire_request *request) {
    switch (request->opcode) {
    case WIRE_HELLO:
        put_u16(encoder, request->version_min);
        put_u16(encoder, request->version_max);
        put_u64(encoder, request->features);
        put_block(encoder, request->payload);
        break;
    case WIRE_PING:
    case WIRE_STATS:
    case WIRE_WHY:
    case WIRE_NAMESPACE_DROP:
        put_bytes(encoder, request->payload);
        break;
    case WIRE_MAINTAIN:
        put_u8(encoder, request->action);
        put_bytes(encoder, request->payload);
        break;
    case WIRE_CONFIG:
        put_u8(encoder, request->action);
        put_block(encoder, request->payload);
        put_bytes(encoder, request->value);
        break;
    case WIRE_NAMESPACE_CREATE:
        put_block(encoder, request->payload);
        put_settings(encoder, &request->settings);
        break;
    case WIRE_SNAPSHOT_LIST:
    case WIRE_NAMESPACE_LIST:
        break;
    case WIRE_GET:
    case WIRE_EXISTS:
    case WIRE_META:
    case WIRE_DELETE:
    case WIRE_TOUCH:
    case WIRE_PERSIST:
    case WIRE_EXPLAIN:
    case WIRE_UPLOAD_BEGIN:
        put_bytes(encoder, request->key);
        break;
    case WIRE_MGET:
    case WIRE_BATCH:
        put_list(encoder, &request->list);
        break;
    case WIRE_PUT:
        put_u32(encoder, request->user_flags);
        put_block(encoder, request->key);
        break;
    case WIRE_APPEND:
        put_block(encoder, request->key);
        break;
    case WIRE_ADD:
        put_u64(encoder, (uint64_t)request->amount);
        put_bytes(encoder, request->key);
        break;
    case WIRE_SCAN:
    case WIRE_COUNT:
        put_range(encoder, &request->range);
        break;
    case WIRE_DELETE_RANGE:
        put_bounds(encoder, &request->range);
        break;
    default:
        if (!put_operation_of_state(encoder, request)) {
            encoder->status = STATUS_UNSUPPORTED;
        }
    }
}

/* `value_here`: a value at the end is appended; else it is only counted. */
static enum status encode(struct buffer *buffer, const struct wire_request *request,
                          bool value_here) {
    struct encoder encoder = {buffer, STATUS_OK};
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    size_t value_len = ends_with_value(request->opcode) ? request->value.len : 0;

    encoder.status = wire_frame_begin(buffer, WIRE_KIND_REQUEST, request->opcode, request->id,
                                      request->options.flags, &mark);
    put_options(&encoder, &request->options);
    if (encoder.status == STATUS_OK) {
        put_operation(&encoder, request);
    }
    if (value_len > WIRE_BODY_CEILING && encoder.status == STATUS_OK) {
        encoder.status = STATUS_TOO_LARGE;
    }
    if (value_here && value_len > 0) {
        put_bytes(&encoder, request->value);
    }
    if (encoder.status == STATUS_OK) {
        encoder.status = wire_frame_finish(buffer, mark, value_here ? 0 : value_len);
    }
    if (encoder.status != STATUS_OK) {
        buffer_rollback(buffer, start);
    }
    return encoder.status;
}

enum status wire_request_encode(struct buffer *buffer, const struct wire_request *request) {
    return encode(buffer, request, true);
}

enum status wire_request_encode_head(struct buffer *buffer, const struct wire_request *request) {
    ASSERT(ends_with_value(request->opcode));
    return encode(buffer, request, false);
}

/* --- lists --- */

enum status wire_list_add_key(struct buffer *bytes, struct slice key) {
    struct encoder encoder = {bytes, STATUS_OK};
    size_t mark = buffer_mark(bytes);

    put_block(&encoder, key);
    if (encoder.status != STATUS_OK) {
        buffer_rollback(bytes, mark);
    }
    return encoder.status;
}

static void put_item(struct encoder *encoder, const struct wire_item *item) {
    put_u8(encoder, item->kind);
    put_u8(encoder, item->flags);
    if (item->flags & WIRE_ITEM_TTL) {
        put_u64(encoder, item->ttl_ms);
    }
    if (item->flags & WIRE_ITEM_EXPIRE_AT) {
        put_u64(encoder, item->expire_at_ms);
    }
    if (item->flags & WIRE_ITEM_CONDITION) {
        put_condition(encoder, item->condition, item->version);
    }
    if (item->flags & WIRE_ITEM_CHECKSUM) {
        put_u64(encoder, item->checksum);
    }
    if (item->flags & WIRE_ITEM_USER_FLAGS) {
        put_u32(encoder, item->user_flags);
    }
    put_block(encoder, item->key);
    if (item->kind == WIRE_ITEM_PUT || item->kind == WIRE_ITEM_DELETE_RANGE ||
        item->kind == WIRE_ITEM_APPEND) {
        put_block(encoder, item->value);
    } else if (item->kind == WIRE_ITEM_ADD) {
        put_u64(encoder, (uint64_t)item->amount);
    }
}

enum status wire_list_add_item(struct buffer *bytes, const struct wire_item *item) {
    struct encoder encoder = {bytes, STATUS_OK};
    size_t mark = buffer_mark(bytes);

    put_item(&encoder, item);
    if (encoder.status != STATUS_OK) {
        buffer_rollback(bytes, mark);
    }
    return encoder.status;
}

enum status wire_list_add_comparison(struct buffer *bytes,
                                     const struct wire_comparison *comparison) {
    struct encoder encoder = {bytes, STATUS_OK};
    size_t mark = buffer_mark(bytes);

    put_u8(&encoder, comparison->kind);
    put_u8(&encoder, comparison->relation);
    put_block(&encoder, comparison->key);
    if (comparison->kind == WIRE_COMPARE_VERSION) {
        put_u64(&encoder, comparison->version);
    } else if (comparison->kind == WIRE_COMPARE_VALUE) {
        put_block(&encoder, comparison->value);
    }
    if (encoder.status != STATUS_OK) {
        buffer_rollback(bytes, mark);
    }
    return encoder.status;
}

enum status wire_extension_add(struct buffer *bytes, uint16_t type, struct slice content) {
    struct encoder encoder = {bytes, STATUS_OK};
    size_t mark = buffer_mark(bytes);

    put_u16(&encoder, type);
    put_block(&encoder, content);
    if (encoder.status != STATUS_OK) {
        buffer_rollback(bytes, mark);
    }
    return encoder.status;
}
