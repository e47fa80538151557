/* store.h: the one door of the storage engine.
 *
 * A store is a durable, ordered map from (namespace, key) to value, in one directory. Every commit
 * has a version; versions ascend. This is how a caller uses it:
 *
 *   read:    store_read_begin pins what is visible now; store_get and store_cursor_* copy values
 *            into the caller's buffer; store_read_end lets go. No function here returns a pointer
 *            into the store: what was copied is the caller's, what was not is not reachable.
 *   write:   a store_commit is filled with operations, submitted, and completed by a callback once
 *            it has reached the durability asked for.
 *   wait:    on a thread that must not wait for a disk, read with STORE_WAIT_NEVER; on WOULD_BLOCK
 *            post the same read as a store_task, which runs on an I/O thread, and pass
 *            STORE_WAIT_ALLOWED there.
 *   hold:    a read may see commits that a crash could still undo. It says so in store_hold; its
 *            answer must not leave before store_hold_passed, or before the callback of a
 *            store_waiter. So no answer shows what a crash of the promised kind takes back.
 *
 * Threads: all functions may be called from any thread, except that one store_read, store_cursor or
 * store_commit belongs to one thread at a time. Callbacks run on the engine's threads and may only
 * post to a mailbox: they must not call back into the store, block, or take locks held while
 * calling it.
 *
 * Failures: CORRUPT and IO name file and offset in struct error. After a failed write or sync of
 * the log or the manifest the store answers commits with LOG_FAILED until it is reopened; commits
 * that were waiting then complete with UNKNOWN; reads go on. */
#ifndef KVD_STORAGE_STORE_H
#define KVD_STORAGE_STORE_H

#include "protocol/base/buffer.h"
#include "protocol/base/error.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct scheduler;
struct store;
struct store_commit;
struct store_cursor;
struct store_transaction;
struct view;

/* ---- Opening ----------------------------------------------------------------------------------
 */

/* The order matters: a higher class includes the lower ones. */
enum store_durability {
    STORE_MEMORY = 0, /* acknowledged once visible; any crash may undo it */
    STORE_LOGGED = 1, /* once written to the log; a power cut may undo about the last second */
    STORE_SYNCED = 2  /* once on the medium */
};

enum store_log_level { STORE_LOG_DEBUG, STORE_LOG_INFO, STORE_LOG_WARN, STORE_LOG_ERROR };

/* One line for people, without a newline; may be called from any thread of the engine. */
typedef void (*store_log_cb)(void *arg, enum store_log_level level, const char *line);

struct store_options {
    const char *dir;              /* created if missing, unless read_only */
    uint64_t memory_limit_bytes;  /* for all of the engine: memtables, caches, table metadata */
    uint32_t value_threshold;     /* values of at least so many bytes live in the log only */
    bool compress;                /* zstd for tables and separated values, where it pays */
    uint32_t block_bytes;         /* target size of a table block; 4 KiB to 16 KiB */
    uint32_t open_files_max;      /* descriptors that the engine may hold */
    uint32_t io_threads;          /* ignored when `scheduler` is given */
    uint32_t space_ratio_percent; /* files may take so much of the live data's size; 110 to 1000 */
    uint64_t reclaim_bytes_per_s; /* least rate at which freed space is collected; 0: as fast as can
                                     be */
    uint64_t scrub_bytes_per_s;   /* background verification of all files; 0: none */
    bool read_only;               /* nothing on disk is changed; commits answer READ_ONLY */
    bool in_memory;      /* files live in memory and are gone at close; `dir` is a name only */
    store_log_cb log_cb; /* may be NULL */
    void *log_arg;       /* passed to log_cb */
    struct env *env;     /* borrowed until store_close; NULL: the file system */
    struct scheduler *scheduler; /* borrowed until store_close; NULL: threads of its own */
    uint64_t memtable_bytes;     /* for tests; 0: derived from memory_limit_bytes */
    uint64_t segment_bytes;      /* for tests; 0: derived from the store's size */
    uint64_t conflict_bytes;     /* for tests: of conflict_window.h; 0: derived likewise */
};

/* The defaults: 1 GiB of memory, threshold 1 KiB, zstd, 8 KiB blocks, 512 files, 4 I/O threads. */
void store_options_init(struct store_options *options, const char *dir);

