/* request.c: the server's half of request.h: bytes to structs, everything checked. */
#include "protocol/request.h"

#include "protocol/request_decoder.h"

static enum status take_hello(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u16(&decoder->reader, &request->version_min) ||
        !reader_take_u16(&decoder->reader, &request->version_max) ||
        !reader_take_u64(&decoder->reader, &request->features) ||
        !reader_take_block(&decoder->reader, &request->payload)) {
        return decoder_refuse_short(decoder);
    }
    if (request->version_min > request->version_max) {
        return decoder_refuse(decoder, STATUS_INVALID, "version_min is above version_max",
                              request->version_min);
    }
    if (request->payload.len > WIRE_NAME_BYTES_MAX) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the client name is longer than 255 bytes",
                              WIRE_NAME_BYTES_MAX);
    }
    decoder_take_rest(decoder); /* room for what later versions add */
    return STATUS_OK;
}

static enum status take_put(struct decoder *decoder, struct wire_request *request) {
    enum status status;

    if (!reader_take_u32(&decoder->reader, &request->user_flags) ||
        !reader_take_block(&decoder->reader, &request->key)) {
        return decoder_refuse_short(decoder);
    }
    request->value = decoder_take_rest(decoder);
    status = decoder_check_key(decoder, request->key);
    return status == STATUS_OK ? decoder_check_value(decoder, request->value) : status;
}

/* `known`: the flags that have a meaning. */
static enum status check_range(struct decoder *decoder, const struct wire_range *range, int known) {
    if (range->flags & ~known) {
        return decoder_refuse(decoder, STATUS_INVALID, "a range flag has no meaning",
                              (uint64_t)(range->flags & ~known));
    }
    if ((range->flags & WIRE_RANGE_PREFIX) && range->to.len > 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "a prefix has no upper end", 0);
    }
    if (range->cursor.len > WIRE_CURSOR_BYTES_MAX) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the cursor is too long",
                              WIRE_CURSOR_BYTES_MAX);
    }
    return decoder_check_bounds(decoder, range->from, range->to);
}

static enum status take_range(struct decoder *decoder, struct wire_range *range, int known) {
    enum status status;

    if (!reader_take_u8(&decoder->reader, &range->flags) ||
        !reader_take_varint32(&decoder->reader, &range->limit) ||
        !reader_take_varint32(&decoder->reader, &range->page_bytes) ||
        !reader_take_block(&decoder->reader, &range->from) ||
        !reader_take_block(&decoder->reader, &range->to) ||
        !reader_take_block(&decoder->reader, &range->cursor)) {
        return decoder_refuse_short(decoder);
    }
    status = check_range(decoder, range, known);
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

/* A range without pages. */
static enum status take_bounds(struct decoder *decoder, struct wire_range *range) {
    enum status status;

    if (!reader_take_u8(&decoder->reader, &range->flags) ||
        !reader_take_block(&decoder->reader, &range->from) ||
        !reader_take_block(&decoder->reader, &range->to)) {
        return decoder_refuse_short(decoder);
    }
    status = check_range(decoder, range, WIRE_RANGE_PREFIX);
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

static enum status take_key(struct decoder *decoder, struct wire_request *request) {
    request->key = decoder_take_rest(decoder);
    return decoder_check_key(decoder, request->key);
}

static enum status take_get_range(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u64(&decoder->reader, &request->offset) ||
        !reader_take_u32(&decoder->reader, &request->length)) {
        return decoder_refuse_short(decoder);
    }
    return take_key(decoder, request);
}

static enum status take_history(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u64(&decoder->reader, &request->before) ||
        !reader_take_varint32(&decoder->reader, &request->range.limit)) {
        return decoder_refuse_short(decoder);
    }
    return take_key(decoder, request);
}

static enum status take_state(struct decoder *decoder, struct wire_state *state) {
    if (!reader_take_u8(&decoder->reader, &state->kind)) {
        return decoder_refuse_short(decoder);
    }
    if (state->kind > WIRE_STATE_TIME) {
        return decoder_refuse(decoder, STATUS_INVALID, "the kind of the state is not 0 to 3",
                              state->kind);
    }
    return state->kind == WIRE_STATE_NEWEST ? STATUS_OK : decoder_take_u64(decoder, &state->value);
}

