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
    const char *dir;             /* created if missing, unless read_only */
    uint64_t memory_limit_bytes; /* for all of the engine: memtables, caches, table metadata */
    uint32_t value_threshold;    /* values of at least so many bytes live in the log only */
    bool compress;               /* zstd for tables and separated values, where it pays */
    uint32_t block_bytes;        /* target size of a table block; 4 KiB to 16 KiB */
    uint32_t open_files_max;     /* descriptors that the engine may hold */
    uint32_t io_threads;         /* ignored when `scheduler` is given */
    store_log_cb log_cb;         /* may be NULL */
    void *log_arg;               /* passed to log_cb */
    struct env *env;             /* borrowed until store_close; NULL: the file system */
    struct scheduler *scheduler; /* borrowed until store_close; NULL: threads of its own */
    uint64_t memtable_bytes;     /* for tests; 0: derived from memory_limit_bytes */
    uint64_t segment_bytes;      /* for tests; 0: derived from the store's size */
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
 */

#define STORE_NAMESPACE_DEFAULT 1u
#define STORE_NAMESPACE_NAME_MAX 255

/* The id of a namespace by name ("" is the default one). With `create`, a name that is new gets an
 * id, which becomes durable with the first commit that uses it. Errors: NOT_FOUND (only without
 * create), INVALID (name too long or with control characters), BUSY (too many), NO_MEMORY. */
enum status store_namespace(struct store *store, struct slice name, bool create,
                            uint32_t *namespace_id_out) MUST_CHECK;

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
    struct view *view;      /* shared: a reference is held */
    uint64_t version;       /* everything up to here is seen */
    uint64_t now_ms;        /* expiry is judged at this time */
    struct store_hold hold; /* raised by each read; reset by store_read_hold_take */
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

struct store_value_info {
    uint64_t version;     /* of the commit that wrote it */
    uint64_t expiry_ms;   /* absolute store time; 0 is never */
    uint32_t user_flags;  /* as given to put */
    uint32_t value_bytes; /* length of the value */
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
    enum status status; /* OK; EXISTS, ABSENT, VERSION_MISMATCH: a condition is not met and
                           nothing was done; NO_SPACE, LOG_FAILED, NO_MEMORY, CORRUPT, IO:
                           nothing was done; UNKNOWN: it may or may not have taken effect */
    uint64_t version;   /* of the commit, when OK; of the key as found, when not met (0: none) */
    uint32_t operation; /* the number (from 0) of the operation whose condition is not met */
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

/* The caller's word, returned by store_commit_arg; e.g. the request that it belongs to. */
void store_commit_set_arg(struct store_commit *commit, void *arg);
void *store_commit_arg(const struct store_commit *commit);

/* Submits `count` filled commits in this order; they get ascending versions in this order. Each
 * completes by done_cb, once, when it has reached `durability`, or has failed: never before this
 * function was entered, perhaps before it returns. Commits are the store's until then. An empty
 * commit completes with OK and the newest version. */
void store_submit(struct store *store, struct store_commit *const *commits, uint32_t count,
                  enum store_durability durability, store_commit_cb done_cb);

/* ---- Maintenance and statistics ---------------------------------------------------------------
 */

/* Flushes the memtable as it is now. Returns when it is in a table (or has failed): for tools and
 * tests, not for a loop. */
enum status store_flush(struct store *store, struct error *error) MUST_CHECK;

/* Merges everything into the bottom level; returns when done. Likewise. */
enum status store_compact(struct store *store, struct error *error) MUST_CHECK;

typedef void (*store_stats_cb)(void *arg, const char *name, uint64_t value);

/* Calls back once for every figure ("memtable_bytes", "level_0_tables"...), in a fixed order. */
void store_stats(struct store *store, store_stats_cb stats_cb, void *arg);

/* OK, or the sticky error that stopped writes (or background work), with its detail. */
enum status store_health(struct store *store, struct error *error);

#endif
