/* reads.h: what is read, and at which state.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_READS_H
#define KVD_STORAGE_DOOR_READS_H

#include "storage/door/opening.h"

struct store_commit;
struct store_cursor;
struct store_transaction;
struct view;

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

/* Ends a wait early: true, and done_cb is never called; or false, and it was called, or is about to
 * be. Any thread. */
bool store_hold_cancel(struct store *store, struct store_waiter *waiter);

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

#endif
