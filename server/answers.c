/* answers.c: see answers.h. */
#include "server/answers.h"

#include "protocol/base/assert.h"
#include "server/job_task.h"
#include "server/observe.h"
#include "server/read_task.h"

#define TRANSACT_SMALL_BYTES (64u * 1024)
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

/* The request of a task is not needed any more. */
static void free_frame(struct connection *connection, struct reply *reply) {
    connection->replies.task_bytes -= sizeof *reply + reply->frame.len;
    buffer_pool_give(&connection->loop->buffers, &reply->frame);
}

/* ---- Waiting for something to tell */

/* Nobody waits for its waiter any more. */
static void end_wait(struct connection *connection, struct reply *reply) {
    free_frame(connection, reply);
    connection->replies.bytes += reply->bytes.len;
    reply->phase = REPLY_DONE;
}

/* What is found now is durable: it is not held for what was waited for. */
static void look_again(struct connection *connection, struct reply *reply) {
    reply->waiter.hold = (struct store_hold){0, 0};
    buffer_clear(&reply->bytes);
    reply->phase = REPLY_IN_TASK;
    connection->replies.tasks++;
    read_task_post(reply);
}

static bool may_wait(const struct connection *connection, const struct reply *reply) {
    return connection->phase == CONNECTION_OPEN && reply->look.waits && !reply->failed &&
           !reply->lost && loop_now_ms(connection->loop) < reply->wait_until_ms;
}

static void begin_wait(struct connection *connection, struct reply *reply) {
    reply->phase = REPLY_WAITING;
    reply->waiter = (struct store_waiter){
        .hold = feed_look_hold(&reply->look), .done_cb = reply_held_cb, .arg = reply};
    store_hold_wait(connection->loop->service->store, &reply->waiter);
}

/* More is durable, or the log has failed. */
static void wait_back(struct connection *connection, struct reply *reply) {
    if (reply->waited != STATUS_OK || !may_wait(connection, reply)) {
        end_wait(connection, reply);
    } else {
        look_again(connection, reply);
    }
}

bool answers_sweep(struct connection *connection) {
    struct store *store = connection->loop->service->store;
    bool any_over = false;

    for (struct reply *reply = connection->replies.oldest; reply; reply = reply->next) {
        bool over = reply->phase == REPLY_WAITING && !may_wait(connection, reply);
        bool due = reply->phase == REPLY_WAITING && feed_look_is_due(&reply->look, store);
        if ((over || due) && store_hold_cancel(store, &reply->waiter)) {
            observe_back(reply, loop_clock_ns(connection->loop));
            reply->waited = STATUS_OK;
            wait_back(connection, reply);
            any_over |= over;
        }
    }
    return any_over;
}

void answers_end_waits(struct connection *connection) {
    struct store *store = connection->loop->service->store;

    for (struct reply *reply = connection->replies.oldest; reply; reply = reply->next) {
        if (reply->phase == REPLY_WAITING && store_hold_cancel(store, &reply->waiter)) {
            end_wait(connection, reply);
        }
    }
}

/* ---- Tasks */

/* An answer that is done, and shows what a crash could still undo, waits. */
static void hold_if_needed(struct connection *connection, struct reply *reply) {
    struct store *store = connection->loop->service->store;

    if (connection->phase >= CONNECTION_CLOSING || store_hold_passed(store, &reply->waiter.hold)) {
        return;
    }
    metrics_add(connection->loop->metrics, METRIC_REPLIES_HELD, 1);
    reply->phase = REPLY_HELD;
    reply->waiter.done_cb = reply_held_cb;
    reply->waiter.arg = reply;
    store_hold_wait(store, &reply->waiter);
}

static void task_back(struct connection *connection, struct reply *reply) {
    connection->replies.tasks--;
    connection->replies.jobs -= reply->alone;
    service_slot_give(connection->loop->service, (enum service_slot)reply->slot);
    if (may_wait(connection, reply)) {
        begin_wait(connection, reply);
        return;
    }
    learn_task_bytes(connection, reply->bytes.len);
    connection->replies.bytes += reply->bytes.len;
    free_frame(connection, reply);
    metrics_add(connection->loop->metrics, METRIC_REQUESTS_FAILED, reply->failed);
    reply->phase = REPLY_DONE;
    hold_if_needed(connection, reply);
}

/* Whatever of a commit's outcome lies in the commit itself becomes bytes; then it is free. */
static void render(struct connection *connection, struct reply *reply) {
    if (!reply->bytes.data) {
        buffer_pool_take(&connection->loop->buffers, connection->output.bytes_cap, &reply->bytes);
    }
    reply->lost = reply_render(reply) != STATUS_OK;
}