static enum status take_diff(struct decoder *decoder, struct wire_request *request) {
    enum status status = take_state(decoder, &request->from_state);

    if (status == STATUS_OK) {
        status = take_state(decoder, &request->to_state);
    }
    return status == STATUS_OK ? take_range(decoder, &request->range, WIRE_RANGE_PREFIX) : status;
}

static enum status take_rewind(struct decoder *decoder, struct wire_request *request) {
    enum status status = take_state(decoder, &request->to_state);

    if (status == STATUS_OK && request->to_state.kind == WIRE_STATE_NEWEST) {
        status = decoder_refuse(decoder, STATUS_INVALID, "a rewind to the newest state", 0);
    }
    return status == STATUS_OK ? take_bounds(decoder, &request->range) : status;
}

static enum status take_feed(struct decoder *decoder, struct wire_request *request) {
    struct wire_feed_position *position = &request->position;

    if (!reader_take_u64(&decoder->reader, &position->version) ||
        !reader_take_u32(&decoder->reader, &position->skip) ||
        !reader_take_u64(&decoder->reader, &position->value_offset) ||
        !reader_take_u32(&decoder->reader, &request->wait_ms) ||
        !reader_take_varint32(&decoder->reader, &request->range.page_bytes)) {
        return decoder_refuse_short(decoder);
    }
    return take_bounds(decoder, &request->range);
}

static enum status take_add(struct decoder *decoder, struct wire_request *request) {
    uint64_t amount = 0;
    enum status status = decoder_take_u64(decoder, &amount);

    request->amount = (int64_t)amount;
    return status == STATUS_OK ? take_key(decoder, request) : status;
}

static enum status take_append(struct decoder *decoder, struct wire_request *request) {
    enum status status;

    if (!reader_take_block(&decoder->reader, &request->key)) {
        return decoder_refuse_short(decoder);
    }
    request->value = decoder_take_rest(decoder);
    status = decoder_check_key(decoder, request->key);
    return status == STATUS_OK ? decoder_check_value(decoder, request->value) : status;
}

static enum status take_upload_data(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u64(&decoder->reader, &request->handle) ||
        !reader_take_u64(&decoder->reader, &request->offset)) {
        return decoder_refuse_short(decoder);
    }
    request->value = decoder_take_rest(decoder);
    return STATUS_OK;
}

static enum status take_upload_commit(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u64(&decoder->reader, &request->handle) ||
        !reader_take_u32(&decoder->reader, &request->user_flags)) {
        return decoder_refuse_short(decoder);
    }
    return decoder_check_end(decoder);
}

/* A number that is all of the body. */
static enum status take_number(struct decoder *decoder, uint64_t *number_out) {
    enum status status = decoder_take_u64(decoder, number_out);

    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

static enum status take_load(struct decoder *decoder, struct wire_request *request) {
    enum status status;

    if (!reader_take_u8(&decoder->reader, &request->action)) {
        return decoder_refuse_short(decoder);
    }
    if ((request->options.flags & WIRE_FLAG_NAMESPACE) && request->action != WIRE_LOAD_BEGIN) {
        return decoder_refuse(decoder, STATUS_INVALID, "a load has the namespace of its begin", 0);
    }
    switch (request->action) {
    case WIRE_LOAD_BEGIN:
    case WIRE_LOAD_ABORT:
        return decoder_check_end(decoder);
    case WIRE_LOAD_COMMIT:
        return take_number(decoder, &request->offset);
    case WIRE_LOAD_DATA:
        status = decoder_take_u64(decoder, &request->offset);
        return status == STATUS_OK ? decoder_take_loaded(decoder, &request->list) : status;
    default:
        return decoder_refuse(decoder, STATUS_INVALID, "the action is not 1 to 4", request->action);
    }
}

static enum status take_begin(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u8(&decoder->reader, &request->begin_flags)) {
        return decoder_refuse_short(decoder);
    }
    if (request->begin_flags & ~WIRE_BEGIN_READ_ONLY) {
        return decoder_refuse(decoder, STATUS_INVALID, "a begin flag has no meaning",
                              request->begin_flags);
    }
    return take_number(decoder, &request->lifetime_ms);
}

