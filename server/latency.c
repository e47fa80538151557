/* latency.c: see latency.h. */
#include "server/latency.h"

#include "protocol/base/assert.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES_MAX 64

_Static_assert(LATENCY_BUCKETS == 368, "a histogram has 3 KiB");

/* --- buckets --- */

uint32_t latency_bucket(uint64_t us) {
    uint32_t top_bit;
    uint32_t shift;

    if (us < LATENCY_SUBS) {
        return (uint32_t)us;
    }
    if (us >> LATENCY_US_BITS != 0) {
        return LATENCY_BUCKETS - 1;
    }
    top_bit = 63u - (uint32_t)__builtin_clzll(us);
    shift = top_bit - LATENCY_SUB_BITS;
    return (shift << LATENCY_SUB_BITS) + (uint32_t)(us >> shift);
}

uint64_t latency_bucket_top_us(uint32_t bucket) {
    uint32_t shift;

    ASSERT(bucket < LATENCY_BUCKETS);
    if (bucket < LATENCY_SUBS) {
        return bucket;
    }
    if (bucket == LATENCY_BUCKETS - 1) {
        return UINT64_MAX;
    }
    shift = (bucket >> LATENCY_SUB_BITS) - 1;
    return ((uint64_t)(bucket % LATENCY_SUBS + LATENCY_SUBS + 1) << shift) - 1;
}

/* --- writing --- */

static void grow(_Atomic uint64_t *value, uint64_t amount) {
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static uint64_t value_of(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void histogram_add(struct latency_histogram *histogram, const struct latency_sample *sample,
                          uint64_t times) {
    grow(&histogram->counts[latency_bucket(sample->total_us)], times);
    grow(&histogram->sum_us, sample->total_us * times);
    if (sample->total_us > value_of(&histogram->max_us)) {
        atomic_store_explicit(&histogram->max_us, sample->total_us, memory_order_relaxed);
    }
    for (uint32_t phase = 0; phase < LATENCY_PHASES; phase++) {
        if (sample->phase_us[phase] > 0) {
            grow(&histogram->phase_us[phase], sample->phase_us[phase] * times);
        }
    }
}

void latency_add(struct latency *latency, uint32_t command, const struct latency_sample *sample,
                 uint64_t times) {
    ASSERT(command < LATENCY_COMMANDS);
    histogram_add(&latency->all.commands[command], sample, times);
    histogram_add(&latency->recent[latency->younger].commands[command], sample, times);
}

static void histogram_clear(struct latency_histogram *histogram) {
    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (value_of(&histogram->counts[i]) != 0) { /* pages never written stay so */
            atomic_store_explicit(&histogram->counts[i], 0, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&histogram->sum_us, 0, memory_order_relaxed);
    atomic_store_explicit(&histogram->max_us, 0, memory_order_relaxed);
    for (uint32_t phase = 0; phase < LATENCY_PHASES; phase++) {
        atomic_store_explicit(&histogram->phase_us[phase], 0, memory_order_relaxed);
    }
}

void latency_turn(struct latency *latency, uint64_t now_ms) {
    if (now_ms - latency->turned_ms < LATENCY_RECENT_MS) {
        return;
    }
    latency->turned_ms = now_ms;
    latency->younger ^= 1;
    for (uint32_t i = 0; i < LATENCY_COMMANDS; i++) {
        histogram_clear(&latency->recent[latency->younger].commands[i]);
    }
}

/* --- reading --- */

const char *latency_command_name(uint32_t command) {
    ASSERT(command < LATENCY_COMMANDS);
    return metrics_name((enum metric)(command + (uint32_t)METRIC_REQUESTS_HELLO)) +
           strlen("requests_");
}

const char *latency_phase_name(enum latency_phase phase) {
    static const char *const names[LATENCY_PHASES] = {[LATENCY_WAITED] = "wait",
                                                      [LATENCY_QUEUED] = "queue",
                                                      [LATENCY_WORKED] = "work",
                                                      [LATENCY_COMMITTED] = "commit",
                                                      [LATENCY_HELD] = "held"};

    ASSERT(phase < LATENCY_PHASES);
    return names[phase];
}

static void view_add(struct latency_view *view, const struct latency_histogram *histogram) {
    uint64_t max_us = value_of(&histogram->max_us);

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t count = value_of(&histogram->counts[i]);
        view->counts[i] += count;
        view->count += count;
    }
    view->sum_us += value_of(&histogram->sum_us);
    view->max_us = max_us > view->max_us ? max_us : view->max_us;
    for (uint32_t phase = 0; phase < LATENCY_PHASES; phase++) {
        view->phase_us[phase] += value_of(&histogram->phase_us[phase]);
    }
}

void latency_collect(struct latency *const *all, uint32_t count, uint32_t command,
                     enum latency_window window, struct latency_view *view_out) {
    ASSERT(command < LATENCY_COMMANDS);
    memset(view_out, 0, sizeof *view_out);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i] && window == LATENCY_ALL) {
            view_add(view_out, &all[i]->all.commands[command]);
        } else if (all[i]) {
            view_add(view_out, &all[i]->recent[0].commands[command]);
            view_add(view_out, &all[i]->recent[1].commands[command]);
        }
    }
}

uint64_t latency_percentile_us(const struct latency_view *view, uint32_t of_100000) {
    uint64_t rank =
        (view->count / 100000) * of_100000 + ((view->count % 100000) * of_100000 + 99999) / 100000;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += view->counts[i];
        if (view->counts[i] > 0 && seen >= rank) {
            uint64_t top_us = latency_bucket_top_us(i);
            return top_us < view->max_us ? top_us : view->max_us;
        }
    }
    return 0;
}

/* --- lines --- */

static void view_lines(const struct latency_view *view, const char *prefix,
                       void (*line_cb)(void *arg, const char *name, uint64_t value), void *arg) {
    static const struct {
        const char *name;
        uint32_t of_100000;
    } percentiles[] = {{"p50", 50000}, {"p99", 99000}, {"p999", 99900}, {"max", 100000}};
    char name[NAME_BYTES_MAX];

    snprintf(name, sizeof name, "%s_count", prefix);
    line_cb(arg, name, view->count);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        snprintf(name, sizeof name, "%s_%s_us", prefix, percentiles[i].name);
        line_cb(arg, name, latency_percentile_us(view, percentiles[i].of_100000));
    }
}

void latency_lines(struct latency *const *all, uint32_t count,
                   void (*line_cb)(void *arg, const char *name, uint64_t value), void *arg) {
    static const char *const infixes[] = {[LATENCY_ALL] = "", [LATENCY_RECENT] = "_recent"};
    struct latency_view view;
    char prefix[NAME_BYTES_MAX - 8]; /* before the name of a figure */

    for (uint32_t command = 0; command < LATENCY_COMMANDS; command++) {
        for (enum latency_window window = LATENCY_ALL; window <= LATENCY_RECENT; window++) {
            latency_collect(all, count, command, window, &view);
            if (view.count == 0) {
                break; /* and none of late */
            }
            snprintf(prefix, sizeof prefix, "latency_%s%s", latency_command_name(command),
                     infixes[window]);
            view_lines(&view, prefix, line_cb, arg);
        }
    }
}
