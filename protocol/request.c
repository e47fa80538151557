/* request.c: the server's half of request.h: bytes to structs, everything checked. */
#include "protocol/request.h"

/* Where a decode stands: what is left of the body, and what was wrong. */
struct decoder {
    struct reader reader;
    const struct wire_limits *limits;
    struct wire_refusal *refusal;
};

static enum status refuse(struct decoder *decoder, enum status status, const char *text,
                          uint64_t detail) {
    decoder->refusal->text = text;
    decoder->refusal->detail = detail;
    return status;
}

static enum status refuse_short(struct decoder *decoder) {
    return refuse(decoder, STATUS_PROTOCOL, "the body ends before its fields do", 0);
}

static struct slice take_rest(struct decoder *decoder) {
    struct slice rest = slice_make(decoder->reader.ptr, reader_left(&decoder->reader));

    decoder->reader.ptr = decoder->reader.end;
    return rest;
}

static enum status check_end(struct decoder *decoder) {
    if (reader_left(&decoder->reader) != 0) {
        return refuse(decoder, STATUS_PROTOCOL, "the body goes on behind its fields", 0);
    }
    return STATUS_OK;
}

static enum status check_key(struct decoder *decoder, struct slice key) {
    if (key.len == 0) {
        return refuse(decoder, STATUS_INVALID, "the key is empty", 0);
    }
    if (key.len > decoder->limits->key_max) {
        return refuse(decoder, STATUS_TOO_LARGE, "the key is longer than key_max",
                      decoder->limits->key_max);
    }
    return STATUS_OK;
}

static enum status check_value(struct decoder *decoder, struct slice value) {
    if (value.len > decoder->limits->value_max) {
        return refuse(decoder, STATUS_TOO_LARGE, "the value is longer than value_max",
                      decoder->limits->value_max);
    }
    return STATUS_OK;
}

/* --- flags --- */

#define FLAGS_ANY ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_EXTENSIONS))
#define FLAGS_READ                                                                                 \
    (FLAGS_ANY | (uint32_t)(WIRE_FLAG_SNAPSHOT | WIRE_FLAG_TRANSACTION | WIRE_FLAG_NAMESPACE))
#define FLAGS_WRITE                                                                                \
    (FLAGS_ANY | (uint32_t)(WIRE_FLAG_DURABILITY | WIRE_FLAG_RETRY_TOKEN | WIRE_FLAG_TRANSACTION | \
                            WIRE_FLAG_NAMESPACE))

/* The flags that have a meaning for the opcode. */
static uint32_t flags_of(uint16_t opcode) {
    switch (opcode) {
    case WIRE_GET:
    case WIRE_MGET:
    case WIRE_META:
    case WIRE_SCAN:
        return FLAGS_READ | (uint32_t)WIRE_FLAG_WANT_CHECKSUM;
    case WIRE_EXISTS:
    case WIRE_COUNT:
        return FLAGS_READ;
    case WIRE_PUT:
        return FLAGS_WRITE | (uint32_t)(WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT | WIRE_FLAG_CONDITION |
                                        WIRE_FLAG_CHECKSUM);
    case WIRE_DELETE:
        return FLAGS_WRITE | (uint32_t)WIRE_FLAG_CONDITION;
    case WIRE_BATCH:
        return FLAGS_WRITE;
    case WIRE_PING:
    case WIRE_STATS:
        return FLAGS_ANY;
    default: /* HELLO: nothing is agreed yet */
        return 0;
    }
}

static enum status check_flags(struct decoder *decoder, const struct wire_frame *frame,
                               uint32_t agreed) {
    uint32_t strange = frame->flags & ~(agreed & WIRE_FLAGS_REQUEST);
    uint32_t idle = frame->flags & ~flags_of(frame->code);

    if (!wire_opcode_served(frame->code)) {
        return refuse(decoder, STATUS_UNSUPPORTED, "this opcode is not served", frame->code);
    }
    if (strange != 0) {
        return refuse(decoder, STATUS_UNSUPPORTED, "a flag was not agreed in HELLO", strange);
    }
    if (idle != 0) {
        return refuse(decoder, STATUS_INVALID, "a flag has no meaning for this opcode", idle);
    }
    if ((frame->flags & WIRE_FLAG_TTL) && (frame->flags & WIRE_FLAG_EXPIRE_AT)) {
        return refuse(decoder, STATUS_INVALID, "TTL and EXPIRE_AT exclude each other",
                      WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT);
    }
    if ((frame->flags & WIRE_FLAG_SNAPSHOT) && (frame->flags & WIRE_FLAG_TRANSACTION)) {
        return refuse(decoder, STATUS_INVALID, "SNAPSHOT and TRANSACTION exclude each other",
                      WIRE_FLAG_SNAPSHOT | WIRE_FLAG_TRANSACTION);
    }
    return STATUS_OK;
}

