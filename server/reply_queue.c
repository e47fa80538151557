/* reply_queue.c: see reply_queue.h. */
#include "server/reply_queue.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "protocol/wire.h"
#include "server/transactions.h"

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

void reply_committed_cb(void *arg, struct store_transaction *txn,
                        const struct store_outcome *outcome) {
    struct reply *reply = arg;

    (void)txn;
    reply->outcome = *outcome;
    mailbox_post(reply->mailbox, &reply->message);
}

/* What is said of an outcome; NULL: its own text. */
static const char *outcome_text(const struct reply *reply) {
    switch (reply->outcome.status) {
    case STATUS_INVALID:
        return "the value is not a decimal number of 64 bits";
    case STATUS_TOO_LARGE:
        return "the value would be longer than a value may be";
    case STATUS_BUSY:
        return reply->opcode == WIRE_REWIND ? "others keep writing into the range" : NULL;
    case STATUS_ABSENT:
        return reply->opcode == WIRE_TOUCH || reply->opcode == WIRE_PERSIST
                   ? "the key does not exist"
                   : NULL;
    default:
        return NULL;
    }
}

/* The outcome of an operation at fault: which item, and for a condition the version present. */
static enum status append_fault(const struct reply *reply, struct buffer *destination,
                                uint64_t detail) {
    const char *text = outcome_text(reply);
    struct wire_refusal refusal = {
        .text = text ? text : status_text(reply->outcome.status),
        .item = reply->opcode == WIRE_BATCH ? reply->outcome.operation : WIRE_NO_ITEM,
        .detail = detail,
    };

    return wire_response_error(destination, reply->id, reply->outcome.status, &refusal);
}

/* The answer to a TRANSACT that was done before, as it was then. */
static enum status append_kept(const struct reply *reply, struct buffer *destination) {
    static const struct wire_refusal refusal = {.text = "the token is that of another request",
                                                .item = WIRE_NO_ITEM};
    struct slice answer = reply->outcome.answer;
    size_t mark = buffer_mark(destination);
    enum status status;

    if (answer.len < WIRE_FRAME_HEADER_BYTES + sizeof reply->outcome.version) {
        return wire_response_error(destination, reply->id, STATUS_INVALID, &refusal);
    }
    status = buffer_append(destination, answer.ptr, answer.len);
    if (status == STATUS_OK) {
        wire_transact_version(destination, mark, reply->outcome.version);
        wire_frame_readdress(destination, mark, reply->id);
    }
    return status;
}

static enum status append_done(const struct reply *reply, struct buffer *destination) {
    const struct store_outcome *outcome = &reply->outcome;

    switch (reply->opcode) {
    case WIRE_ADD:
    case WIRE_APPEND:
        ASSERT(outcome->result_count == 1);
        return wire_response_version_number(destination, reply->id, outcome->version,
                                            (uint64_t)outcome->results[0]);
    case WIRE_REWIND:
        return wire_response_version_number(destination, reply->id, outcome->version,
                                            reply->has_token ? outcome->number : reply->number);
    case WIRE_TRANSACT:
        return append_kept(reply, destination);
    default:
        return reply_has_results(reply)
                   ? wire_response_results(destination, reply->id, outcome->version,
                                           outcome->results, outcome->result_count)
                   : wire_response_version(destination, reply->id, outcome->version);
    }
}

/* The namespace went after the request had found it. Sent again, a write finds another; NOT_FOUND
 * would tell the client that it is done. */
static enum status append_dropped(const struct reply *reply, struct buffer *destination) {
    static const struct wire_refusal refusal = {
        .text = "the namespace was dropped meanwhile; try again", .item = WIRE_NO_ITEM};

    return wire_response_error(destination, reply->id, STATUS_BUSY, &refusal);
}

static enum status append_missing(const struct reply *reply, struct buffer *destination) {
    static const struct wire_refusal refusal = {.text = "no such namespace", .item = WIRE_NO_ITEM};

    if (reply->opcode == WIRE_NAMESPACE_DROP) {
        return wire_response_error(destination, reply->id, STATUS_NOT_FOUND, &refusal);
    }
    return reply->refused == STATUS_OK
               ? append_dropped(reply, destination)
               : reply_append_error(destination, reply->id, STATUS_NOT_FOUND, NULL);
}

/* The transaction of this commit has ended, on this or on another connection. */
static enum status append_gone(const struct reply *reply, struct buffer *destination) {
    static const struct wire_refusal refusal = {.text = TRANSACTION_NOT_OPEN, .item = WIRE_NO_ITEM};

    return reply->opcode == WIRE_TXN_COMMIT
               ? wire_response_error(destination, reply->id, STATUS_GONE, &refusal)
               : reply_append_error(destination, reply->id, STATUS_GONE, NULL);
}

/* A conflict that was remembered: of it, only the version is known. */
static enum status append_old_conflict(const struct reply *reply, struct buffer *destination) {
    static const struct wire_conflict conflict = {.flags = 0};

    return wire_response_conflict(destination, reply->id, reply->outcome.version, &conflict);
}

static enum status append_outcome(const struct reply *reply, struct buffer *destination) {
    switch (reply->outcome.status) {
    case STATUS_OK:
        return append_done(reply, destination);
    case STATUS_NOT_FOUND:
        return append_missing(reply, destination);
    case STATUS_GONE:
        return append_gone(reply, destination);
    case STATUS_CONFLICT:
        return append_old_conflict(reply, destination);
    case STATUS_EXISTS:
    case STATUS_ABSENT:
    case STATUS_VERSION_MISMATCH:
        return append_fault(reply, destination, reply->outcome.version);
    case STATUS_INVALID:
    case STATUS_OVERFLOW:
    case STATUS_TOO_LARGE:
    case STATUS_QUOTA:
    case STATUS_BUSY:
        return append_fault(reply, destination, 0);
    default:
        return reply_append_error(destination, reply->id, reply->outcome.status, NULL);
    }
}

bool reply_has_results(const struct reply *reply) {
    return reply->outcome.status == STATUS_OK &&
           (reply->outcome.result_count > 0 || reply->opcode == WIRE_REWIND ||
            reply->opcode == WIRE_TRANSACT);
}

enum status reply_render(struct reply *reply) {
    ASSERT(reply->is_write);
    reply->is_write = false; /* its answer is bytes now */
    buffer_clear(&reply->bytes);
    return append_outcome(reply, &reply->bytes);
}

enum status reply_append(const struct reply *reply, struct buffer *destination) {
    ASSERT(reply->phase == REPLY_DONE);
    if (reply->is_write) {
        return append_outcome(reply, destination);
    }
    return reply->bytes.len == 0 ? STATUS_OK
                                 : buffer_append(destination, reply->bytes.data, reply->bytes.len);
}

enum status reply_append_error(struct buffer *destination, uint32_t id, enum status status,
                               const struct error *error) {
    char line[ERROR_LINE_MAX];
    struct slice text = slice_from_text(status_text(status));

    if (error && error->status == status) {
        text = slice_make(line, (size_t)error_format(error, line, sizeof line));
    } else if (status == STATUS_NOT_FOUND) { /* the frequent one needs no words */
        return wire_response_error(destination, id, status, NULL);
    }
    return wire_response_error_text(destination, id, status, 0, text);
}