/* Opens or creates. Recovers what a crash left, with the amount of a cut tail in the log. Errors:
 * LOCKED (the text names the owner), CORRUPT (file and offset named), NEWER_FORMAT, INVALID (an
 * option), NO_SPACE, NO_MEMORY, IO. Nothing is left open on failure. */
enum status store_open(const struct store_options *options, struct store **store_out,
                       struct error *error) MUST_CHECK;

/* Waits for submitted commits, flushes and syncs, releases the directory. All reads must have ended
 * and all callbacks been given. The result says whether all went well; the store is gone anyway. */
enum status store_close(struct store *store, struct error *error);

/* Milliseconds since 1970 as the store counts them: never goes back, not even over a restart. */
uint64_t store_now_ms(struct store *store);

/* ---- Namespaces -------------------------------------------------------------------------------
 *
 * A namespace is made by its first write, or by store_commit_namespace_set; both are commits. Ids
 * are never used twice. */

#define STORE_NAMESPACE_DEFAULT 1u
#define STORE_NAMESPACE_NAME_MAX 255

/* The id of a namespace by name ("" is the default one). With `create`, a name that is new gets an
 * id, which becomes durable with the first commit that uses it. Errors: NOT_FOUND (only without
 * create), INVALID (name too long or with control characters), BUSY (too many), NO_MEMORY. */
enum status store_namespace(struct store *store, struct slice name, bool create,
                            uint32_t *namespace_id_out) MUST_CHECK;

/* What may be set for a namespace; zeroed: no quota, nothing kept beyond snapshots. */
struct store_namespace_settings {
    uint64_t quota_bytes; /* puts that would pass it answer QUOTA; 0: none */
    uint64_t keep_ms;     /* versions stay readable for so long after they were replaced; 0: no */
    uint32_t
        keep_versions; /* at least so many versions of each key stay readable; 0, 1: the newest */
};

struct store_namespace_info {
    struct slice name; /* borrowed during the callback */
    uint32_t id;
    struct store_namespace_settings settings;
    uint64_t keys;         /* live keys; exact once everything is compacted, else an estimate */
    uint64_t live_bytes;   /* keys, values and their tables' overhead, likewise */
    uint64_t pinned_bytes; /* of versions that only snapshots or retention keep */
};

typedef void (*store_namespace_cb)(void *arg, const struct store_namespace_info *info);

/* Calls back for every namespace, the default one first, then by name. May read the disk when
 * something is pinned. Errors: NO_MEMORY, CORRUPT, IO. */
enum status store_namespace_list(struct store *store, store_namespace_cb list_cb, void *arg,
                                 struct error *error) MUST_CHECK;

/* ---- Holds ------------------------------------------------------------------------------------
 */

/* What must be reached before an answer may leave. Zeroed: nothing. Reads raise it. */
struct store_hold {
    uint64_t written_version; /* the log must be written up to this version */
    uint64_t durable_version; /* the log must be synced up to this version */
};

/* Whether the answer may leave now. Cheap: two relaxed loads in the common case. */
bool store_hold_passed(const struct store *store, const struct store_hold *hold);

struct store_waiter {
    struct store_hold hold;                                     /* in */
    void (*done_cb)(struct store_waiter *, enum status status); /* in */
    void *arg;                                                  /* the caller's */
    struct store_waiter *next;                                  /* the store's, until done_cb */
};

/* Calls done_cb once the hold is passed (OK), or cannot be any more (UNKNOWN): exactly once,
 * perhaps before this function returns. The waiter is the store's until then. */
void store_hold_wait(struct store *store, struct store_waiter *waiter);

/* ---- Reads ------------------------------------------------------------------------------------
 */

enum store_wait { STORE_WAIT_NEVER, STORE_WAIT_ALLOWED };

/* A read transaction: one consistent state. Caller's memory; its fields are the store's. */
struct store_read {
    struct store *store;
    struct view *view; /* shared: a reference is held */
    uint64_t version;  /* everything up to here is seen */
    uint64_t now_ms;   /* expiry is judged at this time */
    bool exact;        /* only what exactly `version` wrote is known to be kept */
    struct store_transaction *transaction; /* the one it belongs to, or NULL */
    struct store_hold hold;                /* raised by each read; reset by store_read_hold_take */
};

