/* request.h: what a client asks, as structs and as bytes.
 *
 * Body of a request: optional fields in the order of their flag bits, then the fields of the
 * opcode. `block` is a varint length and that many bytes; `rest` is all that is left of the body.
 *
 *      HELLO    version_min u16, version_max u16, features u64, client name block
 *      PING     rest: any bytes, echoed
 *      GET, EXISTS, META, DELETE, TOUCH, PERSIST, EXPLAIN, UPLOAD_BEGIN     rest: key
 *      GET_RANGE     offset u64, length u32, rest: key
 *      HISTORY  before u64, limit varint, rest: key
 *      DIFF     from state, to state, range
 *      MGET     count varint, count times: key block
 *      PUT      user flags u32, key block, rest: value
 *      ADD      amount i64, rest: key
 *      APPEND   key block, rest: bytes
 *      BATCH    count varint, count times an item:
 *                 kind u8, item flags u8,
 *                 optional fields by item flag bit, lowest first:
 *                   0x01 ttl ms u64 | 0x02 expire at ms u64 | 0x04 condition (as the request's)
 *                   | 0x08 value checksum u64 | 0x10 user flags u32
 *                 key block (delete range: from block), and
 *                   1 put: value block | 2 delete | 3 delete range: to block | 4 add: amount i64
 *                   | 5 append: block | 6 touch | 7 persist
 *      SCAN, COUNT   range
 *      DELETE_RANGE  bounds
 *      REWIND   state, bounds
 *      FEED     version u64, skip u32, value offset u64, wait ms u32, page bytes varint, bounds
 *      UPLOAD_DATA   id u64, offset u64, rest: bytes
 *      UPLOAD_COMMIT id u64, user flags u32
 *      UPLOAD_ABORT, SNAPSHOT_CLOSE   id u64
 *      BULK_LOAD     action u8, and
 *                 1 begin, 4 abort: nothing | 3 commit: entries u64 (in all)
 *                 | 2 data: entries u64 (that came before), count varint, puts as items of a BATCH,
 *                   without a condition
 *      SNAPSHOT_OPEN lifetime ms u64
 *      TXN_BEGIN     begin flags u8 (1 read-only), lifetime ms u64
 *      TXN_COMMIT, TXN_ABORT          id u64
 *      TRANSACT  count varint, count times a comparison:
 *                  kind u8 (1 presence | 2 version | 3 value), relation u8 (1 = | 2 != | 3 < |
 *                  4 >), key block, and version: u64 | value: block
 *                count varint, items if all hold; count varint, items if not. An item as in a
 *                  BATCH, or 8 get: item flags 0, key block
 *      SNAPSHOT_LIST, NAMESPACE_LIST  nothing
 *      STATS    rest: a prefix of the names wanted, empty for all
 *      WHY      rest: what, as text: "space" or "slow"
 *      MAINTAIN action u8, rest: its argument
 *      SLOWLOG, CLIENTS, HOTKEYS   look u8, number u64
 *      NAMESPACE_CREATE   name block, settings
 *      NAMESPACE_DROP     rest: name
 *
 *      CONFIG   action u8 (1 get | 2 set), name block (get: a prefix), rest: value (get: empty)
 *
 *      range    range flags u8, limit varint, page bytes varint, from block, to block, cursor block
 *      bounds   range flags u8, from block, to block
 *      state    kind u8, and value u64 unless the kind is 0
 *      settings quota bytes u64, keep ms u64, keep versions u32
 *
 * Decoding borrows: each slice of a request points into the frame and lives as long as the received
 * bytes. wire_request_decode checks everything, lists included, so that walking them afterwards
 * cannot meet a surprise. Encoding appends one whole frame to a buffer, or nothing. Pure functions,
 * any thread. Part of the door protocol/wire.h. */
#ifndef KVD_PROTOCOL_REQUEST_H
#define KVD_PROTOCOL_REQUEST_H

#include "protocol/frame.h"

#define WIRE_RETRY_CLIENT_BYTES 16u
#define WIRE_NAMESPACE_BYTES_MAX 255u
#define WIRE_NAME_BYTES_MAX 255u     /* client and server name, stats section and names */
#define WIRE_PATH_BYTES_MAX 4095u    /* of a checkpoint */
#define WIRE_SETTING_BYTES_MAX 8191u /* a value of CONFIG, as text */
#define WIRE_CURSOR_BYTES_MAX 69632u /* opaque; a key of 64 KiB and 4 KiB of state */

