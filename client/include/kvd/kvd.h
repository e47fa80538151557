/* kvd.h: the C client of kvd, a networked key-value server.
 *
 *     struct kvd *db;
 *     struct kvd_value value = {0};
 *
 *     if (kvd_connect("127.0.0.1:4411", NULL, &db) == KVD_OK &&
 *         kvd_put(db, kvd_text("name"), kvd_text("Ada"), NULL, NULL) == KVD_OK &&
 *         kvd_get(db, kvd_text("name"), NULL, &value) == KVD_OK) {
 *         fwrite(value.data, 1, value.meta.value_len, stdout);
 *     } else {
 *         fprintf(stderr, "%s\n", kvd_error(db));
 *     }
 *     kvd_value_free(&value);
 *     kvd_close(db);
 *
 * Calls block until the answer is there, the timeout is over, or the connection is lost; for those
 * that never do, see <kvd/async.h>, which this header includes. There is
 * no global state: connections are independent of one another; one connection, and the scans opened
 * on it, are used by one thread at a time. SIGPIPE is never raised.
 *
 * DONE, FAILED, UNKNOWN. Each call ends in one of three ways, told by kvd_outcome(status):
 *   done     it took effect or found its answer (KVD_NOT_FOUND is an answer);
 *   failed   it had no effect and will have none; correct it or try it again;
 *   unknown  KVD_UNKNOWN, KVD_INTERNAL: a write was sent and its answer was lost (timeout, broken
 *            connection, damage). It may have taken effect, or may yet. Read to find out.
 *
 * RECONNECTING. A connection that broke or timed out is closed; the next call connects again. A
 * call that only reads is sent a second time if the connection broke under it. A write is not sent
 * twice: if its answer is lost, it is KVD_UNKNOWN. Unless kvd_connect_options.retry_ms says so:
 * then it is sent again until its answer is there, and takes effect once.
 *
 * BYTES. Keys are 1 to key_max bytes, values 0 to value_max bytes of any content (kvd_server_info
 * tells the limits). What is passed in is borrowed until the call returns. Milliseconds named
 * ..._at_ms count from 1970 UTC by the server's clock. Options may always be NULL: all zero.
 *
 * Format of what goes over the wire: docs/protocol.md. Guide: docs/libkvd.md. */
#ifndef KVD_KVD_H
#define KVD_KVD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVD_API __attribute__((visibility("default")))

#define KVD_TIMEOUT_MS_DEFAULT 30000u
#define KVD_NO_ITEM UINT32_MAX

/* --- results --- */

/* The numbers are stable; new ones go to the end. */
enum kvd_status {
    KVD_OK = 0,
    KVD_NOT_FOUND = 1,        /* no such key */
    KVD_END = 2,              /* no more entries or results */
    KVD_EXISTS = 3,           /* condition 'absent' not met; kvd_error_detail: present version */
    KVD_ABSENT = 4,           /* condition 'present' not met */
    KVD_VERSION_MISMATCH = 5, /* condition 'version' not met; detail: present version or 0 */
    KVD_INVALID = 6,          /* the call or request is not valid; kvd_error says what */
    KVD_TOO_LARGE = 7,        /* above a limit; kvd_error_detail: the limit */
    KVD_UNSUPPORTED = 8,      /* the server cannot do that */
    KVD_PROTOCOL = 9,         /* the peer does not speak the protocol */
    KVD_CHECKSUM = 10,        /* the value did not arrive as it was sent */
    KVD_DEADLINE = 11,        /* deadline_ms passed before the server began the work */
    KVD_TIMEOUT = 12,         /* no answer to a read in time, or no time to send */
    KVD_BUSY = 13,            /* a limit on work in flight is reached; try again */
    KVD_NO_MEMORY = 14,       /* here or in the server; kvd_error says where */
    KVD_NO_SPACE = 15,        /* the server's disk is full; deletes and reads go on */
    KVD_IO = 16,              /* the server could not read its disk */
    KVD_CORRUPT = 17,         /* stored bytes are damaged */
    KVD_READ_ONLY = 18,       /* the store is read-only */
    KVD_LOG_FAILED = 19,      /* the server's log failed; no writes until it is restarted */
    KVD_UNKNOWN = 20,         /* sent, and the answer was lost: may or may not have taken effect */
    KVD_SHUTTING_DOWN = 21,   /* the server is stopping */
    KVD_DENIED = 22,          /* not allowed */
    KVD_CONNECT = 23,         /* no connection could be made; nothing was sent */
    KVD_CLOSED = 24,          /* the connection broke under a read, or before sending */
    KVD_CANCELLED = 25,       /* cancelled */
    KVD_INTERNAL = 26,        /* a fault in kvd itself */
    KVD_GONE = 27,            /* this version or time is not kept any more */
    KVD_QUOTA = 28,           /* the namespace has reached its quota */
    KVD_OVERFLOW = 29,        /* the sum does not fit a signed 64-bit number */
    KVD_CONFLICT = 30,        /* what was read has been changed by another */
    KVD_TXN_TOO_OLD = 31,     /* too much was written since the transaction began; run it again */
};