/* --- optional fields --- */

static enum status take_positive(struct decoder *decoder, uint64_t *value_out, const char *text) {
    uint64_t value;

    if (!reader_take_u64(&decoder->reader, &value)) {
        return refuse_short(decoder);
    }
    if (value == 0) {
        return refuse(decoder, STATUS_INVALID, text, 0);
    }
    *value_out = value;
    return STATUS_OK;
}

static enum status take_ttl(struct decoder *decoder, uint64_t *ttl_ms_out) {
    return take_positive(decoder, ttl_ms_out, "a time to live of 0 ms");
}

static enum status take_expire_at(struct decoder *decoder, uint64_t *expire_at_ms_out) {
    return take_positive(decoder, expire_at_ms_out, "an expiry at 0 ms");
}

static enum status take_condition(struct decoder *decoder, uint8_t *condition_out,
                                  uint64_t *version_out) {
    uint8_t condition;

    if (!reader_take_u8(&decoder->reader, &condition)) {
        return refuse_short(decoder);
    }
    if (condition < WIRE_CONDITION_ABSENT || condition > WIRE_CONDITION_VERSION) {
        return refuse(decoder, STATUS_INVALID, "the condition is not 1, 2 or 3", condition);
    }
    if (condition == WIRE_CONDITION_VERSION && !reader_take_u64(&decoder->reader, version_out)) {
        return refuse_short(decoder);
    }
    *condition_out = condition;
    return STATUS_OK;
}

static enum status take_deadline(struct decoder *decoder, struct wire_options *options) {
    if (!reader_take_u32(&decoder->reader, &options->deadline_ms)) {
        return refuse_short(decoder);
    }
    if (options->deadline_ms == 0) {
        return refuse(decoder, STATUS_INVALID, "a deadline of 0 ms", 0);
    }
    return STATUS_OK;
}

static enum status take_durability(struct decoder *decoder, struct wire_options *options) {
    if (!reader_take_u8(&decoder->reader, &options->durability)) {
        return refuse_short(decoder);
    }
    if (options->durability < WIRE_DURABILITY_MEMORY ||
        options->durability > WIRE_DURABILITY_SYNCED) {
        return refuse(decoder, STATUS_INVALID, "the durability is not 1, 2 or 3",
                      options->durability);
    }
    return STATUS_OK;
}

static enum status take_retry_token(struct decoder *decoder, struct wire_options *options) {
    struct slice client;

    if (!reader_take_bytes(&decoder->reader, WIRE_RETRY_CLIENT_BYTES, &client) ||
        !reader_take_u64(&decoder->reader, &options->retry_sequence)) {
        return refuse_short(decoder);
    }
    memcpy(options->retry_client, client.ptr, WIRE_RETRY_CLIENT_BYTES);
    return STATUS_OK;
}

static enum status take_u64(struct decoder *decoder, uint64_t *value_out) {
    return reader_take_u64(&decoder->reader, value_out) ? STATUS_OK : refuse_short(decoder);
}

static enum status take_namespace(struct decoder *decoder, struct wire_options *options) {
    struct slice *name = &options->namespace_name;

    if (!reader_take_block(&decoder->reader, name)) {
        return refuse_short(decoder);
    }
    if (name->len == 0) {
        return refuse(decoder, STATUS_INVALID, "the namespace is empty", 0);
    }
    if (name->len > WIRE_NAMESPACE_BYTES_MAX) {
        return refuse(decoder, STATUS_TOO_LARGE, "the namespace is longer than 255 bytes",
                      WIRE_NAMESPACE_BYTES_MAX);
    }
    return STATUS_OK;
}

enum status wire_extension_next(struct slice *rest, struct wire_extension *extension_out) {
    struct reader reader = reader_make(*rest);
    struct wire_extension extension;

