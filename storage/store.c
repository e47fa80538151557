/* store.c: opening and closing: makes the parts of the store in order, and unmakes them backwards.
 *
 * The only file of the engine that knows all its parts; it decides nothing but sizes. */
#include "storage/store.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/commit_group.h"
#include "storage/env_posix.h"
#include "storage/environment.h"
#include "storage/store_bulk.h"
#include "storage/store_space.h"
#include "storage/store_state.h"

#include <stdio.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * 1024)
#define LINE_BYTES_MAX 1024

#define CONFLICT_MEMORY_FRACTION 8 /* of the memory limit, for what transactions are judged by */
#define MEMORY_LIMIT_MIN (8 * MIB) /* below, two memtables and a cache make no sense */

void store_options_init(struct store_options *options, const char *dir) {
    *options = (struct store_options){.dir = dir,
                                      .memory_limit_bytes = 1024 * MIB,
                                      .value_threshold = 1024,
                                      .compress = true,
                                      .block_bytes = TABLE_BLOCK_BYTES_DEFAULT,
                                      .open_files_max = 512,
                                      .space_ratio_percent = 150,
                                      .io_threads = 4};
}

static void say(const struct store *store, enum store_log_level level, const char *line) {
    if (store->options.log_cb) {
        store->options.log_cb(store->options.log_arg, level, line);
    }
}

static enum status options_check(const struct store_options *options, struct error *error) {
    const char *wrong = NULL;

    if (!options->dir || !options->dir[0] || strlen(options->dir) > ENV_PATH_MAX - 64) {
        wrong = "dir is empty or too long";
    } else if (environment_memory_left(options) < MEMORY_LIMIT_MIN) {
        wrong = "memory_limit_bytes is below 8 MiB (32 MiB with in_memory)";
    } else if (options->block_bytes < TABLE_BLOCK_BYTES_MIN ||
               options->block_bytes > TABLE_BLOCK_BYTES_MAX) {
        wrong = "block_bytes is not between 4 KiB and 16 KiB";
    } else if (options->open_files_max < 16 || options->io_threads < 1 ||
               options->io_threads > 64) {
        wrong = "open_files_max is below 16, or io_threads is not between 1 and 64";
    } else if (options->value_threshold < 64 || options->value_threshold > 64 * KIB) {
        wrong = "value_threshold is not between 64 and 64 KiB";
    }
    return wrong ? error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "%s", wrong)
                 : STATUS_OK;
}

/* ---- The parts, in order ----------------------------------------------------------------------
 */

static enum status open_environment(struct store *store, struct error *error) {
    enum status status = environment_open(&store->options, &store->environment);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "environment");
    }
    store->env = store->environment.env;
    store->options.memory_limit_bytes = environment_memory_left(&store->options);
    return STATUS_OK;
}

static void close_environment(struct store *store) {
    environment_close(&store->environment);
}

/* Half of the processors: the others are left to point reads, commits and background work. */
static uint32_t walk_threads(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 4 ? 1 : processors < 8 ? 2 : 4;
}

static enum status open_scheduler(struct store *store, struct error *error) {
    struct scheduler_threads_options options = {.io_threads = store->options.io_threads,
                                                .walk_threads = walk_threads(),
                                                .background_threads = 3};
    enum status status = STATUS_OK;

    store->scheduler = store->options.scheduler;
    if (!store->scheduler) {
        status = scheduler_threads_create(&options, &store->scheduler);
        store->scheduler_is_owned = status == STATUS_OK;
    }
    return status == STATUS_OK
               ? status
               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "starting threads");
}

static void close_scheduler(struct store *store) {
    if (store->scheduler_is_owned) {
        scheduler_destroy(store->scheduler);
    }
}

static enum status open_directory(struct store *store, struct error *error) {
    char warning[ENV_POSIX_WARNING_MAX] = "";
    struct env_space space;
    enum status status =
        store->options.read_only ? STATUS_OK : env_make_dir(store->env, store->dir, error);

