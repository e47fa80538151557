/* commit.c: see commit.h. The queue, the step and the completions; commit_group.c makes groups. */
#include "storage/commit.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/commit_group.h"
#include "storage/ikey.h"

#include <stddef.h>

#define TICK_MS 1000
#define TIME_AHEAD_MS (60 * 1000u) /* an idle store writes an empty group a minute */
#define IDLE_FLUSH_FRACTION 64u    /* so many of the entries deleted: flushed when idle */
#define STALL_MS 1                 /* until a frozen memtable is flushed */
#define PACE_FROM_TABLES 8         /* level 0 tables from which the step runs later */
#define PACE_MS_PER_TABLE 2        /* for each table beyond */
#define PACE_MS_MAX 50

static struct commit_pipeline *from_step(struct step *step) {
    return (struct commit_pipeline *)((char *)step - offsetof(struct commit_pipeline, step));
}

static struct commit_pipeline *from_tick(struct step *tick) {
    return (struct commit_pipeline *)((char *)tick - offsetof(struct commit_pipeline, tick));
}

/* ---- Queue ------------------------------------------------------------------------------------
 */

void commit_submit(struct commit_pipeline *pipeline, struct store_commit *const *commits,
                   uint32_t count) {
    bool post;

    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        commits[i]->next = i + 1 < count ? commits[i + 1] : NULL;
    }
    mutex_lock(&pipeline->mu);
    if (pipeline->queue_last) {
        pipeline->queue_last->next = commits[0];
    } else {
        pipeline->queue_first = commits[0];
    }
    pipeline->queue_last = commits[count - 1];
    post = !pipeline->active;
    pipeline->active = true;
    mutex_unlock(&pipeline->mu);
    if (post) {
        scheduler_post(pipeline->options.scheduler, LANE_COMMIT, &pipeline->step);
    }
}

/* Moves what was submitted behind what is taken already. False, and inactive, when nothing is
 * left. */
static bool take_queue(struct commit_pipeline *pipeline) {
    bool any;

    mutex_lock(&pipeline->mu);
    if (pipeline->queue_first) {
        if (pipeline->last) {
            pipeline->last->next = pipeline->queue_first;
        } else {
            pipeline->first = pipeline->queue_first;
        }
        pipeline->last = pipeline->queue_last;
        pipeline->queue_first = NULL;
        pipeline->queue_last = NULL;
    }
    any = pipeline->first != NULL;
    pipeline->active = any;
    mutex_unlock(&pipeline->mu);
    return any;
}

/* ---- Pacing -----------------------------------------------------------------------------------
 */

static uint64_t pace_ms(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    uint32_t tables = view->version->levels[0].count;
    uint64_t delay_ms =
        tables > PACE_FROM_TABLES ? (uint64_t)(tables - PACE_FROM_TABLES) * PACE_MS_PER_TABLE : 0;

    view_unref(view);
    return delay_ms < PACE_MS_MAX ? delay_ms : PACE_MS_MAX;
}

static void run_later(struct commit_pipeline *pipeline, uint64_t delay_ms) {
    atomic_fetch_add_explicit(&pipeline->stats.delays, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pipeline->stats.delay_ms, delay_ms, memory_order_relaxed);
    mutex_lock(&pipeline->mu);
    if (pipeline->stopping) { /* a delayed step is not waited for by a drain */
        scheduler_post(pipeline->options.scheduler, LANE_COMMIT, &pipeline->step);
    } else {
        scheduler_post_after(pipeline->options.scheduler, LANE_COMMIT, &pipeline->step, delay_ms);
    }
    mutex_unlock(&pipeline->mu);
}

/* ---- The step ---------------------------------------------------------------------------------
 */

/* On an I/O thread, while the commit lane waits. */
static void judge_step(struct step *step) {
    struct store_commit *commit =
        (struct store_commit *)((char *)step - offsetof(struct store_commit, step));
    struct commit_pipeline *pipeline = commit->pipeline;

    commit_group_judge(pipeline, commit);
    scheduler_post(pipeline->options.scheduler, LANE_COMMIT, &pipeline->step);
}

