/* bench_report.c: see bench_report.h. */
#include "client/kvcli/bench_report.h"

#include "client/kvcli/bench_codec.h"
#include "client/kvcli/output.h"

#include <inttypes.h>
#include <stdio.h>

struct quantile {
    const char *name;
    uint32_t per_million;
};

static const struct quantile quantiles[] = {
    {"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p99.9", 999000}, {"p99.99", 999900}};

#define QUANTILE_COUNT (sizeof quantiles / sizeof quantiles[0])

static const char *const plurals[BENCH_KINDS] = {"gets", "puts", "inserts", "scans", "modifies"};

static uint64_t operations(const struct bench_phase *phase) {
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        sum += phase->counts.done[kind];
    }
    return sum;
}

static double seconds(const struct bench_phase *phase) {
    return (double)phase->wall_ns / 1e9;
}

static double per_second(const struct bench_phase *phase) {
    return phase->wall_ns ? (double)operations(phase) / seconds(phase) : 0;
}

static double per_operation(const struct bench_phase *phase, uint64_t us) {
    return operations(phase) ? (double)us / (double)operations(phase) : 0;
}

/* Gets and puts are told of even where there were none. */
static bool is_told(const struct bench_phase *phase, unsigned kind) {
    return kind <= BENCH_PUT || phase->counts.done[kind] > 0;
}

/* --- for people --- */

static void print_latency(const char *name, const struct bench_histogram *histogram) {
    if (histogram->count == 0) {
        return;
    }
    printf("  %s us:", name);
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        uint64_t ns = bench_histogram_quantile_ns(histogram, quantiles[i].per_million);
        printf("  %s %.1f", quantiles[i].name, (double)ns / 1e3);
    }
    printf("  max %.1f\n", (double)histogram->max_ns / 1e3);
}

static void print_counts(const struct bench_phase *phase) {
    const struct bench_counts *counts = &phase->counts;

    putchar(' ');
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        if (is_told(phase, kind)) {
            printf(" %s %" PRIu64 " ", plurals[kind], counts->done[kind]);
        }
    }
    printf(" misses %" PRIu64 "  failures %" PRIu64, counts->misses, counts->failures);
    if (counts->done[BENCH_SCAN] > 0) {
        printf("  entries scanned %" PRIu64, counts->entries);
    }
    if (counts->unsent > 0) {
        printf("  due but not sent %" PRIu64, counts->unsent);
    }
    putchar('\n');
}

static void print_phase(const char *name, const struct bench_phase *phase) {
    printf("%s: %" PRIu64 " requests in %.3f s: %.0f/s\n", name, operations(phase), seconds(phase),
           per_second(phase));
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        print_latency(bench_kind_name((enum bench_kind)kind), &phase->counts.ns[kind]);
    }
    printf("  cpu us/op:  client %.2f", per_operation(phase, phase->client_us));
    if (phase->has_server) {
        printf("  server %.2f", per_operation(phase, phase->server_us));
    }
    putchar('\n');
    print_counts(phase);
}

static void print_plan(const struct bench_plan *plan) {
    printf("%s at %s: %" PRIu64 " connections, %" PRIu64 " threads, pipeline %" PRIu64 ", %" PRIu64
           " keys, values of %" PRIu64 " bytes, %s",
           plan->codec->name, plan->address, plan->connections, plan->threads, plan->pipeline,
           plan->key_count, plan->value_bytes, bench_distribution_name(plan->distribution));
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        if (plan->mix.percent[kind] > 0) {
            printf(", %u%% %s", plan->mix.percent[kind], plurals[kind]);
        }
    }
    printf(plan->workload ? " (workload %s)\n" : "\n", plan->workload ? plan->workload->name : "");
}

void bench_report_print(const struct bench_plan *plan, const struct bench_result *result) {
    print_plan(plan);
    if (plan->preload) {
        print_phase("load", &result->load);
    }
    print_phase("run", &result->run);
    if (result->is_interrupted) {
        puts("interrupted: these are the results so far");
    }
}

/* --- for programs --- */

static void print_json_latency(const char *name, const struct bench_histogram *histogram) {
    printf(",\"%s_us\":{", name);
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        uint64_t ns = bench_histogram_quantile_ns(histogram, quantiles[i].per_million);
        printf("\"%s\":%.3f,", quantiles[i].name, (double)ns / 1e3);
    }
    printf("\"max\":%.3f}", (double)histogram->max_ns / 1e3);
}

static void print_json_phase(const char *name, const struct bench_phase *phase) {
    const struct bench_counts *counts = &phase->counts;

    printf(",\"%s\":{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"per_second\":%.1f", name,
           operations(phase), seconds(phase), per_second(phase));
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        printf(",\"%s\":%" PRIu64, plurals[kind], counts->done[kind]);
    }
    printf(",\"misses\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"failures\":%" PRIu64
           ",\"unsent\":%" PRIu64,
           counts->misses, counts->entries, counts->failures, counts->unsent);
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        if (is_told(phase, kind)) {
            print_json_latency(bench_kind_name((enum bench_kind)kind), &counts->ns[kind]);
        }
    }
    printf(",\"client_cpu_us_per_op\":%.4f", per_operation(phase, phase->client_us));
    if (phase->has_server) {
        printf(",\"server_cpu_us_per_op\":%.4f", per_operation(phase, phase->server_us));
    }
    putchar('}');
}

static void print_json_mix(const struct bench_plan *plan) {
    const char *between = "";

    fputs(",\"workload\":", stdout);
    printf(plan->workload ? "\"%s\"" : "null", plan->workload ? plan->workload->name : "");
    fputs(",\"mix\":{", stdout);
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        printf("%s\"%s\":%u", between, bench_kind_name((enum bench_kind)kind),
               plan->mix.percent[kind]);
        between = ",";
    }
    putchar('}');
}

void bench_report_json(const struct bench_plan *plan, const struct bench_result *result) {
    printf("{\"protocol\":\"%s\",\"server\":", plan->codec->name);
    output_json_text(stdout, plan->address);
    printf(",\"connections\":%" PRIu64 ",\"threads\":%" PRIu64 ",\"pipeline\":%" PRIu64
           ",\"keys\":%" PRIu64 ",\"value_bytes\":%" PRIu64,
           plan->connections, plan->threads, plan->pipeline, plan->key_count, plan->value_bytes);
    printf(",\"distribution\":\"%s\",\"rate\":%" PRIu64,
           bench_distribution_name(plan->distribution), plan->rate);
    print_json_mix(plan);
    if (plan->preload) {
        print_json_phase("load", &result->load);
    }
    print_json_phase("run", &result->run);
    printf(",\"interrupted\":%s", result->is_interrupted ? "true" : "false");
    puts("}");
}