    if (rest->len == 0) {
        return STATUS_END;
    }
    if (!reader_take_u16(&reader, &extension.type) ||
        !reader_take_block(&reader, &extension.bytes)) {
        return STATUS_PROTOCOL;
    }
    *rest = slice_make(reader.ptr, reader_left(&reader));
    *extension_out = extension;
    return STATUS_OK;
}

static enum status take_extensions(struct decoder *decoder, struct wire_options *options) {
    struct wire_extension extension;
    struct slice rest;
    enum status status;

    if (!reader_take_block(&decoder->reader, &options->extensions)) {
        return refuse_short(decoder);
    }
    rest = options->extensions;
    while ((status = wire_extension_next(&rest, &extension)) == STATUS_OK) {
        if (extension.type & WIRE_EXTENSION_CRITICAL) {
            return refuse(decoder, STATUS_UNSUPPORTED, "a critical extension is not known",
                          extension.type);
        }
    }
    return status == STATUS_END
               ? STATUS_OK
               : refuse(decoder, STATUS_PROTOCOL, "the extension block is not well formed", 0);
}

static enum status take_option(struct decoder *decoder, uint32_t flag,
                               struct wire_options *options) {
    switch (flag) {
    case WIRE_FLAG_DEADLINE:
        return take_deadline(decoder, options);
    case WIRE_FLAG_DURABILITY:
        return take_durability(decoder, options);
    case WIRE_FLAG_RETRY_TOKEN:
        return take_retry_token(decoder, options);
    case WIRE_FLAG_TTL:
        return take_ttl(decoder, &options->ttl_ms);
    case WIRE_FLAG_EXPIRE_AT:
        return take_expire_at(decoder, &options->expire_at_ms);
    case WIRE_FLAG_CONDITION:
        return take_condition(decoder, &options->condition, &options->version);
    case WIRE_FLAG_SNAPSHOT:
        return take_u64(decoder, &options->snapshot);
    case WIRE_FLAG_TRANSACTION:
        return take_u64(decoder, &options->transaction);
    case WIRE_FLAG_NAMESPACE:
        return take_namespace(decoder, options);
    case WIRE_FLAG_CHECKSUM:
        return take_u64(decoder, &options->checksum);
    case WIRE_FLAG_EXTENSIONS:
        return take_extensions(decoder, options);
    default: /* WANT_CHECKSUM has no field */
        return STATUS_OK;
    }
}

static enum status take_options(struct decoder *decoder, struct wire_options *options) {
    enum status status = STATUS_OK;

    for (uint32_t left = options->flags; left != 0 && status == STATUS_OK; left &= left - 1) {
        status = take_option(decoder, left & (~left + 1), options);
    }
    return status;
}

/* --- lists --- */

enum status wire_list_next_key(struct wire_list *list, struct slice *key_out) {
    struct reader reader = reader_make(list->bytes);

    if (list->count == 0) {
        return STATUS_END;
    }
    if (!reader_take_block(&reader, key_out)) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = slice_make(reader.ptr, reader_left(&reader));
    return STATUS_OK;
}

#define ITEM_FLAGS_DELETE WIRE_ITEM_CONDITION
#define ITEM_FLAGS_PUT                                                                             \
    (WIRE_ITEM_TTL | WIRE_ITEM_EXPIRE_AT | WIRE_ITEM_CONDITION | WIRE_ITEM_CHECKSUM |              \
     WIRE_ITEM_USER_FLAGS)

static enum status take_item_head(struct decoder *decoder, struct wire_item *item) {
    int known;

    if (!reader_take_u8(&decoder->reader, &item->kind) ||
        !reader_take_u8(&decoder->reader, &item->flags)) {
        return refuse_short(decoder);
    }
    if (item->kind != WIRE_ITEM_PUT && item->kind != WIRE_ITEM_DELETE) {
        return refuse(decoder, STATUS_INVALID, "the item is neither put (1) nor delete (2)",
                      item->kind);
    }
    known = item->kind == WIRE_ITEM_PUT ? ITEM_FLAGS_PUT : ITEM_FLAGS_DELETE;
    if (item->flags & ~known) {
        return refuse(decoder, STATUS_INVALID, "an item flag has no meaning for this item",
                      (uint64_t)(item->flags & ~known));
    }
    if ((item->flags & WIRE_ITEM_TTL) && (item->flags & WIRE_ITEM_EXPIRE_AT)) {
        return refuse(decoder, STATUS_INVALID, "ttl and expire at exclude each other", 0);
    }
    return STATUS_OK;
}