/* Begins one: pins the newest state. Meant to be short: it keeps files and memtables alive. Cannot
 * fail, allocates nothing. */
void store_read_begin(struct store *store, struct store_read *read);

/* Begins another on the same state, for a task on another thread. The first must not have ended. */
void store_read_begin_same(const struct store_read *read, struct store_read *same_out);

/* Lets go. In debug builds, what it protected is poisoned once nobody else holds it. */
void store_read_end(struct store_read *read);

/* The hold of the reads since the last take; resets it. */
static inline struct store_hold store_read_hold_take(struct store_read *read) {
    struct store_hold hold = read->hold;
    read->hold = (struct store_hold){0, 0};
    return hold;
}

/* Which state a read sees. */
enum store_at_kind {
    STORE_AT_NEWEST,
    STORE_AT_SNAPSHOT, /* value: the id of an open snapshot */
    STORE_AT_VERSION,  /* value: a version that is still kept */
    STORE_AT_TIME      /* value: store time in ms; the newest version at that time */
};

struct store_at {
    enum store_at_kind kind;
    uint64_t value;
};

/* Begins one on another state than the newest. Errors: NOT_FOUND (no such snapshot), GONE (that
 * version is not kept any more in this namespace), INVALID (a version or time of the future);
 * nothing is pinned then.
 *
 * Where a namespace keeps so many versions of each key, a version that is not kept as a whole can
 * still be read for the keys that it wrote: those of store_history. All else is GONE then, by
 * store_get and its like; so are cursors, differences and rewinds. */
enum status store_read_begin_at(struct store *store, const struct store_at *at,
                                uint32_t namespace_id, struct store_read *read) MUST_CHECK;

struct store_value_info {
    uint64_t version;     /* of the commit that wrote it */
    uint64_t expiry_ms;   /* absolute store time; 0 is never */
    uint32_t user_flags;  /* as given to put */
    uint64_t value_bytes; /* length of the value */
    uint64_t checksum;    /* XXH3-64 of the value */
};

/* Looks a key up and appends its value to `destination` (NULL: only the information is wanted, and
 * a separated value is not read, its checksum is the one stored with it). With a destination the
 * value has been verified against its checksum. On any result but OK, `destination` is as it was.
 * An expired key is NOT_FOUND. Errors: NOT_FOUND, WOULD_BLOCK (STORE_WAIT_NEVER only), TOO_LARGE
 * (the key, or the destination's cap), CORRUPT, IO, NO_MEMORY. */
enum status store_get(struct store_read *read, uint32_t namespace_id, struct slice key,
                      enum store_wait wait, struct buffer *destination,
                      struct store_value_info *info_out, struct error *error) MUST_CHECK;

/* A part of a value; borrowed during the call. */
struct store_part {
    uint32_t namespace_id;
    struct slice key;
    uint64_t offset;
    uint64_t length;
};

/* Appends bytes [offset, offset + length) of a value, cut at its end (nothing when offset is at or
 * behind it). Of a large value only the blocks that it needs are read, and verified; a shorter one
 * is read and verified whole. `length` is bounded by the destination's cap. info_out: of the whole
 * value. Errors as store_get. */
enum status store_get_range(struct store_read *read, const struct store_part *wanted,
                            enum store_wait wait, struct buffer *destination,
                            struct store_value_info *info_out, struct error *error) MUST_CHECK;

/* Keys in [from, to) of one namespace; an empty `to` means to the end. `from` and `to` are borrowed
 * only during the call that takes the range. */
struct store_range {
    uint32_t namespace_id;
    struct slice from;
    struct slice to;
    bool reverse; /* from the last key down to `from` */
};

/* The range of all keys that begin with `prefix`. `to_buffer` (room for prefix.len bytes) receives
 * the bytes that range.to points to. */
struct store_range store_range_prefix(uint32_t namespace_id, struct slice prefix,
                                      uint8_t *to_buffer);

/* A cursor over a range, on the state of `read`, which must outlive it. It stands before the first
 * key. Errors: NO_MEMORY, INVALID (from > to is an empty range, not an error). */
enum status store_cursor_open(struct store_read *read, const struct store_range *range,
                              enum store_wait wait, struct store_cursor **cursor_out) MUST_CHECK;