/* The three ways in which a call ends: see the top of this header. */
enum kvd_outcome { KVD_OUTCOME_DONE, KVD_OUTCOME_FAILED, KVD_OUTCOME_UNKNOWN };

/* "not_found"; static storage; "invalid_status" outside the enum. */
KVD_API const char *kvd_status_name(enum kvd_status status);

/* A sentence for people; static storage. */
KVD_API const char *kvd_status_text(enum kvd_status status);

/* What a status says about the effect of the call that returned it. */
KVD_API enum kvd_outcome kvd_outcome(enum kvd_status status);

/* --- bytes and records --- */

/* Borrowed bytes. */
struct kvd_bytes {
    const void *ptr; /* may be NULL if len is 0 */
    size_t len;
};

/* `len` bytes at `ptr`, borrowed. */
static inline struct kvd_bytes kvd_bytes(const void *ptr, size_t len) {
    struct kvd_bytes bytes;
    bytes.ptr = ptr;
    bytes.len = len;
    return bytes;
}

/* The bytes of a C string, without its NUL. */
static inline struct kvd_bytes kvd_text(const char *text) {
    return kvd_bytes(text, strlen(text));
}

/* What is known of a stored value besides its bytes. */
struct kvd_meta {
    uint64_t version;       /* of the commit that wrote it; rises with every commit */
    uint64_t expires_at_ms; /* 0 never */
    uint64_t value_len;     /* bytes */
    uint32_t user_flags;    /* as given to the put */
    bool has_checksum;      /* asked for, and sent by the server */
    uint64_t checksum;      /* XXH3-64 (seed 0) of the value, if has_checksum */
};

/* A value in memory that is reused: zero it before its first use, pass it to as many calls as
 * wanted, end with kvd_value_free. The memory only grows, so a warm one allocates no more. */
struct kvd_value {
    uint8_t *data;          /* owned by this struct; meta.value_len bytes are valid */
    size_t capacity;        /* bytes allocated */
    struct kvd_meta meta;   /* valid if status is KVD_OK */
    enum kvd_status status; /* of this value: KVD_OK, KVD_NOT_FOUND, KVD_CORRUPT ... */
};

/* Frees the memory, and zeroes *value, which may then be used again. */
KVD_API void kvd_value_free(struct kvd_value *value);

/* Frees what kvd_get_alloc returned; NULL is allowed. */
KVD_API void kvd_free(void *data);

/* --- connections --- */

struct kvd; /* a connection; opaque */

/* How far a write has come when it is acknowledged. */
enum kvd_durability {
    KVD_DURABILITY_DEFAULT = 0, /* the connection's, else the server's default */
    KVD_DURABILITY_MEMORY = 1,  /* visible to readers; lost when the server process dies */
    KVD_DURABILITY_LOGGED = 2,  /* given to the operating system; lost when the machine dies */
    KVD_DURABILITY_SYNCED = 3,  /* on stable storage */
};

/* Of a connection, from kvd_connect on. Strings are copied; names of at most 255 bytes. */
struct kvd_connect_options {
    uint32_t timeout_ms;            /* for connecting and for each call; 0 = default, 30 s */
    const char *client_name;        /* shown by the server; NULL = "libkvd" */
    const char *namespace_name;     /* all keys are in it; NULL or "" = the default one */
    enum kvd_durability durability; /* of writes that do not say */
    uint32_t retry_ms; /* repeat writes whose answer was lost, for so long; see below */
};

/* Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH" and exchanges HELLO. *db_out is set also on
 * failure, so that kvd_error can tell the reason (NULL only on KVD_NO_MEMORY): call kvd_close in
 * any case. A connection that failed may be used: its next call tries again.
 * Errors: KVD_INVALID (address; retry_ms), KVD_CONNECT, KVD_TIMEOUT, KVD_PROTOCOL, KVD_UNSUPPORTED
 * (no common version, or no namespaces or retry tokens), KVD_NO_MEMORY. */
