/* maintenance.h: what keeps a store well, and says how it is.
 *
 * A part of the door storage/store.h, which says how the parts go together. */
#ifndef KVD_STORAGE_DOOR_MAINTENANCE_H
#define KVD_STORAGE_DOOR_MAINTENANCE_H

#include "storage/door/reads.h"

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

/* Changes store_options.reclaim_bytes_per_s and scrub_bytes_per_s while the store is open. Any
 * thread. */
void store_set_rates(struct store *store, uint64_t reclaim_bytes_per_s, uint64_t scrub_bytes_per_s);

typedef void (*store_stats_cb)(void *arg, const char *name, uint64_t value);

/* Calls back once for every figure ("memtable_bytes", "level_0_tables"...), in a fixed order. */
void store_stats(struct store *store, store_stats_cb stats_cb, void *arg);

/* OK, or the sticky error that stopped writes (or background work), with its detail. */
enum status store_health(struct store *store, struct error *error);

#endif