/* Moves to the next live key, appends it to `key_out` (may be NULL) and describes its value
 * (info_out may be NULL; checksum as in store_get without destination). Errors: END, WOULD_BLOCK
 * (the cursor can only be closed then), CORRUPT, IO, NO_MEMORY, TOO_LARGE. */
enum status store_cursor_next(struct store_cursor *cursor, struct buffer *key_out,
                              struct store_value_info *info_out, struct error *error) MUST_CHECK;

/* Appends the value of the key at which the cursor stands, verified. Errors as store_get. */
enum status store_cursor_value(struct store_cursor *cursor, struct buffer *destination,
                               struct error *error) MUST_CHECK;

/* Closes it; NULL is allowed. */
void store_cursor_close(struct store_cursor *cursor);

/* ---- Snapshots --------------------------------------------------------------------------------
 *
 * A registered version: entries that it sees are kept, files are not pinned. Gone at its deadline,
 * when released, and when the store is closed. */

#define STORE_OWNER_BYTES_MAX 63

struct store_snapshot_info {
    uint64_t id;
    uint64_t version;
    uint64_t now_ms;                       /* expiry is judged at this time */
    uint64_t opened_ms;                    /* store time */
    uint64_t deadline_ms;                  /* store time; UINT64_MAX: none */
    char owner[STORE_OWNER_BYTES_MAX + 1]; /* for people: the connection that opened it */
};

typedef void (*store_snapshot_cb)(void *arg, const struct store_snapshot_info *info);

/* Registers the newest visible state. `owner` is copied and cut. lifetime_ms 0: no deadline.
 * Errors: BUSY (too many are open), NO_MEMORY. */
enum status store_snapshot_open(struct store *store, const char *owner, uint64_t lifetime_ms,
                                struct store_snapshot_info *info_out) MUST_CHECK;

/* Errors: NOT_FOUND (never opened, released, or past its deadline). */
enum status store_snapshot_close(struct store *store, uint64_t id) MUST_CHECK;

/* Calls back for each, oldest version first. No I/O. */
void store_snapshot_list(struct store *store, store_snapshot_cb list_cb, void *arg);

/* ---- History ----------------------------------------------------------------------------------
 *
 * All of these wait for the disk: for I/O threads only. */

struct store_version {
    bool deleted;     /* this version ended the key: a delete, or a range delete */
    uint64_t time_ms; /* store time of the commit, about (to the second); 0: not known any more */
    struct store_value_info info; /* info.version; the rest only if not deleted */
};

typedef enum status (*store_version_cb)(void *arg, const struct store_version *version);

struct store_history_query {
    uint32_t namespace_id;
    struct slice key; /* borrowed during the call */
    uint64_t before;  /* only versions below it; 0: from the newest */
    uint32_t limit;   /* at most so many */
};

/* Calls back for the kept versions of a key, newest first. Stops when the callback returns anything
 * but OK, and returns that. Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_history(struct store_read *read, const struct store_history_query *query,
                          store_version_cb version_cb, void *arg, struct error *error) MUST_CHECK;

enum store_change_kind { STORE_CHANGE_ADDED, STORE_CHANGE_CHANGED, STORE_CHANGE_REMOVED };

struct store_change {
    enum store_change_kind kind;
    struct slice key;               /* borrowed during the callback */
    struct store_value_info before; /* not for ADDED */
    struct store_value_info after;  /* not for REMOVED */
};

typedef enum status (*store_change_cb)(void *arg, const struct store_change *change);

/* Calls back for each key of the range that differs between the states of two reads, in key order
 * (range->reverse is not allowed). Both reads begun for this namespace. Errors: as store_history.
 */
enum status store_diff(struct store_read *from, struct store_read *to,
                       const struct store_range *range, store_change_cb change_cb, void *arg,
                       struct error *error) MUST_CHECK;

/* Fills an empty commit that puts the range back to the state of `past`: new versions that refer to
 * the old records; no value is copied. When submitted, it answers BUSY if anything in the range has
 * changed since `present` was begun, or log GC has moved records: then reset it, begin both reads
 * anew and try again. *changed_out: keys that differ. Errors: GONE (`past` was not at a snapshot
 * that is still open, nor at a version that is still kept), TOO_LARGE (more keys than a commit
 * takes: rewind a smaller range), CORRUPT, IO, NO_MEMORY. */
