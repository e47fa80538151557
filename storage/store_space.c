/* store_space.c: see store_space.h. */
#include "storage/store_space.h"

#include <stdio.h>

/* Of a victim, how much must be dead to be worth it. Where puts wait, anything is. */
#define DEAD_PERCENT_LAZY 10u
#define DEAD_PERCENT_IDLE 8u
#define DEAD_PERCENT_ALL 5u

void store_space_measure(struct store *store, uint64_t disk_bytes) {
    const struct store_options *options = &store->options;
    struct sizes least;

    store->basis = (struct sizes_basis){.disk_bytes = disk_bytes,
                                        .memory_limit_bytes = options->memory_limit_bytes,
                                        .memtable_bytes = options->memtable_bytes,
                                        .segment_bytes = options->segment_bytes,
                                        .space_ratio_percent = options->space_ratio_percent};
    least = sizes_of(&store->basis, 0);
    store->sizes = (struct store_sizes){.memtable_bytes = least.memtable_bytes,
                                        .unflushed_log_bytes = least.unflushed_log_bytes,
                                        .segment_bytes_min = least.segment_bytes,
                                        .segment_bytes_max =
                                            sizes_of(&store->basis, UINT64_MAX / 2).segment_bytes,
                                        .table_bytes = least.table_bytes,
                                        .base_bytes = least.base_bytes,
                                        .preallocate_bytes = least.preallocate_bytes,
                                        .reserve_bytes = least.reserve_bytes,
                                        .block_cache_bytes = options->memory_limit_bytes / 2};
}

void store_space_init(struct store *store) {
    space_promise_init(&store->promise, &store->basis, &store->versions);
    space_promise_update(&store->promise);
}

/* ---- For maintenance --------------------------------------------------------------------------
 */

static void installed_cb(void *arg) {
    struct store *store = arg;

    space_promise_update(&store->promise);
    space_guard_set_reserve(&store->space, space_promise_sizes(&store->promise).reserve_bytes);
}

static void size_cb(void *arg, struct job_context *context) {
    struct store *store = arg;
    struct sizes sizes = space_promise_sizes(&store->promise);

    context->table_bytes = sizes.table_bytes;
    context->base_bytes = sizes.base_bytes;
    context->job_bytes = sizes.job_bytes;
    context->fan_out = store->promise.shares.fan_out;
}

/* How much of a victim must be dead; false when there is no need for GC in this mode. */
static bool dead_percent(struct store *store, enum collect_mode mode, uint32_t *percent_out) {
    enum space_need need = space_promise_need(&store->promise);

    switch (mode) {
    case COLLECT_URGENT:
        *percent_out = 0;
        return need == SPACE_NEEDS_GC_NOW;
    case COLLECT_LAZY:
        *percent_out = DEAD_PERCENT_LAZY;
        return need >= SPACE_NEEDS_GC;
    case COLLECT_IDLE:
        *percent_out = DEAD_PERCENT_IDLE;
        return need >= SPACE_NEEDS_IDLE_GC;
    case COLLECT_ALL:
        break;
    }
    *percent_out = DEAD_PERCENT_ALL;
    return true;
}

