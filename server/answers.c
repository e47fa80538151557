/* answers.c: see answers.h. */
#include "server/answers.h"

#include "protocol/base/assert.h"

#define TASK_BYTES_MIN (16u * 1024) /* as many tasks as limits.tasks_max fit then */

static void recycle_reply(struct connection *connection, struct reply *reply) {
    struct loop *loop = connection->loop;

    buffer_pool_give(&loop->buffers, &reply->bytes);
    buffer_pool_give(&loop->buffers, &reply->frame);
    reply_pool_give(&loop->replies, reply);
}

/* Whether the oldest answer may join the output. If not, it goes on when that has drained. */
static bool output_has_room(struct connection *connection) {
    struct output *output = &connection->output;
    const struct reply *oldest = connection->replies.oldest;
    size_t pause_bytes = connection->loop->service->limits.output_pause_bytes;

    if (oldest && oldest->phase == REPLY_DONE &&
        output->bytes.len + oldest->bytes.len > pause_bytes) {
        output_flush(output, loop_now_ms(connection->loop));
        return output->bytes.len == 0;
    }
    return true;
}

void answers_advance(struct connection *connection) {
    struct output *output = &connection->output;
    struct reply *reply;

    while (output_has_room(connection) &&
           (reply = reply_queue_pop_done(&connection->replies)) != NULL) {
        struct buffer *bytes = output_buffer(output);
        if (reply->lost) {
            connection->broken = true;
        } else if (bytes->len == 0 && reply->bytes.len > 0) { /* a large answer is not copied */
            struct buffer empty = *bytes;
            *bytes = reply->bytes;
            reply->bytes = empty;
        } else if (reply_append(reply, bytes) != STATUS_OK) {
            connection->broken = true;
        }
        recycle_reply(connection, reply);
    }
}

/* A hold that cannot be passed any more: what was read may be undone by a crash. */
static void replace_by_error(struct connection *connection, struct reply *reply) {
    connection->replies.bytes -= reply->bytes.len;
    buffer_clear(&reply->bytes);
    if (reply_append_error(&reply->bytes, reply->id, reply->waited, NULL) != STATUS_OK) {
        reply->lost = true;
    }
    connection->replies.bytes += reply->bytes.len;
}

/* Answers of I/O threads are expected to be like those before: at once as large as one that was,
 * and only slowly smaller. */
static void learn_task_bytes(struct connection *connection, size_t bytes) {
    size_t expected = connection->task_bytes - connection->task_bytes / 8;

    if (expected < TASK_BYTES_MIN) {
        expected = TASK_BYTES_MIN;
    }
    connection->task_bytes = bytes > expected ? bytes : expected;
}

static void task_back(struct connection *connection, struct reply *reply) {
    struct store *store = connection->loop->service->store;

    connection->replies.tasks--;
    learn_task_bytes(connection, reply->bytes.len);
    connection->replies.bytes += reply->bytes.len;
    buffer_pool_give(&connection->loop->buffers, &reply->frame);
    metrics_add(connection->loop->metrics, METRIC_REQUESTS_FAILED, reply->failed);
    reply->phase = REPLY_DONE;
    if (connection->phase < CONNECTION_CLOSING && !store_hold_passed(store, &reply->waiter.hold)) {
        metrics_add(connection->loop->metrics, METRIC_REPLIES_HELD, 1);
        reply->phase = REPLY_HELD;
        reply->waiter.done_cb = reply_held_cb;
        reply->waiter.arg = reply;
        store_hold_wait(store, &reply->waiter);
    }
}

static void commit_back(struct connection *connection, struct reply *reply) {
    connection->replies.writes--;
    connection->replies.write_bytes -= reply->write_bytes;
    commit_batch_give(&connection->loop->commits, reply->commit);
    reply->commit = NULL;
    reply->phase = REPLY_DONE;
}

void answers_take_back(struct connection *connection, struct reply *reply) {
    switch (reply->phase) {
    case REPLY_IN_COMMIT:
        commit_back(connection, reply);
        return;
    case REPLY_IN_TASK:
        task_back(connection, reply);
        return;
    case REPLY_HELD:
        reply->phase = REPLY_DONE;
        if (reply->waited != STATUS_OK) {
            replace_by_error(connection, reply);
        }
        return;
    case REPLY_DONE:
        break;
    }
    ASSERT(false);
}

void answers_drop(struct connection *connection) {
    struct reply *reply;

    while ((reply = reply_queue_pop_done(&connection->replies)) != NULL) {
        recycle_reply(connection, reply);
    }
}
