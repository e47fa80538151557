/* metric_table.c: see metric_table.h. */
#include "server/metric_table.h"

#include "protocol/base/assert.h"

#include <stdbool.h>
#include <string.h>

/* figure, name, labels, divisor, help (that of a name stands in its first row) */
static const struct metric_row rows[] = {
    {"server.started_at_ms", "kvd_start_time_seconds", NULL, 1000,
     "When the server started, in seconds since 1970."},
    {"server.loops", "kvd_loops", NULL, 1, "Threads that serve connections."},
    {"server.connections", "kvd_connections", NULL, 1, "Connections that are open."},
    {"server.connections_before_hello", "kvd_connections_before_hello", NULL, 1,
     "Those of them that have not said HELLO yet."},
    {"server.connections_accepted", "kvd_connections_accepted_total", NULL, 1,
     "Connections accepted."},
    {"server.connections_refused", "kvd_connections_refused_total", NULL, 1,
     "Connections refused: too many, or no descriptors or memory."},
    {"server.connections_closed", "kvd_connections_closed_total", NULL, 1,
     "Connections that ended, for whatever reason."},
    {"server.closed_for_protocol", "kvd_connections_cut_total", "reason=\"protocol\"", 1,
     "Connections that the server cut, by reason."},
    {"server.closed_for_time", "kvd_connections_cut_total", "reason=\"time\"", 1, ""},
    {"server.closed_for_memory", "kvd_connections_cut_total", "reason=\"memory\"", 1, ""},
    {"server.closed_on_request", "kvd_connections_cut_total", "reason=\"request\"", 1, ""},
    {"server.accept_failures", "kvd_accept_failures_total", NULL, 1,
     "Times that a connection could not be accepted."},
    {"server.client_memory_bytes", "kvd_client_memory_bytes", NULL, 1,
     "Memory that connections hold."},
    {"server.client_memory_limit_bytes", "kvd_client_memory_limit_bytes", NULL, 1,
     "Memory that all connections together may hold."},
    {"server.bytes_in", "kvd_received_bytes_total", NULL, 1, "Bytes received from clients."},
    {"server.bytes_out", "kvd_sent_bytes_total", NULL, 1, "Bytes sent to clients."},
    {"server.requests_refused", "kvd_requests_refused_total", NULL, 1,
     "Requests refused before they were begun."},
    {"server.requests_failed", "kvd_requests_failed_total", NULL, 1,
     "Requests answered with an error."},
    {"server.requests_*", "kvd_requests_total", "command=\"*\"", 1, "Requests, by command."},
    {"server.replies_held", "kvd_replies_held_total", NULL, 1,
     "Replies that waited for what they had read to be durable."},
    {"server.reads_on_io_threads", "kvd_reads_on_io_threads_total", NULL, 1,
     "Reads that would have waited on their loop, and went to an I/O thread."},
    {"server.commits_submitted", "kvd_commits_submitted_total", NULL, 1,
     "Commits that loops handed to the store."},
    {"server.commit_groups_submitted", "kvd_commit_groups_submitted_total", NULL, 1,
     "Times that a loop handed commits to the store."},
    {"server.allocations", "kvd_allocations_total", NULL, 1, "Times that memory was allocated."},
    {"server.latency_*", NULL, NULL, 1, NULL},    /* as a histogram: exposition.c */
    {"storage.allocations", NULL, NULL, 1, NULL}, /* the same */
    {"server.memory_limit_bytes", "kvd_memory_limit_bytes", NULL, 1,
     "Memory that kvd plans with (memory_limit)."},
    {"storage.memory_bytes", "kvd_memory_bytes", NULL, 1, "Memory allocated and in use."},
    {"storage.version_visible", "kvd_version", "mark=\"visible\"", 1,
     "Greatest version that is visible, written to the log, and durable on the medium."},
    {"storage.version_written", "kvd_version", "mark=\"written\"", 1, ""},
    {"storage.version_durable", "kvd_version", "mark=\"durable\"", 1, ""},
    {"storage.commits", "kvd_commits_total", NULL, 1, "Commits."},
    {"storage.commit_repeats", "kvd_commit_repeats_total", NULL, 1,
     "Writes that were sent again, and answered as the first time."},
    {"storage.commit_groups", "kvd_commit_groups_total", NULL, 1,
     "Groups of commits, each one write to the log."},
    {"storage.log_bytes_written", "kvd_log_written_bytes_total", NULL, 1,
     "Bytes written to the log by commits."},
    {"storage.log_syncs", "kvd_log_syncs_total", NULL, 1, "Syncs of the log."},
    {"storage.log_sync_us", "kvd_log_sync_seconds_total", NULL, 1000000,
     "Time that syncs of the log took."},
    {"storage.log_failed", "kvd_log_failed", NULL, 1,
     "1 once the log could not be written; no write succeeds until a restart."},
    {"storage.write_delays", "kvd_write_delays_total", NULL, 1,
     "Writes that waited for memory or space."},
    {"storage.write_delay_ms", "kvd_write_delay_seconds_total", NULL, 1000,
     "Time that writes waited for memory or space."},
    {"storage.gets", "kvd_gets_total", NULL, 1, "Lookups of keys."},
    {"storage.gets_blocked", "kvd_gets_blocked_total", NULL, 1,
     "Lookups that would have waited for the disk."},
    {"storage.memtable_bytes", "kvd_memtable_bytes", "state=\"active\"", 1,
     "Memory of memtables, by state."},
    {"storage.memtables_frozen_bytes", "kvd_memtable_bytes", "state=\"frozen\"", 1, ""},
    {"storage.memtable_entries", "kvd_memtable_entries", NULL, 1,
     "Entries of the active memtable."},
    {"storage.memtables_frozen", "kvd_memtables_frozen", NULL, 1,
     "Memtables that wait to be flushed."},
    {"storage.unflushed_log_bytes", "kvd_log_unflushed_bytes", NULL, 1,
     "Bytes of the log that a start would replay."},
    {"storage.range_points", "kvd_range_delete_points", NULL, 1,
     "Ends of range deletes in the index of those that still hide something."},
    {"storage.range_bytes", "kvd_range_delete_memory_bytes", NULL, 1, "Memory of that index."},
    {"storage.flushes", "kvd_flushes_total", NULL, 1, "Memtables written as tables."},
    {"storage.compactions", "kvd_compactions_total", NULL, 1, "Compactions."},
    {"storage.compaction_input_bytes", "kvd_compaction_read_bytes_total", NULL, 1,
     "Bytes of tables that compactions read."},
    {"storage.compaction_output_bytes", "kvd_compaction_written_bytes_total", NULL, 1,
     "Bytes of tables that compactions wrote."},
    {"storage.dropped_tables", "kvd_tables_dropped_total", NULL, 1,
     "Tables dropped whole, unread."},
    {"storage.tidied_tables", "kvd_tables_tidied_total", NULL, 1,
     "Tables rewritten to free what no snapshot needs any longer."},
    {"storage.reclaimed_weight", "kvd_reclaimed_weight_bytes_total", NULL, 1,
     "Bytes of deleted, expired and overwritten data that compactions gave up."},
    {"storage.collections", "kvd_collections_total", NULL, 1,
     "Rounds of garbage collection of the log."},
    {"storage.job_failures", "kvd_background_failures_total", NULL, 1,
     "Background jobs that failed."},
    {"storage.level_*_tables", "kvd_level_tables", "level=\"*\"", 1, "Tables, by level."},
    {"storage.level_*_bytes", "kvd_level_bytes", "level=\"*\"", 1, "Bytes of tables, by level."},
    {"storage.level_*_weight", "kvd_level_weight_bytes", "level=\"*\"", 1,
     "Bytes of tables with the values that they refer to, by level."},
    {"storage.table_entries", "kvd_table_entries", NULL, 1, "Entries in tables."},
    {"storage.table_tombstones", "kvd_table_tombstones", NULL, 1, "Entries in tables that delete."},
    {"storage.segments", "kvd_segments", NULL, 1,
     "Segments of the log that are kept for their values."},
    {"storage.block_cache_bytes", "kvd_block_cache_bytes", NULL, 1, "Bytes in the block cache."},
    {"storage.block_cache_capacity_bytes", "kvd_block_cache_capacity_bytes", NULL, 1,
     "Bytes that the block cache may have."},
    {"storage.block_cache_hits", "kvd_block_cache_requests_total", "result=\"hit\"", 1,
     "Blocks looked for in the block cache, by result."},
    {"storage.block_cache_misses", "kvd_block_cache_requests_total", "result=\"miss\"", 1, ""},
    {"storage.open_tables", "kvd_open_files", "kind=\"table\"", 1, "Files kept open, by kind."},
    {"storage.open_segments", "kvd_open_files", "kind=\"segment\"", 1, ""},
    {"storage.table_memory_bytes", "kvd_table_memory_bytes", NULL, 1,
     "Memory of indexes and filters of open tables."},
    {"storage.checksum_failures", "kvd_checksum_failures_total", NULL, 1,
     "Bytes read that were not those that were written."},
    {"storage.namespaces", "kvd_namespaces", NULL, 1, "Namespaces."},
    {"storage.disk_free_bytes", "kvd_disk_free_bytes", NULL, 1,
     "Free bytes of the disk when last looked at."},
    {"storage.disk_reserve_bytes", "kvd_disk_reserve_bytes", NULL, 1,
     "Free bytes below which puts are refused."},
    {"storage.replayed_commits", "kvd_replayed_commits", NULL, 1,
     "Commits that the start found in the log."},
    {"storage.replay_cut_bytes", "kvd_replay_cut_bytes", NULL, 1,
     "Bytes at the end of the log that the start gave up: never acknowledged as synced."},
    {"storage.snapshots_open", "kvd_snapshots_open", NULL, 1, "Open snapshots."},
    {"storage.oldest_snapshot_version", "kvd_oldest_snapshot_version", NULL, 1,
     "Version of the oldest snapshot; 0 without any."},
    {"storage.oldest_snapshot_age_ms", "kvd_oldest_snapshot_age_seconds", NULL, 1000,
     "Age of the oldest snapshot; 0 without any."},
    {"storage.transactions_open", "kvd_transactions_open", NULL, 1, "Open transactions."},
    {"storage.transactions", "kvd_transactions_total", NULL, 1, "Transactions begun."},
    {"storage.transactions_conflicts", "kvd_transactions_refused_total", "reason=\"conflict\"", 1,
     "Transactions that could not commit, by reason."},
    {"storage.transactions_too_old", "kvd_transactions_refused_total", "reason=\"too_old\"", 1, ""},
    {"storage.conflict_window_memtables", "kvd_conflict_window_memtables", NULL, 1,
     "Memtables kept for the judging of transactions."},
    {"storage.conflict_window_bytes", "kvd_conflict_window_bytes", NULL, 1, "Memory of these."},
    {"storage.conflict_window_cuts", "kvd_conflict_window_cuts_total", NULL, 1,
     "Times that they were given up early for want of memory."},
    {"storage.loads_open", "kvd_loads_open", NULL, 1, "Bulk loads under way."},
    {"storage.loads", "kvd_loads_total", NULL, 1, "Bulk loads that came in."},
    {"storage.load_entries", "kvd_load_entries_total", NULL, 1, "Keys that came in by them."},
    {"storage.load_bytes", "kvd_load_bytes_total", NULL, 1, "Bytes of these and their values."},
    {"storage.scrub_rounds", "kvd_scrub_rounds_total", NULL, 1,
     "Rounds of scrubbing through all files."},
    {"storage.scrub_bytes", "kvd_scrub_read_bytes_total", NULL, 1, "Bytes read by scrubbing."},
    {"storage.scrub_faults", "kvd_scrub_faults_total", NULL, 1,
     "Damaged files found by scrubbing."},
    {"storage.scrub_last_fault", "kvd_scrub_last_fault_file", NULL, 1,
     "Number of the file that was last found damaged; 0: none."},
    {"storage.space_ratio_percent", "kvd_space_limit_ratio", NULL, 100,
     "Size of the files beside the live data that the store keeps below."},
    {"storage.space_live_estimate", "kvd_space_live_estimate_bytes", NULL, 1,
     "Estimated size of the live data."},
    {"storage.space_weight_tables", "kvd_space_weight_bytes", "part=\"tables\"", 1,
     "Weight of the tree, by part; see docs/space.md."},
    {"storage.space_weight_bottom", "kvd_space_weight_bytes", "part=\"bottom\"", 1, ""},
    {"storage.space_weight_hidden", "kvd_space_weight_bytes", "part=\"hidden\"", 1, ""},
    {"storage.space_weight_above", "kvd_space_weight_bytes", "part=\"above\"", 1, ""},
    {"storage.space_weight_memtables", "kvd_space_weight_bytes", "part=\"memtables\"", 1, ""},
    {"storage.space_above_limit", "kvd_space_above_limit_bytes", NULL, 1,
     "Weight above the bottom level from which on puts wait."},
    {"storage.space_table_bytes", "kvd_space_file_bytes", "kind=\"table\"", 1,
     "Bytes of files, by kind."},
    {"storage.space_segment_bytes", "kvd_space_file_bytes", "kind=\"segment\"", 1, ""},
    {"storage.space_referenced", "kvd_space_log_bytes", "use=\"referenced\"", 1,
     "Bytes of flushed segments, by use; \"pinned\" and \"feed\" are part of the others."},
    {"storage.space_frames", "kvd_space_log_bytes", "use=\"frames\"", 1, ""},
    {"storage.space_unreferenced", "kvd_space_log_bytes", "use=\"unreferenced\"", 1, ""},
    {"storage.space_damaged", "kvd_space_log_bytes", "use=\"damaged\"", 1, ""},
    {"storage.space_pinned", "kvd_space_log_bytes", "use=\"pinned\"", 1, ""},
    {"storage.space_feed", "kvd_space_log_bytes", "use=\"feed\"", 1, ""},
    {"storage.space_unreferenced_limit", "kvd_space_unreferenced_limit_bytes", NULL, 1,
     "Unreferenced bytes from which on puts wait."},
    {"storage.space_*_max", "kvd_space_part_limit_bytes", "part=\"*\"", 1,
     "Limits that the sizes of files follow from."},
    {"storage.space_constant", "kvd_space_constant_bytes", NULL, 1,
     "What the store may take beside its share of the live data."},
    {"storage.gc_victims", "kvd_gc_segments_total", NULL, 1,
     "Segments that garbage collection emptied."},
    {"storage.gc_victim_bytes", "kvd_gc_read_bytes_total", NULL, 1, "Bytes of these."},
    {"storage.gc_copied_bytes", "kvd_gc_copied_bytes_total", NULL, 1,
     "Bytes of values that were alive in these, and copied."},
    {"storage.gc_survivor_bytes", "kvd_gc_written_bytes_total", NULL, 1,
     "Bytes of segments written by garbage collection."},
    {"storage.gc_careful", "kvd_gc_careful_total", NULL, 1,
     "Segments that could not simply be walked by garbage collection."},
    {"storage.gc_damaged", "kvd_gc_damaged_total", NULL, 1,
     "Segments with unreadable records, left as they were."},
};

