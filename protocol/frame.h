/* frame.h: the 16 bytes in front of every message, and the numbers they carry.
 *
 *      0      1      2        4             8             12           16
 *      | magic| kind | code   | body length | request id  | flags      | body ...
 *      | 0xB6 |      | u16    | u32         | u32         | u32        |
 *
 * All integers are little-endian. The first byte is no ASCII letter, so that a client of another
 * protocol, or a stream out of step, is noticed at once. The code is an opcode in a request and a
 * wire status in a response. The body starts with the optional fields that flags announce.
 *
 * Pure functions, any thread. The one place that looks at bytes of a header is
 * wire_frame_decode: it compares the declared length with the caller's limit before anything is
 * trusted, reserved or allocated. Part of the door protocol/wire.h. */
#ifndef KVD_PROTOCOL_FRAME_H
#define KVD_PROTOCOL_FRAME_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#define WIRE_VERSION 1u /* the only protocol version so far */
#define WIRE_MAGIC 0xB6u
#define WIRE_FRAME_HEADER_BYTES 16u
#define WIRE_BODY_CEILING (1u << 30) /* no server may publish a larger frame_max */
#define WIRE_HELLO_BODY_MAX 4096u    /* largest answer to HELLO; servers take even less */

enum wire_kind {
    WIRE_KIND_REQUEST = 0x11, /* high nibble: framing version 1 */
    WIRE_KIND_RESPONSE = 0x12,
};

/* Opcodes are stable. Those without a comment are served by protocol version 1; the reserved ones
 * are refused with UNSUPPORTED, and no other meaning will ever be given to their numbers. */
enum wire_opcode {
    WIRE_HELLO = 0x0001,
    WIRE_PING = 0x0002,
    WIRE_AUTH = 0x0003,   /* reserved */
    WIRE_CANCEL = 0x0004, /* reserved: ends a streamed operation */

    WIRE_GET = 0x0010,
    WIRE_MGET = 0x0011,
    WIRE_EXISTS = 0x0012,
    WIRE_META = 0x0013,
    WIRE_SCAN = 0x0014,
    WIRE_COUNT = 0x0015,
    WIRE_GET_RANGE = 0x0016,
    WIRE_HISTORY = 0x0017,
    WIRE_DIFF = 0x0018,

    WIRE_PUT = 0x0020,
    WIRE_DELETE = 0x0021,
    WIRE_BATCH = 0x0022,
    WIRE_DELETE_RANGE = 0x0023,
    WIRE_ADD = 0x0024,
    WIRE_APPEND = 0x0025,
    WIRE_TOUCH = 0x0026,
    WIRE_PERSIST = 0x0027,
    WIRE_REWIND = 0x0028,
    WIRE_UPLOAD_BEGIN = 0x0029,
    WIRE_BULK_LOAD = 0x002A,
    WIRE_UPLOAD_DATA = 0x002B,
    WIRE_UPLOAD_COMMIT = 0x002C,
    WIRE_UPLOAD_ABORT = 0x002D,

    WIRE_TXN_BEGIN = 0x0030,
    WIRE_TXN_COMMIT = 0x0031,
    WIRE_TXN_ABORT = 0x0032,
    WIRE_SNAPSHOT_OPEN = 0x0033,
    WIRE_SNAPSHOT_CLOSE = 0x0034,
    WIRE_SNAPSHOT_LIST = 0x0035,
    WIRE_TRANSACT = 0x0036,

    WIRE_WATCH = 0x0040, /* reserved */
    WIRE_FEED = 0x0041,
    WIRE_BACKUP = 0x0042, /* reserved */

    WIRE_STATS = 0x0050,
    WIRE_WHY = 0x0051,
    WIRE_CONFIG = 0x0052,
    WIRE_MAINTAIN = 0x0053,
    WIRE_EXPLAIN = 0x0054,
    WIRE_CLIENTS = 0x0055,
    WIRE_SLOWLOG = 0x0056,
    WIRE_HOTKEYS = 0x0057,
    WIRE_NAMESPACE_CREATE = 0x0060,
    WIRE_NAMESPACE_DROP = 0x0061,
    WIRE_NAMESPACE_LIST = 0x0062,
};

