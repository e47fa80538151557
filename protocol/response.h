/* response.h: what the server answers, as structs and as bytes.
 *
 * Each request gets exactly one response, in the order of the requests, with the request's id. The
 * header's code is the wire status. The body of a status other than OK is an error body; the body
 * of OK depends on the opcode that was asked:
 *
 *      error     empty, or: item u32 (0xFFFFFFFF none), detail u64,
 *                CONFLICT: flags u8 (1 range, 2 expired), namespace block, from block, to block,
 *                rest: text in UTF-8
 *      HELLO     version u16, features u64, count u16, count times limit {id u16, value u64},
 *                rest: server name
 *      PING      rest: the bytes sent
 *      GET       record, rest: value
 *      GET_RANGE record (of the whole value), rest: the bytes
 *      META      record
 *      EXISTS    version u64
 *      PUT, DELETE, DELETE_RANGE, TOUCH, PERSIST, UPLOAD_COMMIT, NAMESPACE_CREATE, NAMESPACE_DROP,
 *      TXN_COMMIT   version u64 (of the commit)
 *      BATCH     version u64; if it has items that add or append: count u32, count times i64
 *      ADD       version u64, i64 (the sum)
 *      APPEND    version u64, u64 (the new length)
 *      REWIND    version u64, u64 (keys changed)
 *      UPLOAD_BEGIN   u64 (the id)
 *      UPLOAD_DATA    u64 (bytes so far)
 *      UPLOAD_ABORT, SNAPSHOT_CLOSE, TXN_ABORT   nothing
 *      BULK_LOAD version u64 (commit; else 0), u64 (entries so far)
 *      TRANSACT  version u64, held u8 (1: all comparisons), count u32, count times a result:
 *                  kind u8 (0 done | 1 number | 2 found | 3 absent), and
 *                  1: i64 | 2: record, value_len bytes
 *      SNAPSHOT_OPEN, TXN_BEGIN   id u64, version u64, time ms u64, deadline ms u64 (0 none)
 *      MGET      count u32, count times an entry: status u16, and
 *                  OK: record, value_len bytes;  NOT_FOUND: nothing;  others: text block
 *      SCAN      page flags u8 (1 = end, 2 = last entry without value), count u32, count times an
 * entry: key block, record, value_len bytes (none when keys-only); cursor block (empty at the end)
 *      COUNT     page flags u8 (1 = end), count u64, cursor block (empty at the end)
 *      HISTORY   page flags u8, count u32, count times: version u64, time ms u64 (0 not known),
 *                  flags u8 (1 = deleted), record unless deleted
 *      DIFF      page flags u8, count u32, count times: kind u8 (1 added, 2 changed, 3 removed),
 * key block, record before unless added, record after unless removed; cursor block
 *      FEED      page flags u8 (1 = end), count u32, next version u64, skip u32, value offset u64,
 *                  durable version u64, gap from u64, gap to u64, count times: kind u8, flags u8
 *                  (1 = last of its commit), version u64, time ms u64, key block, and
 *                  1 put: record, value offset u64, length u32, bytes | 2 delete |
 *                  3 delete range: to block | 4 superseded: record
 *      STATS, EXPLAIN,
 * MAINTAIN   count u32, count times: name block, value block (text) WHY       count u32, count
 * times: kind block, holder block, bytes u64 SNAPSHOT_LIST  count u32, count times: id u64, version
 * u64, time ms u64, opened ms u64, deadline ms u64 (0 none), owner block NAMESPACE_LIST count u32,
 * count times: name block, id u32, settings (as in a request), keys u64, live bytes u64, pinned
 * bytes u64
 *      CONFIG    count u32, count times: name block, value block, default block, source block,
 *                flags u8 (1 = may be set)
 *
 *      SLOWLOG   count u32, count times: number u64, time ms u64, client u64, request id u32,
 *                  opcode u16, beside u32, total us u64, 5 times phase us u64, request bytes u64,
 *                  key length u64, key block (its beginning), peer block, name block
 *      CLIENTS   count u32, count times: id u64, age ms u64, idle ms u64, requests u64, bytes in
 *                  u64, bytes out u64, queued u64, memory u64, in flight u32, snapshots u32, loop
 *                  u32, peer block, name block
 *      HOTKEYS   count u32, count times: namespace block, key length u64, key block, reads u64,
 *                  writes u64 (in a thousand seconds)
 *
 *      record    version u64, expires at ms u64 (0 never), value_len u64, user flags u32, and
 *                checksum u64 if the response's flags have CHECKSUM
 *
 * A value always comes last, so that the server can begin a record, let the store append the value
 * to the same buffer, and fill in the record when it knows it:
 *
 *      wire_response_begin(buffer, id, STATUS_OK, flags, &mark)
 *      wire_record_begin(buffer, flags, &record_mark)
 *      ... the store appends the value ...
 *      wire_record_finish(buffer, record_mark, flags, &record)
 *      wire_response_finish(buffer, mark)
 *
 * On a failure half-way: buffer_rollback(buffer, mark) and wire_response_error. Pure functions, any
 * thread; decoding borrows from the frame. Part of the door protocol/wire.h. */