KVD_API enum kvd_status kvd_connect(const char *address, const struct kvd_connect_options *options,
                                    struct kvd **db_out);

/* Closes and frees. Requests queued and not sent are dropped. Scans must be closed before. NULL is
 * allowed. */
KVD_API void kvd_close(struct kvd *db);

/* A new timeout for the calls to come, in milliseconds; 0 = default. */
KVD_API void kvd_set_timeout(struct kvd *db, uint32_t timeout_ms);

/* One line about the last call on `db` that did not return KVD_OK: what was wrong with what. Valid
 * until the next call on `db`; never NULL; "out of memory" for a NULL db. */
KVD_API const char *kvd_error(const struct kvd *db);

/* The number that belongs to it: present version, limit that was passed; 0 if there is none. */
KVD_API uint64_t kvd_error_detail(const struct kvd *db);

/* The index of the batch item or MGET key at fault, or KVD_NO_ITEM. */
KVD_API uint32_t kvd_error_item(const struct kvd *db);

/* What the server said in HELLO. Limits are bytes or counts; 0 = not told. */
struct kvd_server_info {
    uint16_t protocol_version;
    uint64_t features;
    char server_name[256];
    uint64_t frame_max;
    uint64_t key_max;
    uint64_t value_max;
    uint64_t requests_max; /* unanswered on a connection; more wait in the socket */
    uint64_t mget_keys_max;
    uint64_t batch_items_max;
    uint64_t batch_bytes_max; /* of keys and values */
    uint64_t scan_entries_max;
    uint64_t scan_page_bytes_max;
    uint64_t transactions_max;    /* open on a connection */
    uint64_t transaction_bytes;   /* what one may write, as it lies in the server's memory */
    uint64_t transaction_age_ms;  /* how long one may last */
    uint64_t transaction_idle_ms; /* how long it may be without a request */
    uint64_t memory_bytes;
    enum kvd_durability durability; /* the server's default */
};

/* Fills *info_out; connects if need be. Errors as kvd_connect. */
KVD_API enum kvd_status kvd_server_info(struct kvd *db, struct kvd_server_info *info_out);

/* --- common errors ---
 * Every call below can also return what kvd_connect returns (it may have to connect), KVD_TIMEOUT
 * and KVD_CLOSED (reads; writes only before anything was sent), KVD_UNKNOWN (writes), KVD_BUSY
 * (also when a pipeline on this connection has unread results), KVD_DEADLINE, KVD_SHUTTING_DOWN,
 * KVD_DENIED, KVD_NO_MEMORY, KVD_PROTOCOL, KVD_INTERNAL. Errors: lists what is particular. */

/* Sends a ping and waits for its echo. Errors: the common ones. */
KVD_API enum kvd_status kvd_ping(struct kvd *db);

/* --- reading --- */

/* A state of the store; zeroed: the newest. At most one of the four is set. Errors of reads at
 * one: KVD_GONE (no such snapshot or transaction, not kept any more), KVD_INVALID (of the future).
 */
struct kvd_state {
    uint64_t snapshot;    /* id of an open snapshot */
    uint64_t version;     /* a commit: as it was right after it */
    uint64_t time_ms;     /* as it was then */
    uint64_t transaction; /* id of an open one of this connection; with its own writes */
};

/* Of one read. */
struct kvd_read_options {
    uint32_t deadline_ms; /* the server drops the work if not begun by then; 0 = none */
    bool verify;          /* fetch the value's checksum and compare it here: else KVD_CHECKSUM */
    struct kvd_state at;  /* read this state */
};

/* Reads the value of `key` into *value, growing its memory as needed.
 * Errors: KVD_NOT_FOUND, KVD_INVALID, KVD_TOO_LARGE (key), KVD_CORRUPT, KVD_IO, KVD_CHECKSUM. */
KVD_API enum kvd_status kvd_get(struct kvd *db, struct kvd_bytes key,
                                const struct kvd_read_options *options, struct kvd_value *value);

/* Reads into `room` bytes of the caller's. *meta_out (may be NULL) is filled. Never allocates once
 * the connection is warm. Errors: as kvd_get; KVD_TOO_LARGE also when the value is longer than
 * `room`: nothing is copied, *meta_out is filled and kvd_error_detail is the length needed. */
KVD_API enum kvd_status kvd_get_into(struct kvd *db, struct kvd_bytes key,
                                     const struct kvd_read_options *options, void *data,
                                     size_t room, struct kvd_meta *meta_out);

/* Reads into memory allocated at the exact size (1 byte for an empty value), owned by the caller
 * from then on: kvd_free. *meta_out may be NULL. Errors: as kvd_get. */
