/* bench_keys.c: keys and values of a benchmark. See bench_keys.h. */
#include "client/kvcli/bench_keys.h"

#include "protocol/base/memory.h"

#define LOG2_DIGITS 40 /* binary, behind the point */
#define POOL_PLACES ((uint64_t)64 * 1024)

/* --- powers of two with fractions, so that no mathematics library is needed --- */

static double square_root(double value) {
    double root = value > 1 ? value : 1;

    for (int i = 0; i < 60; i++) {
        root = (root + value / root) / 2;
    }
    return root;
}

static void fill_powers(double powers[BENCH_POWER_STEPS + 1]) {
    double step = 2;

    for (unsigned steps = 1; steps < BENCH_POWER_STEPS; steps *= 2) {
        step = square_root(step);
    }
    powers[0] = 1;
    for (unsigned i = 1; i <= BENCH_POWER_STEPS; i++) {
        powers[i] = powers[i - 1] * step;
    }
}

/* log2(count) by taking squares: each tells one binary digit of the fraction. */
static double log2_of(uint64_t count) {
    int whole = 63 - __builtin_clzll(count);
    double rest = (double)count / (double)((uint64_t)1 << whole);
    double log2 = whole;
    double digit = 1;

    for (int i = 0; i < LOG2_DIGITS; i++) {
        rest *= rest;
        digit /= 2;
        if (rest >= 2) {
            rest /= 2;
            log2 += digit;
        }
    }
    return log2;
}

static double power_of_two(const struct bench_keys *keys, double exponent) {
    unsigned whole = (unsigned)exponent;
    double place = (exponent - whole) * BENCH_POWER_STEPS;
    unsigned index = (unsigned)place;
    double low = keys->powers[index];
    double high = keys->powers[index + (index < BENCH_POWER_STEPS)];

    return (low + (high - low) * (place - index)) * (double)((uint64_t)1 << whole);
}

/* --- keys --- */

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t choose_stride(uint64_t count) {
    uint64_t stride = (uint64_t)((double)count * 0.6180339887) | 1;

    while (greatest_common_divisor(stride, count) != 1) {
        stride++;
    }
    return stride;
}

uint64_t bench_keys_load_order(const struct bench_keys *keys, uint64_t index) {
    return (uint64_t)((unsigned __int128)index * keys->stride % keys->count);
}

uint64_t bench_keys_pick(const struct bench_keys *keys, struct bench_random *random) {
    double part;
    uint64_t rank;

    if (!keys->zipfian) {
        return bench_random_below(random, keys->count);
    }
    part = (double)(bench_random_next(random) >> 11) * 0x1p-53;
    rank = (uint64_t)power_of_two(keys, part * keys->log2_count) - 1;
    return bench_random_mix(rank + 1) % keys->count;
}

void bench_keys_write(uint64_t number, uint8_t key_out[BENCH_KEY_BYTES]) {
    for (unsigned i = BENCH_KEY_BYTES - 1; i > 0; i--) {
        key_out[i] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
    key_out[0] = 'k';
}

/* --- values --- */

static void fill_pool(uint8_t *pool, uint64_t bytes, const struct bench_plan *plan) {
    static const char words[] = "the quick brown fox jumps over the lazy dog; ";
    struct bench_random random = {plan->seed};

    for (uint64_t i = 0; i < bytes; i++) {
        pool[i] = plan->compressible ? (uint8_t)words[i % (sizeof words - 1)]
                                     : (uint8_t)(bench_random_next(&random) >> 56);
    }
}

struct slice bench_keys_value(const struct bench_keys *keys, struct bench_random *random) {
    return slice_make(keys->pool + bench_random_next(random) % POOL_PLACES,
                      (size_t)keys->value_bytes);
}

enum status bench_keys_init(struct bench_keys *keys, const struct bench_plan *plan) {
    uint64_t bytes = plan->value_bytes + POOL_PLACES;

    keys->pool = memory_alloc((size_t)bytes);
    if (!keys->pool) {
        return STATUS_NO_MEMORY;
    }
    fill_pool(keys->pool, bytes, plan);
    fill_powers(keys->powers);
    keys->count = plan->key_count;
    keys->stride = choose_stride(plan->key_count);
    keys->zipfian = plan->zipfian;
    keys->log2_count = log2_of(plan->key_count);
    keys->value_bytes = plan->value_bytes;
    return STATUS_OK;
}

void bench_keys_deinit(struct bench_keys *keys) {
    memory_free(keys->pool);
    keys->pool = NULL;
}