    if (status == STATUS_OK && environment_is_disk(&store->environment)) {
        status = env_posix_check_dir(store->env, store->dir, warning, error);
    }
    if (status == STATUS_OK && warning[0]) {
        say(store, STORE_LOG_WARN, warning);
    }
    if (status == STATUS_OK) {
        status = env_lock_dir(store->env, store->dir, &store->lock, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = env_space(store->env, store->dir, &space, error);
    if (status != STATUS_OK) {
        env_unlock(store->env, store->lock);
        return status;
    }
    store_space_measure(store, space.total_bytes);
    return STATUS_OK;
}

static void close_directory(struct store *store) {
    env_unlock(store->env, store->lock);
}

static uint64_t append_bytes_max(const struct store_options *options) {
    uint64_t asked = options->append_bytes_max;

    return asked > 0 && asked < VALUE_BYTES_MAX ? asked : VALUE_BYTES_MAX;
}

static enum status open_caches(struct store *store, struct error *error) {
    uint32_t files = store->options.open_files_max;
    enum status status = compression_create(&store->compression);

    if (status == STATUS_OK) {
        status = block_cache_create(store->sizes.block_cache_bytes, &store->block_cache);
    }
    if (status == STATUS_OK) {
        struct table_source source = {.env = store->env,
                                      .dir = store->dir,
                                      .cache = store->block_cache,
                                      .compression = store->compression};
        status = table_cache_create(&source, files - files / 4, &store->table_cache);
    }
    if (status != STATUS_OK) {
        block_cache_destroy(store->block_cache);
        compression_destroy(store->compression);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "caches");
    }
    store->policy =
        (struct value_policy){.append_bytes_max = append_bytes_max(&store->options),
                              .value_threshold = store->options.value_threshold,
                              .compression = store->options.compress ? store->compression : NULL};
    reclaim_init(&store->reclaim, store->env, store->dir, store->scheduler);
    scratch_pool_init(&store->scratch);
    namespaces_init(&store->namespaces);
    return STATUS_OK;
}

static void close_caches(struct store *store) {
    namespaces_deinit(&store->namespaces);
    scratch_pool_deinit(&store->scratch);
    reclaim_deinit(&store->reclaim);
    table_cache_destroy(store->table_cache);
    block_cache_destroy(store->block_cache);
    compression_destroy(store->compression);
}

static void say_recovery(const struct store *store) {
    const struct recovery *recovery = &store->recovery;
    char line[LINE_BYTES_MAX];

    if (recovery->created) {
        say(store, STORE_LOG_INFO, "created a new store");
        return;
    }
    snprintf(line, sizeof line,
             "opened: %llu commits replayed, %llu bytes of an unsynced tail cut, %llu files "
             "removed that no edit names",
             (unsigned long long)recovery->replay.commits,
             (unsigned long long)recovery->replay.cut_bytes,
             (unsigned long long)recovery->removed_files);
    say(store, recovery->replay.cut_bytes > 0 ? STORE_LOG_WARN : STORE_LOG_INFO, line);
}

static enum status make_segment_cache(struct store *store, const struct manifest_state *state) {
    struct segment_source source = {
        .env = store->env, .dir = store->dir, .compression = store->compression};

    memcpy(source.store_id, state->store_id, STORE_ID_BYTES);
    return segment_cache_create(&source, store->options.open_files_max / 4, &store->segment_cache);
}

/* The first view: what recovery found, the replayed memtable frozen, a fresh one active. */
static enum status make_first_view(struct store *store, struct version *version,
                                   struct view **view_out) {
    struct memtable *active;
    enum status status = memtable_create(store->sizes.memtable_bytes, &active);

    if (status == STATUS_OK) {
        status = view_create(active, &store->recovery.memtable, store->recovery.memtable ? 1 : 0,
                             version, view_out);
        memtable_unref(active);
    }
    return status;
}

/* Where the log goes on is known once it is open. */
static void init_feed(struct store *store, const struct manifest_state *state) {
    uint64_t flushed = manifest_state_get(state, EDIT_FLUSHED_VERSION);
    uint64_t replayed = store->recovery.replay.last_version;

    store->feed = (struct feed_log){.env = store->env,
                                    .dir = store->dir,
                                    .opened_after = flushed > replayed ? flushed : replayed,
                                    .opened_at = store->recovery.next_version - 1};
    memcpy(store->feed.store_id, state->store_id, STORE_ID_BYTES);
    feed_marks_init(&store->feed.marks);
}

static enum status make_versions(struct store *store, struct error *error) {
    const struct manifest_state *state = manifest_state(store->recovery.manifest);
    struct version *version = NULL;
    struct view *view = NULL;
    enum status status = make_segment_cache(store, state);