static void release_commit(struct connection *connection, struct reply *reply) {
    struct loop *loop = connection->loop;

    if (reply->refused != STATUS_OK && !reply->outcome.is_repeat &&
        reply->outcome.status == reply->refused) {
        reply->is_write = false; /* it was not done before: what the job has said holds */
        connection->replies.bytes += reply->bytes.len;
    } else if (reply->is_write && (reply->refused != STATUS_OK || reply_has_results(reply))) {
        render(connection, reply);
        connection->replies.bytes += reply->bytes.len;
    }
    commit_batch_give(&loop->commits, reply->commit);
    reply->commit = NULL;
}

/* ---- Transactions */

static enum status append_conflict(const struct service *service, struct reply *reply) {
    char name[STORE_NAMESPACE_NAME_MAX];
    struct store_conflict met = {0};
    struct wire_conflict conflict = {.flags = 0};
    size_t len = 0;

    met.version = reply->outcome.version; /* all that is known of one that was remembered */
    if (store_transaction_conflict(reply->transaction, &met) == STATUS_OK) {
        len = store_namespace_name(service->store, met.namespace_id, name);
    }
    conflict.flags = (uint8_t)((met.is_range ? WIRE_CONFLICT_RANGE : 0) |
                               (met.expired ? WIRE_CONFLICT_EXPIRED : 0));
    conflict.namespace_name = slice_make(name, len);
    conflict.from = met.from;
    conflict.to = met.to;
    return wire_response_conflict(&reply->bytes, reply->id, met.version, &conflict);
}

/* What is to be answered and lies in the transaction becomes bytes before that goes. A TRANSACT has
 * its answer, for the case that all went well. */
static void release_transaction(struct connection *connection, struct reply *reply) {
    struct loop *loop = connection->loop;

    if (reply->outcome.status == STATUS_OK && reply->outcome.is_repeat &&
        reply->opcode == WIRE_TRANSACT) {
        render(connection, reply); /* the first answer */
    } else if (reply->outcome.status == STATUS_OK && reply->bytes.len > 0) {
        reply->is_write = false;
        wire_transact_version(&reply->bytes, 0, reply->outcome.version);
    } else {
        buffer_clear(&reply->bytes);
    }
    if (reply->outcome.status == STATUS_CONFLICT) {
        if (!reply->bytes.data) {
            buffer_pool_take(&loop->buffers, connection->output.bytes_cap, &reply->bytes);
        }
        reply->is_write = false;
        reply->lost = append_conflict(loop->service, reply) != STATUS_OK;
    }
    connection->replies.bytes += reply->bytes.len;
    store_transaction_destroy(reply->transaction);
    reply->transaction = NULL;
}

/* ---- Jobs */

static void job_done(struct connection *connection, struct reply *reply) {
    struct uploads *uploads = connection->session.uploads;

    connection->replies.jobs--;
    connection->replies.write_bytes -= reply->write_bytes;
    connection->upload_memory = uploads ? (size_t)uploads_memory(uploads) : 0;
    service_slot_give(connection->loop->service, (enum service_slot)reply->slot);
    metrics_add(connection->loop->metrics, METRIC_REQUESTS_FAILED, reply->failed);
    if (reply->transaction) {
        release_transaction(connection, reply);
    }
    if (reply->commit) {
        release_commit(connection, reply);
    }
    reply->phase = REPLY_DONE;
    hold_if_needed(connection, reply);
}

/* What a TRANSACT has read and is to write is memory until its commit is done: charged at once, for
 * many connections may have one. Returns whether there is room for it; a small one always has. */
static bool charge_transaction(struct connection *connection, struct reply *reply) {
    struct client_memory *memory = &connection->loop->service->client_memory;
    size_t bytes = (size_t)store_transaction_memory(reply->transaction) + reply->bytes.len;

    if (client_memory_charge(memory, (int64_t)bytes) && bytes > TRANSACT_SMALL_BYTES) {
        (void)client_memory_charge(memory, -(int64_t)bytes);
        return false;
    }
    reply->held_bytes = bytes;
    return true;
}

static void discharge_transaction(struct connection *connection, struct reply *reply) {
    (void)client_memory_charge(&connection->loop->service->client_memory,
                               -(int64_t)reply->held_bytes);
    reply->held_bytes = 0;
}

