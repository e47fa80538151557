/* store_clock.c: see store_clock.h. */
#include "storage/store_clock.h"

#define NS_PER_MS UINT64_C(1000000)

void store_clock_init(struct store_clock *clock, struct env *env, uint64_t least_ms) {
    uint64_t wall_ms = env_wall_clock_ms(env);

    *clock = (struct store_clock){.env = env,
                                  .base_ms = wall_ms > least_ms ? wall_ms : least_ms,
                                  .base_mono_ns = env_monotonic_ns(env)};
    atomic_init(&clock->last_ms, clock->base_ms);
}

uint64_t store_clock_now_ms(struct store_clock *clock) {
    uint64_t elapsed_ms = (env_monotonic_ns(clock->env) - clock->base_mono_ns) / NS_PER_MS;
    uint64_t now_ms = clock->base_ms + elapsed_ms;
    uint64_t wall_ms = env_wall_clock_ms(clock->env);
    uint64_t last_ms = atomic_load_explicit(&clock->last_ms, memory_order_relaxed);

    now_ms = wall_ms > now_ms ? wall_ms : now_ms;
    do {
        if (now_ms <= last_ms) {
            return last_ms;
        }
    } while (!atomic_compare_exchange_weak_explicit(&clock->last_ms, &last_ms, now_ms,
                                                    memory_order_relaxed, memory_order_relaxed));
    return now_ms;
}