    store->files = (struct version_files){.tables = store->table_cache,
                                          .segments = store->segment_cache,
                                          .reclaim = &store->reclaim,
                                          .blocks = store->block_cache};
    if (status == STATUS_OK) {
        status = version_from_state(&store->files, state, &version);
    }
    if (status == STATUS_OK) {
        status = make_first_view(store, version, &view);
    }
    if (status != STATUS_OK) {
        if (version) {
            version_unref(version);
        }
        segment_cache_destroy(store->segment_cache);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "building the first version");
    }
    view_holder_init(&store->views, view);
    version_set_init(&store->versions, &store->files, &store->views, store->recovery.manifest,
                     version);
    atomic_init(&store->versions.feed_bytes, store->options.feed_bytes);
    init_feed(store, state);
    store_space_init(store);
    store_clock_init(&store->clock, store->env, store->recovery.store_time_ms);
    watermarks_init(&store->marks, store->recovery.next_version - 1);
    return STATUS_OK;
}

static enum status open_recovered(struct store *store, struct error *error) {
    struct recovery_options options = {.env = store->env,
                                       .dir = store->dir,
                                       .compression = store->compression,
                                       .read_only = store->options.read_only};
    enum status status = recovery_run(&options, &store->recovery, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = make_versions(store, error);
    if (status != STATUS_OK) {
        manifest_close(store->recovery.manifest);
    } else {
        say_recovery(store);
    }
    if (store->recovery.memtable) {
        memtable_unref(store->recovery.memtable); /* the view has it */
    }
    return status;
}

static void close_recovered(struct store *store) {
    feed_marks_deinit(&store->feed.marks);
    watermarks_deinit(&store->marks);
    space_promise_deinit(&store->promise);
    version_set_deinit(&store->versions);
    view_holder_deinit(&store->views);
    scheduler_drain(store->scheduler); /* files that the last view held are removed */
    segment_cache_destroy(store->segment_cache);
}

/* Two memtables at least: the one that was flushed last, and the one before it. */
static uint64_t conflict_bytes(const struct store *store) {
    uint64_t bytes = store->options.memory_limit_bytes / CONFLICT_MEMORY_FRACTION;
    uint64_t least = 2 * store->sizes.memtable_bytes;

    bytes = bytes > least ? bytes : least;
    return store->options.conflict_bytes > 0 ? store->options.conflict_bytes : bytes;
}

static enum status open_past(struct store *store, struct error *error) {
    struct snapshots_options options = {
        .marks = &store->marks,
        .clock = &store->clock,
        .namespaces = &store->namespaces,
        .times = &store->times,
        .incarnation =
            manifest_state_get(manifest_state(store->recovery.manifest), EDIT_INCARNATION)};
    enum status status = time_index_init(&store->times);

    if (status == STATUS_OK) {
        status = time_keeper_init(&store->time_keeper, &store->times, &store->namespaces, store,
                                  &store->policy);
    }
    if (status != STATUS_OK) {
        time_index_deinit(&store->times);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "keeping times");
    }
    snapshots_init(&store->snapshots, &options);
    conflict_window_init(&store->window, &store->marks, conflict_bytes(store));
    return STATUS_OK;
}

static void close_past(struct store *store) {
    conflict_window_deinit(&store->window);
    snapshots_deinit(&store->snapshots);
    time_keeper_deinit(&store->time_keeper);
    time_index_deinit(&store->times);
}

/* Before any job or commit begins. */
static enum status open_catalogue(struct store *store, struct error *error) {
    enum status status = store_load_namespaces(store, error);

    if (status == STATUS_OK) {
        status = store_load_ranges(store, error);
    }
    if (status == STATUS_OK) {
        status = store_load_past(store, error);
    }
    return status;
}

static void close_nothing(struct store *store) {
    (void)store;
}

static enum status open_log(struct store *store, struct error *error) {
    const struct manifest_state *state = manifest_state(store->recovery.manifest);
    uint8_t store_id[STORE_ID_BYTES];
    struct commit_log_options options = {.env = store->env,
                                         .dir = store->dir,
                                         .versions = &store->versions,
                                         .marks = &store->marks,
                                         .clock = &store->clock,
                                         .incarnation = manifest_state_get(state, EDIT_INCARNATION),
                                         .store_id = store_id,
                                         .preallocate_bytes = store->sizes.preallocate_bytes,
                                         .last_sequence =
                                             manifest_state_get(state, EDIT_LOG_SEQUENCE),
                                         .log_cb = store->options.log_cb,
                                         .log_arg = store->options.log_arg,
                                         .nothing_to_replay = store->recovery.memtable == NULL};
    enum status status;

    memcpy(store_id, state->store_id, STORE_ID_BYTES);
    status = commit_log_open(&store->log, &options, error);
    if (status != STATUS_OK) {
        commit_log_close(&store->log);
        return status;
    }
    store->feed.opened_segment = commit_log_segment(&store->log);
    syncer_init(&store->syncer, &store->log, store->scheduler);
    space_guard_init(&store->space, store->env, store->dir, store->sizes.reserve_bytes);
    return STATUS_OK;
}

