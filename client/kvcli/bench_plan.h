/* bench_plan.h: what a benchmark is to do; constant while it runs. */
#ifndef KVCLI_BENCH_PLAN_H
#define KVCLI_BENCH_PLAN_H

#include "client/kvcli/bench_mix.h"
#include "client/kvcli/options.h"

struct bench_codec;

#define BENCH_CONNECTIONS_MAX 10000u
#define BENCH_THREADS_MAX 64u
#define BENCH_PIPELINE_MAX 65536u
#define BENCH_VALUE_BYTES_MAX (1u << 26)
#define BENCH_WINDOW_BYTES_MAX (1u << 30) /* requests of one window, in memory per connection */

struct bench_plan {
    const struct bench_codec *codec;
    const char *address;
    const char *namespace_name; /* NULL: the default one */
    enum kvd_durability durability;
    uint64_t timeout_ms;
    uint64_t connections;
    uint64_t threads;
    uint64_t pipeline; /* requests of one window */
    uint64_t key_count;
    uint64_t value_bytes;
    uint64_t requests;    /* in all; 0: until duration_ms is over */
    uint64_t duration_ms; /* 0: until all requests are done */
    uint64_t rate;        /* requests a second; 0: as fast as it goes */
    uint64_t seed;
    uint64_t server_pid;                   /* 0: unknown */
    const struct bench_workload *workload; /* of YCSB; NULL: a mix of gets and puts */
    struct bench_mix mix;
    enum bench_distribution distribution;
    bool compressible;
    bool preload;
};

/* Fills *plan_out from the options, with defaults. Returns CLI_DONE, or prints what is wrong and
 * returns CLI_USAGE. */
int bench_plan_from(const struct options *options, struct bench_plan *plan_out);

#endif
