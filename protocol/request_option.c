/* request_option.c: flags of a request, and the optional fields that they announce. */
#include "protocol/request_decoder.h"

#define FLAGS_ANY ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_EXTENSIONS))
#define FLAGS_STATE (FLAGS_ANY | WIRE_FLAGS_STATE | (uint32_t)WIRE_FLAG_NAMESPACE)
#define FLAGS_READ (FLAGS_STATE | (uint32_t)WIRE_FLAG_TRANSACTION)
#define FLAGS_RECORD (FLAGS_READ | (uint32_t)WIRE_FLAG_WANT_CHECKSUM)
#define FLAGS_COMMIT (FLAGS_ANY | (uint32_t)(WIRE_FLAG_DURABILITY | WIRE_FLAG_RETRY_TOKEN))
#define FLAGS_WRITE (FLAGS_COMMIT | (uint32_t)WIRE_FLAG_NAMESPACE)
#define FLAGS_INSIDE (FLAGS_WRITE | (uint32_t)WIRE_FLAG_TRANSACTION)
#define FLAGS_WRITE_KEY (FLAGS_INSIDE | (uint32_t)WIRE_FLAG_CONDITION)
#define FLAGS_EXPIRY ((uint32_t)(WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT))

struct opcode_flags {
    uint16_t opcode;
    uint32_t flags;
};

/* The flags that have a meaning for the opcode; HELLO has none, since nothing is agreed yet. */
static const struct opcode_flags opcode_flags[] = {
    {WIRE_PING, FLAGS_ANY},
    {WIRE_GET, FLAGS_RECORD},
    {WIRE_MGET, FLAGS_RECORD},
    {WIRE_META, FLAGS_RECORD},
    {WIRE_SCAN, FLAGS_RECORD},
    {WIRE_GET_RANGE, FLAGS_RECORD},
    {WIRE_EXISTS, FLAGS_READ},
    {WIRE_COUNT, FLAGS_READ},
    {WIRE_HISTORY, FLAGS_STATE},
    {WIRE_EXPLAIN, FLAGS_STATE},
    {WIRE_DIFF, FLAGS_ANY | (uint32_t)WIRE_FLAG_NAMESPACE},
    {WIRE_PUT, FLAGS_WRITE_KEY | FLAGS_EXPIRY | (uint32_t)WIRE_FLAG_CHECKSUM},
    {WIRE_DELETE, FLAGS_WRITE_KEY},
    {WIRE_BATCH, FLAGS_WRITE},
    {WIRE_DELETE_RANGE, FLAGS_INSIDE},
    {WIRE_ADD, FLAGS_WRITE_KEY},
    {WIRE_APPEND, FLAGS_WRITE_KEY},
    {WIRE_TOUCH, FLAGS_WRITE_KEY | FLAGS_EXPIRY},
    {WIRE_PERSIST, FLAGS_WRITE_KEY},
    {WIRE_REWIND, FLAGS_WRITE},
    {WIRE_UPLOAD_BEGIN, FLAGS_ANY | (uint32_t)WIRE_FLAG_NAMESPACE},
    {WIRE_UPLOAD_DATA, FLAGS_ANY},
    {WIRE_UPLOAD_COMMIT,
     FLAGS_COMMIT | FLAGS_EXPIRY | (uint32_t)(WIRE_FLAG_CONDITION | WIRE_FLAG_CHECKSUM)},
    {WIRE_UPLOAD_ABORT, FLAGS_ANY},
    {WIRE_BULK_LOAD, FLAGS_ANY | (uint32_t)WIRE_FLAG_NAMESPACE},
    {WIRE_SNAPSHOT_OPEN, FLAGS_ANY},
    {WIRE_FEED, FLAGS_ANY | (uint32_t)WIRE_FLAG_NAMESPACE},
    {WIRE_SNAPSHOT_CLOSE, FLAGS_ANY},
    {WIRE_SNAPSHOT_LIST, FLAGS_ANY},
    {WIRE_TXN_BEGIN, FLAGS_ANY | (uint32_t)WIRE_FLAG_SNAPSHOT},
    {WIRE_TXN_COMMIT, FLAGS_COMMIT},
    {WIRE_TXN_ABORT, FLAGS_ANY},
    {WIRE_TRANSACT, FLAGS_COMMIT | (uint32_t)(WIRE_FLAG_NAMESPACE | WIRE_FLAG_WANT_CHECKSUM)},
    {WIRE_STATS, FLAGS_ANY},
    {WIRE_WHY, FLAGS_ANY},
    {WIRE_MAINTAIN, FLAGS_ANY},
    {WIRE_CONFIG, FLAGS_ANY},
    {WIRE_NAMESPACE_CREATE, FLAGS_COMMIT},
    {WIRE_NAMESPACE_DROP, FLAGS_COMMIT},
    {WIRE_NAMESPACE_LIST, FLAGS_ANY},
    {WIRE_SLOWLOG, FLAGS_ANY},
    {WIRE_CLIENTS, FLAGS_ANY},
    {WIRE_HOTKEYS, FLAGS_ANY},
};

