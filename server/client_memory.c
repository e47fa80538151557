/* client_memory.c: see client_memory.h. */
#include "server/client_memory.h"

#include "protocol/base/assert.h"

void client_memory_init(struct client_memory *memory, uint64_t limit_bytes, uint32_t loop_count) {
    ASSERT(loop_count > 0);
    ASSERT(loop_count <= CLIENT_MEMORY_LOOPS_MAX);
    memory->limit_bytes = limit_bytes;
    memory->loop_count = loop_count;
    atomic_init(&memory->charged_bytes, 0);
    for (uint32_t i = 0; i < CLIENT_MEMORY_LOOPS_MAX; i++) {
        atomic_init(&memory->biggest_bytes[i], 0);
    }
}

bool client_memory_charge(struct client_memory *memory, int64_t delta_bytes) {
    int64_t before =
        atomic_fetch_add_explicit(&memory->charged_bytes, delta_bytes, memory_order_relaxed);

    ASSERT(before + delta_bytes >= 0);
    return (uint64_t)(before + delta_bytes) > memory->limit_bytes;
}

void client_memory_publish(struct client_memory *memory, uint32_t loop, uint64_t biggest_bytes) {
    ASSERT(loop < memory->loop_count);
    atomic_store_explicit(&memory->biggest_bytes[loop], biggest_bytes, memory_order_relaxed);
}

uint32_t client_memory_biggest_loop(const struct client_memory *memory) {
    uint32_t biggest = 0;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < memory->loop_count; i++) {
        uint64_t other = atomic_load_explicit(&memory->biggest_bytes[i], memory_order_relaxed);
        if (other > bytes) {
            bytes = other;
            biggest = i;
        }
    }
    return biggest;
}

uint64_t client_memory_charged(const struct client_memory *memory) {
    return (uint64_t)atomic_load_explicit(&memory->charged_bytes, memory_order_relaxed);
}

bool client_memory_exceeded(const struct client_memory *memory) {
    return client_memory_charged(memory) > memory->limit_bytes;
}
