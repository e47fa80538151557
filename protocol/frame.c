/* frame.c: headers, and the tables of opcodes and wire statuses; see frame.h. */
#include "protocol/frame.h"

#include "protocol/base/assert.h"

/* --- opcodes --- */

struct opcode_name {
    uint16_t opcode;
    bool served;
    const char *name;
};

static const struct opcode_name opcode_names[] = {
    {WIRE_HELLO, true, "HELLO"},
    {WIRE_PING, true, "PING"},
    {WIRE_AUTH, false, "AUTH"},
    {WIRE_CANCEL, false, "CANCEL"},
    {WIRE_GET, true, "GET"},
    {WIRE_MGET, true, "MGET"},
    {WIRE_EXISTS, true, "EXISTS"},
    {WIRE_META, true, "META"},
    {WIRE_SCAN, true, "SCAN"},
    {WIRE_COUNT, true, "COUNT"},
    {WIRE_GET_RANGE, true, "GET_RANGE"},
    {WIRE_HISTORY, true, "HISTORY"},
    {WIRE_DIFF, true, "DIFF"},
    {WIRE_PUT, true, "PUT"},
    {WIRE_DELETE, true, "DELETE"},
    {WIRE_BATCH, true, "BATCH"},
    {WIRE_DELETE_RANGE, true, "DELETE_RANGE"},
    {WIRE_ADD, true, "ADD"},
    {WIRE_APPEND, true, "APPEND"},
    {WIRE_TOUCH, true, "TOUCH"},
    {WIRE_PERSIST, true, "PERSIST"},
    {WIRE_REWIND, true, "REWIND"},
    {WIRE_UPLOAD_BEGIN, true, "UPLOAD_BEGIN"},
    {WIRE_BULK_LOAD, true, "BULK_LOAD"},
    {WIRE_UPLOAD_DATA, true, "UPLOAD_DATA"},
    {WIRE_UPLOAD_COMMIT, true, "UPLOAD_COMMIT"},
    {WIRE_UPLOAD_ABORT, true, "UPLOAD_ABORT"},
    {WIRE_TXN_BEGIN, true, "TXN_BEGIN"},
    {WIRE_TXN_COMMIT, true, "TXN_COMMIT"},
    {WIRE_TXN_ABORT, true, "TXN_ABORT"},
    {WIRE_SNAPSHOT_OPEN, true, "SNAPSHOT_OPEN"},
    {WIRE_SNAPSHOT_CLOSE, true, "SNAPSHOT_CLOSE"},
    {WIRE_SNAPSHOT_LIST, true, "SNAPSHOT_LIST"},
    {WIRE_TRANSACT, true, "TRANSACT"},
    {WIRE_WATCH, false, "WATCH"},
    {WIRE_FEED, true, "FEED"},
    {WIRE_BACKUP, false, "BACKUP"},
    {WIRE_STATS, true, "STATS"},
    {WIRE_WHY, true, "WHY"},
    {WIRE_CONFIG, true, "CONFIG"},
    {WIRE_MAINTAIN, true, "MAINTAIN"},
    {WIRE_EXPLAIN, true, "EXPLAIN"},
    {WIRE_CLIENTS, true, "CLIENTS"},
    {WIRE_SLOWLOG, true, "SLOWLOG"},
    {WIRE_HOTKEYS, true, "HOTKEYS"},
    {WIRE_NAMESPACE_CREATE, true, "NAMESPACE_CREATE"},
    {WIRE_NAMESPACE_DROP, true, "NAMESPACE_DROP"},
    {WIRE_NAMESPACE_LIST, true, "NAMESPACE_LIST"},
};

#define OPCODE_NAME_COUNT (sizeof opcode_names / sizeof opcode_names[0])

const char *wire_opcode_name(uint16_t opcode) {
    for (size_t i = 0; i < OPCODE_NAME_COUNT; i++) {
        if (opcode_names[i].opcode == opcode) {
            return opcode_names[i].name;
        }
    }
    return "opcode";
}

bool wire_opcode_served(uint16_t opcode) {
    for (size_t i = 0; i < OPCODE_NAME_COUNT; i++) {
        if (opcode_names[i].opcode == opcode) {
            return opcode_names[i].served;
        }
    }
    return false;
}

/* --- statuses --- */

struct status_number {
    enum status status;
    uint16_t number;
};

/* The numbers are for ever; new ones go to the end of their class. docs/protocol.md lists them. */
static const struct status_number status_numbers[] = {
    {STATUS_OK, 0x000},         {STATUS_NOT_FOUND, 0x001},        {STATUS_EXISTS, 0x100},
    {STATUS_ABSENT, 0x101},     {STATUS_VERSION_MISMATCH, 0x102}, {STATUS_INVALID, 0x103},
    {STATUS_TOO_LARGE, 0x104},  {STATUS_UNSUPPORTED, 0x105},      {STATUS_PROTOCOL, 0x106},
    {STATUS_CHECKSUM, 0x107},   {STATUS_DEADLINE, 0x108},         {STATUS_BUSY, 0x109},
    {STATUS_NO_MEMORY, 0x10A},  {STATUS_NO_SPACE, 0x10B},         {STATUS_IO, 0x10C},
    {STATUS_CORRUPT, 0x10D},    {STATUS_READ_ONLY, 0x10E},        {STATUS_GONE, 0x113},
    {STATUS_QUOTA, 0x114},      {STATUS_OVERFLOW, 0x115},         {STATUS_CONFLICT, 0x116},
    {STATUS_LOG_FAILED, 0x10F}, {STATUS_SHUTTING_DOWN, 0x110},    {STATUS_DENIED, 0x111},
    {STATUS_CANCELLED, 0x112},  {STATUS_TXN_TOO_OLD, 0x117},      {STATUS_UNKNOWN, 0x200},
    {STATUS_INTERNAL, 0x201},
};

