/* maintenance.c: see maintenance.h. */
#include "storage/maintenance.h"

#include "protocol/base/assert.h"

#include <stddef.h>
#include <stdio.h>

#define TICK_MS 1000
#define LINE_MAX_BYTES 640

static void count(_Atomic uint64_t *figure, uint64_t more) {
    atomic_fetch_add_explicit(figure, more, memory_order_relaxed);
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static void post_locked(struct maintenance_job *job) REQUIRES(job->maintenance->mu) {
    if (job->running) {
        job->again = true; /* one at a time: it is posted when it ends */
    } else if (!job->queued) {
        job->queued = true;
        scheduler_post(job->maintenance->scheduler, LANE_BACKGROUND, &job->step);
    }
}

static void post_tick_locked(struct maintenance *maintenance) REQUIRES(maintenance->mu) {
    struct maintenance_job *tick = &maintenance->tick;

    if (!tick->queued && !tick->running && !maintenance->stopping) {
        tick->queued = true;
        scheduler_post_after(maintenance->scheduler, LANE_BACKGROUND, &tick->step, TICK_MS);
    }
}

static void job_begins(struct maintenance_job *job) {
    mutex_lock(&job->maintenance->mu);
    job->queued = false;
    job->running = true;
    job->again = false;
    mutex_unlock(&job->maintenance->mu);
}

static void job_ends_locked(struct maintenance_job *job, bool more) REQUIRES(job->maintenance->mu) {
    job->running = false;
    if (more || job->again) {
        post_locked(job);
    }
    condvar_broadcast(&job->maintenance->ended);
}

static void say(const struct maintenance *maintenance, const char *what,
                const struct error *error) {
    char line[LINE_MAX_BYTES];
    int used = snprintf(line, sizeof line, "%s: ", what);

    if (maintenance->log_cb) {
        error_format(error, line + used, (int)sizeof line - used);
        maintenance->log_cb(maintenance->log_arg, STORE_LOG_ERROR, line);
    }
}

static const char *kind_name(enum maintenance_kind kind) {
    switch (kind) {
    case KIND_FLUSH:
        return "flush";
    case KIND_DROP:
        return "dropping tables";
    case KIND_COLLECT:
        return "log GC";
    case KIND_COMPACT:
    case KIND_TIDY:
    case KIND_COUNT:
        break;
    }
    return "compaction";
}

static void piece_failed(struct maintenance *maintenance, enum maintenance_kind kind,
                         enum status status, struct error *error) {
    error->status = status;
    say(maintenance, kind_name(kind), error);
    count(&maintenance->stats.failures, 1);
    if (status == STATUS_LOG_FAILED) {
        commit_log_fail(maintenance->context.log, error);
    }
    mutex_lock(&maintenance->mu);
    maintenance->errors[kind] = *error;
    maintenance->held[kind] = true;
    mutex_unlock(&maintenance->mu);
}

static void kind_is_well_locked(struct maintenance *maintenance, enum maintenance_kind kind)
    REQUIRES(maintenance->mu) {
    maintenance->errors[kind].status = STATUS_OK;
    maintenance->held[kind] = false;
}

static void installed(struct maintenance *maintenance) {
    if (maintenance->collector.installed_cb) {
        maintenance->collector.installed_cb(maintenance->collector.arg);
    }
}

/* ---- Flush ------------------------------------------------------------------------------------
 */

static void flush_step(struct step *step) {
    struct maintenance *maintenance =
        (struct maintenance *)((char *)step - offsetof(struct maintenance, flush.step));
    struct error error = {0};
    enum status status;

    job_begins(&maintenance->flush);
    status = flush_oldest(&maintenance->context, &error);
    if (status == STATUS_OK) {
        count(&maintenance->stats.flushes, 1);
        installed(maintenance);
        maintenance_want_compaction(maintenance);
    }
    if (status != STATUS_OK && status != STATUS_END) {
        piece_failed(maintenance, KIND_FLUSH, status, &error);
    }
    mutex_lock(&maintenance->mu);
    if (status == STATUS_OK || status == STATUS_END) {
        kind_is_well_locked(maintenance, KIND_FLUSH);
    } else {
        maintenance->flush.again = false; /* the tick tries again */
    }
    atomic_store_explicit(&maintenance->flush_status, maintenance->errors[KIND_FLUSH].status,
                          memory_order_relaxed);
    maintenance->flushes_ended++;
    job_ends_locked(&maintenance->flush, status == STATUS_OK);
    mutex_unlock(&maintenance->mu);
}

/* ---- The tree job -----------------------------------------------------------------------------
 */

static bool is_idle(struct maintenance *maintenance) {
    bool idle;

    mutex_lock(&maintenance->mu);
    idle = maintenance->idle;
    mutex_unlock(&maintenance->mu);
    return idle;
}

static uint64_t ticks_of(struct maintenance *maintenance) {
    uint64_t ticks;

    mutex_lock(&maintenance->mu);
    ticks = maintenance->ticks;
    mutex_unlock(&maintenance->mu);
    return ticks;
}

/* What the jobs for what may go have freed in this second counts against what they owe. */
static void note_reclaimed(struct maintenance *maintenance, enum compaction_kind kind,
                           uint64_t weight) {
    if (kind == COMPACT_DROP || kind == COMPACT_TIDY || kind == COMPACT_TIDY_ALL) {
        count(&maintenance->stats.reclaimed_weight, weight);
        maintenance->reclaimed_now += weight;
    }
}

static enum status run_compaction(struct maintenance *maintenance, enum compaction_kind kind,
                                  struct error *error) {
    struct job_context context = maintenance->context;
    struct compaction_stats stats;
    enum status status;

    if (kind == COMPACT_SWEEP) {
        context.stopping = context.cancelled;
    }

    if (maintenance->collector.size_cb) {
        maintenance->collector.size_cb(maintenance->collector.arg, &context);
    }
    status = compaction_run(&context, kind, &maintenance->sweep, &stats, error);
    if (status == STATUS_OK) {
        note_reclaimed(maintenance, kind, stats.freed_weight);
        count(&maintenance->stats.compactions, kind != COMPACT_DROP);
        count(&maintenance->stats.compaction_input_bytes, stats.input_bytes);
        count(&maintenance->stats.compaction_output_bytes, stats.output_bytes);
        count(&maintenance->stats.dropped_tables, stats.dropped_tables);
        count(&maintenance->stats.tidied_tables, stats.tidied_tables);
    }
    return status == STATUS_CANCELLED ? STATUS_END : status;
}

static enum status run_drop(struct maintenance *maintenance, struct error *error) {
    return run_compaction(maintenance, COMPACT_DROP, error);
}

static enum status run_weight(struct maintenance *maintenance, struct error *error) {
    return run_compaction(maintenance, COMPACT_WEIGHT, error);
}

/* As long as less has been freed in this second than is promised, every second turn is for that,
 * before a level over its weight: neither can keep the other waiting for ever. */
static enum status run_owed_tidy(struct maintenance *maintenance, struct error *error) {
    uint64_t rate = atomic_load_explicit(&maintenance->reclaim_bytes_per_s, memory_order_relaxed);
    uint64_t ticks = ticks_of(maintenance);

    if (ticks != maintenance->reclaim_ticks) {
        maintenance->reclaim_ticks = ticks;
        maintenance->reclaimed_now = 0;
    }
    maintenance->tidy_next = !maintenance->tidy_next;
    if (!maintenance->tidy_next || (rate > 0 && maintenance->reclaimed_now >= rate)) {
        return STATUS_END;
    }
    return run_compaction(maintenance, COMPACT_TIDY, error);
}

static enum status run_tidy(struct maintenance *maintenance, struct error *error) {
    return run_compaction(maintenance, is_idle(maintenance) ? COMPACT_TIDY_ALL : COMPACT_TIDY,
                          error);
}

static enum status run_collector(struct maintenance *maintenance, enum collect_mode mode,
                                 struct error *error) {
    const struct collector *collector = &maintenance->collector;
    enum status status =
        collector->run_cb ? collector->run_cb(collector->arg, mode, error) : STATUS_END;

    count(&maintenance->stats.collections, status == STATUS_OK);
    return status;
}

static enum status run_urgent_gc(struct maintenance *maintenance, struct error *error) {
    return run_collector(maintenance, COLLECT_URGENT, error);
}

static enum status run_lazy_gc(struct maintenance *maintenance, struct error *error) {
    return run_collector(maintenance, COLLECT_LAZY, error);
}

static enum status run_idle_gc(struct maintenance *maintenance, struct error *error) {
    return is_idle(maintenance) ? run_collector(maintenance, COLLECT_IDLE, error) : STATUS_END;
}

static bool is_cancelled(const struct maintenance *maintenance) {
    const _Atomic bool *cancelled = maintenance->context.cancelled;

    return cancelled && atomic_load_explicit(cancelled, memory_order_relaxed);
}

static enum status stopped(struct error *error) {
    return error_set(error, STATUS_CANCELLED, 0, NULL, ERROR_NO_OFFSET, "the store is closing");
}

/* Whether a request is under way, or begins now (*begins_out). */
static bool request_takes(struct maintenance *maintenance, struct maintenance_request *request,
                          bool *begins_out) {
    bool under_way;

    mutex_lock(&maintenance->mu);
    *begins_out = request->begun == request->done && request->wanted > request->done;
    if (*begins_out) {
        request->begun = request->wanted;
    }
    under_way = request->begun > request->done;
    mutex_unlock(&maintenance->mu);
    return under_way;
}

static void request_ends(struct maintenance *maintenance, struct maintenance_request *request,
                         enum status status, struct error *error) {
    if (status == STATUS_END && is_cancelled(maintenance)) {
        status = stopped(error);
    }
    mutex_lock(&maintenance->mu);
    request->error = *error;
    request->error.status = status == STATUS_END ? STATUS_OK : status;
    request->done = request->begun;
    condvar_broadcast(&maintenance->ended);
    mutex_unlock(&maintenance->mu);
}

static enum status run_compact_all(struct maintenance *maintenance, struct error *error) {
    enum status status;
    bool begins;

    if (!request_takes(maintenance, &maintenance->compact_all, &begins)) {
        return STATUS_END;
    }
    if (begins) {
        compaction_sweep_begin(&maintenance->sweep);
    }
    status = run_compaction(maintenance, COMPACT_SWEEP, error);
    if (status != STATUS_OK) {
        request_ends(maintenance, &maintenance->compact_all, status, error);
    }
    return status;
}

/* A round each for as many segments as there are: what is written meanwhile is not waited for. */
static uint64_t collect_rounds(struct maintenance *maintenance) {
    struct version *version = version_set_take(maintenance->context.versions);
    uint64_t rounds = version->segment_count;

    version_unref(version);
    return rounds;
}

static enum status run_collect_all(struct maintenance *maintenance, struct error *error) {
    enum status status = STATUS_END;
    bool begins;

    if (!request_takes(maintenance, &maintenance->collect_all, &begins)) {
        return STATUS_END;
    }
    if (begins) {
        maintenance->collect_rounds_left = collect_rounds(maintenance);
    }
    if (maintenance->collect_rounds_left > 0 && !is_cancelled(maintenance)) {
        maintenance->collect_rounds_left--;
        status = run_collector(maintenance, COLLECT_ALL, error);
    }
    if (status != STATUS_OK) {
        request_ends(maintenance, &maintenance->collect_all, status, error);
    }
    return status;
}

/* In order of urgency. */
static const struct piece {
    enum maintenance_kind kind;
    bool by_hand; /* done even if its kind is held back */
    enum status (*run)(struct maintenance *, struct error *);
} pieces[] = {
    {KIND_DROP, false, run_drop},          {KIND_COLLECT, false, run_urgent_gc},
    {KIND_TIDY, false, run_owed_tidy},     {KIND_COMPACT, false, run_weight},
    {KIND_COMPACT, true, run_compact_all}, {KIND_COLLECT, true, run_collect_all},
    {KIND_COLLECT, false, run_lazy_gc},    {KIND_TIDY, false, run_tidy},
    {KIND_COLLECT, false, run_idle_gc},
};

#define PIECES (sizeof pieces / sizeof pieces[0])

/* What the pieces of one step came to. */
struct round {
    bool tried[KIND_COUNT];
    bool failed[KIND_COUNT];
};

static bool may_run(struct maintenance *maintenance, const struct piece *piece) {
    bool may;

    mutex_lock(&maintenance->mu);
    may = !maintenance->stopping && !maintenance->paused &&
          (piece->by_hand || !maintenance->held[piece->kind]);
    mutex_unlock(&maintenance->mu);
    return may;
}

/* True when it has done something. */
static bool try_piece(struct maintenance *maintenance, const struct piece *piece,
                      struct round *round) {
    struct error error = {0};
    enum status status;

    if (!may_run(maintenance, piece)) {
        return false;
    }
    status = piece->run(maintenance, &error);
    round->tried[piece->kind] = true;
    if (status == STATUS_OK) {
        installed(maintenance);
        mutex_lock(&maintenance->mu);
        kind_is_well_locked(maintenance, piece->kind);
        mutex_unlock(&maintenance->mu);
    } else if (status != STATUS_END) {
        round->failed[piece->kind] = true;
        piece_failed(maintenance, piece->kind, status, &error);
    }
    return status == STATUS_OK;
}

/* Does the first piece that has anything to do; what was asked for by hand has every second turn,
 * so that steady writes do not keep it waiting for ever. */
static bool do_one(struct maintenance *maintenance, struct round *round) {
    bool by_hand = maintenance->by_hand_next;

    maintenance->by_hand_next = !by_hand;
    for (size_t i = 0; i < PIECES && by_hand; i++) {
        if (pieces[i].by_hand && try_piece(maintenance, &pieces[i], round)) {
            return true;
        }
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (try_piece(maintenance, &pieces[i], round)) {
            return true;
        }
    }
    return false;
}

/* Nothing can be installed any more. */
static void fail_requests(struct maintenance *maintenance) {
    struct error error = {0};
    bool begins;

    error_set(&error, STATUS_LOG_FAILED, 0, NULL, ERROR_NO_OFFSET, "the log has failed");
    if (request_takes(maintenance, &maintenance->compact_all, &begins)) {
        request_ends(maintenance, &maintenance->compact_all, STATUS_LOG_FAILED, &error);
    }
    if (request_takes(maintenance, &maintenance->collect_all, &begins)) {
        request_ends(maintenance, &maintenance->collect_all, STATUS_LOG_FAILED, &error);
    }
}

static void tree_step(struct step *step) {
    struct maintenance *maintenance =
        (struct maintenance *)((char *)step - offsetof(struct maintenance, tree.step));
    struct round round = {{false}, {false}};
    bool done = false;

    job_begins(&maintenance->tree);
    if (commit_log_failed(maintenance->context.log)) {
        fail_requests(maintenance);
    } else {
        done = do_one(maintenance, &round);
    }
    mutex_lock(&maintenance->mu);
    for (uint32_t i = 0; i < KIND_COUNT && !done; i++) {
        if (round.tried[i] && !round.failed[i] && !maintenance->held[i]) {
            kind_is_well_locked(maintenance, (enum maintenance_kind)i);
        }
    }
    job_ends_locked(&maintenance->tree, done && !maintenance->stopping);
    mutex_unlock(&maintenance->mu);
}

/* ---- The tick ---------------------------------------------------------------------------------
 */

/* What met damaged bytes would meet them again. A flush writes its table anew. */
static bool is_tried_again(enum maintenance_kind kind, enum status status) {
    return status != STATUS_LOG_FAILED && (kind == KIND_FLUSH || status != STATUS_CORRUPT);
}

static void tick_step(struct step *step) {
    struct maintenance *maintenance =
        (struct maintenance *)((char *)step - offsetof(struct maintenance, tick.step));
    uint64_t visible = watermarks_visible(maintenance->context.marks);

    job_begins(&maintenance->tick);
    mutex_lock(&maintenance->mu);
    maintenance->tick.running = false;
    maintenance->idle = visible == maintenance->visible_at_tick;
    maintenance->visible_at_tick = visible;
    maintenance->ticks++;
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        if (is_tried_again((enum maintenance_kind)i, maintenance->errors[i].status)) {
            maintenance->held[i] = false;
        }
    }
    if (!maintenance->stopping) {
        post_locked(&maintenance->tree);
        if (maintenance->errors[KIND_FLUSH].status != STATUS_OK && !maintenance->held[KIND_FLUSH]) {
            post_locked(&maintenance->flush);
        }
    }
    post_tick_locked(maintenance);
    mutex_unlock(&maintenance->mu);
}

