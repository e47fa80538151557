/* bench_zipf.c: Zipf's law by rejection-inversion. See bench_zipf.h. */
#include "client/kvcli/bench_zipf.h"

#include <math.h>

#define REST (1 - BENCH_ZIPF_EXPONENT)
#define MIX_STEPS 3

static double height(double x) {
    return exp(-BENCH_ZIPF_EXPONENT * log(x));
}

/* The area under the hat from 1 to x, and its inverse. */
static double area(double x) {
    return expm1(REST * log(x)) / REST;
}

static double area_inverse(double value) {
    return exp(log1p(value * REST) / REST);
}

uint64_t bench_zipf_rank(struct bench_random *random, uint64_t count) {
    double low = area(1.5) - 1; /* so that rank 1 has exactly its height of 1 */
    double high = area((double)count + 0.5);

    for (;;) {
        double part = (double)(bench_random_next(random) >> 11) * 0x1p-53;
        double point = high + part * (low - high);
        double x = area_inverse(point);
        double rank = floor(x + 0.5);
        rank = rank<1 ? 1 : rank>(double) count ? (double)count : rank;
        if (point >= area(rank + 0.5) - height(rank)) {
            return (uint64_t)rank - 1;
        }
    }
}

uint64_t bench_zipf_place(uint64_t rank, uint64_t count) {
    unsigned bits = count > 1 ? 64u - (unsigned)__builtin_clzll(count - 1) : 0;
    uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
    unsigned shift = bits / 2 + 1;
    uint64_t place = rank;

    do {
        for (int step = 0; step < MIX_STEPS; step++) {
            place = (place + 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u & mask;
            place ^= place >> shift;
        }
    } while (place >= count);
    return place;
}
