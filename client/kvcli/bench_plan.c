/* bench_plan.c: the options of a benchmark, checked. See bench_plan.h. */
#include "client/kvcli/bench_plan.h"

#include "client/kvcli/bench_codec.h"
#include "client/kvcli/cli.h"

#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT 30000u
#define KEYS_MAX 1000000000000000u /* 15 digits */

static uint64_t or_default(bool given, uint64_t value, uint64_t default_value) {
    return given ? value : default_value;
}

static int check_range(const char *name, uint64_t value, uint64_t min, uint64_t max) {
    return value >= min && value <= max
               ? CLI_DONE
               : cli_fail(CLI_USAGE, "--%s needs a number from %" PRIu64 " to %" PRIu64, name, min,
                          max);
}

static int check_numbers(const struct bench_plan *plan) {
    int code = check_range("connections", plan->connections, 1, BENCH_CONNECTIONS_MAX);

    code = code ? code : check_range("threads", plan->threads, 1, BENCH_THREADS_MAX);
    code = code ? code : check_range("threads", plan->threads, 1, plan->connections);
    code = code ? code : check_range("pipeline", plan->pipeline, 1, BENCH_PIPELINE_MAX);
    code = code ? code : check_range("keys", plan->key_count, 1, KEYS_MAX);
    code = code ? code : check_range("value-size", plan->value_bytes, 0, BENCH_VALUE_BYTES_MAX);
    if (code == CLI_DONE && plan->pipeline * plan->value_bytes > BENCH_WINDOW_BYTES_MAX) {
        code = cli_fail(CLI_USAGE, "--pipeline times --value-size is above 1 GiB");
    }
    return code;
}

static int choose_mix(const struct options *options, struct bench_plan *plan) {
    uint64_t percent = or_default(OPTIONS_GIVEN(options, read_percent), options->read_percent, 100);
    int code = check_range("read-ratio", percent, 0, 100);

    if (!options->workload) {
        plan->mix.percent[BENCH_GET] = (uint8_t)percent;
        plan->mix.percent[BENCH_PUT] = (uint8_t)(100 - percent);
        return code;
    }
    plan->workload = bench_workload_find(options->workload);
    if (!plan->workload) {
        return cli_fail(CLI_USAGE, "--workload needs a letter from A to F, not '%s'",
                        options->workload);
    }
    plan->mix = plan->workload->mix;
    plan->distribution = plan->workload->distribution;
    return OPTIONS_GIVEN(options, read_percent)
               ? cli_fail(CLI_USAGE, "give --workload or --read-ratio, not both")
               : CLI_DONE;
}

static int choose_distribution(const struct options *options, struct bench_plan *plan) {
    if (!options->distribution) {
        return CLI_DONE;
    }
    for (unsigned i = 0; i < BENCH_DISTRIBUTIONS; i++) {
        plan->distribution = (enum bench_distribution)i;
        if (strcmp(bench_distribution_name(plan->distribution), options->distribution) == 0) {
            return CLI_DONE;
        }
    }
    return cli_fail(CLI_USAGE, "--distribution needs uniform, zipfian or latest, not '%s'",
                    options->distribution);
}

static int choose_codec(const struct options *options, struct bench_plan *plan) {
    const char *name = options->protocol ? options->protocol : "kvd";

    plan->codec = bench_codec_find(name);
    if (!plan->codec) {
        return cli_fail(CLI_USAGE, "--protocol needs kvd, redis or echo, not '%s'", name);
    }
    if (!plan->codec->is_kvd && (plan->namespace_name || plan->durability)) {
        return cli_fail(CLI_USAGE, "--namespace and --durability have no meaning for %s", name);
    }
    if (!plan->codec->has_scans && plan->mix.percent[BENCH_SCAN] > 0) {
        return cli_fail(CLI_USAGE, "workload %s has scans, which %s is not asked for here",
                        plan->workload->name, name);
    }
    return CLI_DONE;
}

int bench_plan_from(const struct options *options, struct bench_plan *plan_out) {
    struct bench_plan plan = {
        .address = cli_address(options),
        .namespace_name = options->namespace_name,
        .durability = options->durability,
        .timeout_ms = or_default(options->timeout_ms != 0, options->timeout_ms, TIMEOUT_MS_DEFAULT),
        .connections = or_default(OPTIONS_GIVEN(options, connections), options->connections, 50),
        .threads = or_default(OPTIONS_GIVEN(options, threads), options->threads, 1),
        .pipeline = or_default(OPTIONS_GIVEN(options, pipeline), options->pipeline, 1),
        .key_count = or_default(OPTIONS_GIVEN(options, key_count), options->key_count, 100000),
        .value_bytes = or_default(OPTIONS_GIVEN(options, value_bytes), options->value_bytes, 100),
        .requests = options->requests,
        .duration_ms = options->duration_ms,
        .rate = options->rate,
        .seed = or_default(OPTIONS_GIVEN(options, seed), options->seed, 1),
        .server_pid = options->server_pid,
        .compressible = options->compressible,
        .preload = options->preload,
    };
    int code = check_numbers(&plan);

    if (code == CLI_DONE && plan.requests && plan.duration_ms) {
        code = cli_fail(CLI_USAGE, "give --requests or --seconds, not both");
    }
    plan.requests = plan.requests || plan.duration_ms ? plan.requests : 1000000;
    code = code ? code : choose_mix(options, &plan);
    code = code ? code : choose_distribution(options, &plan);
    code = code ? code : choose_codec(options, &plan);
    *plan_out = plan;
    return code;
}