/* ---- From outside -----------------------------------------------------------------------------
 */

void maintenance_init(struct maintenance *maintenance, const struct job_context *context,
                      struct scheduler *scheduler, store_log_cb log_cb, void *log_arg) {
    *maintenance = (struct maintenance){
        .context = *context, .scheduler = scheduler, .log_cb = log_cb, .log_arg = log_arg};
    mutex_init(&maintenance->mu);
    condvar_init(&maintenance->ended);
    maintenance->flush.maintenance = maintenance;
    maintenance->tree.maintenance = maintenance;
    maintenance->tick.maintenance = maintenance;
    step_init(&maintenance->flush.step, flush_step);
    step_init(&maintenance->tree.step, tree_step);
    step_init(&maintenance->tick.step, tick_step);
    compaction_sweep_init(&maintenance->sweep);
}

void maintenance_set_collector(struct maintenance *maintenance, const struct collector *collector) {
    maintenance->collector = *collector;
}

void maintenance_want_flush(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    post_locked(&maintenance->flush);
    post_tick_locked(maintenance);
    mutex_unlock(&maintenance->mu);
}

void maintenance_want_compaction(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    if (!maintenance->stopping) {
        post_locked(&maintenance->tree);
    }
    post_tick_locked(maintenance);
    mutex_unlock(&maintenance->mu);
}

