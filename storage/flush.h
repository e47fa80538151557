/* flush.h: turns the oldest frozen memtable into a table of level 0.
 *
 * A memtable is frozen with all its commits inserted; before it is written, the log is synced
 * through its last byte, so that no table ever shows what a power cut could take from the log. The
 * edit that adds the table also moves the replay position: to the first segment that a remaining
 * memtable needs. Entries that a newer one of the same memtable hides are left out.
 *
 * Runs on a background thread; one flush at a time, in log order. */
#ifndef KVD_STORAGE_FLUSH_H
#define KVD_STORAGE_FLUSH_H

#include "storage/commit_log.h"
#include "storage/keep_rules.h"
#include "storage/table_output.h"

struct conflict_window;

/* What flush and compaction need of the store; borrowed; constant. */
struct job_context {
    struct env *env;
    const char *dir;
    struct compression *compression; /* NULL: tables are not compressed */
    struct version_set *versions;
    struct view_holder *views;
    struct watermarks *marks;
    struct store_clock *clock;
    struct commit_log *log;
    struct conflict_window *window; /* NULL: there are no transactions */
    uint32_t block_bytes;
    uint64_t table_bytes;
    uint64_t base_bytes; /* least weight of a level, see compaction_picker.h */
    uint64_t job_bytes;  /* a compaction that reads more than this takes less; 0: no bound */
    uint32_t fan_out;    /* of levels; 0: the usual one */
    const _Atomic bool *stopping;  /* relaxed; compactions end soon with CANCELLED; may be NULL */
    const _Atomic bool *cancelled; /* likewise those asked for by hand */
    struct keep_source keep;       /* take_cb NULL: there are neither snapshots nor retention */
};

/* The rules of a job that is about to read its inputs, none of whose versions may be above
 * `inputs_version`. Errors: NO_MEMORY. */
enum status job_take_rules(const struct job_context *context, uint64_t inputs_version,
                           struct keep_rules *rules_out) MUST_CHECK;

/* Flushes the oldest frozen memtable. Errors: END (there is none), LOG_FAILED, NO_SPACE, IO,
 * CORRUPT, NO_MEMORY: nothing was changed then, and it may be tried again (LOG_FAILED: never). */
enum status flush_oldest(const struct job_context *context, struct error *error) MUST_CHECK;

#endif