static enum status take_item_fields(struct decoder *decoder, struct wire_item *item) {
    enum status status = STATUS_OK;

    if (item->flags & WIRE_ITEM_TTL) {
        status = take_ttl(decoder, &item->ttl_ms);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_EXPIRE_AT)) {
        status = take_expire_at(decoder, &item->expire_at_ms);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_CONDITION)) {
        status = take_condition(decoder, &item->condition, &item->version);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_CHECKSUM)) {
        status = take_u64(decoder, &item->checksum);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_USER_FLAGS) &&
        !reader_take_u32(&decoder->reader, &item->user_flags)) {
        status = refuse_short(decoder);
    }
    return status;
}

static enum status take_item(struct decoder *decoder, struct wire_item *item) {
    enum status status = take_item_head(decoder, item);

    if (status == STATUS_OK) {
        status = take_item_fields(decoder, item);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!reader_take_block(&decoder->reader, &item->key)) {
        return refuse_short(decoder);
    }
    if (item->kind == WIRE_ITEM_PUT && !reader_take_block(&decoder->reader, &item->value)) {
        return refuse_short(decoder);
    }
    return STATUS_OK;
}

enum status wire_list_next_item(struct wire_list *list, struct wire_item *item_out) {
    struct wire_refusal refusal = {0};
    struct decoder decoder = {reader_make(list->bytes), NULL, &refusal};
    struct wire_item item = {0};

    if (list->count == 0) {
        return STATUS_END;
    }
    if (take_item(&decoder, &item) != STATUS_OK) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = take_rest(&decoder);
    *item_out = item;
    return STATUS_OK;
}

/* Takes the count of a list and remembers where its elements begin. */
static enum status take_list_start(struct decoder *decoder, uint32_t count_max, const char *text,
                                   struct wire_list *list) {
    if (!reader_take_varint32(&decoder->reader, &list->count)) {
        return refuse_short(decoder);
    }
    if (list->count == 0) {
        return refuse(decoder, STATUS_INVALID, "the list is empty", 0);
    }
    if (list->count > count_max) {
        return refuse(decoder, STATUS_TOO_LARGE, text, count_max);
    }
    list->bytes = slice_make(decoder->reader.ptr, reader_left(&decoder->reader));
    return STATUS_OK;
}

static enum status take_keys(struct decoder *decoder, struct wire_list *list) {
    enum status status = take_list_start(decoder, decoder->limits->mget_keys_max,
                                         "more keys than mget_keys_max", list);

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        struct slice key;
        status = reader_take_block(&decoder->reader, &key) ? check_key(decoder, key)
                                                           : refuse_short(decoder);
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    return status == STATUS_OK ? check_end(decoder) : status;
}

static enum status take_checked_item(struct decoder *decoder, uint64_t *bytes) {
    struct wire_item item = {0};
    enum status status = take_item(decoder, &item);

    if (status == STATUS_OK) {
        status = check_key(decoder, item.key);
    }
    if (status == STATUS_OK) {
        status = check_value(decoder, item.value);
    }
    *bytes += item.key.len + item.value.len;
    if (status == STATUS_OK && *bytes > decoder->limits->batch_bytes_max) {
        status = refuse(decoder, STATUS_TOO_LARGE, "the batch is larger than batch_bytes_max",
                        decoder->limits->batch_bytes_max);
    }
    return status;
}

static enum status take_items(struct decoder *decoder, struct wire_list *list) {
    uint64_t bytes = 0;
    enum status status = take_list_start(decoder, decoder->limits->batch_items_max,
                                         "more items than batch_items_max", list);

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        status = take_checked_item(decoder, &bytes);
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    return status == STATUS_OK ? check_end(decoder) : status;
}

/* --- operations --- */

static enum status take_hello(struct decoder *decoder, struct wire_request *request) {
    if (!reader_take_u16(&decoder->reader, &request->version_min) ||
        !reader_take_u16(&decoder->reader, &request->version_max) ||
        !reader_take_u64(&decoder->reader, &request->features) ||
        !reader_take_block(&decoder->reader, &request->payload)) {
        return refuse_short(decoder);
    }
    if (request->version_min > request->version_max) {
        return refuse(decoder, STATUS_INVALID, "version_min is above version_max",
                      request->version_min);
    }
    if (request->payload.len > WIRE_NAME_BYTES_MAX) {
        return refuse(decoder, STATUS_TOO_LARGE, "the client name is longer than 255 bytes",
                      WIRE_NAME_BYTES_MAX);
    }
    take_rest(decoder); /* room for what later versions add */
    return STATUS_OK;
}

