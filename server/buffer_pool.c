/* buffer_pool.c: see buffer_pool.h. */
#include "server/buffer_pool.h"

void buffer_pool_take(struct buffer_pool *pool, size_t cap, struct buffer *buffer_out) {
    buffer_init(buffer_out, cap);
    if (pool->count > 0 && pool->items[pool->count - 1].capacity <= cap) {
        *buffer_out = pool->items[--pool->count];
        buffer_out->cap = cap;
        pool->bytes -= buffer_out->capacity;
    }
}

void buffer_pool_give(struct buffer_pool *pool, struct buffer *buffer) {
    bool keep = buffer->capacity > 0 && buffer->capacity <= BUFFER_POOL_ITEM_BYTES_MAX &&
                pool->count < BUFFER_POOL_ITEMS_MAX &&
                pool->bytes + buffer->capacity <= BUFFER_POOL_BYTES_MAX;

    if (!keep) {
        buffer_deinit(buffer);
        return;
    }
    buffer_clear(buffer);
    pool->bytes += buffer->capacity;
    pool->items[pool->count++] = *buffer;
    *buffer = (struct buffer){.cap = buffer->cap};
}

void buffer_pool_deinit(struct buffer_pool *pool) {
    while (pool->count > 0) {
        buffer_deinit(&pool->items[--pool->count]);
    }
    pool->bytes = 0;
}