KVD_API enum kvd_status kvd_get_alloc(struct kvd *db, struct kvd_bytes key,
                                      const struct kvd_read_options *options, void **data_out,
                                      struct kvd_meta *meta_out);

/* Reads `count` keys into values[0..count), each with its own status; KVD_OK if all were answered,
 * found or not. As many keys as fit one reply are read from one state of the store; a larger set
 * takes several requests. Errors: as kvd_get, of the whole; values are partly filled then. */
KVD_API enum kvd_status kvd_mget(struct kvd *db, const struct kvd_bytes *keys, size_t count,
                                 const struct kvd_read_options *options, struct kvd_value *values);

/* KVD_OK if `key` is there; *version_out may be NULL. Errors: KVD_NOT_FOUND. */
KVD_API enum kvd_status kvd_exists(struct kvd *db, struct kvd_bytes key,
                                   const struct kvd_read_options *options, uint64_t *version_out);

/* The record without its value. With `verify`, the server reads the value and adds its checksum.
 * Errors: KVD_NOT_FOUND. */
KVD_API enum kvd_status kvd_meta(struct kvd *db, struct kvd_bytes key,
                                 const struct kvd_read_options *options, struct kvd_meta *meta_out);

/* A part of a value, in bytes. */
struct kvd_part {
    uint64_t offset;
    uint64_t length; /* wanted; after the call: got */
};

/* Reads up to part->length bytes of the value from part->offset on (fewer at its end, none behind
 * it), at most value_max at a time. value->meta is of the whole value; part->length bytes of
 * value->data are valid. Of a large value the server reads and verifies only the blocks that it
 * needs. `verify` has no meaning. Errors: as kvd_get. */
KVD_API enum kvd_status kvd_get_range(struct kvd *db, struct kvd_bytes key, struct kvd_part *part,
                                      const struct kvd_read_options *options,
                                      struct kvd_value *value);

/* Takes `data` in; anything but true ends the call with KVD_CANCELLED. It must not use `db`. */
typedef bool (*kvd_sink_cb)(struct kvd_bytes data, void *arg);

/* Reads a value of any length in pieces, all of one state of the store; *meta_out (may be NULL) is
 * filled first. With `verify` the whole is compared with its checksum at the end. Errors: as
 * kvd_get, KVD_CANCELLED. */
KVD_API enum kvd_status kvd_get_stream(struct kvd *db, struct kvd_bytes key,
                                       const struct kvd_read_options *options,
                                       struct kvd_meta *meta_out, kvd_sink_cb sink_cb, void *arg);

/* --- writing --- */

/* What has to hold for a write to take effect; judged in the commit itself. */
enum kvd_condition {
    KVD_IF_ANY = 0,     /* no condition */
    KVD_IF_ABSENT = 1,  /* else KVD_EXISTS */
    KVD_IF_PRESENT = 2, /* else KVD_ABSENT */
    KVD_IF_VERSION = 3, /* the key has exactly `version`; else KVD_VERSION_MISMATCH */
};

struct kvd_retry_token; /* <kvd/retry.h> */

/* Of one write. What a call takes no notice of, its comment or the names here say. */
struct kvd_write_options {
    enum kvd_condition condition;
    uint64_t version;               /* for KVD_IF_VERSION */
    uint64_t ttl_ms;                /* puts, touch: expires so long after arrival; 0 = no expiry */
    uint64_t expire_at_ms;          /* puts, touch: or at this time; not both */
    uint32_t user_flags;            /* puts: stored with the value */
    enum kvd_durability durability; /* when to acknowledge; ignored for items of a batch */
    uint32_t deadline_ms;           /* drop the work if not begun by then; ignored for items */
    uint64_t transaction; /* inside this one (kvd/transaction.h): put, delete, add, append,
                             touch, persist, delete_range and _prefix; KVD_GONE if it is
                             not open */
    bool checksum;        /* puts: send a checksum; the server verifies the value */
    const struct kvd_retry_token *token; /* <kvd/retry.h>; borrowed; ignored for items; or NULL */
};

/* Stores `value` under `key`. *version_out (may be NULL) is the version of the commit.
 * Errors: KVD_EXISTS, KVD_ABSENT, KVD_VERSION_MISMATCH, KVD_TOO_LARGE, KVD_INVALID, KVD_CHECKSUM,
 * KVD_NO_SPACE, KVD_READ_ONLY, KVD_LOG_FAILED. */
KVD_API enum kvd_status kvd_put(struct kvd *db, struct kvd_bytes key, struct kvd_bytes value,
                                const struct kvd_write_options *options, uint64_t *version_out);

