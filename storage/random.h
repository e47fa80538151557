/* random.h: a small generator for seeded choices (splitmix64). Not for secrets.
 *
 * Every seed, 0 included, gives a good sequence, and the same seed the same one on every machine:
 * simulations replay by it. A plain value of its owner; one thread at a time. */
#ifndef KVD_STORAGE_RANDOM_H
#define KVD_STORAGE_RANDOM_H

#include "protocol/base/assert.h"

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline struct random random_make(uint64_t seed) {
    return (struct random){seed};
}

static inline uint64_t random_next(struct random *random) {
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 to count - 1, for count > 0; the bias is nothing for counts far below 2^64. */
static inline uint64_t random_below(struct random *random, uint64_t count) {
    ASSERT(count > 0);
    return random_next(random) % count;
}

#endif