static void close_log(struct store *store) {
    commit_log_close(&store->log);
}

static enum status jobs_status_cb(void *arg) {
    struct store *store = arg;
    struct error error;
    return maintenance_error(&store->maintenance, &error);
}

static void want_flush_cb(void *arg) {
    struct store *store = arg;
    maintenance_want_flush(&store->maintenance);
}

/* Files in memory are allocated by this process too, and their room is set aside. */
static uint64_t budget_limit(const struct store *store) {
    uint64_t limit_bytes = store->options.memory_limit_bytes;
    return store->environment.clocks ? 4 * limit_bytes : limit_bytes;
}

static enum status open_budget(struct store *store, struct error *error) {
    (void)error;
    memory_budget_start(&store->budget, store->block_cache, store->scheduler, budget_limit(store));
    return STATUS_OK;
}

static void close_budget(struct store *store) {
    memory_budget_stop(&store->budget);
    scheduler_drain(store->scheduler);
    memory_budget_deinit(&store->budget);
}

static enum status open_jobs(struct store *store, struct error *error) {
    struct job_context context = {.env = store->env,
                                  .dir = store->dir,
                                  .compression = store->policy.compression,
                                  .versions = &store->versions,
                                  .views = &store->views,
                                  .marks = &store->marks,
                                  .clock = &store->clock,
                                  .log = &store->log,
                                  .window = &store->window,
                                  .block_bytes = store->options.block_bytes,
                                  .table_bytes = store->sizes.table_bytes,
                                  .base_bytes = store->sizes.base_bytes,
                                  .stopping = &store->closing,
                                  .cancelled = &store->cancelled,
                                  .keep = {snapshots_take_rules, &store->snapshots}};
    struct commit_options options = {.log = &store->log,
                                     .marks = &store->marks,
                                     .views = &store->views,
                                     .versions = &store->versions,
                                     .clock = &store->clock,
                                     .namespaces = &store->namespaces,
                                     .times = &store->time_keeper,
                                     .window = &store->window,
                                     .space = &store->space,
                                     .promise = &store->promise,
                                     .syncer = &store->syncer,
                                     .scheduler = store->scheduler,
                                     .flush_status = &store->maintenance.flush_status,
                                     .jobs_status_cb = jobs_status_cb,
                                     .frozen_cb = want_flush_cb,
                                     .arg = store,
                                     .memtable_bytes = store->sizes.memtable_bytes,
                                     .unflushed_log_bytes = store->sizes.unflushed_log_bytes,
                                     .segment_bytes_min = store->sizes.segment_bytes_min,
                                     .segment_bytes_max = store->sizes.segment_bytes_max,
                                     .next_version = store->recovery.next_version,
                                     .version_ceiling = store->recovery.version_ceiling};
    enum status status;

    maintenance_init(&store->maintenance, &context, store->scheduler, store->options.log_cb,
                     store->options.log_arg);
    store_space_start(store);
    status = commit_pipeline_init(&store->pipeline, &options);
    if (status != STATUS_OK) {
        maintenance_deinit(&store->maintenance);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "starting the commit pipeline");
    }
    return STATUS_OK;
}

/* What was seen to have expired stays so, should the wall clock be set back before the next open
 * (R15). */
static void remember_time(struct store *store) {
    struct version_edit edit = {0};
    struct error error;

    version_edit_set(&edit, EDIT_STORE_TIME_MS, store_clock_now_ms(&store->clock));
    if (version_set_install(&store->versions, &edit, NULL, &error) != STATUS_OK) {
        say(store, STORE_LOG_WARN, "closing without a note of the time");
    }
    version_edit_deinit(&edit);
}

/* Commits end; then what is in memory is flushed, so that the next open has nothing to replay. */
static void settle_jobs(struct store *store) {
    scrub_stop(&store->scrub);
    commit_pipeline_stop(&store->pipeline);
    atomic_store_explicit(&store->closing, true, memory_order_relaxed);
    atomic_store_explicit(&store->cancelled, true, memory_order_relaxed);
    scheduler_drain(store->scheduler);
    maintenance_stop(&store->maintenance);
    scheduler_drain(store->scheduler);
    if (!commit_log_failed(&store->log) && commit_log_sync(&store->log) == STATUS_OK) {
        enum status status =
            commit_group_freeze(&store->pipeline); /* posts the flush, if it froze */
        if (status != STATUS_OK) {
            say(store, STORE_LOG_WARN, "closing without a flush: the next open replays the log");
        }
        maintenance_want_flush(&store->maintenance);
        scheduler_drain(store->scheduler);
        remember_time(store);
    }
    store->settled = true;
}