/* The most that a request may ask; published in HELLO. Decoding refuses what is above. */
struct wire_limits {
    uint32_t frame_max;           /* body bytes of a frame, either direction */
    uint32_t key_max;             /* bytes; a key has at least 1 */
    uint32_t value_max;           /* bytes; a value may be empty */
    uint32_t requests_max;        /* unanswered requests a connection */
    uint32_t transactions_max;    /* open transactions a connection */
    uint32_t mget_keys_max;       /* keys of one MGET */
    uint32_t batch_items_max;     /* items of one BATCH */
    uint32_t batch_bytes_max;     /* sum of key and value bytes of one BATCH */
    uint32_t scan_entries_max;    /* entries of one page of SCAN */
    uint32_t scan_page_bytes_max; /* body bytes of one page of SCAN */
    uint64_t transaction_bytes;   /* what one transaction may write, in the server's memory */
    uint32_t transaction_age_ms;  /* a transaction may last so long, */
    uint32_t transaction_idle_ms; /* and be without a request so long */
    uint64_t memory_bytes;        /* the server's memory limit, for information */
    uint8_t durability;           /* enum wire_durability a write has by default */
};

/* The optional fields of a request. `flags` says which are there; others are 0. */
struct wire_options {
    uint32_t flags;       /* enum wire_flag */
    uint32_t deadline_ms; /* budget from arrival; the work is dropped if not begun by then */
    uint8_t durability;   /* enum wire_durability */
    uint8_t condition;    /* enum wire_condition */
    uint8_t retry_client[WIRE_RETRY_CLIENT_BYTES];
    uint64_t retry_sequence;
    uint64_t ttl_ms;       /* from arrival */
    uint64_t expire_at_ms; /* since 1970 UTC, by the server's clock */
    uint64_t version;      /* for WIRE_CONDITION_VERSION */
    uint64_t snapshot;     /* id */
    uint64_t at_version;   /* read at */
    uint64_t at_time_ms;   /* read as it was; since 1970 UTC, by the server's clock */
    uint64_t transaction;
    struct slice namespace_name;
    uint64_t checksum;       /* XXH3-64, seed 0, of the raw value */
    struct slice extensions; /* the entries; walk with wire_extension_next */
};

/* One entry of the extension block: type u16, length varint, bytes. A receiver that does not know
 * the type skips it, unless the critical bit is set: then it refuses with UNSUPPORTED. */
#define WIRE_EXTENSION_CRITICAL 0x8000u

struct wire_extension {
    uint16_t type; /* critical bit included */
    struct slice bytes;
};

/* A list that is walked where it lies, and the items left in it. */
struct wire_list {
    uint32_t count;
    struct slice bytes;
};

enum wire_item_kind {
    WIRE_ITEM_PUT = 1,
    WIRE_ITEM_DELETE = 2,
    WIRE_ITEM_DELETE_RANGE = 3,
    WIRE_ITEM_ADD = 4,
    WIRE_ITEM_APPEND = 5,
    WIRE_ITEM_TOUCH = 6,
    WIRE_ITEM_PERSIST = 7,
    WIRE_ITEM_GET = 8, /* TRANSACT only */
};

enum wire_item_flag {
    WIRE_ITEM_TTL = 1 << 0,
    WIRE_ITEM_EXPIRE_AT = 1 << 1,
    WIRE_ITEM_CONDITION = 1 << 2,
    WIRE_ITEM_CHECKSUM = 1 << 3,
    WIRE_ITEM_USER_FLAGS = 1 << 4,
};

/* One write of a BATCH. Which flags a kind may have is in docs/protocol.md. */
struct wire_item {
    uint8_t kind;      /* enum wire_item_kind */
    uint8_t flags;     /* enum wire_item_flag; fields that are not announced are 0 */
    uint8_t condition; /* enum wire_condition */
    uint32_t user_flags;
    uint64_t version; /* for WIRE_CONDITION_VERSION */
    uint64_t ttl_ms;
    uint64_t expire_at_ms;
    uint64_t checksum;
    int64_t amount;     /* add */
    struct slice key;   /* delete range: the first key; empty: from the start */
    struct slice value; /* put: the value; append: the bytes; delete range: the first key that
                           stays; empty: to the end */
};

enum wire_comparison_kind {
    WIRE_COMPARE_PRESENCE = 1, /* with = : the key exists; with != : it does not */
    WIRE_COMPARE_VERSION = 2,  /* of the key; 0 if it does not exist */
    WIRE_COMPARE_VALUE = 3,    /* as bytes; a key that does not exist is != every value, no more */
};

enum wire_relation {
    WIRE_RELATION_EQUAL = 1,
    WIRE_RELATION_DIFFERENT = 2,
    WIRE_RELATION_LESS = 3, /* what is stored is less than what is given; not for presence */
    WIRE_RELATION_GREATER = 4,
};