#define OPCODE_FLAGS_COUNT (sizeof opcode_flags / sizeof opcode_flags[0])

static uint32_t flags_of(uint16_t opcode) {
    for (size_t i = 0; i < OPCODE_FLAGS_COUNT; i++) {
        if (opcode_flags[i].opcode == opcode) {
            return opcode_flags[i].flags;
        }
    }
    return 0;
}

static bool has_two(uint32_t flags) {
    return (flags & (flags - 1)) != 0;
}

/* Flags that exclude each other, and the one that TOUCH cannot do without. */
static enum status check_contradictions(struct decoder *decoder, const struct wire_frame *frame) {
    uint32_t states = frame->flags & (WIRE_FLAGS_STATE | (uint32_t)WIRE_FLAG_TRANSACTION);
    uint32_t expiries = frame->flags & FLAGS_EXPIRY;

    if (has_two(expiries)) {
        return decoder_refuse(decoder, STATUS_INVALID, "TTL and EXPIRE_AT exclude each other",
                              expiries);
    }
    if (has_two(states)) {
        return decoder_refuse(decoder, STATUS_INVALID,
                              "SNAPSHOT, TRANSACTION, AT_VERSION and AT_TIME exclude each other",
                              states);
    }
    if (frame->code == WIRE_TOUCH && expiries == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "TOUCH needs TTL or EXPIRE_AT",
                              FLAGS_EXPIRY);
    }
    return STATUS_OK;
}

enum status decoder_check_flags(struct decoder *decoder, const struct wire_frame *frame,
                                uint32_t agreed) {
    uint32_t strange = frame->flags & ~(agreed & WIRE_FLAGS_REQUEST);
    uint32_t idle = frame->flags & ~flags_of(frame->code);

    if (!wire_opcode_served(frame->code)) {
        return decoder_refuse(decoder, STATUS_UNSUPPORTED, "this opcode is not served",
                              frame->code);
    }
    if (strange != 0) {
        return decoder_refuse(decoder, STATUS_UNSUPPORTED, "a flag was not agreed in HELLO",
                              strange);
    }
    if (idle != 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "a flag has no meaning for this opcode",
                              idle);
    }
    return check_contradictions(decoder, frame);
}

/* --- optional fields --- */

static enum status take_positive(struct decoder *decoder, uint64_t *value_out, const char *text) {
    uint64_t value;

    if (!reader_take_u64(&decoder->reader, &value)) {
        return decoder_refuse_short(decoder);
    }
    if (value == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, text, 0);
    }
    *value_out = value;
    return STATUS_OK;
}

enum status decoder_take_ttl(struct decoder *decoder, uint64_t *ttl_ms_out) {
    return take_positive(decoder, ttl_ms_out, "a time to live of 0 ms");
}

enum status decoder_take_expire_at(struct decoder *decoder, uint64_t *expire_at_ms_out) {
    return take_positive(decoder, expire_at_ms_out, "an expiry at 0 ms");
}