void maintenance_want_gc(struct maintenance *maintenance) {
    maintenance_want_compaction(maintenance); /* one step finds out what is needed most */
}

static void cancel_locked(struct maintenance_job *job) REQUIRES(job->maintenance->mu) {
    if (job->queued && scheduler_cancel(job->maintenance->scheduler, LANE_BACKGROUND, &job->step)) {
        job->queued = false;
    }
}

void maintenance_cancel(struct maintenance *maintenance) {
    ASSERT(is_cancelled(maintenance));
    mutex_lock(&maintenance->mu);
    condvar_broadcast(&maintenance->ended);
    mutex_unlock(&maintenance->mu);
}

void maintenance_stop(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    maintenance->stopping = true;
    cancel_locked(&maintenance->tree);
    cancel_locked(&maintenance->tick);
    condvar_broadcast(&maintenance->ended);
    mutex_unlock(&maintenance->mu);
}

void maintenance_deinit(struct maintenance *maintenance) {
    if (maintenance->scheduler) {
        ASSERT(!maintenance->flush.queued);
        ASSERT(!maintenance->tree.queued);
        ASSERT(!maintenance->tick.queued);
        compaction_sweep_deinit(&maintenance->sweep);
        condvar_deinit(&maintenance->ended);
        mutex_deinit(&maintenance->mu);
        *maintenance = (struct maintenance){0};
    }
}

