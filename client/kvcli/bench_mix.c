/* bench_mix.c: see bench_mix.h. */
#include "client/kvcli/bench_mix.h"

#include <stddef.h>
#include <strings.h>

static const struct bench_workload workloads[] = {
    {"A", {{[BENCH_GET] = 50, [BENCH_PUT] = 50}}, BENCH_ZIPFIAN},
    {"B", {{[BENCH_GET] = 95, [BENCH_PUT] = 5}}, BENCH_ZIPFIAN},
    {"C", {{[BENCH_GET] = 100}}, BENCH_ZIPFIAN},
    {"D", {{[BENCH_GET] = 95, [BENCH_INSERT] = 5}}, BENCH_LATEST},
    {"E", {{[BENCH_SCAN] = 95, [BENCH_INSERT] = 5}}, BENCH_ZIPFIAN},
    {"F", {{[BENCH_GET] = 50, [BENCH_MODIFY] = 50}}, BENCH_ZIPFIAN},
};

const struct bench_workload *bench_workload_find(const char *name) {
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcasecmp(workloads[i].name, name) == 0) {
            return &workloads[i];
        }
    }
    return NULL;
}

const char *bench_kind_name(enum bench_kind kind) {
    static const char *const names[BENCH_KINDS] = {"get", "put", "insert", "scan", "modify"};

    return names[kind];
}

const char *bench_distribution_name(enum bench_distribution distribution) {
    static const char *const names[BENCH_DISTRIBUTIONS] = {"uniform", "zipfian", "latest"};

    return names[distribution];
}

enum bench_kind bench_mix_pick(const struct bench_mix *mix, struct bench_random *random) {
    uint64_t place = bench_random_below(random, 100);
    unsigned kind = BENCH_GET;

    while (kind < BENCH_KINDS - 1 && place >= mix->percent[kind]) {
        place -= mix->percent[kind++];
    }
    return (enum bench_kind)kind;
}