static void refuse_transaction(struct connection *connection, struct reply *reply) {
    static const struct wire_refusal refusal = {"the memory for clients is used up; try again",
                                                WIRE_NO_ITEM, 0};
    struct buffer_pool *buffers = &connection->loop->buffers;

    store_transaction_destroy(reply->transaction);
    reply->transaction = NULL;
    buffer_pool_give(buffers, &reply->bytes);
    buffer_pool_take(buffers, connection->output.bytes_cap, &reply->bytes);
    reply->lost = wire_response_error(&reply->bytes, reply->id, STATUS_BUSY, &refusal) != STATUS_OK;
    connection->replies.bytes += reply->bytes.len;
    job_done(connection, reply);
}

/* An I/O thread is done with it: its commit goes on, behind those of all requests before it, since
 * none was executed meanwhile. */
static void job_back(struct connection *connection, struct reply *reply) {
    struct loop *loop = connection->loop;

    if (!reply->filled || connection->phase >= CONNECTION_CLOSING) {
        reply->refused = STATUS_OK;
        if (reply->transaction) { /* nobody is left to know how it would end */
            store_transaction_destroy(reply->transaction);
            reply->transaction = NULL;
        }
        connection->replies.bytes += reply->bytes.len;
        job_done(connection, reply);
        return;
    }
    if (reply->transaction && !charge_transaction(connection, reply)) {
        refuse_transaction(connection, reply);
        return;
    }
    reply->phase = REPLY_IN_COMMIT;
    reply->is_write = true;
    connection->replies.writes++;
    if (reply->transaction) {
        commit_batch_submit(&loop->commits);
        store_transaction_submit(reply->transaction, reply->durability, reply_committed_cb, reply);
        return;
    }
    store_commit_set_arg(reply->commit, reply);
    store_commit_set_stream(reply->commit, connection->session.stream);
    commit_batch_add(&loop->commits, reply->commit, reply->durability);
}

static bool came_too_late(const struct reply *reply) {
    enum status status = reply->outcome.status;

    return (reply->opcode == WIRE_REWIND && status == STATUS_BUSY) ||
           (reply->opcode == WIRE_TRANSACT &&
            (status == STATUS_CONFLICT || status == STATUS_TXN_TOO_OLD));
}

/* A job that others came before is done again, from what is there now. */
static bool retry(const struct connection *connection, struct reply *reply) {
    if (!came_too_late(reply) || connection->phase >= CONNECTION_CLOSING ||
        ++reply->tries == JOB_TRIES_MAX) {
        return false;
    }
    store_commit_reset(reply->commit);
    store_transaction_destroy(reply->transaction);
    reply->transaction = NULL;
    buffer_clear(&reply->bytes);
    reply->is_write = false;
    reply->phase = REPLY_IN_TASK;
    job_task_post(reply);
    return true;
}

static void commit_back(struct connection *connection, struct reply *reply) {
    connection->replies.writes--;
    discharge_transaction(connection, reply);
    if (reply->is_job) {
        if (!retry(connection, reply)) {
            job_done(connection, reply);
        }
        return;
    }
    connection->replies.write_bytes -= reply->write_bytes;
    if (reply->transaction) {
        release_transaction(connection, reply);
    } else {
        release_commit(connection, reply);
    }
    reply->phase = REPLY_DONE;
}

static void take_back(struct connection *connection, struct reply *reply) {
    switch (reply->phase) {
    case REPLY_IN_COMMIT:
        commit_back(connection, reply);
        return;
    case REPLY_IN_TASK:
        if (reply->is_job) {
            job_back(connection, reply);
        } else {
            task_back(connection, reply);
        }
        return;
    case REPLY_HELD:
        reply->phase = REPLY_DONE;
        if (reply->waited != STATUS_OK) {
            replace_by_error(connection, reply);
        }
        return;
    case REPLY_WAITING:
        wait_back(connection, reply);
        if (reply->waited != STATUS_OK) {
            replace_by_error(connection, reply);
        }
        return;
    case REPLY_DONE:
        break;
    }
    ASSERT(false);
}

void answers_take_back(struct connection *connection, struct reply *reply) {
    struct loop *loop = connection->loop;
    uint64_t now_ns = loop_clock_ns(loop);

    observe_back(reply, now_ns);
    take_back(connection, reply);
    if (reply->phase == REPLY_DONE) {
        observe_done(loop, &connection->session, reply, now_ns);
    }
}

void answers_drop(struct connection *connection) {
    struct reply *reply;

    while ((reply = reply_queue_pop_done(&connection->replies)) != NULL) {
        recycle_reply(connection, reply);
    }
}