static void add(_Atomic uint64_t *counter, uint64_t value) {
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static void say_feed(const struct store *store, uint64_t bytes) {
    char line[128];

    if (store->options.log_cb) {
        snprintf(line, sizeof line, "the disk is nearly full: the feed keeps %llu bytes of the log",
                 (unsigned long long)bytes);
        store->options.log_cb(store->options.log_arg, STORE_LOG_WARN, line);
    }
}

/* What is kept for the feed makes way before puts are refused, half of it each time; and grows back
 * when there is room. */
static void fit_feed(struct store *store) {
    uint64_t wanted = store->options.feed_bytes;
    uint64_t bytes = atomic_load_explicit(&store->versions.feed_bytes, memory_order_relaxed);
    uint64_t kept = space_promise_terms(&store->promise).feed_bytes;
    struct error ignored;

    if (bytes < wanted && !space_guard_is_near(&store->space)) {
        atomic_store_explicit(&store->versions.feed_bytes, wanted, memory_order_relaxed);
    } else if (kept > 0 && space_guard_is_near(&store->space)) {
        bytes = (kept < bytes ? kept : bytes) / 2;
        atomic_store_explicit(&store->versions.feed_bytes, bytes, memory_order_relaxed);
        say_feed(store, bytes);
        if (version_set_sweep(&store->versions, &ignored) == STATUS_OK) {
            space_guard_refresh(&store->space);
        }
        space_promise_update(&store->promise);
    }
}

static enum status collect_cb(void *arg, enum collect_mode mode, struct error *error) {
    struct store *store = arg;
    struct gc_context gc = store->gc;
    struct gc_stats stats;
    uint32_t percent;
    enum status status;

    if (mode == COLLECT_URGENT && store->options.feed_bytes > 0) {
        fit_feed(store);
    }
    if (mode == COLLECT_URGENT) {
        space_promise_refresh(&store->promise); /* the first that a round of jobs asks */
    }
    if (!dead_percent(store, mode, &percent)) {
        return STATUS_END;
    }
    if (mode == COLLECT_ALL) {
        gc.stopping = &store->cancelled;
    }
    status = gc_run(&gc, percent, &stats, error);
    add(&store->gc_victims, stats.victims);
    add(&store->gc_victim_bytes, stats.victim_bytes);
    add(&store->gc_copied_bytes, stats.copied_bytes);
    add(&store->gc_survivor_bytes, stats.survivor_bytes);
    add(&store->gc_careful, stats.careful);
    add(&store->gc_damaged, stats.damaged);
    if (stats.damaged > 0 && store->options.log_cb) {
        char line[512];
        error_format(error, line, sizeof line);
        store->options.log_cb(store->options.log_arg, STORE_LOG_ERROR, line);
    }
    return status == STATUS_CANCELLED ? STATUS_END : status;
}

void store_space_start(struct store *store) {
    struct collector collector = {
        .run_cb = collect_cb, .installed_cb = installed_cb, .size_cb = size_cb, .arg = store};
    const struct manifest_state *state = manifest_state(store->recovery.manifest);

    atomic_store_explicit(&store->maintenance.reclaim_bytes_per_s,
                          store->options.reclaim_bytes_per_s, memory_order_relaxed);
    store->gc = (struct gc_context){.jobs = &store->maintenance.context,
                                    .promise = &store->promise,
                                    .decompression = store->compression,
                                    .incarnation = manifest_state_get(state, EDIT_INCARNATION),
                                    .stopping = &store->closing};
    memcpy(store->gc.store_id, state->store_id, STORE_ID_BYTES);
    maintenance_set_collector(&store->maintenance, &collector);
}

/* ---- Statistics -------------------------------------------------------------------------------
 */

static uint64_t figure(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void store_space_report(struct store *store, store_stats_cb stats_cb, void *arg) {
    struct space_terms terms;

    space_promise_refresh(&store->promise);
    terms = space_promise_terms(&store->promise);
    stats_cb(arg, "space_ratio_percent", store->basis.space_ratio_percent);
    stats_cb(arg, "space_live_estimate", terms.live_estimate);
    stats_cb(arg, "space_weight_tables", terms.weight_tables);
    stats_cb(arg, "space_weight_bottom", terms.weight_bottom);
    stats_cb(arg, "space_weight_hidden", terms.weight_hidden);
    stats_cb(arg, "space_weight_above", terms.weight_above);
    stats_cb(arg, "space_weight_memtables", terms.weight_memtables);
    stats_cb(arg, "space_above_limit", terms.above_limit);
    stats_cb(arg, "space_table_bytes", terms.table_bytes);
    stats_cb(arg, "space_segment_bytes", terms.segment_bytes);
    stats_cb(arg, "space_referenced", terms.referenced_bytes);
    stats_cb(arg, "space_frames", terms.frame_bytes);
    stats_cb(arg, "space_unreferenced", terms.unreferenced_bytes);
    stats_cb(arg, "space_unreferenced_limit", terms.unreferenced_limit);
    stats_cb(arg, "space_damaged", terms.damaged_bytes);
    stats_cb(arg, "space_pinned", terms.pinned_bytes);
    stats_cb(arg, "space_feed", terms.feed_bytes);
    stats_cb(arg, "space_unflushed_log_max", terms.sizes.unflushed_log_bytes);
    stats_cb(arg, "space_segment_max", terms.sizes.segment_bytes);
    stats_cb(arg, "space_job_max", terms.sizes.job_bytes);
    stats_cb(arg, "space_manifest_max", terms.sizes.manifest_bytes);
    stats_cb(arg, "space_constant", terms.sizes.constant_bytes);
    stats_cb(arg, "gc_victims", figure(&store->gc_victims));
    stats_cb(arg, "gc_victim_bytes", figure(&store->gc_victim_bytes));
    stats_cb(arg, "gc_copied_bytes", figure(&store->gc_copied_bytes));
    stats_cb(arg, "gc_survivor_bytes", figure(&store->gc_survivor_bytes));
    stats_cb(arg, "gc_careful", figure(&store->gc_careful));
    stats_cb(arg, "gc_damaged", figure(&store->gc_damaged));
}
