/* maintenance.c: see maintenance.h. */
#include "storage/maintenance.h"

#include "protocol/base/assert.h"

#include <stddef.h>
#include <stdio.h>

#define RETRY_MS 1000
#define LINE_MAX_BYTES 640

static void post_locked(struct maintenance_job *job, uint64_t delay_ms)
    REQUIRES(job->maintenance->mu) {
    struct scheduler *scheduler = job->maintenance->scheduler;

    if (job->running) {
        job->again = true; /* one at a time: it is posted when it ends */
        return;
    }
    if (job->queued) {
        return;
    }
    job->queued = true;
    if (delay_ms > 0) {
        scheduler_post_after(scheduler, LANE_BACKGROUND, &job->step, delay_ms);
    } else {
        scheduler_post(scheduler, LANE_BACKGROUND, &job->step);
    }
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

static void job_begins(struct maintenance_job *job) {
    mutex_lock(&job->maintenance->mu);
    job->queued = false;
    job->running = true;
    job->again = false;
    mutex_unlock(&job->maintenance->mu);
}

/* A flush is always tried again: its table is written anew. A compaction that met damage would meet
 * it again. */
static bool is_retried(const struct maintenance_job *job, enum status status) {
    bool rewrites = job == &job->maintenance->flush;
    return status != STATUS_LOG_FAILED && (rewrites || status != STATUS_CORRUPT);
}

/* Keeps the result of a job; posts it again if there may be more to do, or later if it failed. */
static void job_ends(struct maintenance_job *job, enum status status, const struct error *error) {
    struct maintenance *maintenance = job->maintenance;
    bool failed = status != STATUS_OK && status != STATUS_END;

    mutex_lock(&maintenance->mu);
    job->running = false;
    job->error = *error;
    job->error.status = failed ? status : STATUS_OK;
    if (job == &maintenance->flush) {
        atomic_store_explicit(&maintenance->flush_status, job->error.status, memory_order_relaxed);
    }
    if (status == STATUS_OK || (job->again && !failed)) {
        post_locked(job, 0);
    } else if (failed && is_retried(job, status) && !maintenance->stopping) {
        post_locked(job, RETRY_MS);
    }
    mutex_unlock(&maintenance->mu);
}

static void job_failed(struct maintenance_job *job, const char *what, enum status status,
                       struct error *error) {
    struct maintenance *maintenance = job->maintenance;

    error->status = status;
    say(maintenance, what, error);
    atomic_fetch_add_explicit(&maintenance->stats.failures, 1, memory_order_relaxed);
    if (status == STATUS_LOG_FAILED) {
        commit_log_fail(maintenance->context.log, error);
    }
}

static void flush_step(struct step *step) {
    struct maintenance *maintenance =
        (struct maintenance *)((char *)step - offsetof(struct maintenance, flush.step));
    struct error error = {0};
    enum status status;

    job_begins(&maintenance->flush);
    status = flush_oldest(&maintenance->context, &error);
    if (status == STATUS_OK) {
        atomic_fetch_add_explicit(&maintenance->stats.flushes, 1, memory_order_relaxed);
        maintenance_want_compaction(maintenance, false);
    }
    if (status != STATUS_OK && status != STATUS_END) {
        job_failed(&maintenance->flush, "flush", status, &error);
    }
    job_ends(&maintenance->flush, status, &error);
}

static void compaction_step(struct step *step) {
    struct maintenance *maintenance =
        (struct maintenance *)((char *)step - offsetof(struct maintenance, compaction.step));
    struct compaction_stats stats;
    struct error error = {0};
    enum status status;
    bool all;

    job_begins(&maintenance->compaction);
    mutex_lock(&maintenance->mu);
    all = maintenance->compact_all;
    status = maintenance->stopping ? STATUS_END : STATUS_OK;
    mutex_unlock(&maintenance->mu);
    if (status == STATUS_OK) {
        status = compaction_run(&maintenance->context, all, &stats, &error);
    }
    if (status == STATUS_OK) {
        atomic_fetch_add_explicit(&maintenance->stats.compactions, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&maintenance->stats.compaction_input_bytes, stats.input_bytes,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&maintenance->stats.compaction_output_bytes, stats.output_bytes,
                                  memory_order_relaxed);
    } else {
        mutex_lock(&maintenance->mu);
        maintenance->compact_all = maintenance->compact_all && maintenance->compaction.again;
        mutex_unlock(&maintenance->mu);
    }
    if (status != STATUS_OK && status != STATUS_END) {
        job_failed(&maintenance->compaction, "compaction", status, &error);
    }
    job_ends(&maintenance->compaction, status, &error);
}

void maintenance_init(struct maintenance *maintenance, const struct job_context *context,
                      struct scheduler *scheduler, store_log_cb log_cb, void *log_arg) {
    *maintenance = (struct maintenance){
        .context = *context, .scheduler = scheduler, .log_cb = log_cb, .log_arg = log_arg};
    mutex_init(&maintenance->mu);
    maintenance->flush.maintenance = maintenance;
    maintenance->compaction.maintenance = maintenance;
    step_init(&maintenance->flush.step, flush_step);
    step_init(&maintenance->compaction.step, compaction_step);
}

void maintenance_want_flush(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    post_locked(&maintenance->flush, 0);
    mutex_unlock(&maintenance->mu);
}

void maintenance_want_compaction(struct maintenance *maintenance, bool all) {
    mutex_lock(&maintenance->mu);
    maintenance->compact_all = maintenance->compact_all || all;
    if (!maintenance->stopping && maintenance->compaction.error.status != STATUS_CORRUPT) {
        post_locked(&maintenance->compaction, 0);
    }
    mutex_unlock(&maintenance->mu);
}

static void cancel_locked(struct maintenance_job *job) REQUIRES(job->maintenance->mu) {
    if (job->queued && scheduler_cancel(job->maintenance->scheduler, LANE_BACKGROUND, &job->step)) {
        job->queued = false;
    }
}

void maintenance_stop(struct maintenance *maintenance) {
    mutex_lock(&maintenance->mu);
    maintenance->stopping = true;
    cancel_locked(&maintenance->flush);
    cancel_locked(&maintenance->compaction);
    mutex_unlock(&maintenance->mu);
}

void maintenance_deinit(struct maintenance *maintenance) {
    if (maintenance->scheduler) {
        ASSERT(!maintenance->flush.queued);
        ASSERT(!maintenance->compaction.queued);
        mutex_deinit(&maintenance->mu);
        *maintenance = (struct maintenance){0};
    }
}

enum status maintenance_error(struct maintenance *maintenance, struct error *error_out) {
    mutex_lock(&maintenance->mu);
    *error_out = maintenance->flush.error.status != STATUS_OK ? maintenance->flush.error
                                                              : maintenance->compaction.error;
    mutex_unlock(&maintenance->mu);
    return error_out->status;
}
