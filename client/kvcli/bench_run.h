/* bench_run.h: a benchmark from connecting to the counted result. */
#ifndef KVCLI_BENCH_RUN_H
#define KVCLI_BENCH_RUN_H

#include "client/kvcli/bench_connection.h"

/* One phase: loading, or the measured mix. */
struct bench_phase {
    uint64_t wall_ns;
    uint64_t client_us; /* CPU */
    uint64_t server_us; /* CPU, if has_server */
    bool has_server;
    struct bench_counts counts; /* of all threads */
};

struct bench_result {
    bool is_interrupted;     /* by a signal: shorter than planned */
    struct bench_phase load; /* zero without --preload */
    struct bench_phase run;
};

/* Runs the plan, or the part of it until SIGINT or SIGTERM. *result is filled as far as it came.
 * Errors: INVALID, CONNECT, IO, CLOSED, TIMEOUT, PROTOCOL, NO_MEMORY, with error->text. */
enum status bench_run(const struct bench_plan *plan, struct bench_result *result,
                      struct error *error) MUST_CHECK;

#endif