/* Deletes `key`. Without a condition, deleting an absent key is done too. Errors: as kvd_put. */
KVD_API enum kvd_status kvd_delete(struct kvd *db, struct kvd_bytes key,
                                   const struct kvd_write_options *options, uint64_t *version_out);

/* Deletes all keys in [from, to), or, with an empty `to`, from `from` on; one operation, whatever
 * their number. Of `options` only durability and deadline_ms count. *version_out may be NULL.
 * Errors: as kvd_put. */
KVD_API enum kvd_status kvd_delete_range(struct kvd *db, struct kvd_bytes from, struct kvd_bytes to,
                                         const struct kvd_write_options *options,
                                         uint64_t *version_out);

/* Deletes all keys that begin with `prefix`; an empty one is refused (KVD_INVALID): for all keys of
 * a namespace use kvd_delete_range. Errors: as kvd_delete_range. */
KVD_API enum kvd_status kvd_delete_prefix(struct kvd *db, struct kvd_bytes prefix,
                                          const struct kvd_write_options *options,
                                          uint64_t *version_out);

/* Adds to a signed 64-bit number, kept as decimal text; an absent key counts as 0. *sum_out may be
 * NULL. Errors: as kvd_put; KVD_INVALID (the value is no number), KVD_OVERFLOW. */
KVD_API enum kvd_status kvd_add(struct kvd *db, struct kvd_bytes key, int64_t amount,
                                const struct kvd_write_options *options, int64_t *sum_out,
                                uint64_t *version_out);

/* Adds bytes at the end of a value; an absent key counts as empty. *length_out (may be NULL) is the
 * length in bytes then. Errors: as kvd_put. */
KVD_API enum kvd_status kvd_append(struct kvd *db, struct kvd_bytes key, struct kvd_bytes bytes,
                                   const struct kvd_write_options *options, uint64_t *length_out,
                                   uint64_t *version_out);

/* Gives a key the expiry of `options` (ttl_ms or expire_at_ms; one must be set), or takes it away.
 * The value stays where it is. Errors: KVD_ABSENT (no such key). */
KVD_API enum kvd_status kvd_touch(struct kvd *db, struct kvd_bytes key,
                                  const struct kvd_write_options *options, uint64_t *version_out);

/* Takes the expiry away. *version_out may be NULL. Errors: KVD_ABSENT (no such key), and as
 * kvd_put. */
KVD_API enum kvd_status kvd_persist(struct kvd *db, struct kvd_bytes key,
                                    const struct kvd_write_options *options, uint64_t *version_out);

/* --- large values ---
 * A value longer than value_max, up to 16 GiB, is sent in pieces and takes effect as one commit.
 * An upload belongs to its connection and ends with it; what was sent is then forgotten. */

struct kvd_upload; /* opaque; uses its connection only in the calls below */

/* Errors: KVD_BUSY (too many uploads), KVD_NO_SPACE, KVD_TOO_LARGE (key). */
KVD_API enum kvd_status kvd_upload_begin(struct kvd *db, struct kvd_bytes key,
                                         struct kvd_upload **upload_out);

/* Sends the next bytes, any number of them. They are borrowed during the call. After an error the
 * upload can only be destroyed. Errors: KVD_TOO_LARGE (the value), KVD_NO_SPACE, KVD_NOT_FOUND and
 * KVD_INVALID (the connection it belonged to was lost). */
KVD_API enum kvd_status kvd_upload_write(struct kvd_upload *upload, struct kvd_bytes bytes);

/* Commits the value under the key; options as for kvd_put (the checksum is made on the way, and
 * always verified). Errors: as kvd_put. */
KVD_API enum kvd_status kvd_upload_commit(struct kvd_upload *upload,
                                          const struct kvd_write_options *options,
                                          uint64_t *version_out);

/* Frees it, and tells the server if it was not committed. NULL is allowed. */
KVD_API void kvd_upload_destroy(struct kvd_upload *upload);

/* --- batches: many writes, one commit, all or nothing --- */

struct kvd_batch; /* opaque; belongs to no connection; one thread at a time */

/* Errors: KVD_NO_MEMORY. */
KVD_API enum kvd_status kvd_batch_create(struct kvd_batch **batch_out);
KVD_API void kvd_batch_destroy(struct kvd_batch *batch); /* NULL is allowed */

/* Adds a write; key and value are copied. If a key comes twice, the later write wins. Errors:
 * KVD_INVALID (empty key, both expiries), KVD_TOO_LARGE above 1 GiB in all, KVD_NO_MEMORY; the
 * batch is as before then. */