static void park(struct commit_pipeline *pipeline) {
    struct store_commit *commit = pipeline->first;

    commit->pipeline = pipeline;
    step_init(&commit->step, judge_step);
    scheduler_post(pipeline->options.scheduler, LANE_IO, &commit->step);
}

/* A commit that was judged is inserted first: what it was judged by is not to change before. */
static bool is_halted(struct commit_pipeline *pipeline) {
    bool halted;

    mutex_lock(&pipeline->mu);
    halted = pipeline->halt_wanted && !(pipeline->first && pipeline->first->judged);
    pipeline->halted = halted;
    if (halted) {
        condvar_signal(&pipeline->halted_changed);
    }
    mutex_unlock(&pipeline->mu);
    return halted;
}

/* A row of the times, while some namespace keeps its versions for a time. */
static void keep_time(struct commit_pipeline *pipeline) {
    const struct commit_options *options = &pipeline->options;
    struct store_commit *commit = NULL;

    if (options->times && !commit_log_failed(options->log)) {
        commit = time_keeper_tick(options->times, store_clock_now_ms(options->clock),
                                  watermarks_visible(options->marks));
    }
    if (commit) {
        commit_submit(pipeline, &commit, 1);
    }
}

static void commit_step(struct step *step) {
    struct commit_pipeline *pipeline = from_step(step);
    uint64_t delay_ms = 0;

    while (!is_halted(pipeline) && take_queue(pipeline)) {
        enum status status = commit_group_run(pipeline);
        if (status == STATUS_WOULD_BLOCK) {
            park(pipeline);
            return;
        }
        if (pipeline->options.times && time_keeper_is_wanted(pipeline->options.times)) {
            keep_time(pipeline);
        }
        delay_ms = status == STATUS_BUSY ? STALL_MS : pace_ms(pipeline);
        if (delay_ms > 0) {
            run_later(pipeline, delay_ms); /* stays active; takes nothing, if nothing is left */
            return;
        }
    }
}

/* The step runs now, whatever it was put off for. */
static void hurry_locked(struct commit_pipeline *pipeline) REQUIRES(pipeline->mu) {
    struct scheduler *scheduler = pipeline->options.scheduler;

    if (!pipeline->active || scheduler_cancel(scheduler, LANE_COMMIT, &pipeline->step)) {
        scheduler_post(scheduler, LANE_COMMIT, &pipeline->step);
    }
    pipeline->active = true;
}

void commit_halt(struct commit_pipeline *pipeline, bool drain) {
    mutex_lock(&pipeline->mu);
    ASSERT(!pipeline->halt_wanted);
    pipeline->halt_wanted = true;
    hurry_locked(pipeline);
    while (!pipeline->halted && !drain) {
        condvar_wait(&pipeline->halted_changed, &pipeline->mu);
    }
    while (!pipeline->halted) {
        hurry_locked(pipeline);
        mutex_unlock(&pipeline->mu);
        scheduler_drain(pipeline->options.scheduler);
        mutex_lock(&pipeline->mu);
    }
    mutex_unlock(&pipeline->mu);
}

void commit_resume(struct commit_pipeline *pipeline) {
    mutex_lock(&pipeline->mu);
    ASSERT(pipeline->halted);
    pipeline->halt_wanted = false;
    pipeline->halted = false;
    scheduler_post(pipeline->options.scheduler, LANE_COMMIT, &pipeline->step);
    mutex_unlock(&pipeline->mu);
}

/* ---- The tick ---------------------------------------------------------------------------------
 */

/* Appends an empty group; later, if its space cannot be had now: a full disk must fail no log. */
static void vouch(struct commit_pipeline *pipeline, uint64_t written) {
    struct commit_log *log = pipeline->options.log;

    if (commit_log_reserve(log, GROUP_HEADER_BYTES, NULL) == STATUS_OK &&
        commit_log_append(log, NULL, 0, written) == STATUS_OK) {
        syncer_post(pipeline->options.syncer);
    }
}

/* What was acknowledged at `written` becomes durable within a second; after a second of idleness an
 * empty group vouches for the last one. */
/* Groups carry the store's time: what has expired while the store was idle stays expired, should it
 * be killed and the wall clock be set back (R15). */
