/* scratch_pool.c: see scratch_pool.h. */
#include "storage/scratch_pool.h"

void scratch_pool_init(struct scratch_pool *pool) {
    *pool = (struct scratch_pool){.kept_count = 0};
    mutex_init(&pool->mu);
}

void scratch_pool_deinit(struct scratch_pool *pool) {
    for (uint32_t i = 0; i < pool->kept_count; i++) {
        buffer_deinit(&pool->kept[i]);
    }
    mutex_deinit(&pool->mu);
}

struct buffer scratch_pool_take(struct scratch_pool *pool, size_t cap) {
    struct buffer buffer = {0};

    mutex_lock(&pool->mu);
    if (pool->kept_count > 0) {
        buffer = pool->kept[--pool->kept_count];
    }
    mutex_unlock(&pool->mu);
    buffer_clear(&buffer);
    buffer.cap = cap;
    return buffer;
}

void scratch_pool_put(struct scratch_pool *pool, struct buffer *buffer) {
    bool kept = false;

    if (buffer->capacity > 0 && buffer->capacity <= SCRATCH_BYTES_KEPT) {
        mutex_lock(&pool->mu);
        if (pool->kept_count < SCRATCH_POOL_KEPT) {
            pool->kept[pool->kept_count++] = *buffer;
            kept = true;
        }
        mutex_unlock(&pool->mu);
    }
    if (!kept) {
        buffer_deinit(buffer);
    }
    *buffer = (struct buffer){0};
}
