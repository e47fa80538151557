/* top_report.h: what two samples of a server's statistics say together: rates between them, and
 * the state at the second.
 *
 * TOP_FIGURES is the one list of figures: name here, name in the statistics, name in JSON, and
 * whether it is what is there (LEVEL) or what was added in a second (RATE). A figure that the
 * server does not tell is NAN. A counter that went back was begun anew, by a server that was
 * restarted: it counts from 0. Pure functions, any thread. */
#ifndef KVCLI_TOP_REPORT_H
#define KVCLI_TOP_REPORT_H

#include "client/kvcli/top_sample.h"

#define TOP_FIGURES(X)                                                                             \
    X(CONNECTIONS, "server.connections", "connections", LEVEL)                                     \
    X(BYTES_IN, "server.bytes_in", "bytes_in_per_second", RATE)                                    \
    X(BYTES_OUT, "server.bytes_out", "bytes_out_per_second", RATE)                                 \
    X(REFUSED, "server.requests_refused", "refused_per_second", RATE)                              \
    X(FAILED, "server.requests_failed", "failed_per_second", RATE)                                 \
    X(MEMORY, "storage.memory_bytes", "memory_bytes", LEVEL)                                       \
    X(MEMORY_LIMIT, "server.memory_limit_bytes", "memory_limit_bytes", LEVEL)                      \
    X(CLIENT_MEMORY, "server.client_memory_bytes", "client_memory_bytes", LEVEL)                   \
    X(CLIENT_MEMORY_LIMIT, "server.client_memory_limit_bytes", "client_memory_limit_bytes", LEVEL) \
    X(CACHE, "storage.block_cache_bytes", "block_cache_bytes", LEVEL)                              \
    X(CACHE_HITS, "storage.block_cache_hits", "block_cache_hits_per_second", RATE)                 \
    X(CACHE_MISSES, "storage.block_cache_misses", "block_cache_misses_per_second", RATE)           \
    X(GETS_BLOCKED, "storage.gets_blocked", "gets_from_disk_per_second", RATE)                     \
    X(COMMITS, "storage.commits", "commits_per_second", RATE)                                      \
    X(COMMIT_GROUPS, "storage.commit_groups", "commit_groups_per_second", RATE)                    \
    X(LOG_BYTES, "storage.log_bytes_written", "log_bytes_per_second", RATE)                        \
    X(LOG_SYNCS, "storage.log_syncs", "log_syncs_per_second", RATE)                                \
    X(WRITE_DELAYS, "storage.write_delays", "write_delays_per_second", RATE)                       \
    X(WRITE_DELAY_MS, "storage.write_delay_ms", "write_delay_ms_per_second", RATE)                 \
    X(MEMTABLE, "storage.memtable_bytes", "memtable_bytes", LEVEL)                                 \
    X(FROZEN_COUNT, "storage.memtables_frozen", "memtables_frozen", LEVEL)                         \
    X(FROZEN, "storage.memtables_frozen_bytes", "memtables_frozen_bytes", LEVEL)                   \
    X(FLUSHES, "storage.flushes", "flushes_per_second", RATE)                                      \
    X(COMPACTIONS, "storage.compactions", "compactions_per_second", RATE)                          \
    X(COMPACTION_IN, "storage.compaction_input_bytes", "compaction_bytes_in_per_second", RATE)     \
    X(COMPACTION_OUT, "storage.compaction_output_bytes", "compaction_bytes_out_per_second", RATE)  \
    X(SEGMENTS, "storage.segments", "segments", LEVEL)                                             \
    X(SEGMENT_BYTES, "storage.space_segment_bytes", "segment_bytes", LEVEL)                        \
    X(SEGMENT_DEAD, "storage.space_unreferenced", "segment_dead_bytes", LEVEL)                     \
    X(SEGMENT_PINNED, "storage.space_pinned", "segment_pinned_bytes", LEVEL)                       \
    X(SEGMENT_DAMAGED, "storage.space_damaged", "segment_damaged_bytes", LEVEL)                    \
    X(UNFLUSHED, "storage.unflushed_log_bytes", "unflushed_log_bytes", LEVEL)                      \
    X(GC_VICTIMS, "storage.gc_victims", "gc_segments_per_second", RATE)                            \
    X(GC_READ, "storage.gc_victim_bytes", "gc_bytes_in_per_second", RATE)                          \
    X(GC_COPIED, "storage.gc_copied_bytes", "gc_bytes_copied_per_second", RATE)                    \
    X(SNAPSHOTS, "storage.snapshots_open", "snapshots_open", LEVEL)                                \
    X(TRANSACTIONS, "storage.transactions_open", "transactions_open", LEVEL)                       \
    X(CONFLICTS, "storage.transactions_conflicts", "transaction_conflicts_per_second", RATE)       \
    X(DISK_FREE, "storage.disk_free_bytes", "disk_free_bytes", LEVEL)                              \
    X(JOB_FAILURES, "storage.job_failures", "job_failures", LEVEL)

enum top_figure {
#define TOP_FIGURE_ENUM(code, ...) TOP_##code,
    TOP_FIGURES(TOP_FIGURE_ENUM)
#undef TOP_FIGURE_ENUM
        TOP_FIGURE_COUNT
};

/* The server's own figures of latency, of its last one to two minutes: of one interval there are
 * too few requests for a p99.9. */
enum top_latency { TOP_P50, TOP_P99, TOP_P999, TOP_MAX, TOP_LATENCY_COUNT };

#define TOP_COMMANDS_MAX 128u
#define TOP_LEVELS_MAX 16u

struct top_command {
    const char *name; /* borrowed from the second sample */
    double per_second;
    uint64_t count;               /* since the server started */
    bool has_latency;             /* the server tells it */
    double us[TOP_LATENCY_COUNT]; /* microseconds */
};

struct top_level {
    uint64_t tables;
    uint64_t bytes;
};

struct top_report {
    double seconds; /* between the samples */
    uint64_t at_ms; /* since 1970 */
    uint64_t uptime_ms;
    double requests; /* a second, all commands */
    double figures[TOP_FIGURE_COUNT];
    size_t command_count; /* of those that were ever asked; the most frequent first */
    struct top_command commands[TOP_COMMANDS_MAX];
    size_t level_count;
    struct top_level levels[TOP_LEVELS_MAX];
    bool has_latency; /* any command has */
};

/* Fills *report_out, which borrows from `now`. */
void top_report_make(const struct top_sample *before, const struct top_sample *now,
                     struct top_report *report_out);

/* The part of the segments' bytes that something refers to, 0 to 1; NAN if there are none. */
double top_report_live_share(const struct top_report *report);

/* One object and a line end, on standard output. */
void top_report_json(const struct top_report *report);

#endif