enum status maintenance_error(struct maintenance *maintenance, struct error *error_out) {
    mutex_lock(&maintenance->mu);
    *error_out = maintenance->errors[0];
    for (uint32_t i = 1; i < KIND_COUNT && error_out->status == STATUS_OK; i++) {
        *error_out = maintenance->errors[i];
    }
    mutex_unlock(&maintenance->mu);
    return error_out->status;
}

/* ---- By hand ----------------------------------------------------------------------------------
 */

/* Whether everything frozen up to `version` is in tables. */
static bool is_flushed(struct maintenance *maintenance, uint64_t version) {
    uint64_t visible;
    struct view *view =
        view_holder_take(maintenance->context.views, maintenance->context.marks, &visible);
    bool flushed = view->frozen_count == 0 ||
                   memtable_version_min(view->frozen[view->frozen_count - 1]) > version;

    view_unref(view);
    return flushed;
}

/* Waits until a flush has ended since *ended. */
static enum status wait_for_flush(struct maintenance *maintenance, uint64_t *ended,
                                  struct error *error) {
    enum status status = STATUS_OK;

    mutex_lock(&maintenance->mu);
    while (maintenance->flushes_ended == *ended && !maintenance->stopping) {
        condvar_wait(&maintenance->ended, &maintenance->mu);
    }
    if (maintenance->flushes_ended == *ended) {
        status = stopped(error);
    } else if (maintenance->errors[KIND_FLUSH].status != STATUS_OK) {
        status = maintenance->errors[KIND_FLUSH].status;
        *error = maintenance->errors[KIND_FLUSH];
    }
    *ended = maintenance->flushes_ended;
    mutex_unlock(&maintenance->mu);
    return status;
}

