/* bench_keys.c: keys and values of a benchmark. See bench_keys.h. */
#include "client/kvcli/bench_keys.h"

#include "client/kvcli/bench_zipf.h"
#include "protocol/base/memory.h"

#define POOL_PLACES ((uint64_t)64 * 1024)

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

uint64_t bench_keys_pick(const struct bench_keys *keys, uint64_t stored,
                         struct bench_random *random) {
    switch (keys->distribution) {
    case BENCH_ZIPFIAN:
        return bench_zipf_place(bench_zipf_rank(random, keys->count), keys->count);
    case BENCH_LATEST:
        return stored - 1 - bench_zipf_rank(random, stored);
    default:
        return bench_random_below(random, keys->count);
    }
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
    keys->count = plan->key_count;
    keys->stride = choose_stride(plan->key_count);
    keys->distribution = plan->distribution;
    keys->value_bytes = plan->value_bytes;
    return STATUS_OK;
}

void bench_keys_deinit(struct bench_keys *keys) {
    memory_free(keys->pool);
    keys->pool = NULL;
}
