/* top_report.c: see top_report.h. */
#include "client/kvcli/top_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_PREFIX "server.requests_"

enum figure_kind { LEVEL, RATE };

struct figure {
    const char *name;
    const char *json_name;
    enum figure_kind kind;
};

static const struct figure figures[TOP_FIGURE_COUNT] = {
#define FIGURE(code, name, json_name, kind) {name, json_name, kind},
    TOP_FIGURES(FIGURE)
#undef FIGURE
};

/* --- figures --- */

/* What a counter has risen by in a second; one that went back began anew. */
static double rate_of(const struct top_sample *before, const char *name, uint64_t now_value,
                      double seconds) {
    uint64_t then_value = 0;

    if (!top_sample_find(before, name, &then_value) || then_value > now_value) {
        then_value = 0;
    }
    return (double)(now_value - then_value) / seconds;
}

static double figure_of(const struct top_sample *before, const struct top_sample *now,
                        const struct figure *figure, double seconds) {
    uint64_t value = 0;

    if (!top_sample_find(now, figure->name, &value)) {
        return NAN;
    }
    return figure->kind == RATE ? rate_of(before, figure->name, value, seconds) : (double)value;
}

double top_report_live_share(const struct top_report *report) {
    double bytes = report->figures[TOP_SEGMENT_BYTES];
    double dead = report->figures[TOP_SEGMENT_DEAD] + report->figures[TOP_SEGMENT_PINNED] +
                  report->figures[TOP_SEGMENT_DAMAGED];

    return bytes > 0 ? 1 - dead / bytes : NAN;
}

/* --- commands --- */

/* Whether a line counts the requests of a command; those refused and failed are of all. */
static bool is_command(const struct top_line *line) {
    const char *name = line->name + strlen(REQUESTS_PREFIX);

    return strncmp(line->name, REQUESTS_PREFIX, strlen(REQUESTS_PREFIX)) == 0 &&
           strcmp(name, "refused") != 0 && strcmp(name, "failed") != 0;
}

static void find_latency(const struct top_sample *now, struct top_command *command) {
    static const char *const suffixes[TOP_LATENCY_COUNT] = {"p50_us", "p99_us", "p999_us",
                                                            "max_us"};
    char name[2 * TOP_NAME_BYTES_MAX];

    command->has_latency = true;
    for (unsigned i = 0; i < TOP_LATENCY_COUNT; i++) {
        uint64_t us = 0;
        snprintf(name, sizeof name, "server.latency_%s_recent_%s", command->name, suffixes[i]);
        command->has_latency = top_sample_find(now, name, &us) && command->has_latency;
        command->us[i] = (double)us;
    }
}

static int by_rate_cb(const void *left, const void *right) {
    const struct top_command *a = left;
    const struct top_command *b = right;

    if (a->per_second != b->per_second) {
        return a->per_second < b->per_second ? 1 : -1;
    }
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return strcmp(a->name, b->name);
}

static void find_commands(const struct top_sample *before, const struct top_sample *now,
                          struct top_report *report) {
    for (size_t i = 0; i < now->count && report->command_count < TOP_COMMANDS_MAX; i++) {
        const struct top_line *line = &now->lines[i];
        struct top_command *command = &report->commands[report->command_count];
        if (!is_command(line) || line->value == 0) {
            continue;
        }
        command->name = line->name + strlen(REQUESTS_PREFIX);
        command->count = line->value;
        command->per_second = rate_of(before, line->name, line->value, report->seconds);
        find_latency(now, command);
        report->has_latency = report->has_latency || command->has_latency;
        report->requests += command->per_second;
        report->command_count++;
    }
    qsort(report->commands, report->command_count, sizeof report->commands[0], by_rate_cb);
}

static void find_levels(const struct top_sample *now, struct top_report *report) {
    char name[TOP_NAME_BYTES_MAX];

    for (unsigned i = 0; i < TOP_LEVELS_MAX; i++) {
        struct top_level *level = &report->levels[i];
        snprintf(name, sizeof name, "storage.level_%u_tables", i);
        if (!top_sample_find(now, name, &level->tables)) {
            return;
        }
        snprintf(name, sizeof name, "storage.level_%u_bytes", i);
        (void)top_sample_find(now, name, &level->bytes);
        report->level_count++;
    }
}

void top_report_make(const struct top_sample *before, const struct top_sample *now,
                     struct top_report *report_out) {
    uint64_t started_ms = now->at_ms;
    uint64_t ns = now->at_ns > before->at_ns ? now->at_ns - before->at_ns : 1;

    memset(report_out, 0, sizeof *report_out);
    (void)top_sample_find(now, "server.started_at_ms", &started_ms);
    report_out->seconds = (double)ns / 1e9;
    report_out->at_ms = now->at_ms;
    report_out->uptime_ms = now->at_ms > started_ms ? now->at_ms - started_ms : 0;
    for (unsigned i = 0; i < TOP_FIGURE_COUNT; i++) {
        report_out->figures[i] = figure_of(before, now, &figures[i], report_out->seconds);
    }
    find_commands(before, now, report_out);
    find_levels(now, report_out);
}

/* --- JSON --- */

static void print_json_commands(const struct top_report *report) {
    static const char *const names[TOP_LATENCY_COUNT] = {"p50_us", "p99_us", "p999_us", "max_us"};

    fputs(",\"commands\":{", stdout);
    for (size_t i = 0; i < report->command_count; i++) {
        const struct top_command *command = &report->commands[i];
        printf("%s\"%s\":{\"per_second\":%.1f,\"count\":%" PRIu64, i > 0 ? "," : "", command->name,
               command->per_second, command->count);
        for (unsigned j = 0; j < TOP_LATENCY_COUNT && command->has_latency; j++) {
            printf(",\"%s\":%.0f", names[j], command->us[j]);
        }
        putchar('}');
    }
    putchar('}');
}

static void print_json_levels(const struct top_report *report) {
    fputs(",\"levels\":[", stdout);
    for (size_t i = 0; i < report->level_count; i++) {
        printf("%s{\"tables\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", i > 0 ? "," : "",
               report->levels[i].tables, report->levels[i].bytes);
    }
    putchar(']');
}

static void print_json_number(const char *name, double value, int digits) {
    if (isnan(value)) {
        printf(",\"%s\":null", name);
    } else {
        printf(",\"%s\":%.*f", name, digits, value);
    }
}

void top_report_json(const struct top_report *report) {
    printf("{\"time_ms\":%" PRIu64 ",\"uptime_ms\":%" PRIu64
           ",\"seconds\":%.3f,\"requests_per_second\":%.1f",
           report->at_ms, report->uptime_ms, report->seconds, report->requests);
    for (unsigned i = 0; i < TOP_FIGURE_COUNT; i++) {
        print_json_number(figures[i].json_name, report->figures[i],
                          figures[i].kind == RATE ? 1 : 0);
    }
    print_json_number("segment_live_share", top_report_live_share(report), 4);
    print_json_commands(report);
    print_json_levels(report);
    puts("}");
}
