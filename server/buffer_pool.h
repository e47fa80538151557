/* buffer_pool.h: buffers that a loop uses again and again, so that a warm server allocates nothing.
 *
 * Last given, first taken: the warmest memory is used most, and a connection that is idle holds
 * none. What is kept is bounded in number and bytes; a buffer that grew beyond
 * BUFFER_POOL_ITEM_BYTES_MAX is freed when it comes back. One loop's thread only. */
#ifndef KVD_SERVER_BUFFER_POOL_H
#define KVD_SERVER_BUFFER_POOL_H

#include "protocol/base/buffer.h"

#define BUFFER_POOL_ITEMS_MAX 1024u           /* 64 connections of 16 requests in flight */
#define BUFFER_POOL_ITEM_BYTES_MAX (1u << 20) /* a full page of a scan comes back */
#define BUFFER_POOL_BYTES_MAX (8u << 20)      /* kept in all, a loop */

struct buffer_pool {
    struct buffer items[BUFFER_POOL_ITEMS_MAX]; /* owned; the first `count` */
    uint32_t count;
    size_t bytes; /* sum of their capacities */
};

/* An empty buffer, warm if there is one, that will hold at most `cap` bytes. Cannot fail: without a
 * kept one it is a new one that has no memory yet. */
void buffer_pool_take(struct buffer_pool *pool, size_t cap, struct buffer *buffer_out);

/* Gives a buffer back; it is a valid empty buffer without memory then. */
void buffer_pool_give(struct buffer_pool *pool, struct buffer *buffer);

void buffer_pool_deinit(struct buffer_pool *pool);

#endif
