/* command_bench.c: the benchmark as a command, and its report. */
#include "client/kvcli/bench_run.h"
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "protocol/base/memory.h"

#include <inttypes.h>

struct quantile {
    const char *name;
    uint32_t per_million;
};

static const struct quantile quantiles[] = {
    {"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p99.9", 999000}, {"p99.99", 999900}};

#define QUANTILE_COUNT (sizeof quantiles / sizeof quantiles[0])

static uint64_t operations(const struct bench_phase *phase) {
    return phase->counts.gets + phase->counts.puts;
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

static void print_phase(const char *name, const struct bench_phase *phase) {
    printf("%s: %" PRIu64 " requests in %.3f s: %.0f/s\n", name, operations(phase), seconds(phase),
           per_second(phase));
    print_latency("get", &phase->counts.get_ns);
    print_latency("put", &phase->counts.put_ns);
    printf("  cpu us/op:  client %.2f", per_operation(phase, phase->client_us));
    if (phase->has_server) {
        printf("  server %.2f", per_operation(phase, phase->server_us));
    }
    printf("\n  gets %" PRIu64 "  misses %" PRIu64 "  puts %" PRIu64 "  failures %" PRIu64 "\n",
           phase->counts.gets, phase->counts.misses, phase->counts.puts, phase->counts.failures);
}

static void print_plan(const struct bench_plan *plan) {
    printf("%s at %s: %" PRIu64 " connections, %" PRIu64 " threads, pipeline %" PRIu64 ", %" PRIu64
           " keys, values of %" PRIu64 " bytes, %s, %" PRIu64 "%% gets\n",
           plan->codec->name, plan->address, plan->connections, plan->threads, plan->pipeline,
           plan->key_count, plan->value_bytes, bench_distribution_name(plan->distribution),
           plan->read_percent);
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
    printf(",\"%s\":{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"per_second\":%.1f", name,
           operations(phase), seconds(phase), per_second(phase));
    printf(",\"gets\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"puts\":%" PRIu64
           ",\"failures\":%" PRIu64,
           phase->counts.gets, phase->counts.misses, phase->counts.puts, phase->counts.failures);
    print_json_latency("get", &phase->counts.get_ns);
    print_json_latency("put", &phase->counts.put_ns);
    printf(",\"client_cpu_us_per_op\":%.4f", per_operation(phase, phase->client_us));
    if (phase->has_server) {
        printf(",\"server_cpu_us_per_op\":%.4f", per_operation(phase, phase->server_us));
    }
    putchar('}');
}

static void print_json(const struct bench_plan *plan, const struct bench_result *result) {
    printf("{\"protocol\":\"%s\",\"server\":", plan->codec->name);
    output_json_text(stdout, plan->address);
    printf(",\"connections\":%" PRIu64 ",\"threads\":%" PRIu64 ",\"pipeline\":%" PRIu64
           ",\"keys\":%" PRIu64 ",\"value_bytes\":%" PRIu64,
           plan->connections, plan->threads, plan->pipeline, plan->key_count, plan->value_bytes);
    printf(",\"distribution\":\"%s\",\"read_percent\":%" PRIu64 ",\"rate\":%" PRIu64,
           bench_distribution_name(plan->distribution), plan->read_percent, plan->rate);
    if (plan->preload) {
        print_json_phase("load", &result->load);
    }
    print_json_phase("run", &result->run);
    puts("}");
}

static void print_result(const struct cli *cli, const struct bench_plan *plan,
                         const struct bench_result *result) {
    if (cli->options->json) {
        print_json(plan, result);
        return;
    }
    print_plan(plan);
    if (plan->preload) {
        print_phase("load", &result->load);
    }
    print_phase("run", &result->run);
}

static int report(const struct cli *cli, const struct bench_plan *plan,
                  const struct bench_result *result) {
    uint64_t failures = result->load.counts.failures + result->run.counts.failures;
    const char *first = result->load.counts.failures ? result->load.counts.first_failure
                                                     : result->run.counts.first_failure;

    print_result(cli, plan, result);
    if (failures > 0) {
        return cli_fail(CLI_FAILED, "%" PRIu64 " requests failed, the first with: %s", failures,
                        first);
    }
    return cli_finish_output();
}

int command_bench(struct cli *cli) {
    struct bench_plan plan;
    struct error error;
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];
    struct bench_result *result = memory_alloc_zeroed(sizeof *result); /* 120 KiB of buckets */
    enum status status;
    int code;

    if (!result) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    code = bench_plan_from(cli->options, &plan);
    if (code != CLI_DONE) {
        memory_free(result);
        return code;
    }
    status = bench_run(&plan, result, &error);
    if (status == STATUS_OK) {
        code = report(cli, &plan, result);
    } else {
        bool no_server =
            status == STATUS_CONNECT || status == STATUS_TIMEOUT || status == STATUS_CLOSED;
        error_format(&error, text, sizeof text);
        code = cli_fail(status == STATUS_INVALID ? CLI_USAGE
                        : no_server              ? CLI_NO_SERVER
                                                 : CLI_FAILED,
                        "%s", text);
    }
    memory_free(result);
    return code;
}