#define ROWS_COUNT ((uint32_t)(sizeof rows / sizeof rows[0]))

uint32_t metric_table_count(void) {
    return ROWS_COUNT;
}

const struct metric_row *metric_table_row(uint32_t index) {
    ASSERT(index < ROWS_COUNT);
    return &rows[index];
}

/* Whether `figure` is `pattern`, whose one '*' may stand for any bytes, but for none. */
static bool matches(const char *pattern, const char *figure, const char **star_out,
                    size_t *star_len_out) {
    size_t len = strlen(figure);
    size_t head = strcspn(pattern, "*");
    size_t tail;

    *star_out = figure;
    *star_len_out = 0;
    if (pattern[head] == '\0') {
        return strcmp(pattern, figure) == 0;
    }
    tail = strlen(pattern + head + 1);
    if (len <= head + tail || strncmp(pattern, figure, head) != 0 ||
        strcmp(pattern + head + 1, figure + len - tail) != 0) {
        return false;
    }
    *star_out = figure + head;
    *star_len_out = len - head - tail;
    return true;
}

uint32_t metric_table_find(const char *figure, const char **star_out, size_t *star_len_out) {
    uint32_t index = 0;

    while (index < ROWS_COUNT && !matches(rows[index].figure, figure, star_out, star_len_out)) {
        index++;
    }
    return index;
}