enum status maintenance_flush(struct maintenance *maintenance, uint64_t version, bool drain,
                              struct error *error) {
    enum status status = STATUS_OK;
    uint64_t ended;

    mutex_lock(&maintenance->mu);
    ended = maintenance->flushes_ended;
    post_locked(&maintenance->flush);
    mutex_unlock(&maintenance->mu);
    if (drain) {
        scheduler_drain(maintenance->scheduler);
    }
    while (status == STATUS_OK && !is_flushed(maintenance, version)) {
        status = wait_for_flush(maintenance, &ended, error);
    }
    return status;
}

static enum status request(struct maintenance *maintenance, struct maintenance_request *request,
                           bool drain, struct error *error) {
    enum status status;
    uint64_t ticket;

    mutex_lock(&maintenance->mu);
    ticket = ++request->wanted;
    if (!maintenance->stopping) {
        post_locked(&maintenance->tree);
    }
    mutex_unlock(&maintenance->mu);
    if (drain) {
        scheduler_drain(maintenance->scheduler);
    }
    mutex_lock(&maintenance->mu);
    while (request->done < ticket && !maintenance->stopping && !is_cancelled(maintenance)) {
        condvar_wait(&maintenance->ended, &maintenance->mu);
    }
    if (request->done < ticket) {
        status = stopped(error);
    } else {
        status = request->error.status;
        *error = request->error;
    }
    mutex_unlock(&maintenance->mu);
    return status;
}

enum status maintenance_pause(struct maintenance *maintenance, struct error *error) {
    enum status status = STATUS_OK;

    mutex_lock(&maintenance->mu);
    ASSERT(!maintenance->paused);
    maintenance->paused = true;
    while (maintenance->tree.running && !maintenance->stopping && !is_cancelled(maintenance)) {
        condvar_wait(&maintenance->ended, &maintenance->mu);
    }
    if (maintenance->tree.running) {
        maintenance->paused = false;
        status = stopped(error);
    }
    mutex_unlock(&maintenance->mu);
    return status;
}

void maintenance_resume(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    maintenance->paused = false;
    mutex_unlock(&maintenance->mu);
    maintenance_want_compaction(maintenance);
}

enum status maintenance_compact(struct maintenance *maintenance, bool drain, struct error *error) {
    return request(maintenance, &maintenance->compact_all, drain, error);
}

enum status maintenance_collect(struct maintenance *maintenance, bool drain, struct error *error) {
    return request(maintenance, &maintenance->collect_all, drain, error);
}