enum status store_rewind(struct store_read *past, struct store_read *present,
                         const struct store_range *range, struct store_commit *commit,
                         uint64_t *changed_out, struct error *error) MUST_CHECK;

/* ---- Large values -----------------------------------------------------------------------------
 *
 * A value too long for one frame is uploaded in pieces, and then named by a commit. An upload that
 * is abandoned, or broken by a crash, leaves only what GC takes. begin, append and finish wait for
 * the disk. One thread at a time for one upload. */

struct store_upload;

#define STORE_LARGE_BYTES_MAX (UINT64_C(16) * 1024 * 1024 * 1024)

/* Errors: NO_SPACE, NO_MEMORY, TOO_LARGE (the key), LOG_FAILED, READ_ONLY, IO. */
enum status store_upload_begin(struct store *store, uint32_t namespace_id, struct slice key,
                               struct store_upload **upload_out, struct error *error) MUST_CHECK;

/* Adds bytes at the end. Errors: TOO_LARGE (16 GiB), NO_SPACE, NO_MEMORY, IO: the upload can only
 * be abandoned then. */
enum status store_upload_append(struct store_upload *upload, struct slice bytes,
                                struct error *error) MUST_CHECK;

/* Bytes appended so far, and their XXH3-64. */
uint64_t store_upload_bytes(const struct store_upload *upload);
uint64_t store_upload_checksum(const struct store_upload *upload);

/* Memory that the upload holds, for budgets. */
uint64_t store_upload_memory(const struct store_upload *upload);

/* Syncs all pieces. Must come before store_commit_upload. Errors as append. */
enum status store_upload_finish(struct store_upload *upload, struct error *error) MUST_CHECK;

/* Frees the upload; what no commit has named becomes garbage. After the commit has completed, or
 * instead of it; not while it is submitted. NULL is allowed. */
void store_upload_destroy(struct store_upload *upload);

/* ---- Work for an I/O thread -------------------------------------------------------------------
 */

/* Embedded in the caller's job. run_cb is called once, on an I/O thread; it may read with
 * STORE_WAIT_ALLOWED, and then posts to the mailbox of the loop it came from. */
struct store_task {
    void (*run_cb)(struct store_task *);
    void *reserved[4]; /* the store's while posted */
};

/* Posts; never fails. The task is the store's until run_cb is entered. */
void store_task_post(struct store *store, struct store_task *task);

/* ---- Commits ----------------------------------------------------------------------------------
 */

enum store_condition_kind {
    STORE_ALWAYS,    /* no condition */
    STORE_IF_ABSENT, /* the key must not exist */
    STORE_IF_PRESENT,
    STORE_IF_VERSION /* the key must exist with exactly this version */
};

struct store_condition {
    enum store_condition_kind kind;
    uint64_t version;
};

struct store_put {
    uint32_t namespace_id;
    struct slice key;
    struct slice value;
    uint64_t ttl_ms;     /* from now; 0 is never to expire */
    uint32_t user_flags; /* kept with the value */
    bool has_checksum;   /* verify `checksum` first */
    uint64_t checksum;   /* XXH3-64 of the value */
    struct store_condition condition;
};

struct store_outcome {
    enum status status;    /* OK; EXISTS, ABSENT, VERSION_MISMATCH: a condition is not met and
                              nothing was done; ABSENT also for an expiry of no key; OVERFLOW, INVALID
                              (not a number): an addition; TOO_LARGE: an append; QUOTA; BUSY: a
                              rewind met changes; NO_SPACE, LOG_FAILED, READ_ONLY, NO_MEMORY, CORRUPT,
                              IO: nothing was done; UNKNOWN: it may or may not have taken effect */
    uint64_t version;      /* of the commit, when OK; of the key as found, when not met (0: none) */
    uint32_t operation;    /* the number (from 0) of the operation at fault */
    uint32_t result_count; /* of additions and appends, in the order of their operations */
    const int64_t
        *results; /* the new number, or the new length; borrowed until the commit is reset */
};

typedef void (*store_commit_cb)(struct store_commit *commit, const struct store_outcome *outcome);

/* An empty commit, to be reused: no allocation once warm. Errors: NO_MEMORY. */
enum status store_commit_create(struct store *store, struct store_commit **commit_out) MUST_CHECK;

/* Frees it; not while submitted. NULL is allowed. */
void store_commit_destroy(struct store_commit *commit);

