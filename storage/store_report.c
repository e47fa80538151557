/* store_report.c: what the store says of itself, and maintenance by hand. */
#include "protocol/base/memory.h"
#include "storage/store_space.h"

#include <stdio.h>

/* ---- Statistics -------------------------------------------------------------------------------
 */

struct report {
    store_stats_cb stats_cb;
    void *arg;
};

static void put(const struct report *report, const char *name, uint64_t value) {
    report->stats_cb(report->arg, name, value);
}

static uint64_t figure(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void report_memtables(const struct report *report, const struct view *view) {
    uint64_t frozen_bytes = 0;
    uint64_t log_bytes = memtable_log_bytes(view->active);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        frozen_bytes += memtable_bytes(view->frozen[i]);
        log_bytes += memtable_log_bytes(view->frozen[i]);
    }
    put(report, "memtable_bytes", memtable_bytes(view->active));
    put(report, "memtable_entries", memtable_entries(view->active));
    put(report, "memtables_frozen", view->frozen_count);
    put(report, "memtables_frozen_bytes", frozen_bytes);
    put(report, "unflushed_log_bytes", log_bytes);
    put(report, "range_points", range_set_points(view->ranges));
    put(report, "range_bytes", range_set_memory_bytes(view->ranges));
}

static void report_levels(const struct report *report, const struct version *version) {
    char name[32];
    uint64_t entries = 0;
    uint64_t tombstones = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &version->levels[i];
        for (uint32_t j = 0; j < level->count; j++) {
            entries += level->infos[j]->entries;
            tombstones += level->infos[j]->tombstones;
        }
        snprintf(name, sizeof name, "level_%u_tables", i);
        put(report, name, level->count);
        snprintf(name, sizeof name, "level_%u_bytes", i);
        put(report, name, level->file_bytes);
        snprintf(name, sizeof name, "level_%u_weight", i);
        put(report, name, level->weight);
    }
    put(report, "table_entries", entries);
    put(report, "table_tombstones", tombstones);
    put(report, "segments", version->segment_count);
}

static void report_caches(const struct report *report, const struct store *store) {
    struct block_cache_stats blocks;
    struct table_cache_stats tables;
    struct segment_cache_stats segments;

    block_cache_read_stats(store->block_cache, &blocks);
    table_cache_read_stats(store->table_cache, &tables);
    segment_cache_read_stats(store->segment_cache, &segments);
    put(report, "block_cache_bytes", blocks.bytes);
    put(report, "block_cache_capacity_bytes", blocks.capacity_bytes);
    put(report, "block_cache_hits", blocks.hits);
    put(report, "block_cache_misses", blocks.misses);
    put(report, "open_tables", tables.open_tables);
    put(report, "table_memory_bytes", tables.memory_bytes);
    put(report, "open_segments", segments.open_segments);
}

static void report_commits(const struct report *report, struct store *store) {
    const struct commit_stats *commits = &store->pipeline.stats;
    const struct maintenance_stats *jobs = &store->maintenance.stats;

    put(report, "version_visible", watermarks_visible(&store->marks));
    put(report, "version_written", watermarks_written(&store->marks));
    put(report, "version_durable", watermarks_durable(&store->marks));
    put(report, "commits", figure(&commits->commits));
    put(report, "commit_groups", figure(&commits->groups));
    put(report, "commit_repeats", figure(&commits->repeats));
    put(report, "log_bytes_written", figure(&commits->log_bytes));
    put(report, "log_syncs", figure(&store->log.syncs));
    put(report, "log_sync_us", figure(&store->log.sync_ns) / 1000);
    put(report, "write_delays", figure(&commits->delays));
    put(report, "write_delay_ms", figure(&commits->delay_ms));
    put(report, "log_failed", commit_log_failed(&store->log));
    put(report, "flushes", figure(&jobs->flushes));
    put(report, "compactions", figure(&jobs->compactions));
    put(report, "compaction_input_bytes", figure(&jobs->compaction_input_bytes));
    put(report, "compaction_output_bytes", figure(&jobs->compaction_output_bytes));
    put(report, "dropped_tables", figure(&jobs->dropped_tables));
    put(report, "tidied_tables", figure(&jobs->tidied_tables));
    put(report, "reclaimed_weight", figure(&jobs->reclaimed_weight));
    put(report, "collections", figure(&jobs->collections));
    put(report, "job_failures", figure(&jobs->failures));
    put(report, "gets", figure(&store->gets));
    put(report, "gets_blocked", figure(&store->gets_blocked));
    put(report, "checksum_failures", figure(&store->checksum_failures));
    put(report, "namespaces", namespaces_count(&store->namespaces));
    put(report, "disk_free_bytes", figure(&store->space.free_bytes));
    put(report, "disk_reserve_bytes", store->space.reserve_bytes);
    put(report, "replayed_commits", store->recovery.replay.commits);
    put(report, "replay_cut_bytes", store->recovery.replay.cut_bytes);
}