#define STATUS_NUMBER_COUNT (sizeof status_numbers / sizeof status_numbers[0])
#define STATUS_NUMBER_INTERNAL 0x201u

uint16_t wire_status_number(enum status status) {
    for (size_t i = 0; i < STATUS_NUMBER_COUNT; i++) {
        if (status_numbers[i].status == status) {
            return status_numbers[i].number;
        }
    }
    return STATUS_NUMBER_INTERNAL;
}

enum status wire_status_from_number(uint16_t number, enum status *status_out) {
    for (size_t i = 0; i < STATUS_NUMBER_COUNT; i++) {
        if (status_numbers[i].number == number) {
            *status_out = status_numbers[i].status;
            return STATUS_OK;
        }
    }
    if (number < WIRE_STATUS_FAILED_FIRST || number >= WIRE_STATUS_END) {
        return STATUS_PROTOCOL;
    }
    *status_out = number < WIRE_STATUS_UNKNOWN_FIRST ? STATUS_INVALID : STATUS_UNKNOWN;
    return STATUS_OK;
}

enum wire_outcome wire_status_outcome(enum status status) {
    switch (status) {
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_END:
        return WIRE_OUTCOME_DONE;
    case STATUS_UNKNOWN:
    case STATUS_INTERNAL:
    case STATUS_TIMEOUT:
    case STATUS_CLOSED:
    case STATUS_PENDING:
    case STATUS_PROTOCOL:
        return WIRE_OUTCOME_UNKNOWN;
    default:
        return WIRE_OUTCOME_FAILED;
    }
}

/* --- headers --- */

static bool kind_is(uint8_t byte, enum wire_kind kind) {
    return byte == (uint8_t)kind;
}

/* What can be told from the first bytes, before the header is whole. */
static enum status check_start(struct slice received, enum wire_kind kind,
                               const char **reason_out) {
    if (received.len >= 1 && received.ptr[0] != WIRE_MAGIC) {
        *reason_out = "the first byte of a frame is not 0xB6";
        return STATUS_PROTOCOL;
    }
    if (received.len >= 2 && !kind_is(received.ptr[1], kind)) {
        *reason_out = kind == WIRE_KIND_REQUEST ? "the frame is not a request (0x11)"
                                                : "the frame is not a response (0x12)";
        return STATUS_PROTOCOL;
    }
    return STATUS_OK;
}

enum status wire_frame_decode(struct slice received, enum wire_kind kind, uint32_t body_max,
                              struct wire_frame *frame_out, size_t *wanted_out,
                              const char **reason_out) {
    struct wire_frame frame = {.kind = (uint8_t)kind};
    enum status status = check_start(received, kind, reason_out);

    if (status != STATUS_OK) {
        return status;
    }
    if (received.len < WIRE_FRAME_HEADER_BYTES) {
        *wanted_out = WIRE_FRAME_HEADER_BYTES;
        return STATUS_NEED_MORE;
    }
    frame.code = load_u16(received.ptr + 2);
    frame.body_len = load_u32(received.ptr + 4);
    frame.id = load_u32(received.ptr + 8);
    frame.flags = load_u32(received.ptr + 12);
    if (frame.body_len > body_max) {
        *frame_out = frame;
        *reason_out = "the body is longer than frame_max";
        return STATUS_TOO_LARGE;
    }
    if (received.len - WIRE_FRAME_HEADER_BYTES < frame.body_len) {
        *wanted_out = (size_t)WIRE_FRAME_HEADER_BYTES + frame.body_len;
        return STATUS_NEED_MORE;
    }
    frame.body = slice_make(received.ptr + WIRE_FRAME_HEADER_BYTES, frame.body_len);
    *frame_out = frame;
    return STATUS_OK;
}

enum status wire_frame_begin(struct buffer *buffer, enum wire_kind kind, uint16_t code, uint32_t id,
                             uint32_t flags, size_t *mark_out) {
    size_t mark = buffer_mark(buffer);
    uint8_t *header;
    enum status status = buffer_extend(buffer, WIRE_FRAME_HEADER_BYTES, &header);

    if (status != STATUS_OK) {
        return status;
    }
    header[0] = (uint8_t)WIRE_MAGIC;
    header[1] = (uint8_t)kind;
    store_u16(header + 2, code);
    store_u32(header + 4, 0);
    store_u32(header + 8, id);
    store_u32(header + 12, flags);
    *mark_out = mark;
    return STATUS_OK;
}

void wire_frame_readdress(struct buffer *buffer, size_t mark, uint32_t id) {
    ASSERT(mark + WIRE_FRAME_HEADER_BYTES <= buffer->len);
    ASSERT(buffer->data[mark] == WIRE_MAGIC);
    store_u32(buffer->data + mark + 8, id);
}

enum status wire_frame_finish(struct buffer *buffer, size_t mark, size_t body_more) {
    size_t body;

    ASSERT(mark + WIRE_FRAME_HEADER_BYTES <= buffer->len);
    ASSERT(buffer->data[mark] == WIRE_MAGIC);
    body = buffer->len - mark - WIRE_FRAME_HEADER_BYTES;
    if (body > WIRE_BODY_CEILING || body_more > WIRE_BODY_CEILING - body) {
        return STATUS_TOO_LARGE;
    }
    store_u32(buffer->data + mark + 4, (uint32_t)(body + body_more));
    return STATUS_OK;
}