/* Empties it for the next use; keeps its memory up to a bound. */
void store_commit_reset(struct store_commit *commit);

/* Adds an operation; key and value are copied (the value is compressed here, where that pays). All
 * operations take effect together, the last one on a key wins, and all conditions are judged
 * against the state before the commit. Errors: TOO_LARGE (key, value, commit), CHECKSUM (does not
 * match has_checksum), INVALID, NO_MEMORY; the commit is unchanged then. */
enum status store_commit_put(struct store_commit *commit, const struct store_put *put) MUST_CHECK;
enum status store_commit_delete(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key,
                                const struct store_condition *condition) MUST_CHECK;

/* Deletes every key in [range->from, range->to), as one operation whatever their number;
 * range->reverse has no meaning. Errors as above. */
enum status store_commit_delete_range(struct store_commit *commit,
                                      const struct store_range *range) MUST_CHECK;

/* Adds to a decimal 64-bit number kept as text; an absent key counts as 0. Keeps expiry and user
 * flags. */
enum status store_commit_add(struct store_commit *commit, uint32_t namespace_id, struct slice key,
                             int64_t amount, const struct store_condition *condition) MUST_CHECK;

/* Adds bytes at the end of a value; an absent key counts as empty. Keeps expiry and user flags. */
enum status store_commit_append(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, struct slice bytes,
                                const struct store_condition *condition) MUST_CHECK;

/* Gives a key a new expiry, ttl_ms from now; 0: none any more. The value is not copied. */
enum status store_commit_expire(struct store_commit *commit, uint32_t namespace_id,
                                struct slice key, uint64_t ttl_ms,
                                const struct store_condition *condition) MUST_CHECK;

/* Names the value of a finished upload; put->value is not looked at, put->key and namespace must be
 * those of the upload. The upload must outlive the commit. */
enum status store_commit_upload(struct store_commit *commit, const struct store_put *put,
                                struct store_upload *upload) MUST_CHECK;

/* Makes a namespace, or changes its settings. Errors: INVALID (the default one may be changed, not
 * named twice in a commit), NO_MEMORY. */
enum status store_commit_namespace_set(struct store_commit *commit, struct slice name,
                                       const struct store_namespace_settings *settings) MUST_CHECK;

/* Drops a namespace with all its keys, at once. Errors: NOT_FOUND, INVALID (the default one),
 * NO_MEMORY. */
enum status store_commit_namespace_drop(struct store_commit *commit, struct slice name) MUST_CHECK;

/* The caller's word, returned by store_commit_arg; e.g. the request that it belongs to. */
void store_commit_set_arg(struct store_commit *commit, void *arg);
void *store_commit_arg(const struct store_commit *commit);

/* Whose commit it is, until the reset: commits of one stream take effect in the order of their
 * submission, whatever waits. 0, if not set: of nobody, in the order of all. While puts wait for
 * space, deletes of a stream may pass those of other streams (nobody has seen them yet). */
void store_commit_set_stream(struct store_commit *commit, uint64_t stream);

/* Submits `count` filled commits in this order; they get ascending versions in this order, within
 * each stream. Each
 * completes by done_cb, once, when it has reached `durability`, or has failed: never before this
 * function was entered, perhaps before it returns. Commits are the store's until then. An empty
 * commit completes with OK and the newest version. */
void store_submit(struct store *store, struct store_commit *const *commits, uint32_t count,
                  enum store_durability durability, store_commit_cb done_cb);

/* ---- Transactions -----------------------------------------------------------------------------
 *
 * A transaction reads one state, the newest at its begin, beside its own writes, which wait in
 * memory. store_transaction_submit makes them one commit, if everything that was read is as it
 * would be read then: keys, absent keys, and ranges as far as cursors have walked them. So
 * transactions are serializable, in the order of their versions, phantoms included. What was
 * written blindly does not conflict; a transaction that writes nothing never does, and counts as
 * done at its begin.
 *
 * One thread at a time for one transaction and its reads. A read belongs to it from
 * store_read_begin_transaction to store_read_end; short ones, as always, one after the other or
 * several. store_get, store_get_range and cursors work on it as on any other; store_history,
 * store_diff and store_rewind see the state without the transaction's writes, and note nothing. A
 * value that it wrote itself has the version 0. Whether an open cursor shows a write that is made
 * meanwhile is not said. */