/* One of the comparisons of a TRANSACT. */
struct wire_comparison {
    uint8_t kind;     /* enum wire_comparison_kind */
    uint8_t relation; /* enum wire_relation */
    struct slice key;
    uint64_t version;   /* of kind VERSION */
    struct slice value; /* of kind VALUE */
};

enum wire_begin_flag {
    WIRE_BEGIN_READ_ONLY = 1 << 0, /* it writes nothing */
};

enum wire_range_flag {
    WIRE_RANGE_REVERSE = 1 << 0,   /* from the greatest key down */
    WIRE_RANGE_KEYS_ONLY = 1 << 1, /* entries without value bytes */
    WIRE_RANGE_PREFIX = 1 << 2,    /* `from` is a prefix, `to` is empty */
};

/* Keys in [from, to); an empty `from` starts at the first key, an empty `to` ends behind the last.
 * Reverse walks the same set from its other end. */
struct wire_range {
    uint8_t flags;  /* enum wire_range_flag; those without meaning are refused: DELETE_RANGE,
                       REWIND: only the prefix; DIFF: not reverse, not keys-only */
    uint32_t limit; /* entries wanted of this page (COUNT: entries to walk); 0 = server's max */
    uint32_t page_bytes; /* body bytes wanted of this page; 0 = server's choice */
    struct slice from;
    struct slice to;
    struct slice cursor; /* empty, or what the page before returned, with all else unchanged */
};

enum wire_state_kind {
    WIRE_STATE_NEWEST = 0,
    WIRE_STATE_SNAPSHOT = 1, /* value: its id */
    WIRE_STATE_VERSION = 2,  /* value: the version */
    WIRE_STATE_TIME = 3,     /* value: ms since 1970 UTC, by the server's clock */
};

/* A state of the store, for DIFF and REWIND. Other reads say it by their flags. */
struct wire_state {
    uint8_t kind;   /* enum wire_state_kind */
    uint64_t value; /* 0 for NEWEST */
};

/* How far a feed has been read. Between two commits the last two are 0. */
struct wire_feed_position {
    uint64_t version;      /* commits up to it are done */
    uint32_t skip;         /* so much of the next commit is done, in units of the server */
    uint64_t value_offset; /* and so many bytes of the value behind that */
};

enum wire_action {
    WIRE_ACTION_FLUSH = 1,
    WIRE_ACTION_COMPACT = 2,
    WIRE_ACTION_COLLECT = 3,
    WIRE_ACTION_VERIFY = 4,
    WIRE_ACTION_CHECKPOINT = 5, /* argument: a path on the server */
};

/* The steps of a bulk load. */
enum wire_load {
    WIRE_LOAD_BEGIN = 1,
    WIRE_LOAD_DATA = 2,
    WIRE_LOAD_COMMIT = 3,
    WIRE_LOAD_ABORT = 4,
};

/* What is to be done with what the server has observed. */
enum wire_look {
    WIRE_LOOK_LIST = 1,  /* number: the most entries wanted; 0: all */
    WIRE_LOOK_CLEAR = 2, /* SLOWLOG, HOTKEYS: forget all; number 0 */
    WIRE_LOOK_CLOSE = 3, /* CLIENTS: number: id of the connection */
};

enum wire_config {
    WIRE_CONFIG_GET = 1,
    WIRE_CONFIG_SET = 2,
};

/* What may be set for a namespace; zeroed: nothing. */
struct wire_settings {
    uint64_t quota_bytes;   /* 0: none */
    uint64_t keep_ms;       /* replaced versions stay readable for so long */
    uint32_t keep_versions; /* and at least so many of each key */
};