static enum status take_maintain(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u8(&decoder->reader, &request->action)) {
        return decoder_refuse_short(decoder);
    }
    request->payload = decoder_take_rest(decoder);
    if (request->action < WIRE_ACTION_FLUSH || request->action > WIRE_ACTION_CHECKPOINT) {
        return decoder_refuse(decoder, STATUS_INVALID, "the action is not 1 to 5", request->action);
    }
    if ((request->action == WIRE_ACTION_CHECKPOINT) != (request->payload.len > 0)) {
        return decoder_refuse(decoder, STATUS_INVALID,
                              "a checkpoint wants a path, the other actions no argument", 0);
    }
    return request->payload.len <= WIRE_PATH_BYTES_MAX
               ? STATUS_OK
               : decoder_refuse(decoder, STATUS_TOO_LARGE, "the path is longer than 4095 bytes",
                                WIRE_PATH_BYTES_MAX);
}

static bool look_has_meaning(uint16_t opcode, uint8_t look) {
    return look == WIRE_LOOK_LIST ||
           look == (opcode == WIRE_CLIENTS ? WIRE_LOOK_CLOSE : WIRE_LOOK_CLEAR);
}

/* SLOWLOG, CLIENTS, HOTKEYS. */
static enum status take_look(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u8(&decoder->reader, &request->action) ||
        !reader_take_u64(&decoder->reader, &request->handle)) {
        return decoder_refuse_short(decoder);
    }
    if (!look_has_meaning(request->opcode, request->action)) {
        return decoder_refuse(decoder, STATUS_INVALID, "the look has no meaning for this opcode",
                              request->action);
    }
    return decoder_check_end(decoder);
}

static enum status take_config(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u8(&decoder->reader, &request->action) ||
        !reader_take_block(&decoder->reader, &request->payload)) {
        return decoder_refuse_short(decoder);
    }
    request->value = decoder_take_rest(decoder);
    if (request->action < WIRE_CONFIG_GET || request->action > WIRE_CONFIG_SET) {
        return decoder_refuse(decoder, STATUS_INVALID, "the action is not 1 or 2", request->action);
    }
    if (request->action == WIRE_CONFIG_GET && request->value.len > 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "no value is asked for with a value", 0);
    }
    return request->payload.len <= WIRE_NAME_BYTES_MAX &&
                   request->value.len <= WIRE_SETTING_BYTES_MAX
               ? STATUS_OK
               : decoder_refuse(decoder, STATUS_TOO_LARGE,
                                "the name is longer than 255 bytes, or the value than 8191",
                                WIRE_SETTING_BYTES_MAX);
}

static enum status check_namespace(struct decoder *decoder, struct slice name) {
    return name.len <= WIRE_NAMESPACE_BYTES_MAX
               ? STATUS_OK
               : decoder_refuse(decoder, STATUS_TOO_LARGE,
                                "the name of the namespace is longer than 255 bytes",
                                WIRE_NAMESPACE_BYTES_MAX);
}

static enum status take_namespace_create(struct decoder *decoder, struct wire_request *request) {
    enum status status;

    if (!reader_take_block(&decoder->reader, &request->payload) ||
        !reader_take_u64(&decoder->reader, &request->settings.quota_bytes) ||
        !reader_take_u64(&decoder->reader, &request->settings.keep_ms) ||
        !reader_take_u32(&decoder->reader, &request->settings.keep_versions)) {
        return decoder_refuse_short(decoder);
    }
    status = check_namespace(decoder, request->payload);
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

static enum status take_namespace_drop(struct decoder *decoder, struct wire_request *request) {
    request->payload = decoder_take_rest(decoder);
    return check_namespace(decoder, request->payload);
}

static enum status take_section(struct decoder *decoder, struct wire_request *request) {
    request->payload = decoder_take_rest(decoder);
    if (request->payload.len > WIRE_NAME_BYTES_MAX) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the section is longer than 255 bytes",
                              WIRE_NAME_BYTES_MAX);
    }
    return STATUS_OK;
}

