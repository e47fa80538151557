/* bench_cpu.h: CPU time, user and system, of this process and of another. */
#ifndef KVCLI_BENCH_CPU_H
#define KVCLI_BENCH_CPU_H

#include "protocol/base/status.h"

#include <stdint.h>

uint64_t bench_cpu_own_us(void);

/* From /proc/PID/stat, whose clock ticks are 10 ms. Errors: IO, CORRUPT when it is not as expected.
 */
enum status bench_cpu_of_us(uint64_t pid, uint64_t *us_out) MUST_CHECK;

#endif
