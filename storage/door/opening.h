/* opening.h: stores, their options, their namespaces.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_OPENING_H
#define KVD_STORAGE_DOOR_OPENING_H

#include "protocol/base/buffer.h"
#include "protocol/base/error.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct scheduler;
struct store;

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
    uint64_t append_bytes_max;    /* to which an append may let a value grow; 0: as far as one lets
                                     itself be put */
    bool compress;                /* zstd for tables and separated values, where it pays */
    uint32_t block_bytes;         /* target size of a table block; 4 KiB to 16 KiB */
    uint32_t open_files_max;      /* descriptors that the engine may hold */
    uint32_t io_threads;          /* ignored when `scheduler` is given */
    uint32_t space_ratio_percent; /* files may take so much of the live data's size; 110 to 1000 */
    uint64_t reclaim_bytes_per_s; /* least rate at which freed space is collected; 0: as fast as can
                                     be */
    uint64_t feed_bytes;          /* so much of the log is kept for the feed; 0: only what is there
                                     for other reasons */
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

/* The name of an id, of at most STORE_NAMESPACE_NAME_MAX bytes, not NUL-ended. Returns its length;
 * 0 for the default namespace and for one that is not there. */
size_t store_namespace_name(struct store *store, uint32_t namespace_id,
                            char name_out[STORE_NAMESPACE_NAME_MAX]);

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

/* ---- Work for an I/O thread -------------------------------------------------------------------
 */

/* Embedded in the caller's job. run_cb is called once, on an I/O thread; it may read with
 * STORE_WAIT_ALLOWED, and then posts to the mailbox of the loop it came from. */
struct store_task {
    void (*run_cb)(struct store_task *);
    bool is_walk;      /* it reads a lot: those that do not never wait behind it */
    void *reserved[4]; /* the store's while posted */
};

/* Posts; never fails. The task is the store's until run_cb is entered. */
void store_task_post(struct store *store, struct store_task *task);

#endif