KVD_API enum kvd_status kvd_batch_put(struct kvd_batch *batch, struct kvd_bytes key,
                                      struct kvd_bytes value,
                                      const struct kvd_write_options *options);

/* Adds a delete; of `options` only the condition counts. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_delete(struct kvd_batch *batch, struct kvd_bytes key,
                                         const struct kvd_write_options *options);

/* Adds a delete of [from, to), or, with an empty `to`, from `from` on. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_delete_range(struct kvd_batch *batch, struct kvd_bytes from,
                                               struct kvd_bytes to);

/* Adds an add; kvd_batch_commit_results tells the sum. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_add(struct kvd_batch *batch, struct kvd_bytes key, int64_t amount,
                                      const struct kvd_write_options *options);

/* Adds an append; kvd_batch_commit_results tells the new length. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_append(struct kvd_batch *batch, struct kvd_bytes key,
                                         struct kvd_bytes bytes,
                                         const struct kvd_write_options *options);

/* Adds a change of expiry, of which `options` must have one. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_touch(struct kvd_batch *batch, struct kvd_bytes key,
                                        const struct kvd_write_options *options);

/* Adds the end of an expiry. Errors: as kvd_batch_put. */
KVD_API enum kvd_status kvd_batch_persist(struct kvd_batch *batch, struct kvd_bytes key,
                                          const struct kvd_write_options *options);

KVD_API uint32_t kvd_batch_count(const struct kvd_batch *batch); /* items */
KVD_API size_t kvd_batch_bytes(const struct kvd_batch *batch);   /* of keys and values */
KVD_API void kvd_batch_clear(struct kvd_batch *batch);           /* keeps its memory */

/* Commits; of `options` only durability and deadline_ms count. The batch stays as it is. An empty
 * batch is KVD_INVALID. Errors: as kvd_put; kvd_error_item tells the item at fault, and no item has
 * taken effect. */
KVD_API enum kvd_status kvd_batch_commit(struct kvd *db, const struct kvd_batch *batch,
                                         const struct kvd_write_options *options,
                                         uint64_t *version_out);

/* Results of the items that add or append, in their order: sums and new lengths. */
struct kvd_results {
    int64_t *values; /* the caller's; at most `room` are written */
    size_t room;
    size_t count; /* how many there are */
};

/* The same, with results. Errors: as kvd_batch_commit. */
KVD_API enum kvd_status kvd_batch_commit_results(struct kvd *db, const struct kvd_batch *batch,
                                                 const struct kvd_write_options *options,
                                                 struct kvd_results *results,
                                                 uint64_t *version_out);

/* --- scanning --- */

/* Which entries, in which order, and how many at a time. */
struct kvd_scan_options {
    struct kvd_bytes prefix; /* keys that begin so; or the range [from, to) instead */
    struct kvd_bytes from;   /* empty = from the first key */
    struct kvd_bytes to;     /* empty = to the last key */
    struct kvd_bytes cursor; /* from kvd_scan_cursor, to go on where a scan with the same options
                                had a page end; empty = from the start */
    uint64_t limit;          /* entries in all; 0 = no limit */
    uint32_t page_entries;   /* entries a request; 0 = server's choice */
    uint32_t page_bytes;     /* reply bytes a request; 0 = server's choice */
    uint32_t deadline_ms;    /* of each request; 0 = none */
    struct kvd_state at;     /* with a snapshot or version all pages are of one state */
    bool reverse;            /* from the greatest key down */
    bool keys_only;          /* no values */
    bool verify;             /* check the checksum of each value */
};

/* One entry of a scan. */
struct kvd_entry {
    struct kvd_bytes key;   /* borrowed until the next call on the scan */
    struct kvd_bytes value; /* borrowed likewise; empty when keys_only */
    struct kvd_meta meta;   /* value_len is the stored length, also when keys_only */
    bool value_left_out;    /* it is longer than value_max: read it with kvd_get_stream */
};

struct kvd_scan; /* opaque; uses its connection only in kvd_scan_next */

/* Begins a scan; what the options point to is copied; nothing is sent yet. Other calls on `db` may
 * come between those on the scan. Errors: KVD_INVALID (prefix and range), KVD_NO_MEMORY. */
KVD_API enum kvd_status kvd_scan_open(struct kvd *db, const struct kvd_scan_options *options,
                                      struct kvd_scan **scan_out);

/* The next entry; fetches a page when the last one is used up. Each page is one state of the store.
 * Errors: KVD_END after the last; after a failure the same call may be made again and goes on with
 * the page that failed. */