static void report_past(const struct report *report, struct store *store) {
    struct snapshots_stats stats;

    snapshots_read_stats(&store->snapshots, &stats);
    put(report, "snapshots_open", stats.open);
    put(report, "oldest_snapshot_version", stats.oldest_version);
    put(report, "oldest_snapshot_age_ms", stats.oldest_age_ms);
}

static void report_transactions(const struct report *report, struct store *store) {
    struct conflict_window_stats stats;

    conflict_window_read_stats(&store->window, &stats);
    put(report, "transactions_open", stats.open);
    put(report, "transactions", figure(&store->transactions));
    put(report, "transactions_conflicts", figure(&store->transactions_conflicts));
    put(report, "transactions_too_old", figure(&store->transactions_too_old));
    put(report, "conflict_window_memtables", stats.memtables);
    put(report, "conflict_window_bytes", stats.bytes);
    put(report, "conflict_window_cuts", stats.cuts);
}

static void report_loads(const struct report *report, const struct store *store) {
    put(report, "loads_open",
        atomic_load_explicit(&store->bulk_is_under_way, memory_order_relaxed));
    put(report, "loads", figure(&store->loads));
    put(report, "load_entries", figure(&store->load_entries));
    put(report, "load_bytes", figure(&store->load_bytes));
}

static void report_scrub(const struct report *report, const struct scrub *scrub) {
    put(report, "scrub_rounds", figure(&scrub->rounds));
    put(report, "scrub_bytes", figure(&scrub->bytes));
    put(report, "scrub_faults", figure(&scrub->faults));
    put(report, "scrub_last_fault", figure(&scrub->last_fault));
}

void store_stats(struct store *store, store_stats_cb stats_cb, void *arg) {
    struct report report = {stats_cb, arg};
    uint64_t visible;
    struct view *view = view_holder_take(&store->views, &store->marks, &visible);

    report_commits(&report, store);
    report_memtables(&report, view);
    report_levels(&report, view->version);
    report_caches(&report, store);
    report_past(&report, store);
    report_transactions(&report, store);
    report_loads(&report, store);
    report_scrub(&report, &store->scrub);
    store_space_report(store, stats_cb, arg);
    put(&report, "allocations", memory_allocation_count());
    put(&report, "memory_bytes", memory_bytes_in_use());
    view_unref(view);
}

enum status store_health(struct store *store, struct error *error) {
    struct error found = {0};
    enum status status;

    if (commit_log_failed(&store->log)) {
        mutex_lock(&store->log.mu);
        found = store->log.error;
        mutex_unlock(&store->log.mu);
        status = STATUS_LOG_FAILED;
    } else if (store->options.read_only) {
        status = STATUS_OK; /* no jobs */
    } else {
        status = maintenance_error(&store->maintenance, &found);
    }
    if (status != STATUS_OK && error) {
        *error = found;
    }
    return status;
}

void store_set_rates(struct store *store, uint64_t reclaim_bytes_per_s,
                     uint64_t scrub_bytes_per_s) {
    atomic_store_explicit(&store->maintenance.reclaim_bytes_per_s, reclaim_bytes_per_s,
                          memory_order_relaxed);
    scrub_set_rate(&store->scrub, scrub_bytes_per_s);
}
