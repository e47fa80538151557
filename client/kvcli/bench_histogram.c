/* bench_histogram.c: log-linear buckets. See bench_histogram.h. */
#include "client/kvcli/bench_histogram.h"

static uint32_t bucket_of(uint64_t ns) {
    uint32_t shift;

    if (ns < BENCH_HISTOGRAM_STEPS) {
        return (uint32_t)ns;
    }
    shift = 63u - (uint32_t)__builtin_clzll(ns) - 6u;
    return (shift + 1) * BENCH_HISTOGRAM_STEPS +
           (uint32_t)(ns >> shift & (BENCH_HISTOGRAM_STEPS - 1));
}

/* The greatest time that falls into the bucket. */
static uint64_t bucket_top_ns(uint32_t bucket) {
    uint32_t shift;
    uint64_t first;

    if (bucket < BENCH_HISTOGRAM_STEPS) {
        return bucket;
    }
    shift = bucket / BENCH_HISTOGRAM_STEPS - 1;
    first = (uint64_t)(BENCH_HISTOGRAM_STEPS + bucket % BENCH_HISTOGRAM_STEPS) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns) {
    histogram->buckets[bucket_of(ns)]++;
    histogram->count++;
    histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
}

void bench_histogram_merge(struct bench_histogram *histogram, const struct bench_histogram *other) {
    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
    histogram->count += other->count;
    histogram->max_ns = other->max_ns > histogram->max_ns ? other->max_ns : histogram->max_ns;
}

uint64_t bench_histogram_quantile_ns(const struct bench_histogram *histogram,
                                     uint32_t per_million) {
    unsigned __int128 product = (unsigned __int128)histogram->count * per_million;
    uint64_t wanted = (uint64_t)((product + 999999u) / 1000000u);
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted && seen > 0) {
            uint64_t top_ns = bucket_top_ns(i);
            return top_ns < histogram->max_ns ? top_ns : histogram->max_ns;
        }
    }
    return 0;
}