KVD_API enum kvd_status kvd_scan_next(struct kvd_scan *scan, struct kvd_entry *entry_out);

/* Where the page behind the present one begins; empty before the first page and at the end.
 * Borrowed until the next call on the scan. To stop in the middle of a page and go on later, use
 * the last key and [from, to) instead. */
KVD_API struct kvd_bytes kvd_scan_cursor(const struct kvd_scan *scan);

KVD_API void kvd_scan_close(struct kvd_scan *scan); /* NULL is allowed */

/* Counts the keys of the range (prefix, from, to; of the rest only deadline_ms and `at`
 * count). Errors: KVD_INVALID (prefix and range). */
KVD_API enum kvd_status kvd_count(struct kvd *db, const struct kvd_scan_options *options,
                                  uint64_t *count_out);

/* --- snapshots and versions --- */

/* An open snapshot. Times are milliseconds since 1970 UTC by the server's clock. */
struct kvd_snapshot {
    uint64_t id;
    uint64_t version;     /* everything up to here is seen */
    uint64_t time_ms;     /* expiry is judged at this time */
    uint64_t opened_ms;   /* kvd_snapshot_list only */
    uint64_t deadline_ms; /* 0: none */
    const char *owner; /* kvd_snapshot_list only: who opened it; NUL-ended, during the callback */
};

/* Keeps the present state readable, under snapshot_out->id, by any connection. lifetime_ms 0: until
 * this connection closes; else until then, even if it closes. Errors: KVD_BUSY (too many). */
KVD_API enum kvd_status kvd_snapshot_open(struct kvd *db, uint64_t lifetime_ms,
                                          struct kvd_snapshot *snapshot_out);

/* Closes a snapshot, of whatever connection. Errors: KVD_NOT_FOUND. */
KVD_API enum kvd_status kvd_snapshot_close(struct kvd *db, uint64_t id);

/* Callbacks here and below are called during the call, and must not use `db`. */
typedef void (*kvd_snapshot_cb)(const struct kvd_snapshot *snapshot, void *arg);

/* Calls snapshot_cb for each open snapshot, whoever opened it. Errors: the common ones. */
KVD_API enum kvd_status kvd_snapshot_list(struct kvd *db, kvd_snapshot_cb snapshot_cb, void *arg);

/* One kept version of a key. */
struct kvd_version {
    uint64_t version;
    uint64_t time_ms;     /* of the commit, about; 0: not known any more */
    bool deleted;         /* this version ended the key */
    struct kvd_meta meta; /* unless deleted */
};

/* Takes a version, which is valid during the call. */
typedef void (*kvd_version_cb)(const struct kvd_version *version, void *arg);

/* How much of a history. */
struct kvd_history_options {
    uint64_t before;      /* only versions below it; 0: from the newest */
    uint32_t limit;       /* at most so many; 0: all */
    uint32_t deadline_ms; /* of each request; 0 = none */
};

/* The kept versions of a key, newest first; none if there are none. Errors: KVD_TOO_LARGE (key),
 * KVD_IO, KVD_CORRUPT. */
KVD_API enum kvd_status kvd_history(struct kvd *db, struct kvd_bytes key,
                                    const struct kvd_history_options *options,
                                    kvd_version_cb version_cb, void *arg);

/* How a key differs between two states. */
enum kvd_change_kind { KVD_CHANGE_ADDED = 1, KVD_CHANGE_CHANGED = 2, KVD_CHANGE_REMOVED = 3 };

/* A key that differs. */
struct kvd_change {
    enum kvd_change_kind kind;
    struct kvd_bytes key;
    struct kvd_meta before; /* unless added */
    struct kvd_meta after;  /* unless removed */
};

/* Takes a change, which is valid, key included, during the call. */
typedef void (*kvd_change_cb)(const struct kvd_change *change, void *arg);

/* The keys that differ between two states, in key order; of `range` prefix, from, to and
 * deadline_ms count. Errors: KVD_GONE, KVD_INVALID, KVD_IO, KVD_CORRUPT.
 */
KVD_API enum kvd_status kvd_diff(struct kvd *db, const struct kvd_state *from,
                                 const struct kvd_state *to, const struct kvd_scan_options *range,
                                 kvd_change_cb change_cb, void *arg);

/* Puts a range (prefix, from, to) back to a state, as one commit, without copying values.
 * *changed_out (may be NULL): keys that differed. Errors: KVD_GONE, KVD_BUSY (it was being written;
 * try again), KVD_TOO_LARGE (too many keys). */
