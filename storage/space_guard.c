/* space_guard.c: see space_guard.h. */
#include "storage/space_guard.h"

void space_guard_init(struct space_guard *guard, struct env *env, const char *dir,
                      uint64_t reserve_bytes) {
    *guard = (struct space_guard){.env = env, .dir = dir};
    atomic_init(&guard->reserve_bytes, reserve_bytes);
    atomic_init(&guard->free_bytes, UINT64_MAX);
    space_guard_refresh(guard);
}

void space_guard_set_reserve(struct space_guard *guard, uint64_t reserve_bytes) {
    atomic_store_explicit(&guard->reserve_bytes, reserve_bytes, memory_order_relaxed);
}

void space_guard_refresh(struct space_guard *guard) {
    struct env_space space;

    atomic_store_explicit(&guard->written, 0, memory_order_relaxed);
    if (env_space(guard->env, guard->dir, &space, NULL) == STATUS_OK) {
        atomic_store_explicit(&guard->free_bytes, space.free_bytes, memory_order_relaxed);
    }
}

void space_guard_note(struct space_guard *guard, uint64_t bytes) {
    if (atomic_fetch_add_explicit(&guard->written, bytes, memory_order_relaxed) + bytes >=
        SPACE_CHECK_BYTES) {
        space_guard_refresh(guard);
    }
}