/* Flags. Those with a field announce it in the body; fields come in the order of the bits, lowest
 * first. Bit n of the features in HELLO says that both sides agreed on flag bit n; a flag that was
 * not agreed refuses the frame with UNSUPPORTED, and so does one that has no meaning yet. */
enum wire_flag {
    WIRE_FLAG_DEADLINE = 1 << 0,       /* u32: milliseconds from arrival, > 0 */
    WIRE_FLAG_DURABILITY = 1 << 1,     /* u8: enum wire_durability */
    WIRE_FLAG_RETRY_TOKEN = 1 << 2,    /* 16 bytes client id, u64 sequence */
    WIRE_FLAG_TTL = 1 << 3,            /* u64: milliseconds from arrival, > 0 */
    WIRE_FLAG_EXPIRE_AT = 1 << 4,      /* u64: milliseconds since 1970 UTC, > 0; not with TTL */
    WIRE_FLAG_CONDITION = 1 << 5,      /* u8: enum wire_condition; u64 version, if kind VERSION */
    WIRE_FLAG_SNAPSHOT = 1 << 6,       /* u64: id of a snapshot to read at */
    WIRE_FLAG_TRANSACTION = 1 << 7,    /* u64: transaction id */
    WIRE_FLAG_NAMESPACE = 1 << 8,      /* varint length, name: 1 to WIRE_NAMESPACE_BYTES_MAX */
    WIRE_FLAG_CHECKSUM = 1 << 9,       /* u64: XXH3-64, seed 0, of the raw value bytes */
    WIRE_FLAG_EXTENSIONS = 1 << 10,    /* varint length, entries; see struct wire_extension */
    WIRE_FLAG_WANT_CHECKSUM = 1 << 11, /* no field: records of the reply carry their checksum */
    WIRE_FLAG_COST = 1 << 12,          /* reserved: the reply carries a cost receipt */
    WIRE_FLAG_EXPLAIN = 1 << 13,       /* reserved: the reply says how it was found */
    WIRE_FLAG_AT_VERSION = 1 << 14,    /* u64: read at this version */
    WIRE_FLAG_AT_TIME = 1 << 15,       /* u64: read as it was then, ms since 1970 UTC */
    WIRE_FLAG_MORE = 1 << 24,          /* reserved: further frames of this id follow */
    WIRE_FLAG_CREDIT = 1 << 25,        /* reserved: a grant of bytes for a stream */
    WIRE_FLAG_CANCEL = 1 << 26,        /* reserved: the stream ended before its end */
    WIRE_FLAG_OUT_OF_ORDER = 1 << 27,  /* reserved: the reply may overtake others */
};

/* All flags that have a meaning in protocol version 1, and those a server may agree to today. */
#define WIRE_FLAGS_REQUEST                                                                         \
    ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_DURABILITY | WIRE_FLAG_RETRY_TOKEN |                \
                WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT | WIRE_FLAG_CONDITION | WIRE_FLAG_SNAPSHOT |   \
                WIRE_FLAG_TRANSACTION | WIRE_FLAG_NAMESPACE | WIRE_FLAG_CHECKSUM |                 \
                WIRE_FLAG_EXTENSIONS | WIRE_FLAG_WANT_CHECKSUM | WIRE_FLAG_AT_VERSION |            \
                WIRE_FLAG_AT_TIME))

/* Those that say at which state to read; they and TRANSACTION exclude each other. */
#define WIRE_FLAGS_STATE ((uint32_t)(WIRE_FLAG_SNAPSHOT | WIRE_FLAG_AT_VERSION | WIRE_FLAG_AT_TIME))

/* When a write is acknowledged. Without the field the server's configured default holds. */
enum wire_durability {
    WIRE_DURABILITY_DEFAULT = 0, /* never on the wire: the field is left out */
    WIRE_DURABILITY_MEMORY = 1,  /* visible to readers; lost when the process dies */
    WIRE_DURABILITY_LOGGED = 2,  /* given to the operating system; lost when the machine dies */
    WIRE_DURABILITY_SYNCED = 3,  /* on stable storage */
};