#ifndef KVD_PROTOCOL_RESPONSE_H
#define KVD_PROTOCOL_RESPONSE_H

#include "protocol/request.h"

#define WIRE_RECORD_BYTES 28u
#define WIRE_CHECKSUM_BYTES 8u

/* What is known of a stored value besides its bytes. */
struct wire_record {
    uint64_t version;       /* of the commit that wrote it */
    uint64_t expires_at_ms; /* since 1970 UTC, by the server's clock; 0 never */
    uint64_t value_len;     /* bytes of the raw value */
    uint32_t user_flags;
    bool has_checksum;
    uint64_t checksum; /* XXH3-64, seed 0, of the raw value; valid if has_checksum */
};

enum wire_page_flag {
    WIRE_PAGE_END = 1 << 0,
    WIRE_PAGE_LAST_BARE = 1 << 1, /* SCAN: the value of the last entry is left out: it is longer
                                     than value_max; GET_RANGE reads it */
};

/* Ids of the limits that HELLO publishes. A reader skips ids that it does not know. */
enum wire_limit {
    WIRE_LIMIT_FRAME_MAX = 1,
    WIRE_LIMIT_KEY_MAX = 2,
    WIRE_LIMIT_VALUE_MAX = 3,
    WIRE_LIMIT_REQUESTS_MAX = 4,
    WIRE_LIMIT_MGET_KEYS_MAX = 5,
    WIRE_LIMIT_BATCH_ITEMS_MAX = 6,
    WIRE_LIMIT_BATCH_BYTES_MAX = 7,
    WIRE_LIMIT_SCAN_ENTRIES_MAX = 8,
    WIRE_LIMIT_SCAN_PAGE_BYTES_MAX = 9,
    WIRE_LIMIT_MEMORY_BYTES = 10,
    WIRE_LIMIT_DURABILITY = 11,
    WIRE_LIMIT_TRANSACTIONS_MAX = 12,
    WIRE_LIMIT_TRANSACTION_BYTES = 13,
    WIRE_LIMIT_TRANSACTION_AGE_MS = 14,
    WIRE_LIMIT_TRANSACTION_IDLE_MS = 15,
};

struct wire_hello {
    uint16_t version;          /* chosen: the highest that both can */
    uint64_t features;         /* agreed; low 32 bits: the flags that requests may carry */
    struct wire_limits limits; /* those not sent are 0 */
    struct slice server_name;
};

/* One version of a key, in a HISTORY. */
struct wire_version {
    uint64_t version;
    uint64_t time_ms;          /* of the commit, about; 0: not known any more */
    bool deleted;              /* it ended the key */
    struct wire_record record; /* unless deleted */
};

enum wire_change_kind { WIRE_CHANGE_ADDED = 1, WIRE_CHANGE_CHANGED = 2, WIRE_CHANGE_REMOVED = 3 };

/* One key that differs, in a DIFF. */
struct wire_change {
    uint8_t kind; /* enum wire_change_kind */
    struct slice key;
    struct wire_record before; /* unless added */
    struct wire_record after;  /* unless removed */
};

enum wire_feed_kind {
    WIRE_FEED_PUT = 1,
    WIRE_FEED_DELETE = 2,
    WIRE_FEED_DELETE_RANGE = 3,
    WIRE_FEED_SUPERSEDED = 4, /* a put whose value a later commit has replaced; it is not there */
};