KVD_API enum kvd_status kvd_rewind(struct kvd *db, const struct kvd_state *to,
                                   const struct kvd_scan_options *range,
                                   const struct kvd_write_options *options, uint64_t *changed_out,
                                   uint64_t *version_out);

/* --- namespaces --- */

/* What is allowed and kept in a namespace. */
struct kvd_namespace_settings {
    uint64_t quota_bytes;   /* puts beyond it are KVD_QUOTA; 0: none */
    uint64_t keep_ms;       /* replaced versions stay readable for so long; 0: no */
    uint32_t keep_versions; /* at least so many versions of each key stay readable */
};

/* Makes a namespace, or changes its settings; NULL: none. "" is the default one. *version_out may
 * be NULL. Errors: KVD_INVALID (name), KVD_BUSY (too many). */
KVD_API enum kvd_status kvd_namespace_set(struct kvd *db, const char *name,
                                          const struct kvd_namespace_settings *settings,
                                          uint64_t *version_out);

/* Drops a namespace with all its keys, at once. *version_out may be NULL. Errors: KVD_NOT_FOUND,
 * KVD_INVALID (the default one). */
KVD_API enum kvd_status kvd_namespace_drop(struct kvd *db, const char *name, uint64_t *version_out);

/* A namespace and what it holds; valid during the callback. */
struct kvd_namespace {
    const char *name; /* NUL-ended; "" is the default one */
    uint32_t id;
    struct kvd_namespace_settings settings;
    uint64_t keys; /* exact once all is compacted, else about */
    uint64_t live_bytes;
    uint64_t pinned_bytes; /* of versions that only snapshots or retention keep */
};

/* Takes a namespace. It must not use `db`. */
typedef void (*kvd_namespace_cb)(const struct kvd_namespace *space, void *arg);

/* Calls namespace_cb for each namespace. Errors: KVD_IO, KVD_CORRUPT. */
KVD_API enum kvd_status kvd_namespace_list(struct kvd *db, kvd_namespace_cb namespace_cb,
                                           void *arg);

/* --- statistics and operation --- */

/* Called for each line; both strings are NUL-ended and valid during the call. It must not use `db`.
 */
typedef void (*kvd_stat_cb)(const char *name, const char *value, void *arg);

/* The server's statistics: those whose name begins with `section`; NULL or "" for all. A value
 * longer than 4,095 bytes is cut. Errors: the common ones. */
KVD_API enum kvd_status kvd_stats(struct kvd *db, const char *section, kvd_stat_cb stat_cb,
                                  void *arg);

/* How a lookup of the key goes: a line for each place visited. Errors: as kvd_get. */
KVD_API enum kvd_status kvd_explain(struct kvd *db, struct kvd_bytes key,
                                    const struct kvd_read_options *options, kvd_stat_cb line_cb,
                                    void *arg);

/* What the bytes on disk are, and who keeps them ("" nobody in particular). */
typedef void (*kvd_space_cb)(const char *kind, const char *holder, uint64_t bytes, void *arg);

/* Calls space_cb for each kind of bytes and holder; the sum is the size of the files of the store.
 * Errors: KVD_IO, KVD_CORRUPT. */
KVD_API enum kvd_status kvd_why_space(struct kvd *db, kvd_space_cb space_cb, void *arg);

/* What kvd_maintain does. */
enum kvd_action {
    KVD_FLUSH = 1,      /* the memtable into a table */
    KVD_COMPACT = 2,    /* all tables into one sorted level */
    KVD_COLLECT = 3,    /* dead bytes out of the log */
    KVD_VERIFY = 4,     /* every checksum and invariant; a line for each fault, and a summary */
    KVD_CHECKPOINT = 5, /* `argument`: a path on the server that does not exist yet */
};

/* Does it now, and returns when done: give the connection a long timeout. line_cb and argument may
 * be NULL. Errors: KVD_INVALID (argument), KVD_EXISTS (checkpoint), KVD_IO, KVD_CORRUPT,
 * KVD_NO_SPACE, KVD_READ_ONLY. */
KVD_API enum kvd_status kvd_maintain(struct kvd *db, enum kvd_action action, const char *argument,
                                     kvd_stat_cb line_cb, void *arg);

#ifdef __cplusplus
}
#endif

#include <kvd/pipeline.h>

#include <kvd/async.h>
#include <kvd/config.h>
#include <kvd/load.h>
#include <kvd/observe.h>
#include <kvd/pool.h>
#include <kvd/retry.h>
#include <kvd/transaction.h>
#include <kvd/watch.h>

#endif