#define STORE_TRANSACTION_BYTES_MAX (UINT64_C(64) * 1024 * 1024 - 4096)

/* Zeroed: read and write, the newest state, no deadline, the most of writes. */
struct store_transaction_options {
    bool read_only;           /* it writes nothing, and what it reads is not noted */
    uint64_t snapshot_id;     /* reads this open snapshot, which must outlive it; 0: its own */
    uint64_t lifetime_ms;     /* it ends with DEADLINE so long after its begin; 0: never */
    struct slice owner;       /* for people: the connection; copied and cut */
    uint64_t write_bytes_max; /* of its writes in memory; 0: STORE_TRANSACTION_BYTES_MAX */
    uint64_t stream;          /* of its commit, as for store_commit_set_stream */
};

/* Errors: NOT_FOUND (no such snapshot), TXN_TOO_OLD (it is too old for a transaction that writes),
 * BUSY (too many snapshots), NO_MEMORY. */
enum status store_transaction_begin(struct store *store,
                                    const struct store_transaction_options *options,
                                    struct store_transaction **txn_out) MUST_CHECK;

/* Ends it without a trace, if it was not submitted; frees it. Not while it is submitted, nor while
 * it has reads. NULL is allowed. */
void store_transaction_destroy(struct store_transaction *txn);

/* Begins a read of the transaction. Errors: DEADLINE. Reads of one that may write answer TOO_LARGE
 * when it has read more than can be noted. */
enum status store_read_begin_transaction(struct store_transaction *txn,
                                         struct store_read *read) MUST_CHECK;

/* Its writes; they take a read of it, as conditions and additions read. Errors: INVALID (it is
 * read-only), TOO_LARGE (key, value, write_bytes_max), CHECKSUM, EXISTS, ABSENT, VERSION_MISMATCH
 * (a condition, judged now), those of store_get when something is read, NO_MEMORY; nothing is
 * changed then. */
enum status store_transaction_put(struct store_read *read, const struct store_put *put,
                                  enum store_wait wait, struct error *error) MUST_CHECK;
enum status store_transaction_delete(struct store_read *read, uint32_t namespace_id,
                                     struct slice key, const struct store_condition *condition,
                                     enum store_wait wait, struct error *error) MUST_CHECK;
enum status store_transaction_delete_range(struct store_read *read,
                                           const struct store_range *range) MUST_CHECK;

/* As store_commit_add and its like; what they find is read by the transaction. Errors also: INVALID
 * (not a number), OVERFLOW; ABSENT (an expiry of no key). */
struct store_change_of {
    uint32_t namespace_id;
    struct slice key;
    int64_t amount;     /* add */
    struct slice bytes; /* append */
    uint64_t ttl_ms;    /* expire */
};
enum status store_transaction_add(struct store_read *read, const struct store_change_of *change,
                                  enum store_wait wait, int64_t *number_out,
                                  struct error *error) MUST_CHECK;
enum status store_transaction_append(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, uint64_t *length_out,
                                     struct error *error) MUST_CHECK;
enum status store_transaction_expire(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, struct error *error) MUST_CHECK;

/* Memory that it holds, for budgets. */
uint64_t store_transaction_memory(const struct store_transaction *txn);

typedef void (*store_transaction_cb)(void *arg, struct store_transaction *txn,
                                     const struct store_outcome *outcome);

/* Commits. All its reads must have ended. done_cb as with store_submit; after it, the transaction
 * can only be destroyed. The outcome is that of a commit, or: CONFLICT (store_transaction_conflict
 * tells more), TXN_TOO_OLD: so much was committed meanwhile that it is not known whether there is a
 * conflict; DEADLINE. Nothing was done then: run it again from the begin. */
void store_transaction_submit(struct store_transaction *txn, enum store_durability durability,
                              store_transaction_cb done_cb, void *arg);

/* What a transaction that ended with CONFLICT had read and another changed. */
struct store_conflict {
    bool is_range; /* rows [from, to) of the namespace; else the key `from` */
    bool expired;  /* it expired; `version` is that which was read */
    uint32_t namespace_id;
    struct slice from; /* both in the transaction's memory, until it is destroyed */
    struct slice to;   /* empty: to the end of the namespace */
    uint64_t version;  /* the commit that won */
};

