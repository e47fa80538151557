/* bench_inserts.c: see bench_inserts.h. */
#include "client/kvcli/bench_inserts.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#define WORD_BITS 64u

enum status bench_inserts_init(struct bench_inserts *inserts, uint64_t loaded) {
    atomic_init(&inserts->stored, loaded);
    inserts->next = loaded;
    pthread_mutex_init(&inserts->mu, NULL);
    inserts->bits =
        memory_alloc_zeroed((size_t)(BENCH_INSERTS_ROOM / WORD_BITS) * sizeof(uint64_t));
    return inserts->bits ? STATUS_OK : STATUS_NO_MEMORY;
}

void bench_inserts_deinit(struct bench_inserts *inserts) {
    pthread_mutex_destroy(&inserts->mu);
    memory_free(inserts->bits);
    inserts->bits = NULL;
}

static uint64_t *word_of(struct bench_inserts *inserts, uint64_t number) {
    return &inserts->bits[number % BENCH_INSERTS_ROOM / WORD_BITS];
}

bool bench_inserts_take(struct bench_inserts *inserts, uint64_t *number_out) {
    bool has_room;

    pthread_mutex_lock(&inserts->mu);
    has_room = inserts->next - bench_inserts_stored(inserts) < BENCH_INSERTS_ROOM;
    if (has_room) {
        *number_out = inserts->next++;
    }
    pthread_mutex_unlock(&inserts->mu);
    return has_room;
}

void bench_inserts_answer(struct bench_inserts *inserts, uint64_t number) {
    uint64_t stored;

    pthread_mutex_lock(&inserts->mu);
    stored = bench_inserts_stored(inserts);
    ASSERT(number >= stored);
    ASSERT(number < inserts->next);
    *word_of(inserts, number) |= UINT64_C(1) << number % WORD_BITS;
    while (*word_of(inserts, stored) >> stored % WORD_BITS & 1) {
        *word_of(inserts, stored) &= ~(UINT64_C(1) << stored % WORD_BITS);
        stored++;
    }
    atomic_store_explicit(&inserts->stored, stored, memory_order_release);
    pthread_mutex_unlock(&inserts->mu);
}