static enum status take_put(struct decoder *decoder, struct wire_request *request) {
    enum status status;

    if (!reader_take_u32(&decoder->reader, &request->user_flags) ||
        !reader_take_block(&decoder->reader, &request->key)) {
        return refuse_short(decoder);
    }
    request->value = take_rest(decoder);
    status = check_key(decoder, request->key);
    return status == STATUS_OK ? check_value(decoder, request->value) : status;
}

static enum status check_range(struct decoder *decoder, const struct wire_range *range) {
    uint32_t key_max = decoder->limits->key_max;
    int known = WIRE_RANGE_REVERSE | WIRE_RANGE_KEYS_ONLY | WIRE_RANGE_PREFIX;

    if (range->flags & ~known) {
        return refuse(decoder, STATUS_INVALID, "a range flag has no meaning",
                      (uint64_t)(range->flags & ~known));
    }
    if ((range->flags & WIRE_RANGE_PREFIX) && range->to.len > 0) {
        return refuse(decoder, STATUS_INVALID, "a prefix has no upper end", 0);
    }
    if (range->from.len > key_max || range->to.len > key_max) {
        return refuse(decoder, STATUS_TOO_LARGE, "an end of the range is longer than key_max",
                      key_max);
    }
    if (range->cursor.len > WIRE_CURSOR_BYTES_MAX) {
        return refuse(decoder, STATUS_TOO_LARGE, "the cursor is too long", WIRE_CURSOR_BYTES_MAX);
    }
    return STATUS_OK;
}

static enum status take_range(struct decoder *decoder, struct wire_range *range) {
    enum status status;

    if (!reader_take_u8(&decoder->reader, &range->flags) ||
        !reader_take_varint32(&decoder->reader, &range->limit) ||
        !reader_take_varint32(&decoder->reader, &range->page_bytes) ||
        !reader_take_block(&decoder->reader, &range->from) ||
        !reader_take_block(&decoder->reader, &range->to) ||
        !reader_take_block(&decoder->reader, &range->cursor)) {
        return refuse_short(decoder);
    }
    status = check_range(decoder, range);
    return status == STATUS_OK ? check_end(decoder) : status;
}

static enum status take_section(struct decoder *decoder, struct wire_request *request) {
    request->payload = take_rest(decoder);
    if (request->payload.len > WIRE_NAME_BYTES_MAX) {
        return refuse(decoder, STATUS_TOO_LARGE, "the section is longer than 255 bytes",
                      WIRE_NAME_BYTES_MAX);
    }
    return STATUS_OK;
}

static enum status take_operation(struct decoder *decoder, struct wire_request *request) {
    switch (request->opcode) {
    case WIRE_HELLO:
        return take_hello(decoder, request);
    case WIRE_PING:
        request->payload = take_rest(decoder);
        return STATUS_OK;
    case WIRE_STATS:
        return take_section(decoder, request);
    case WIRE_MGET:
        return take_keys(decoder, &request->list);
    case WIRE_BATCH:
        return take_items(decoder, &request->list);
    case WIRE_PUT:
        return take_put(decoder, request);
    case WIRE_SCAN:
    case WIRE_COUNT:
        return take_range(decoder, &request->range);
    default: /* GET, EXISTS, META, DELETE */
        request->key = take_rest(decoder);
        return check_key(decoder, request->key);
    }
}

enum status wire_request_decode(const struct wire_frame *frame, const struct wire_limits *limits,
                                uint32_t agreed, struct wire_request *request_out,
                                struct wire_refusal *refusal_out) {
    struct decoder decoder = {reader_make(frame->body), limits, refusal_out};
    struct wire_request request = {.id = frame->id, .opcode = frame->code};
    enum status status;

    *refusal_out = (struct wire_refusal){.text = "", .item = WIRE_NO_ITEM};
    status = check_flags(&decoder, frame, agreed);
    request.options.flags = frame->flags;
    if (status == STATUS_OK) {
        status = take_options(&decoder, &request.options);
    }
    if (status == STATUS_OK) {
        status = take_operation(&decoder, &request);
    }
    if (status == STATUS_OK) {
        *request_out = request;
    }
    return status;
}