/* Errors: NOT_FOUND (it did not end so). */
enum status store_transaction_conflict(const struct store_transaction *txn,
                                       struct store_conflict *conflict_out) MUST_CHECK;

/* ---- Maintenance and statistics ---------------------------------------------------------------
 */

/* Flushes the memtable as it is now. Returns when it is in a table (or has failed): for tools and
 * tests, not for a loop. */
enum status store_flush(struct store *store, struct error *error) MUST_CHECK;

/* Merges everything into the bottom level; returns when done. Likewise. */
enum status store_compact(struct store *store, struct error *error) MUST_CHECK;

/* Collects segments until less than half of the allowed share is dead; returns when done. */
enum status store_collect(struct store *store, struct error *error) MUST_CHECK;

/* What was asked for by store_compact, _collect, _verify and _checkpoint ends soon with CANCELLED,
 * now and from now on: before store_close, so that nobody waits for it. Any thread. */
void store_cancel_jobs(struct store *store);

/* One finding, or one line of a report, for people: `name` is a short word or path. */
typedef void (*store_report_cb)(void *arg, const char *name, const char *text);

struct store_verify_result {
    uint64_t files;
    uint64_t bytes; /* read and verified */
    uint64_t entries;
    uint64_t values; /* separated values and extents read and verified */
    uint64_t faults; /* each was reported */
};

/* Reads all of the store as it is now and verifies every checksum and invariant: blocks, values,
 * references resolve, levels are ordered and disjoint, accounts equal a recount, no file is
 * unaccounted for. Reports each fault and goes on. *cancel, if not NULL, ends it early (CANCELLED).
 * For an I/O thread. Errors: IO and NO_MEMORY of its own; faults are no error. */
enum status store_verify(struct store *store, const _Atomic bool *cancel, store_report_cb report_cb,
                         void *arg, struct store_verify_result *result_out,
                         struct error *error) MUST_CHECK;

/* The same for a store that nobody has open; changes nothing. Errors also: LOCKED, NOT_FOUND. */
enum status store_check(const struct store_options *options, store_report_cb report_cb, void *arg,
                        struct store_verify_result *result_out, struct error *error) MUST_CHECK;

struct store_salvage_result {
    uint64_t files_read;
    uint64_t entries_kept;
    uint64_t entries_lost; /* known to have been there, and not readable */
    bool has_order; /* false: from segments alone: keys may have been deleted or replaced since */
};

/* Rebuilds a store in `new_dir` (must not exist) from whatever is readable in options->dir; reports
 * per file what was kept and lost. Errors: EXISTS, NO_SPACE, NO_MEMORY, IO. */
enum status store_salvage(const struct store_options *options, const char *new_dir,
                          store_report_cb report_cb, void *arg,
                          struct store_salvage_result *result_out, struct error *error) MUST_CHECK;

/* Makes `new_dir` (must not exist) a store of its own with the present durable state, by hard links
 * where the file system can. Errors: EXISTS, UNSUPPORTED, NO_SPACE, IO, LOG_FAILED. */
enum status store_checkpoint(struct store *store, const char *new_dir,
                             struct error *error) MUST_CHECK;

/* Tells how a lookup of the key goes: memtables, levels, tables, filters, blocks, segments,
 * offsets, cached or read, microseconds, bytes. For an I/O thread. Errors: as store_get. */
enum status store_explain(struct store_read *read, uint32_t namespace_id, struct slice key,
                          store_report_cb report_cb, void *arg, struct error *error) MUST_CHECK;

/* What the bytes of the store's directory are, summing to what the disk says. `holder` is empty, or
 * says who keeps them: a snapshot with its owner, a namespace's retention, a view. */
typedef void (*store_space_cb)(void *arg, const char *kind, const char *holder, uint64_t bytes);

/* For an I/O thread; walks all tables. Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_why_space(struct store *store, store_space_cb space_cb, void *arg,
                            struct error *error) MUST_CHECK;

typedef void (*store_stats_cb)(void *arg, const char *name, uint64_t value);

/* Calls back once for every figure ("memtable_bytes", "level_0_tables"...), in a fixed order. */
void store_stats(struct store *store, store_stats_cb stats_cb, void *arg);

/* OK, or the sticky error that stopped writes (or background work), with its detail. */
enum status store_health(struct store *store, struct error *error);

#endif
