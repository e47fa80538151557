/* bench_inserts.h: the keys that a benchmark adds to those that are loaded, numbered one after the
 * other over all threads, and up to where all of them are known to be stored: only those are read.
 *
 *      0 ... loaded ... stored            next
 *      |---- in the store ----|-- on their way --|
 *
 * Answers come in any order: a bit for each number in between remembers them. There is room for so
 * many; while the oldest is not answered and the room is full, no number is given out. Any thread.
 */
#ifndef KVCLI_BENCH_INSERTS_H
#define KVCLI_BENCH_INSERTS_H

#include "protocol/base/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BENCH_INSERTS_ROOM ((uint64_t)1 << 20)

struct bench_inserts {
    _Atomic uint64_t stored; /* written under mu; release and acquire: what is below is answered */
    pthread_mutex_t mu;
    uint64_t next;  /* guarded by mu */
    uint64_t *bits; /* owned; guarded by mu; of number n: bit n % room, set when answered */
};

/* Errors: NO_MEMORY; *inserts may be deinitialised in any case. */
enum status bench_inserts_init(struct bench_inserts *inserts, uint64_t loaded) MUST_CHECK;
void bench_inserts_deinit(struct bench_inserts *inserts);

/* The next number; false while there is no room. */
bool bench_inserts_take(struct bench_inserts *inserts, uint64_t *number_out);

/* The insert of the number was answered, well or not. */
void bench_inserts_answer(struct bench_inserts *inserts, uint64_t number);

/* All numbers below are stored. */
static inline uint64_t bench_inserts_stored(struct bench_inserts *inserts) {
    return atomic_load_explicit(&inserts->stored, memory_order_acquire);
}

#endif
