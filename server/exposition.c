/* exposition.c: see exposition.h. */
#include "server/exposition.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/metric_table.h"
#include "server/stats.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifndef KVD_VERSION
#define KVD_VERSION "unknown"
#endif

#define FIGURES_MAX 512u
#define LINE_MAX_BYTES 512u

struct sample {
    uint64_t value;
    uint32_t row;              /* of the table */
    char star[STATS_NAME_MAX]; /* what stands for '*' */
};

struct collection {
    uint32_t count;
    struct sample samples[FIGURES_MAX];
};

static void collect(void *arg, const char *name, uint64_t value) {
    struct collection *collection = arg;
    struct sample *sample = &collection->samples[collection->count];
    const char *star;
    size_t star_len;
    uint32_t row = metric_table_find(name, &star, &star_len);

    if (row == metric_table_count() || !metric_table_row(row)->name) {
        return; /* a test says which has no row */
    }
    ASSERT(collection->count < FIGURES_MAX);
    sample->value = value;
    sample->row = row;
    memcpy(sample->star, star, star_len);
    sample->star[star_len] = '\0';
    collection->count++;
}

/* ---- Text */

struct writer {
    struct buffer *text;
    enum status status; /* the first failure */
};

static void put(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...) {
    char line[LINE_MAX_BYTES];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < sizeof line);
    if (writer->status == STATUS_OK) {
        writer->status = buffer_append(writer->text, line, (size_t)len);
    }
}

static void put_head(struct writer *writer, const char *name, const char *type, const char *help) {
    put(writer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool is_counter(const char *name) {
    const char *ending = "_total";
    size_t len = strlen(name);

    return len > strlen(ending) && strcmp(name + len - strlen(ending), ending) == 0;
}

/* `level="*"` with '*' replaced, in braces; nothing without labels. */
static void put_labels(struct writer *writer, const char *labels, const char *star) {
    size_t head = labels ? strcspn(labels, "*") : 0;

    if (!labels) {
        return;
    }
    if (labels[head] == '\0') {
        put(writer, "{%s}", labels);
    } else {
        put(writer, "{%.*s%s%s}", (int)head, labels, star, labels + head + 1);
    }
}

static int digits_of(uint32_t divisor) {
    int digits = 0;

    for (; divisor > 1; divisor /= 10) {
        digits++;
    }
    return digits;
}

static void put_sample(struct writer *writer, const struct metric_row *row,
                       const struct sample *sample) {
    put(writer, "%s", row->name);
    put_labels(writer, row->labels, sample->star);
    put(writer, " %" PRIu64, sample->value / row->divisor);
    if (row->divisor > 1) {
        put(writer, ".%0*" PRIu64, digits_of(row->divisor), sample->value % row->divisor);
    }
    put(writer, "\n");
}

static void put_rows(struct writer *writer, const struct collection *collection) {
    const char *before = "";

    for (uint32_t i = 0; i < metric_table_count(); i++) {
        const struct metric_row *row = metric_table_row(i);
        if (!row->name) {
            continue;
        }
        if (strcmp(row->name, before) != 0) {
            put_head(writer, row->name, is_counter(row->name) ? "counter" : "gauge", row->help);
        }
        before = row->name;
        for (uint32_t j = 0; j < collection->count; j++) {
            if (collection->samples[j].row == i) {
                put_sample(writer, row, &collection->samples[j]);
            }
        }
    }
}

/* ---- How long requests took */

#define BOUND_BITS_MIN 4u /* the first bound is 16 us */
#define US_PER_S 1000000u

/* "0.000128". A number of microseconds. */
static void put_seconds(struct writer *writer, uint64_t us) {
    put(writer, "%" PRIu64 ".%06" PRIu64, us / US_PER_S, us % US_PER_S);
}

/* Of one command. Times are cut to whole microseconds, so that what is counted as 127 us took less
 * than 128: the bounds, powers of two, are exact. */
static void put_buckets(struct writer *writer, const char *command,
                        const struct latency_view *view) {
    uint64_t below = 0;
    uint32_t bucket = 0;

    for (uint32_t bits = BOUND_BITS_MIN; bits <= LATENCY_US_BITS; bits++) {
        uint64_t bound_us = 1ull << bits;
        for (; bucket < LATENCY_BUCKETS && latency_bucket_top_us(bucket) < bound_us; bucket++) {
            below += view->counts[bucket];
        }
        put(writer, "kvd_request_duration_seconds_bucket{command=\"%s\",le=\"", command);
        put_seconds(writer, bound_us);
        put(writer, "\"} %" PRIu64 "\n", below);
    }
    put(writer, "kvd_request_duration_seconds_bucket{command=\"%s\",le=\"+Inf\"} %" PRIu64 "\n",
        command, view->count);
    put(writer, "kvd_request_duration_seconds_sum{command=\"%s\"} ", command);
    put_seconds(writer, view->sum_us);
    put(writer, "\nkvd_request_duration_seconds_count{command=\"%s\"} %" PRIu64 "\n", command,
        view->count);
}

static void put_phases(struct writer *writer, const char *command,
                       const struct latency_view *view) {
    for (enum latency_phase phase = 0; phase < LATENCY_PHASES; phase++) {
        put(writer, "kvd_request_phase_seconds_total{command=\"%s\",phase=\"%s\"} ", command,
            latency_phase_name(phase));
        put_seconds(writer, view->phase_us[phase]);
        put(writer, "\n");
    }
}

/* `put_command` for each command that there was a request of. */
static void put_latencies(struct writer *writer, const struct service *service,
                          void (*put_command)(struct writer *, const char *,
                                              const struct latency_view *)) {
    struct latency_view view;

    for (uint32_t command = 0; command < LATENCY_COMMANDS; command++) {
        latency_collect(service->latencies, SERVICE_LOOPS_MAX, command, LATENCY_ALL, &view);
        if (view.count > 0) {
            put_command(writer, latency_command_name(command), &view);
        }
    }
}

static void put_durations(struct writer *writer, const struct service *service) {
    put_head(writer, "kvd_request_duration_seconds", "histogram",
             "Time from when a request had come to when its answer was ready, by command.");
    put_latencies(writer, service, put_buckets);
    put_head(writer, "kvd_request_phase_seconds_total", "counter",
             "Thereof the time that requests spent in each phase, by command.");
    put_latencies(writer, service, put_phases);
}

/* What is no figure. */
static void put_others(struct writer *writer, const struct service *service) {
    put_head(writer, "kvd_build_info", "gauge", "Always 1; the label says which version it is.");
    put(writer, "kvd_build_info{version=\"%s\"} 1\n", KVD_VERSION);
    put_head(
        writer, "kvd_healthy", "gauge",
        "1, or 0 after a failure that stopped writes or background work; /healthz says which.");
    put(writer, "kvd_healthy %d\n", store_health(service->store, NULL) == STATUS_OK);
}

enum status exposition_write(const struct service *service, struct buffer *text) {
    struct writer writer = {text, STATUS_OK};
    struct collection *collection = memory_alloc_zeroed(sizeof *collection);

    if (!collection) {
        return STATUS_NO_MEMORY;
    }
    stats_each(service, collect, collection);
    put_others(&writer, service);
    put_rows(&writer, collection);
    put_durations(&writer, service);
    memory_free(collection);
    return writer.status;
}
