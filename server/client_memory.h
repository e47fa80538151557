/* client_memory.h: one budget for the memory that clients can cost.
 *
 * Each connection's bytes (received and not yet executed, commits in flight, replies not yet taken)
 * are charged here by its loop. When the sum passes the limit, the biggest consumer of all loops is
 * to be closed: each loop publishes the size of its biggest, and whoever notices asks the loop of
 * the very biggest to shed. Any thread; all words are relaxed, since a late look only delays the
 * shedding by a turn. */
#ifndef KVD_SERVER_CLIENT_MEMORY_H
#define KVD_SERVER_CLIENT_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CLIENT_MEMORY_LOOPS_MAX 64u

struct client_memory {
    uint64_t limit_bytes; /* constant after init */
    uint32_t loop_count;  /* constant after init */
    _Atomic int64_t charged_bytes;
    _Atomic uint64_t biggest_bytes[CLIENT_MEMORY_LOOPS_MAX]; /* each written by its loop */
};

void client_memory_init(struct client_memory *memory, uint64_t limit_bytes, uint32_t loop_count);

/* Changes the sum by `delta_bytes`. Returns whether the limit is passed now. */
bool client_memory_charge(struct client_memory *memory, int64_t delta_bytes);

/* Says how big the biggest connection of a loop is. */
void client_memory_publish(struct client_memory *memory, uint32_t loop, uint64_t biggest_bytes);

/* The loop with the biggest connection. */
uint32_t client_memory_biggest_loop(const struct client_memory *memory);

bool client_memory_exceeded(const struct client_memory *memory);
uint64_t client_memory_charged(const struct client_memory *memory);

#endif