struct wire_request {
    uint32_t id;
    uint16_t opcode; /* enum wire_opcode; one that is served */
    struct wire_options options;
    struct slice key;      /* of all that are about one key */
    struct slice value;    /* PUT; APPEND, UPLOAD_DATA: the bytes; CONFIG: as text */
    uint32_t user_flags;   /* PUT, UPLOAD_COMMIT: 32 bits of the user's, stored with the value */
    struct slice payload;  /* PING: the bytes to echo; STATS: the section; HELLO: the client name;
                              WHY: what; MAINTAIN: the argument; NAMESPACE_*: the name;
                              CONFIG: the name, or a prefix of names */
    struct wire_list list; /* MGET: keys; BATCH, BULK_LOAD: items; TRANSACT: items if all hold */
    struct wire_list other_list;  /* TRANSACT: items if not */
    struct wire_list comparisons; /* TRANSACT */
    struct wire_range range;      /* SCAN, COUNT, DIFF; DELETE_RANGE, REWIND: flags, from and to;
                                     HISTORY: only the limit; FEED: flags, page bytes, from and to */
    struct wire_state from_state; /* DIFF */
    struct wire_state to_state;   /* DIFF; REWIND: the one to go back to */
    uint64_t offset;              /* GET_RANGE; UPLOAD_DATA: the bytes that came before these;
                                     BULK_LOAD: the entries; commit: all of them */
    uint32_t length;              /* GET_RANGE */
    uint64_t before;              /* HISTORY: only versions below; 0: from the newest */
    int64_t amount;               /* ADD */
    uint64_t handle;              /* UPLOAD_*: id of the upload; SNAPSHOT_CLOSE: of the snapshot;
                                     TXN_COMMIT, TXN_ABORT: of the transaction;
                                     SLOWLOG, CLIENTS, HOTKEYS: the number */
    uint64_t lifetime_ms;         /* SNAPSHOT_OPEN; 0: as long as the connection. TXN_BEGIN; 0: the
                                     server's choice */
    struct wire_feed_position position; /* FEED */
    uint32_t wait_ms;    /* FEED: so long the answer may wait for a change; 0: it does not */
    uint8_t begin_flags; /* TXN_BEGIN: enum wire_begin_flag */
    uint8_t action;      /* MAINTAIN: enum wire_action; CONFIG: enum wire_config;
                                     those three: enum wire_look;
                                     BULK_LOAD: enum wire_load */
    struct wire_settings settings; /* NAMESPACE_CREATE */
    uint16_t version_min;          /* HELLO */
    uint16_t version_max;          /* HELLO */
    uint64_t features;             /* HELLO: what the client can speak */
};

/* Why a request was refused, for the error reply. */
struct wire_refusal {
    const char *text; /* static: "key is longer than key_max" */
    uint32_t item;    /* index in the list, or WIRE_NO_ITEM */
    uint64_t detail;  /* the limit that was passed, or the flag bits at fault, or 0 */
};

#define WIRE_NO_ITEM UINT32_MAX

/* Reads the request of a frame of kind REQUEST. `agreed` are the flags that HELLO agreed on (0
 * before it). Fills *refusal_out when it fails. The connection may go on after any of these errors,
 * since the frame's length is sound:
 * Errors: UNSUPPORTED for an opcode that is not served, a flag that is not agreed, or a critical
 * extension; INVALID for a field out of its range, a flag without meaning for this opcode, fields
 * that contradict each other; TOO_LARGE for what is above a limit; PROTOCOL for a body that is
 * shorter or longer than its fields. */
enum status wire_request_decode(const struct wire_frame *frame, const struct wire_limits *limits,
                                uint32_t agreed, struct wire_request *request_out,
                                struct wire_refusal *refusal_out) MUST_CHECK;

/* Takes the next key of an MGET's list. Errors: END; PROTOCOL if the list was not checked by
 * wire_request_decode. */
enum status wire_list_next_key(struct wire_list *list, struct slice *key_out) MUST_CHECK;

/* Takes the next item of a list of a BATCH, a TRANSACT or a BULK_LOAD. Errors as above. */
enum status wire_list_next_item(struct wire_list *list, struct wire_item *item_out) MUST_CHECK;

/* Takes the next of a TRANSACT's comparisons. Errors as above. */
enum status wire_list_next_comparison(struct wire_list *list,
                                      struct wire_comparison *comparison_out) MUST_CHECK;

/* Takes the next entry of an extension block, as long as *rest is not empty. Errors: END,
 * PROTOCOL. */
enum status wire_extension_next(struct slice *rest,
                                struct wire_extension *extension_out) MUST_CHECK;

/* Appends the request as one frame; flags are options.flags. MGET, BATCH and TRANSACT take their
 * lists as bytes made by wire_list_add_key and its like. The values are not checked against
 * limits: that is the receiver's business. Errors of buffer_reserve, TOO_LARGE above
 * WIRE_BODY_CEILING; nothing is appended then. */
enum status wire_request_encode(struct buffer *buffer,
                                const struct wire_request *request) MUST_CHECK;

/* The same for a PUT, APPEND or UPLOAD_DATA, without the value's bytes: the sender sends
 * request->value directly behind. */
enum status wire_request_encode_head(struct buffer *buffer,
                                     const struct wire_request *request) MUST_CHECK;

/* Append one element of a list to `bytes` (the caller counts them). Errors of buffer_reserve;
 * nothing is appended then. */
enum status wire_list_add_key(struct buffer *bytes, struct slice key) MUST_CHECK;
enum status wire_list_add_item(struct buffer *bytes, const struct wire_item *item) MUST_CHECK;
enum status wire_list_add_comparison(struct buffer *bytes,
                                     const struct wire_comparison *comparison) MUST_CHECK;
enum status wire_extension_add(struct buffer *bytes, uint16_t type,
                               struct slice content) MUST_CHECK;

#endif
