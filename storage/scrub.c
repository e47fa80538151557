/* scrub.c: see scrub.h. */
#include "storage/scrub.h"

#include "storage/file_name.h"

#include <stddef.h>
#include <stdio.h>

#define MS_PER_S 1000u
#define REST_MS_MIN 1     /* after each file, however small */
#define LONG_REST_MS 1000 /* after a round, and when there was no memory */
#define LINE_BYTES_MAX 1024

static void add(_Atomic uint64_t *figure, uint64_t more) {
    atomic_fetch_add_explicit(figure, more, memory_order_relaxed);
}

/* ---- Faults -----------------------------------------------------------------------------------
 */

static void report_cb(void *arg, const char *name, const char *text) {
    struct scrub *scrub = arg;
    char line[LINE_BYTES_MAX];
    enum file_kind kind;
    uint64_t number = 0;

    if (scrub->said) {
        return;
    }
    scrub->said = true;
    if (!file_name_parse(name, &kind, &number)) {
        number = 0;
    }
    add(&scrub->faults, 1);
    atomic_store_explicit(&scrub->last_fault, number, memory_order_relaxed);
    if (scrub->options.log_cb) {
        snprintf(line, sizeof line, "scrubbing: %s: %s", name, text);
        scrub->options.log_cb(scrub->options.log_arg, STORE_LOG_ERROR, line);
    }
}

/* ---- One file ---------------------------------------------------------------------------------
 */

/* The table with the lowest number above `after`; NULL when there is none. */
static const struct table_file *next_table(const struct version *version, uint64_t after) {
    const struct table_file *next = NULL;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            const struct table_file *file = version->levels[i].tables[j];
            if (file->info.number > after && (!next || file->info.number < next->info.number)) {
                next = file;
            }
        }
    }
    return next;
}

static const struct segment_file *next_segment(const struct version *version, uint64_t after) {
    for (uint32_t i = 0; i < version->segment_count; i++) { /* they ascend */
        if (version->segments[i]->number > after) {
            return version->segments[i];
        }
    }
    return NULL;
}

static void next_stage(struct scrub *scrub, enum scrub_stage stage) {
    scrub->stage = stage;
    scrub->after = 0;
}

/* END when a round is over. */
static enum status scrub_table(struct scrub *scrub, struct verify *verify) {
    const struct table_file *file = next_table(verify->version, scrub->after);
    enum status status;

    if (!file) {
        next_stage(scrub, SCRUB_SEGMENTS);
        return STATUS_OK;
    }
    status = verify_table(verify, file);
    scrub->after = status == STATUS_OK ? file->info.number : scrub->after;
    return status;
}

static enum status scrub_segment(struct scrub *scrub, struct verify *verify) {
    const struct segment_file *file = next_segment(verify->version, scrub->after);
    enum status status;

    if (!file) {
        next_stage(scrub, SCRUB_SHAPE);
        return STATUS_OK;
    }
    status = verify_segment(verify, file);
    scrub->after = status == STATUS_OK ? file->number : scrub->after;
    return status;
}

static enum status scrub_shape(struct scrub *scrub, struct verify *verify) {
    enum status status = verify_shape(verify);

    if (status != STATUS_OK) {
        return status;
    }
    next_stage(scrub, SCRUB_TABLES);
    return STATUS_END;
}

static enum status scrub_next(struct scrub *scrub, struct verify *verify) {
    switch (scrub->stage) {
    case SCRUB_TABLES:
        return scrub_table(scrub, verify);
    case SCRUB_SEGMENTS:
        return scrub_segment(scrub, verify);
    case SCRUB_SHAPE:
        break;
    }
    return scrub_shape(scrub, verify);
}

/* ---- The step ---------------------------------------------------------------------------------
 */

static uint64_t rate_of(const struct scrub *scrub) {
    return atomic_load_explicit(&scrub->bytes_per_s, memory_order_relaxed);
}

static uint64_t rest_ms(uint64_t rate, uint64_t bytes, enum status status) {
    uint64_t ms = bytes / rate * MS_PER_S +
                  (uint64_t)((double)(bytes % rate) / (double)rate * (double)MS_PER_S);

    ms += status == STATUS_OK ? REST_MS_MIN : LONG_REST_MS;
    return ms < SCHEDULER_DELAY_MS_MAX ? ms : SCHEDULER_DELAY_MS_MAX;
}

/* Holds mu. The step is neither queued nor running, or at its end. */
static void post_if_on(struct scrub *scrub, uint64_t delay_ms) {
    scrub->active = !scrub->stopping && rate_of(scrub) > 0;
    if (scrub->active) {
        scheduler_post_after(scrub->options.scheduler, LANE_BACKGROUND, &scrub->step, delay_ms);
    }
}

/* After so many bytes. */
static void post_later(struct scrub *scrub, uint64_t bytes, enum status status) {
    mutex_lock(&scrub->mu);
    if (rate_of(scrub) > 0) {
        post_if_on(scrub, rest_ms(rate_of(scrub), bytes, status));
    } else {
        scrub->active = false;
    }
    mutex_unlock(&scrub->mu);
}

static void scrub_step(struct step *step) {
    struct scrub *scrub = (struct scrub *)((char *)step - offsetof(struct scrub, step));
    struct version *version = version_set_take(scrub->options.versions);
    struct verify verify = {.env = scrub->options.env,
                            .dir = scrub->options.dir,
                            .compression = scrub->options.compression,
                            .store_id = scrub->options.store_id,
                            .version = version,
                            .cancel = &scrub->cancel,
                            .report_cb = report_cb,
                            .arg = scrub};
    enum status status;

    scrub->said = false;
    verify_init(&verify);
    status = scrub_next(scrub, &verify);
    version_unref(version);
    add(&scrub->bytes, verify.result.bytes);
    add(&scrub->rounds, status == STATUS_END);
    post_later(scrub, verify.result.bytes, status);
    verify_deinit(&verify);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

void scrub_start(struct scrub *scrub, const struct scrub_options *options) {
    *scrub = (struct scrub){.options = *options, .bytes_per_s = options->bytes_per_s};
    mutex_init(&scrub->mu);
    step_init(&scrub->step, scrub_step);
    mutex_lock(&scrub->mu);
    post_if_on(scrub, LONG_REST_MS);
    mutex_unlock(&scrub->mu);
}

void scrub_set_rate(struct scrub *scrub, uint64_t bytes_per_s) {
    if (!scrub->options.scheduler) {
        return;
    }
    mutex_lock(&scrub->mu);
    if (atomic_exchange_explicit(&scrub->bytes_per_s, bytes_per_s, memory_order_relaxed) !=
        bytes_per_s) {
        bool queued = scrub->active &&
                      scheduler_cancel(scrub->options.scheduler, LANE_BACKGROUND, &scrub->step);
        if (queued || !scrub->active) { /* else it runs, and sees the rate at its end */
            post_if_on(scrub, LONG_REST_MS);
        }
    }
    mutex_unlock(&scrub->mu);
}

void scrub_stop(struct scrub *scrub) {
    if (!scrub->options.scheduler) {
        return;
    }
    atomic_store_explicit(&scrub->cancel, true, memory_order_relaxed);
    mutex_lock(&scrub->mu);
    scrub->stopping = true;
    scheduler_cancel(scrub->options.scheduler, LANE_BACKGROUND, &scrub->step);
    mutex_unlock(&scrub->mu);
}

void scrub_deinit(struct scrub *scrub) {
    if (scrub->options.scheduler) {
        mutex_deinit(&scrub->mu);
        *scrub = (struct scrub){0};
    }
}