/* What operators ask for, and all that is no more than a key. */
static enum status take_of_operator(struct decoder *decoder, struct wire_request *request) {
    switch (request->opcode) {
    case WIRE_MAINTAIN:
        return take_maintain(decoder, request);
    case WIRE_SLOWLOG:
    case WIRE_CLIENTS:
    case WIRE_HOTKEYS:
        return take_look(decoder, request);
    case WIRE_CONFIG:
        return take_config(decoder, request);
    case WIRE_NAMESPACE_CREATE:
        return take_namespace_create(decoder, request);
    case WIRE_NAMESPACE_DROP:
        return take_namespace_drop(decoder, request);
    default: /* GET, EXISTS, META, DELETE, TOUCH, PERSIST, EXPLAIN, UPLOAD_BEGIN */
        return take_key(decoder, request);
    }
}

static enum status take_operation(struct decoder *decoder, struct wire_request *request) {
    switch (request->opcode) {
    case WIRE_HELLO:
        return take_hello(decoder, request);
    case WIRE_PING:
        request->payload = decoder_take_rest(decoder);
        return STATUS_OK;
    case WIRE_STATS:
    case WIRE_WHY:
        return take_section(decoder, request);
    case WIRE_MGET:
        return decoder_take_keys(decoder, &request->list);
    case WIRE_BATCH:
        return decoder_take_items(decoder, &request->list);
    case WIRE_PUT:
        return take_put(decoder, request);
    case WIRE_SCAN:
    case WIRE_COUNT:
        return take_range(decoder, &request->range,
                          WIRE_RANGE_REVERSE | WIRE_RANGE_KEYS_ONLY | WIRE_RANGE_PREFIX);
    case WIRE_GET_RANGE:
        return take_get_range(decoder, request);
    case WIRE_HISTORY:
        return take_history(decoder, request);
    case WIRE_DIFF:
        return take_diff(decoder, request);
    case WIRE_DELETE_RANGE:
        return take_bounds(decoder, &request->range);
    case WIRE_ADD:
        return take_add(decoder, request);
    case WIRE_APPEND:
        return take_append(decoder, request);
    case WIRE_REWIND:
        return take_rewind(decoder, request);
    case WIRE_FEED:
        return take_feed(decoder, request);
    case WIRE_UPLOAD_DATA:
        return take_upload_data(decoder, request);
    case WIRE_UPLOAD_COMMIT:
        return take_upload_commit(decoder, request);
    case WIRE_UPLOAD_ABORT:
    case WIRE_SNAPSHOT_CLOSE:
    case WIRE_TXN_COMMIT:
    case WIRE_TXN_ABORT:
        return take_number(decoder, &request->handle);
    case WIRE_BULK_LOAD:
        return take_load(decoder, request);
    case WIRE_TXN_BEGIN:
        return take_begin(decoder, request);
    case WIRE_TRANSACT:
        return decoder_take_transact(decoder, request);
    case WIRE_SNAPSHOT_OPEN:
        return take_number(decoder, &request->lifetime_ms);
    case WIRE_SNAPSHOT_LIST:
    case WIRE_NAMESPACE_LIST:
        return decoder_check_end(decoder);
    default:
        return take_of_operator(decoder, request);
    }
}

enum status wire_request_decode(const struct wire_frame *frame, const struct wire_limits *limits,
                                uint32_t agreed, struct wire_request *request_out,
                                struct wire_refusal *refusal_out) {
    struct decoder decoder = {reader_make(frame->body), limits, refusal_out};
    struct wire_request request = {.id = frame->id, .opcode = frame->code};
    enum status status;

    *refusal_out = (struct wire_refusal){.text = "", .item = WIRE_NO_ITEM};
    status = decoder_check_flags(&decoder, frame, agreed);
    request.options.flags = frame->flags;
    if (status == STATUS_OK) {
        status = decoder_take_options(&decoder, &request.options);
    }
    if (status == STATUS_OK) {
        status = take_operation(&decoder, &request);
    }
    if (status == STATUS_OK) {
        *request_out = request;
    }
    return status;
}