/* One change of a FEED. Of a value that does not fit the page, a part. */
struct wire_feed_change {
    uint8_t kind;              /* enum wire_feed_kind */
    bool last;                 /* of its commit */
    uint64_t version;          /* of its commit */
    uint64_t time_ms;          /* of its commit */
    struct slice key;          /* DELETE_RANGE: the first key; empty: from the start */
    struct slice to;           /* DELETE_RANGE: the first key that stays; empty: to the end */
    struct wire_record record; /* PUT, SUPERSEDED: of the whole value, with its checksum */
    uint64_t value_offset;     /* PUT: where the part begins */
    struct slice value;        /* PUT */
};

/* What a page of a FEED has besides its changes. */
struct wire_feed {
    struct wire_feed_position next; /* where the next page begins */
    uint64_t durable_version;       /* how far there was anything to tell */
    uint64_t gap_from;              /* not 0: these versions are not known any more */
    uint64_t gap_to;
};

struct wire_snapshot {
    uint64_t id;
    uint64_t version;     /* everything up to here is seen */
    uint64_t time_ms;     /* expiry is judged at this time */
    uint64_t opened_ms;   /* SNAPSHOT_LIST */
    uint64_t deadline_ms; /* 0: none */
    struct slice owner;   /* SNAPSHOT_LIST: text */
};

/* One setting of CONFIG; all but the flag are text. */
struct wire_setting {
    struct slice name;
    struct slice value;
    struct slice default_value;
    struct slice source; /* where the value was said */
    bool online;         /* may be set while the server runs */
};

enum wire_conflict_flag {
    WIRE_CONFLICT_RANGE =
        1 << 0, /* keys [from, to), an empty `to` is the end; else the key `from` */
    WIRE_CONFLICT_EXPIRED = 1 << 1, /* it expired; the version is that which was read */
};

/* What a transaction had read and another commit changed. */
struct wire_conflict {
    uint8_t flags; /* enum wire_conflict_flag */
    struct slice namespace_name;
    struct slice from;
    struct slice to;
};

enum wire_result_kind {
    WIRE_RESULT_DONE = 0,
    WIRE_RESULT_NUMBER = 1, /* add: the sum; append: the new length */
    WIRE_RESULT_FOUND = 2,  /* get */
    WIRE_RESULT_ABSENT = 3, /* get: there is no such key */
};

/* What one item of a TRANSACT came to. */
struct wire_result {
    uint8_t kind; /* enum wire_result_kind */
    int64_t number;
    struct wire_record record;
    struct slice value;
};

/* One line of WHY. */
struct wire_holder {
    struct slice kind;   /* what the bytes are, as text */
    struct slice holder; /* who keeps them; empty: nobody in particular */
    uint64_t bytes;
};

#define WIRE_PHASES 5u

/* One request of SLOWLOG. Times in microseconds. */
struct wire_slow {
    uint64_t number;  /* from 1 on; the newest has the greatest */
    uint64_t time_ms; /* since 1970 UTC: when it had ended */
    uint64_t client;  /* id of its connection */
    uint32_t id;      /* of the request */
    uint16_t opcode;  /* of the request */
    uint32_t beside;  /* requests of the same burst that took as long */
    uint64_t total_us;
    uint64_t phase_us[WIRE_PHASES]; /* wait, queue, work, commit, held */
    uint64_t request_bytes;         /* of its frame */
    uint64_t key_len;               /* of the whole key */
    struct slice key;               /* its beginning */
    struct slice peer;              /* text: where the client is */
    struct slice name;              /* text: how it calls itself */
};

/* One connection of CLIENTS. */
struct wire_client {
    uint64_t id;
    uint64_t age_ms;
    uint64_t idle_ms; /* since bytes last came */
    uint64_t requests;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t queued_bytes; /* of answers that it has not taken */
    uint64_t memory_bytes;
    uint32_t in_flight; /* requests that are not answered */
    uint32_t snapshots; /* that end with it */
    uint32_t loop;      /* that serves it */
    struct slice peer;  /* text: where the client is */
    struct slice name;  /* text: how it calls itself */
};

/* One key of HOTKEYS. Rates are in requests a thousand seconds. */
struct wire_hot_key {
    struct slice space; /* the beginning of the namespace's name */
    uint64_t key_len;   /* of the whole key */
    struct slice key;   /* its beginning */
    uint64_t reads;
    uint64_t writes;
};

/* One namespace of NAMESPACE_LIST. */
struct wire_namespace {
    struct slice name; /* empty: the default one */
    uint32_t id;
    struct wire_settings settings;
    uint64_t keys;
    uint64_t live_bytes;
    uint64_t pinned_bytes; /* of versions that only snapshots or retention keep */
};