enum status decoder_take_condition(struct decoder *decoder, uint8_t *condition_out,
                                   uint64_t *version_out) {
    uint8_t condition;

    if (!reader_take_u8(&decoder->reader, &condition)) {
        return decoder_refuse_short(decoder);
    }
    if (condition < WIRE_CONDITION_ABSENT || condition > WIRE_CONDITION_VERSION) {
        return decoder_refuse(decoder, STATUS_INVALID, "the condition is not 1, 2 or 3", condition);
    }
    if (condition == WIRE_CONDITION_VERSION && !reader_take_u64(&decoder->reader, version_out)) {
        return decoder_refuse_short(decoder);
    }
    *condition_out = condition;
    return STATUS_OK;
}

static enum status take_deadline(struct decoder *decoder, struct wire_options *options) {
    if (!reader_take_u32(&decoder->reader, &options->deadline_ms)) {
        return decoder_refuse_short(decoder);
    }
    if (options->deadline_ms == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "a deadline of 0 ms", 0);
    }
    return STATUS_OK;
}

static enum status take_durability(struct decoder *decoder, struct wire_options *options) {
    if (!reader_take_u8(&decoder->reader, &options->durability)) {
        return decoder_refuse_short(decoder);
    }
    if (options->durability < WIRE_DURABILITY_MEMORY ||
        options->durability > WIRE_DURABILITY_SYNCED) {
        return decoder_refuse(decoder, STATUS_INVALID, "the durability is not 1, 2 or 3",
                              options->durability);
    }
    return STATUS_OK;
}

static enum status take_retry_token(struct decoder *decoder, struct wire_options *options) {
    struct slice client;

    if (!reader_take_bytes(&decoder->reader, WIRE_RETRY_CLIENT_BYTES, &client) ||
        !reader_take_u64(&decoder->reader, &options->retry_sequence)) {
        return decoder_refuse_short(decoder);
    }
    memcpy(options->retry_client, client.ptr, WIRE_RETRY_CLIENT_BYTES);
    return STATUS_OK;
}

static enum status take_namespace(struct decoder *decoder, struct wire_options *options) {
    struct slice *name = &options->namespace_name;

    if (!reader_take_block(&decoder->reader, name)) {
        return decoder_refuse_short(decoder);
    }
    if (name->len == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "the namespace is empty", 0);
    }
    if (name->len > WIRE_NAMESPACE_BYTES_MAX) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the namespace is longer than 255 bytes",
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
        return decoder_refuse_short(decoder);
    }
    rest = options->extensions;
    while ((status = wire_extension_next(&rest, &extension)) == STATUS_OK) {
        if (extension.type & WIRE_EXTENSION_CRITICAL) {
            return decoder_refuse(decoder, STATUS_UNSUPPORTED, "a critical extension is not known",
                                  extension.type);
        }
    }
    return status == STATUS_END ? STATUS_OK
                                : decoder_refuse(decoder, STATUS_PROTOCOL,
                                                 "the extension block is not well formed", 0);
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
        return decoder_take_ttl(decoder, &options->ttl_ms);
    case WIRE_FLAG_EXPIRE_AT:
        return decoder_take_expire_at(decoder, &options->expire_at_ms);
    case WIRE_FLAG_CONDITION:
        return decoder_take_condition(decoder, &options->condition, &options->version);
    case WIRE_FLAG_SNAPSHOT:
        return decoder_take_u64(decoder, &options->snapshot);
    case WIRE_FLAG_TRANSACTION:
        return decoder_take_u64(decoder, &options->transaction);
    case WIRE_FLAG_AT_VERSION:
        return decoder_take_u64(decoder, &options->at_version);
    case WIRE_FLAG_AT_TIME:
        return decoder_take_u64(decoder, &options->at_time_ms);
    case WIRE_FLAG_NAMESPACE:
        return take_namespace(decoder, options);
    case WIRE_FLAG_CHECKSUM:
        return decoder_take_u64(decoder, &options->checksum);
    case WIRE_FLAG_EXTENSIONS:
        return take_extensions(decoder, options);
    default: /* WANT_CHECKSUM has no field */
        return STATUS_OK;
    }
}

enum status decoder_take_options(struct decoder *decoder, struct wire_options *options) {
    enum status status = STATUS_OK;

    for (uint32_t left = options->flags; left != 0 && status == STATUS_OK; left &= left - 1) {
        status = take_option(decoder, left & (~left + 1), options);
    }
    return status;
}
