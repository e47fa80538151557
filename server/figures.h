/* figures.h: statistics of the store that explain where time goes, and what they were a minute ago.
 *
 * Most are sums since the store was opened; what matters is by how much they grew lately. So the
 * server's thread keeps a copy every half minute, and a reader subtracts the newest that is at
 * least a minute old (or the oldest there is) from what they are now. */
#ifndef KVD_SERVER_FIGURES_H
#define KVD_SERVER_FIGURES_H

#include "protocol/base/status.h"
#include "storage/store.h"

#include <stdbool.h>
#include <stdint.h>

#define FIGURES_EVERY_MS 30000u
#define FIGURES_RECENT_MS 60000u
#define FIGURES_KEPT 4u /* a reader finds one that is a minute to a minute and a half old */

/* code, name in the store's statistics, whether it is a sum that grows */
#define FIGURES_LIST(X)                                                                            \
    X(COMMITS, "commits", true)                                                                    \
    X(LOG_SYNCS, "log_syncs", true)                                                                \
    X(LOG_SYNC_US, "log_sync_us", true)                                                            \
    X(WRITE_DELAYS, "write_delays", true)                                                          \
    X(WRITE_DELAY_MS, "write_delay_ms", true)                                                      \
    X(GETS, "gets", true)                                                                          \
    X(GETS_BLOCKED, "gets_blocked", true)                                                          \
    X(CACHE_HITS, "block_cache_hits", true)                                                        \
    X(CACHE_MISSES, "block_cache_misses", true)                                                    \
    X(COMPACTION_INPUT, "compaction_input_bytes", true)                                            \
    X(COMPACTION_OUTPUT, "compaction_output_bytes", true)                                          \
    X(GC_COPIED, "gc_copied_bytes", true)                                                          \
    X(GC_VICTIMS, "gc_victims", true)                                                              \
    X(JOB_FAILURES, "job_failures", true)                                                          \
    X(LOG_FAILED, "log_failed", false)                                                             \
    X(MEMTABLES_FROZEN, "memtables_frozen", false)                                                 \
    X(LEVEL_0_TABLES, "level_0_tables", false)                                                     \
    X(CACHE_CAPACITY, "block_cache_capacity_bytes", false)                                         \
    X(SPACE_UNREFERENCED, "space_unreferenced", false)                                             \
    X(SPACE_UNREFERENCED_LIMIT, "space_unreferenced_limit", false)                                 \
    X(SPACE_ABOVE, "space_weight_above", false)                                                    \
    X(SPACE_ABOVE_LIMIT, "space_above_limit", false)                                               \
    X(SPACE_PINNED, "space_pinned", false)                                                         \
    X(DISK_FREE, "disk_free_bytes", false)                                                         \
    X(DISK_RESERVE, "disk_reserve_bytes", false)                                                   \
    X(OLDEST_SNAPSHOT_AGE_MS, "oldest_snapshot_age_ms", false)

enum figure {
#define FIGURES_ENUM(code, name, grows) FIGURE_##code,
    FIGURES_LIST(FIGURES_ENUM)
#undef FIGURES_ENUM
        FIGURE_COUNT
};

struct figures {
    uint64_t at_ms; /* monotonic */
    uint64_t values[FIGURE_COUNT];
};

struct figures_past;

/* As they are now; those that the store does not know are 0. Any thread. */
void figures_take(struct store *store, uint64_t now_ms, struct figures *figures_out);

/* What sums grew by since `before`, over at_ms milliseconds; others as they are in `now`. */
void figures_subtract(const struct figures *now, const struct figures *before,
                      struct figures *growth_out);

/* Errors: NO_MEMORY. */
enum status figures_past_create(struct figures_past **past_out) MUST_CHECK;
void figures_past_destroy(struct figures_past *past);

/* Any thread. `past` may be NULL: nothing is kept. */
void figures_past_keep(struct figures_past *past, const struct figures *figures);

/* The newest that is at least FIGURES_RECENT_MS old, else the oldest. Returns false if there is
 * none. */
bool figures_past_find(struct figures_past *past, uint64_t now_ms, struct figures *figures_out);

#endif