/* --- writing: the server's side. All append to `buffer`; Errors of buffer_reserve unless said. */

/* Begins a response; *mark_out is for wire_response_finish, or for buffer_rollback. `flags` is 0 or
 * WIRE_FLAG_CHECKSUM (when records will carry a checksum). */
enum status wire_response_begin(struct buffer *buffer, uint32_t id, enum status status,
                                uint32_t flags, size_t *mark_out) MUST_CHECK;

/* Fills in the body length. Errors: TOO_LARGE above WIRE_BODY_CEILING. */
enum status wire_response_finish(struct buffer *buffer, size_t mark) MUST_CHECK;

/* A whole error response (status is not OK). `refusal` may be NULL: the body is empty then. For
 * EXISTS and VERSION_MISMATCH the detail is the present version (0 if the key is absent). On error
 * nothing is appended. */
enum status wire_response_error(struct buffer *buffer, uint32_t id, enum status status,
                                const struct wire_refusal *refusal) MUST_CHECK;

/* The same with a text made at run time. */
enum status wire_response_error_text(struct buffer *buffer, uint32_t id, enum status status,
                                     uint64_t detail, struct slice text) MUST_CHECK;

/* Whole responses. On error nothing is appended. */
enum status wire_response_hello(struct buffer *buffer, uint32_t id,
                                const struct wire_hello *hello) MUST_CHECK;
enum status wire_response_ping(struct buffer *buffer, uint32_t id, struct slice payload) MUST_CHECK;
enum status wire_response_version(struct buffer *buffer, uint32_t id, uint64_t version) MUST_CHECK;
enum status wire_response_meta(struct buffer *buffer, uint32_t id,
                               const struct wire_record *record) MUST_CHECK;
enum status wire_response_count(struct buffer *buffer, uint32_t id, uint64_t count,
                                struct slice cursor, bool at_end) MUST_CHECK;

enum status wire_response_empty(struct buffer *buffer, uint32_t id) MUST_CHECK;
enum status wire_response_number(struct buffer *buffer, uint32_t id, uint64_t number) MUST_CHECK;
enum status wire_response_version_number(struct buffer *buffer, uint32_t id, uint64_t version,
                                         uint64_t number) MUST_CHECK; /* ADD: as two's complement */
enum status wire_response_results(struct buffer *buffer, uint32_t id, uint64_t version,
                                  const int64_t *results, uint32_t count) MUST_CHECK;
enum status wire_response_snapshot(struct buffer *buffer, uint32_t id,
                                   const struct wire_snapshot *snapshot) MUST_CHECK;

/* An error response of a CONFLICT; `version` is the one that won. */
enum status wire_response_conflict(struct buffer *buffer, uint32_t id, uint64_t version,
                                   const struct wire_conflict *conflict) MUST_CHECK;

/* Leaves room for a record (with its checksum if `flags` has WIRE_FLAG_CHECKSUM); the value goes
 * directly behind. */
enum status wire_record_begin(struct buffer *buffer, uint32_t flags, size_t *mark_out) MUST_CHECK;

/* Fills in the record begun at `mark`; cannot fail. `flags` as given to begin. The caller sets
 * value_len: the bytes appended since, or the stored length when they are left out (keys-only). */
void wire_record_finish(struct buffer *buffer, size_t mark, uint32_t flags,
                        const struct wire_record *record);

/* The raw value bytes appended since wire_record_begin: for their checksum. Valid until the buffer
 * grows. */
struct slice wire_record_value(const struct buffer *buffer, size_t mark, uint32_t flags);

/* Between wire_response_begin and finish, a list whose count is filled in at the end.
 *
 *   MGET      wire_list_begin, per key: wire_mget_entry_begin + record + value, or
 *             wire_mget_entry_error; wire_list_finish
 *   SCAN      wire_page_begin, per entry: wire_scan_entry_begin + record + value;
 *             wire_page_finish
 *   DIFF      wire_page_begin, per entry: wire_change_entry; wire_page_finish
 *   HISTORY   wire_page_begin, per entry: wire_version_entry; wire_history_finish
 *   TRANSACT  wire_transact_begin, per item: wire_result_entry, or wire_result_found_begin +
 *             record + value; wire_list_finish; wire_transact_version once it is known
 *   others    wire_list_begin, per line: wire_..._entry; wire_list_finish
 *
 * An entry that does not fit any more: buffer_rollback to where it began and do not count it. An
 * MGET reply may answer fewer keys than asked, but at least one: the client asks for the rest. */
