/* reply_queue.c: see reply_queue.h. */
#include "server/reply_queue.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#define ERROR_LINE_MAX 512

struct reply *reply_pool_take(struct reply_pool *pool) {
    struct reply *reply = pool->free;

    if (!reply) {
        return memory_alloc_zeroed(sizeof *reply);
    }
    pool->free = reply->next;
    pool->count--;
    memset(reply, 0, sizeof *reply);
    return reply;
}

void reply_pool_give(struct reply_pool *pool, struct reply *reply) {
    ASSERT(reply->commit == NULL);
    ASSERT(reply->bytes.data == NULL);
    ASSERT(reply->frame.data == NULL);
    if (pool->count == REPLY_POOL_MAX) {
        memory_free(reply);
        return;
    }
    reply->next = pool->free;
    pool->free = reply;
    pool->count++;
}

void reply_pool_deinit(struct reply_pool *pool) {
    while (pool->free) {
        struct reply *next = pool->free->next;
        memory_free(pool->free);
        pool->free = next;
    }
    pool->count = 0;
}

void reply_queue_push(struct reply_queue *queue, struct reply *reply) {
    reply->next = NULL;
    if (queue->newest) {
        queue->newest->next = reply;
    } else {
        queue->oldest = reply;
    }
    queue->newest = reply;
    queue->count++;
}

struct reply *reply_queue_pop_done(struct reply_queue *queue) {
    struct reply *reply = queue->oldest;

    if (!reply || reply->phase != REPLY_DONE) {
        return NULL;
    }
    queue->oldest = reply->next;
    if (!queue->oldest) {
        queue->newest = NULL;
    }
    ASSERT(queue->count > 0);
    ASSERT(queue->bytes >= reply->bytes.len);
    queue->count--;
    queue->bytes -= reply->bytes.len;
    reply->next = NULL;
    return reply;
}

void reply_held_cb(struct store_waiter *waiter, enum status status) {
    struct reply *reply = waiter->arg;

    reply->waited = status;
    mailbox_post(reply->mailbox, &reply->message);
}

static enum status append_unmet(const struct reply *reply, struct buffer *destination) {
    struct wire_refusal refusal = {
        .text = status_text(reply->outcome.status),
        .item = reply->opcode == WIRE_BATCH ? reply->outcome.operation : WIRE_NO_ITEM,
        .detail = reply->outcome.version,
    };

    return wire_response_error(destination, reply->id, reply->outcome.status, &refusal);
}

static enum status append_outcome(const struct reply *reply, struct buffer *destination) {
    switch (reply->outcome.status) {
    case STATUS_OK:
        return wire_response_version(destination, reply->id, reply->outcome.version);
    case STATUS_EXISTS:
    case STATUS_ABSENT:
    case STATUS_VERSION_MISMATCH:
        return append_unmet(reply, destination);
    default:
        return reply_append_error(destination, reply->id, reply->outcome.status, NULL);
    }
}

enum status reply_append(const struct reply *reply, struct buffer *destination) {
    ASSERT(reply->phase == REPLY_DONE);
    if (reply->is_write) {
        return append_outcome(reply, destination);
    }
    return buffer_append(destination, reply->bytes.data, reply->bytes.len);
}

enum status reply_append_error(struct buffer *destination, uint32_t id, enum status status,
                               const struct error *error) {
    char line[ERROR_LINE_MAX];
    struct slice text = slice_from_text(status_text(status));

    if (status == STATUS_NOT_FOUND) { /* the frequent one needs no words */
        return wire_response_error(destination, id, status, NULL);
    }
    if (error && error->status == status) {
        text = slice_make(line, (size_t)error_format(error, line, sizeof line));
    }
    return wire_response_error_text(destination, id, status, 0, text);
}
