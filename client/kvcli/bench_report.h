/* bench_report.h: what a benchmark has found, for people and for programs. */
#ifndef KVCLI_BENCH_REPORT_H
#define KVCLI_BENCH_REPORT_H

#include "client/kvcli/bench_run.h"

/* Prints to standard output, which nobody checks here. */
void bench_report_print(const struct bench_plan *plan, const struct bench_result *result);
void bench_report_json(const struct bench_plan *plan, const struct bench_result *result);

#endif