static bool time_is_old(struct commit_pipeline *pipeline) {
    return store_clock_now_ms(pipeline->options.clock) >
           pipeline->options.log->group_time_ms + TIME_AHEAD_MS;
}

/* Whether the deletes in the memtable, of average entries, free a worthwhile part of the store. */
static bool frees_much(const struct view *view) {
    uint64_t entries = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < view->version->levels[i].count; j++) {
            entries += view->version->levels[i].infos[j]->entries;
        }
    }
    return entries > 0 && (memtable_ranges_count(view->active_ranges) > 0 ||
                           memtable_tombstones(view->active) > entries / IDLE_FLUSH_FRACTION);
}

/* What deletes free comes back though nothing is written any more: compaction has to see them. */
static void flush_deletes(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool wanted = view->frozen_count == 0 && frees_much(view);

    view_unref(view);
    if (wanted && !commit_log_failed(pipeline->options.log)) {
        enum status status = commit_group_freeze(pipeline);
        (void)status; /* the next tick tries again */
    }
}

static void tick_step(struct step *tick) {
    struct commit_pipeline *pipeline = from_tick(tick);
    struct commit_log *log = pipeline->options.log;
    uint64_t written = watermarks_written(pipeline->options.marks);
    bool stopping;

    space_guard_refresh(pipeline->options.space);
    if (written > watermarks_durable(pipeline->options.marks)) {
        syncer_want(pipeline->options.syncer, written);
    } else if (pipeline->tick_sequence == log->sequence &&
               (!log->last_group_is_empty || time_is_old(pipeline))) {
        vouch(pipeline, written);
    }
    if (pipeline->tick_sequence == log->sequence) {
        flush_deletes(pipeline);
    }
    pipeline->tick_sequence = log->sequence;
    keep_time(pipeline);
    mutex_lock(&pipeline->mu);
    stopping = pipeline->stopping;
    if (!stopping) {
        scheduler_post_after(pipeline->options.scheduler, LANE_COMMIT, &pipeline->tick, TICK_MS);
    }
    mutex_unlock(&pipeline->mu);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

enum status commit_pipeline_init(struct commit_pipeline *pipeline,
                                 const struct commit_options *options) {
    *pipeline = (struct commit_pipeline){.options = *options,
                                         .next_version = options->next_version,
                                         .version_ceiling = options->version_ceiling};
    mutex_init(&pipeline->mu);
    condvar_init(&pipeline->halted_changed);
    step_init(&pipeline->step, commit_step);
    step_init(&pipeline->tick, tick_step);
    pipeline->group = memory_alloc_array(GROUP_COMMITS_MAX, sizeof *pipeline->group);
    pipeline->members = memory_alloc_array(GROUP_COMMITS_MAX, sizeof(struct store_commit *));
    pipeline->row = memory_alloc(ROW_BYTES_MAX);
    if (!pipeline->group || !pipeline->members || !pipeline->row) {
        pipeline->stopping = true;
        commit_pipeline_deinit(pipeline);
        return STATUS_NO_MEMORY;
    }
    scheduler_post_after(options->scheduler, LANE_COMMIT, &pipeline->tick, TICK_MS);
    return STATUS_OK;
}

void commit_pipeline_stop(struct commit_pipeline *pipeline) {
    struct scheduler *scheduler = pipeline->options.scheduler;

    mutex_lock(&pipeline->mu);
    pipeline->stopping = true;
    scheduler_cancel(scheduler, LANE_COMMIT, &pipeline->tick);
    if (pipeline->active) {
        hurry_locked(pipeline); /* put off no longer */
    }
    mutex_unlock(&pipeline->mu);
}

void commit_pipeline_deinit(struct commit_pipeline *pipeline) {
    if (!pipeline->options.scheduler) {
        return;
    }
    ASSERT(pipeline->stopping);
    ASSERT(pipeline->first == NULL);
    memory_free(pipeline->group);
    memory_free(pipeline->members);
    memory_free(pipeline->row);
    condvar_deinit(&pipeline->halted_changed);
    mutex_deinit(&pipeline->mu);
    *pipeline = (struct commit_pipeline){0};
}