enum status wire_list_begin(struct buffer *buffer, size_t *mark_out) MUST_CHECK;
void wire_list_finish(struct buffer *buffer, size_t mark, uint32_t count);

enum status wire_mget_entry_begin(struct buffer *buffer) MUST_CHECK; /* then wire_record_begin */
enum status wire_mget_entry_error(struct buffer *buffer, enum status status, struct slice text)
    MUST_CHECK; /* NOT_FOUND: the text is left out */

/* Directly behind wire_response_begin; the version is 0 so far. */
enum status wire_transact_begin(struct buffer *buffer, bool held, size_t *list_mark_out) MUST_CHECK;
enum status wire_result_entry(struct buffer *buffer, uint8_t kind, int64_t number) MUST_CHECK;
enum status wire_result_found_begin(struct buffer *buffer) MUST_CHECK; /* then wire_record_begin */

/* `mark`: where the response begins. */
void wire_transact_version(struct buffer *buffer, size_t mark, uint64_t version);

enum status wire_page_begin(struct buffer *buffer, size_t *mark_out) MUST_CHECK;
enum status wire_scan_entry_begin(struct buffer *buffer,
                                  struct slice key) MUST_CHECK; /* then wire_record_begin */

/* Ends the page: appends the cursor, fills in count and flags. A page that is not the last has a
 * cursor of at least one byte and at most WIRE_CURSOR_BYTES_MAX. */
enum status wire_page_finish(struct buffer *buffer, size_t mark, uint32_t count,
                             struct slice cursor, bool at_end) MUST_CHECK;

/* Says of a finished page of a SCAN that its last entry has no value. */
void wire_page_set_last_bare(struct buffer *buffer, size_t mark);

/* Ends the page of a HISTORY, which has no cursor. */
void wire_history_finish(struct buffer *buffer, size_t mark, uint32_t count, bool at_end);

/* One element each, or nothing. */
enum status wire_stats_entry(struct buffer *buffer, struct slice name,
                             struct slice value) MUST_CHECK;
enum status wire_holder_entry(struct buffer *buffer, const struct wire_holder *holder) MUST_CHECK;
enum status wire_version_entry(struct buffer *buffer,
                               const struct wire_version *version) MUST_CHECK;
enum status wire_change_entry(struct buffer *buffer, const struct wire_change *change) MUST_CHECK;

/* A page of a FEED, whose response has WIRE_FLAG_CHECKSUM:
 *   wire_feed_begin, per change: wire_feed_entry, and if it is a PUT: the part of its value and
 *   wire_feed_value_finish; wire_feed_finish */
enum status wire_feed_begin(struct buffer *buffer, size_t *mark_out) MUST_CHECK;
enum status wire_feed_entry(struct buffer *buffer, const struct wire_feed_change *change,
                            size_t *value_mark_out) MUST_CHECK;
void wire_feed_value_finish(struct buffer *buffer, size_t value_mark);
void wire_feed_finish(struct buffer *buffer, size_t mark, uint32_t count,
                      const struct wire_feed *feed, bool at_end);
enum status wire_snapshot_entry(struct buffer *buffer,
                                const struct wire_snapshot *snapshot) MUST_CHECK;
enum status wire_namespace_entry(struct buffer *buffer,
                                 const struct wire_namespace *space) MUST_CHECK;
enum status wire_slow_entry(struct buffer *buffer, const struct wire_slow *slow) MUST_CHECK;
enum status wire_client_entry(struct buffer *buffer, const struct wire_client *client) MUST_CHECK;
enum status wire_hot_key_entry(struct buffer *buffer, const struct wire_hot_key *hot) MUST_CHECK;
enum status wire_setting_entry(struct buffer *buffer,
                               const struct wire_setting *setting) MUST_CHECK;

/* --- reading: the client's side. */

struct wire_error {
    uint32_t item;                 /* index in the list, or WIRE_NO_ITEM */
    uint64_t detail;               /* present version, limit or flag bits; 0 none */
    struct wire_conflict conflict; /* CONFLICT; zeroed for others */
    struct slice text;             /* borrowed; may be empty */
};

struct wire_entry {
    enum status status; /* MGET: of this key; SCAN: OK */
    struct slice key;   /* SCAN */
    struct slice text;  /* MGET: what went wrong, if not OK or NOT_FOUND */
    struct wire_record record;
    struct slice value; /* empty when keys-only, and of a last entry that is bare */
};