enum wire_condition {
    WIRE_CONDITION_NONE = 0,    /* never on the wire: the field is left out */
    WIRE_CONDITION_ABSENT = 1,  /* else EXISTS */
    WIRE_CONDITION_PRESENT = 2, /* else ABSENT */
    WIRE_CONDITION_VERSION = 3, /* else VERSION_MISMATCH, also when the key is absent */
};

/* What a status says about the effect of the request that got it. */
enum wire_outcome {
    WIRE_OUTCOME_DONE,    /* it took effect, or the question was answered (NOT_FOUND too) */
    WIRE_OUTCOME_FAILED,  /* it had no effect and will have none */
    WIRE_OUTCOME_UNKNOWN, /* it may or may not have taken effect, or may yet */
};

/* Wire statuses: 0x000 to 0x0FF done, 0x100 to 0x1FF failed, 0x200 to 0x2FF unknown, so that a
 * client can judge numbers that are newer than itself. */
#define WIRE_STATUS_DONE_FIRST 0x000u
#define WIRE_STATUS_FAILED_FIRST 0x100u
#define WIRE_STATUS_UNKNOWN_FIRST 0x200u
#define WIRE_STATUS_END 0x300u

/* The number on the wire. Statuses that have no business there (NEED_MORE, PENDING, CONNECT ...)
 * become that of INTERNAL. */
uint16_t wire_status_number(enum status status);

/* The status of a number: one that is not in the table but in a class becomes INVALID (failed) or
 * UNKNOWN (unknown). Errors: PROTOCOL for numbers >= WIRE_STATUS_END and for unknown done ones. */
enum status wire_status_from_number(uint16_t number, enum status *status_out) MUST_CHECK;

/* The meaning of a status that a request ended with. For statuses that arise in the client itself
 * it assumes that the request may have been sent: TIMEOUT, CLOSED and PROTOCOL are unknown. */
enum wire_outcome wire_status_outcome(enum status status);

/* "GET"; "opcode" for numbers that are not in the list. Static storage. */
const char *wire_opcode_name(uint16_t opcode);

/* Whether this protocol version serves it (reserved ones are not served). */
bool wire_opcode_served(uint16_t opcode);

struct wire_frame {
    uint8_t kind;      /* enum wire_kind */
    uint16_t code;     /* opcode, or wire status number */
    uint32_t id;       /* chosen by the client, echoed by the server */
    uint32_t flags;    /* enum wire_flag */
    uint32_t body_len; /* <= the limit given to wire_frame_decode */
    struct slice body; /* borrowed from the received bytes */
};

/* Looks at the bytes received so far for one whole frame of kind `kind` with at most `body_max`
 * bytes of body. On OK *frame_out is filled and its frame took WIRE_FRAME_HEADER_BYTES + body_len
 * bytes of `received`. On NEED_MORE *wanted_out is the length `received` must have before it is
 * worth calling again (header first, then the whole frame); the frame is left as it was.
 *
 * Errors: NEED_MORE; PROTOCOL for a wrong magic or kind (noticed from the first byte on), after
 * which the stream cannot be trusted; TOO_LARGE when the declared body is above the limit: code,
 * id, flags and body_len of *frame_out are filled then (body is empty), so that the refusal can
 * name the request. *reason_out is a static text, on PROTOCOL and TOO_LARGE. */
enum status wire_frame_decode(struct slice received, enum wire_kind kind, uint32_t body_max,
                              struct wire_frame *frame_out, size_t *wanted_out,
                              const char **reason_out) MUST_CHECK;

/* Appends a header whose body length is still 0; *mark_out is where it starts. Errors of
 * buffer_reserve. */
enum status wire_frame_begin(struct buffer *buffer, enum wire_kind kind, uint16_t code, uint32_t id,
                             uint32_t flags, size_t *mark_out) MUST_CHECK;

/* Ends the frame begun at `mark`: all that was appended since is its body. `body_more` bytes of
 * body will be sent from elsewhere (0 in most cases). Errors: TOO_LARGE above WIRE_BODY_CEILING;
 * roll back to the mark then. */
enum status wire_frame_finish(struct buffer *buffer, size_t mark, size_t body_more) MUST_CHECK;

/* Gives the whole frame at `mark` another id. */
void wire_frame_readdress(struct buffer *buffer, size_t mark, uint32_t id);

#endif
