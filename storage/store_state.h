/* store_state.h: the store's parts, for the files that implement the door (store.c, store_read.c,
 * store_write.c, store_report.c) and nobody else. They only delegate. */
#ifndef KVD_STORAGE_STORE_STATE_H
#define KVD_STORAGE_STORE_STATE_H

#include "storage/block_cache.h"
#include "storage/commit.h"
#include "storage/commit_log.h"
#include "storage/compression.h"
#include "storage/conflict_window.h"
#include "storage/environment.h"
#include "storage/feed_walk.h"
#include "storage/gc.h"
#include "storage/maintenance.h"
#include "storage/memory_budget.h"
#include "storage/namespaces.h"
#include "storage/reclaim.h"
#include "storage/recovery.h"
#include "storage/scratch_pool.h"
#include "storage/scrub.h"
#include "storage/segment_cache.h"
#include "storage/snapshots.h"
#include "storage/space_guard.h"
#include "storage/store.h"
#include "storage/store_clock.h"
#include "storage/syncer.h"
#include "storage/table_cache.h"
#include "storage/time_keeper.h"
#include "storage/version_set.h"
#include "storage/view.h"
#include "storage/watermarks.h"

/* Sizes that follow from the options and the file system. Constant after open. */
struct store_sizes {
    uint64_t memtable_bytes;
    uint64_t unflushed_log_bytes; /* U of docs/architecture.md */
    uint64_t segment_bytes_min;
    uint64_t segment_bytes_max;
    uint64_t table_bytes;
    uint64_t base_bytes;
    uint64_t preallocate_bytes;
    uint64_t reserve_bytes;
    uint64_t block_cache_bytes;
};

/* What a store is opened for; each includes the ones before. */
enum purpose {
    STORE_TO_CHECK, /* its files alone: no catalogue is read, so that damage can be told of */
    STORE_TO_READ,
    STORE_TO_WRITE
};

struct store {
    /* constant after open */
    enum purpose purpose;
    struct store_options options;
    char *dir; /* owned copy */
    struct sizes_basis basis;
    struct store_sizes sizes; /* of an empty store; what grows with it: space_promise_sizes */
    struct environment environment;
    struct env *env;             /* of `environment` */
    struct scheduler *scheduler; /* borrowed, or owned */
    bool scheduler_is_owned;
    struct env_lock *lock; /* owned; NULL until taken */
    struct value_policy policy;
    struct version_files files;
    /* parts, each with its own rules for threads; in the order in which they are made */
    struct compression *compression;
    struct block_cache *block_cache;
    struct table_cache *table_cache;
    struct segment_cache *segment_cache;
    struct reclaim reclaim;
    struct scratch_pool scratch;
    struct namespaces namespaces;
    struct store_clock clock;
    struct watermarks marks;
    struct view_holder views;
    struct version_set versions;
    struct space_promise promise;
    struct commit_log log;
    struct syncer syncer;
    struct feed_log feed;
    struct space_guard space;
    struct memory_budget budget;
    struct time_index times;
    struct time_keeper time_keeper;
    struct snapshots snapshots;
    struct conflict_window window;
    struct maintenance maintenance;
    struct gc_context gc; /* constant once jobs run */
    struct commit_pipeline pipeline;
    struct scrub scrub;
    struct recovery recovery; /* what the open found, for statistics */
    bool settled;             /* nothing runs any more; what was in memory is flushed */
    uint32_t parts;           /* how many of the above are made, for store_open's way back */
    /* atomic; relaxed figures */
    _Atomic uint64_t gets;
    _Atomic uint64_t gets_blocked;
    _Atomic uint64_t values_read;
    _Atomic uint64_t checksum_failures;
    _Atomic uint64_t gc_victims;
    _Atomic uint64_t gc_victim_bytes;
    _Atomic uint64_t gc_copied_bytes;
    _Atomic uint64_t gc_survivor_bytes;
    _Atomic uint64_t gc_careful;
    _Atomic uint64_t gc_damaged;
    _Atomic uint64_t transactions; /* begun */
    _Atomic uint64_t transactions_conflicts;
    _Atomic uint64_t transactions_too_old;
    _Atomic uint64_t loads; /* bulk loads that ended well */
    _Atomic uint64_t load_entries;
    _Atomic uint64_t load_bytes; /* of keys and values */
    _Atomic bool bulk_is_under_way;
    _Atomic bool closing;   /* jobs end soon */
    _Atomic bool cancelled; /* what was asked for by hand ends soon */
};

/* As store_open. For less than STORE_TO_WRITE nothing on disk is changed. */
enum status store_open_for(enum purpose purpose, const struct store_options *options,
                           struct store **store_out, struct error *error) MUST_CHECK;

/* Reads the catalogue at open. Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_load_namespaces(struct store *store, struct error *error) MUST_CHECK;

/* Reads the range deletes at open, after the catalogue, and before anything reads or is written.
 * Errors: CORRUPT, IO, NO_MEMORY. */
enum status store_load_ranges(struct store *store, struct error *error) MUST_CHECK;

/* Reads at open, after both, what is known of times, and from where on retention holds. Errors:
 * CORRUPT, IO, NO_MEMORY. */
enum status store_load_past(struct store *store, struct error *error) MUST_CHECK;

#endif
