/* bench_random.h: a small random generator (splitmix64): one word of state, any seed. */
#ifndef KVCLI_BENCH_RANDOM_H
#define KVCLI_BENCH_RANDOM_H

#include <stdint.h>

struct bench_random {
    uint64_t state;
};

/* Spreads the bits of `word`: a bijection. */
static inline uint64_t bench_random_mix(uint64_t word) {
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
    word = (word ^ word >> 27) * 0x94D049BB133111EBu;
    return word ^ word >> 31;
}

static inline uint64_t bench_random_next(struct bench_random *random) {
    random->state += 0x9E3779B97F4A7C15u;
    return bench_random_mix(random->state);
}

/* Below `bound` (> 0); the bias is below bound / 2^64. */
static inline uint64_t bench_random_below(struct bench_random *random, uint64_t bound) {
    return (uint64_t)((unsigned __int128)bench_random_next(random) * bound >> 64);
}

#endif
