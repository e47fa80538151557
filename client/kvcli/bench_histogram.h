/* bench_histogram.h: times in nanoseconds, counted in log-linear buckets.
 *
 * Each power of two is cut into 64 equal buckets, so that a reported time is at most 1/64 above the
 * true one, whatever its size. Plain memory of the caller; zeroed is empty. */
#ifndef KVCLI_BENCH_HISTOGRAM_H
#define KVCLI_BENCH_HISTOGRAM_H

#include <stdint.h>

#define BENCH_HISTOGRAM_STEPS 64u /* in a power of two */
#define BENCH_HISTOGRAM_BUCKETS (BENCH_HISTOGRAM_STEPS * 59u)

struct bench_histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[BENCH_HISTOGRAM_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns);
void bench_histogram_merge(struct bench_histogram *histogram, const struct bench_histogram *other);

/* The time that `per_million` millionths of all are not above; 0 if there is none. */
uint64_t bench_histogram_quantile_ns(const struct bench_histogram *histogram, uint32_t per_million);

#endif