struct wire_page {
    bool at_end;
    bool last_bare;        /* SCAN: the last entry has a record, but not its value */
    uint64_t count;        /* COUNT: the number; SCAN: entries in the list */
    struct wire_list list; /* SCAN */
    struct slice cursor;   /* empty at the end */
};

struct wire_response {
    uint32_t id;
    enum status status;
    uint32_t flags;
    uint16_t opcode;           /* of the request, as given */
    struct wire_error error;   /* status is not OK */
    struct wire_hello hello;   /* HELLO */
    uint64_t version;          /* of the commit, of all writes; EXISTS: of the key */
    uint64_t number;           /* UPLOAD_BEGIN: the id; UPLOAD_DATA: bytes so far; APPEND: the new
                                  length; REWIND: keys changed; BULK_LOAD: entries so far */
    int64_t sum;               /* ADD */
    struct wire_record record; /* GET, GET_RANGE, META */
    struct slice payload;      /* GET, GET_RANGE: the bytes; PING: the bytes */
    struct wire_list list; /* MGET: entries; BATCH: results; STATS, EXPLAIN, MAINTAIN, WHY: lines;
                              SNAPSHOT_LIST, NAMESPACE_LIST, SLOWLOG, CLIENTS, HOTKEYS,
                              CONFIG */
    struct wire_page page; /* SCAN, COUNT, HISTORY and FEED (no cursor), DIFF */
    struct wire_feed feed; /* FEED */
    struct wire_snapshot snapshot; /* SNAPSHOT_OPEN, TXN_BEGIN */
    bool held;                     /* TRANSACT: all comparisons did; the results are in list */
    bool keys_only;                /* SCAN, as given */
};

/* Reads the response of a frame of kind RESPONSE to a request of `opcode` (keys_only: as the SCAN
 * asked). Lists are checked to their end. Errors: PROTOCOL; UNSUPPORTED for flags this version does
 * not know. *reason_out is a static text then. */
enum status wire_response_decode(const struct wire_frame *frame, uint16_t opcode, bool keys_only,
                                 struct wire_response *response_out,
                                 const char **reason_out) MUST_CHECK;

/* Takes the next entry of response->list (MGET) or response->page.list (SCAN). Errors: END;
 * PROTOCOL if the list was not checked. */
enum status wire_response_next_entry(struct wire_response *response,
                                     struct wire_entry *entry_out) MUST_CHECK;

/* Takes the next line of STATS, EXPLAIN or MAINTAIN. Errors as above. */
enum status wire_response_next_stat(struct wire_response *response, struct slice *name_out,
                                    struct slice *value_out) MUST_CHECK;

/* Take the next element: of BATCH, HISTORY, DIFF, WHY, SNAPSHOT_LIST, NAMESPACE_LIST, SLOWLOG,
 * CLIENTS, HOTKEYS. Errors as above. */
enum status wire_response_next_result(struct wire_response *response,
                                      int64_t *result_out) MUST_CHECK;
enum status wire_response_next_outcome(struct wire_response *response,
                                       struct wire_result *result_out) MUST_CHECK; /* TRANSACT */
enum status wire_response_next_version(struct wire_response *response,
                                       struct wire_version *version_out) MUST_CHECK;
enum status wire_response_next_change(struct wire_response *response,
                                      struct wire_change *change_out) MUST_CHECK;
enum status wire_response_next_feed_change(struct wire_response *response,
                                           struct wire_feed_change *change_out) MUST_CHECK;
enum status wire_response_next_holder(struct wire_response *response,
                                      struct wire_holder *holder_out) MUST_CHECK;
enum status wire_response_next_snapshot(struct wire_response *response,
                                        struct wire_snapshot *snapshot_out) MUST_CHECK;
enum status wire_response_next_namespace(struct wire_response *response,
                                         struct wire_namespace *space_out) MUST_CHECK;
enum status wire_response_next_slow(struct wire_response *response,
                                    struct wire_slow *slow_out) MUST_CHECK;
enum status wire_response_next_client(struct wire_response *response,
                                      struct wire_client *client_out) MUST_CHECK;
enum status wire_response_next_hot_key(struct wire_response *response,
                                       struct wire_hot_key *hot_out) MUST_CHECK;
enum status wire_response_next_setting(struct wire_response *response,
                                       struct wire_setting *setting_out) MUST_CHECK; /* CONFIG */

#endif
