/* bench_keys.h: which key comes next, and what its value is.
 *
 * Keys are 16 bytes: "k" and 15 digits. Uniform and zipfian draws (bench_zipf.h) are from the keys
 * that are loaded; latest ones are zipfian back from the newest that is known to be stored, those
 * inserted meanwhile included. Loading walks every key once in an order that is far from sorted.
 * Values are taken from a pool of random bytes, or of repeated words, at random places. Constant
 * after init, read by all threads. */
#ifndef KVCLI_BENCH_KEYS_H
#define KVCLI_BENCH_KEYS_H

#include "client/kvcli/bench_plan.h"
#include "client/kvcli/bench_random.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#define BENCH_KEY_BYTES 16u

struct bench_keys {
    uint64_t count;
    uint64_t stride; /* coprime to count: the order of loading */
    enum bench_distribution distribution;
    uint64_t value_bytes;
    uint8_t *pool; /* owned: value_bytes and room for different places */
};

/* Errors: NO_MEMORY. */
enum status bench_keys_init(struct bench_keys *keys, const struct bench_plan *plan) MUST_CHECK;
void bench_keys_deinit(struct bench_keys *keys);

/* The number of a random key; `stored`: the keys below it are in the store, at least `count`. */
uint64_t bench_keys_pick(const struct bench_keys *keys, uint64_t stored,
                         struct bench_random *random);

/* The number of the key that is loaded as the `index`-th, below count: each once. */
uint64_t bench_keys_load_order(const struct bench_keys *keys, uint64_t index);

void bench_keys_write(uint64_t number, uint8_t key_out[BENCH_KEY_BYTES]);

/* A value; borrowed from the pool. */
struct slice bench_keys_value(const struct bench_keys *keys, struct bench_random *random);

#endif