static void close_jobs(struct store *store) {
    if (!store->settled) {
        settle_jobs(store);
    }
    commit_pipeline_deinit(&store->pipeline);
    maintenance_deinit(&store->maintenance);
}

static enum status begin_work(struct store *store, struct error *error) {
    maintenance_want_flush(&store->maintenance);
    maintenance_want_compaction(&store->maintenance);
    return store_bulk_make_good(store, error);
}

/* Last of all, so that it ends first. */
static enum status open_scrub(struct store *store, struct error *error) {
    struct scrub_options options = {.env = store->env,
                                    .dir = store->dir,
                                    .compression = store->compression,
                                    .versions = &store->versions,
                                    .scheduler = store->scheduler,
                                    .bytes_per_s = store->options.scrub_bytes_per_s,
                                    .log_cb = store->options.log_cb,
                                    .log_arg = store->options.log_arg};

    (void)error;
    memcpy(options.store_id, manifest_state(store->recovery.manifest)->store_id, STORE_ID_BYTES);
    scrub_start(&store->scrub, &options);
    return STATUS_OK;
}

static void close_scrub(struct store *store) {
    scrub_stop(&store->scrub);
    scheduler_drain(store->scheduler);
    scrub_deinit(&store->scrub);
}

/* ---- Open and close ---------------------------------------------------------------------------
 */

static const struct part {
    enum status (*open)(struct store *, struct error *);
    void (*close)(struct store *);
    enum purpose least; /* left out of a store that is opened for less */
} parts[] = {
    {open_environment, close_environment, STORE_TO_CHECK},
    {open_scheduler, close_scheduler, STORE_TO_CHECK},
    {open_directory, close_directory, STORE_TO_CHECK},
    {open_caches, close_caches, STORE_TO_CHECK},
    {open_recovered, close_recovered, STORE_TO_CHECK},
    {open_budget, close_budget, STORE_TO_CHECK},
    {open_past, close_past, STORE_TO_READ},
    {open_catalogue, close_nothing, STORE_TO_READ},
    {open_log, close_log, STORE_TO_WRITE},
    {open_jobs, close_jobs, STORE_TO_WRITE},
    {begin_work, close_nothing, STORE_TO_WRITE},
    {open_scrub, close_scrub, STORE_TO_READ},
};

#define PART_COUNT (sizeof parts / sizeof parts[0])

static bool is_left_out(const struct store *store, uint32_t part) {
    return parts[part].least > store->purpose;
}

static void unmake(struct store *store) {
    while (store->parts > 0) {
        if (!is_left_out(store, --store->parts)) {
            parts[store->parts].close(store);
        }
    }
    memory_free(store->dir);
    memory_free(store);
}

enum status store_open_for(enum purpose purpose, const struct store_options *options,
                           struct store **store_out, struct error *error) {
    const char *dir = options->in_memory && !options->env ? ENVIRONMENT_MEMORY_DIR : options->dir;
    enum status status = options_check(options, error);
    struct store *store;

    if (status != STATUS_OK) {
        return status;
    }
    store = memory_alloc_zeroed(sizeof *store);
    if (!store) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "opening a store");
    }
    store->options = *options;
    store->options.read_only = purpose < STORE_TO_WRITE;
    store->purpose = purpose;
    store->dir = memory_alloc(strlen(dir) + 1);
    if (!store->dir) {
        unmake(store);
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "opening a store");
    }
    memcpy(store->dir, dir, strlen(dir) + 1);
    store->options.dir = store->dir;
    while (store->parts < PART_COUNT && status == STATUS_OK) {
        status =
            is_left_out(store, store->parts) ? STATUS_OK : parts[store->parts].open(store, error);
        store->parts += status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        unmake(store);
        return status;
    }
    *store_out = store;
    return STATUS_OK;
}

enum status store_open(const struct store_options *options, struct store **store_out,
                       struct error *error) {
    return store_open_for(options->read_only ? STORE_TO_READ : STORE_TO_WRITE, options, store_out,
                          error);
}

enum status store_close(struct store *store, struct error *error) {
    enum status status;

    if (!store->options.read_only) {
        settle_jobs(store);
    }
    status = store_health(store, error);
    unmake(store);
    return status;
}

uint64_t store_now_ms(struct store *store) {
    return store_clock_now_ms(&store->clock);
}
