/* scratch_pool.h: buffers for compressed values on their way, kept and used again, so that a read
 * allocates nothing once warm. Any thread. */
#ifndef KVD_STORAGE_SCRATCH_POOL_H
#define KVD_STORAGE_SCRATCH_POOL_H

#include "protocol/base/buffer.h"
#include "storage/lock.h"

#define SCRATCH_POOL_KEPT 16             /* 8 loops, 4 I/O threads, 4 workers */
#define SCRATCH_BYTES_KEPT (256u * 1024) /* a larger one is freed after use */

struct scratch_pool {
    struct mutex mu;
    /* guarded by mu */
    struct buffer kept[SCRATCH_POOL_KEPT];
    uint32_t kept_count;
};

void scratch_pool_init(struct scratch_pool *pool);
void scratch_pool_deinit(struct scratch_pool *pool);

/* An empty buffer, perhaps with memory; the caller's until it is put back. */
struct buffer scratch_pool_take(struct scratch_pool *pool, size_t cap);
void scratch_pool_put(struct scratch_pool *pool, struct buffer *buffer);

#endif
