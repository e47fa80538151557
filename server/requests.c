/* requests.c: see requests.h. */
#include "server/requests.h"

#include "protocol/base/assert.h"
#include "server/answering.h"
#include "server/fill.h"
#include "server/job_task.h"
#include "server/observe.h"
#include "server/read_task.h"
#include "server/states.h"

/* One request at hand. */
struct pending {
    struct connection *connection;
    const struct command *command;
    const struct wire_request *request;
    struct slice frame; /* all its bytes */
};

enum step { STEP_DONE, STEP_NOT_NOW };

void requests_refuse(struct connection *connection, enum status status, const char *text) {
    struct wire_refusal refusal = {text, WIRE_NO_ITEM, 0};

    answering_error(connection, 0, status, &refusal);
    connection->fault = text;
    connection->phase = CONNECTION_FINISHING;
}

/* It is answered in place, if not by an error. */
static void count_here(const struct pending *pending) {
    burst_add(&pending->connection->loop->burst, latency_command(pending->command->metric),
              pending->frame);
}

/* Of one whose answer another thread decides. */
static void note(struct reply *reply, const struct pending *pending) {
    reply->id = pending->request->id;
    reply->opcode = pending->request->opcode;
    observe_note(&reply->note, pending->request, pending->frame.len);
}

/* ---- Local commands */

static void run_local(const struct pending *pending) {
    struct connection *connection = pending->connection;
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, 0};
    struct answer answer;
    enum status status;

    if (!answering_begin(connection, &answer)) {
        return;
    }
    status = pending->command->local(connection->loop->service, &connection->session,
                                     pending->request, answer.buffer, &refusal);
    answering_end(connection, &answer, STATUS_OK);
    count_here(pending);
    if (status != STATUS_OK) {
        answering_error(connection, pending->request->id, status, &refusal);
    }
}

static bool is_long(const struct pending *pending) {
    const struct command *command = pending->command;

    return command->is_long && command->is_long(pending->request);
}

/* ---- Reads */

/* What the answers in flight are going to cost must fit as well, but one may always be larger. */
static bool has_room_for_task(const struct connection *connection) {
    const struct limits *limits = &connection->loop->service->limits;
    uint32_t tasks = connection->replies.tasks;

    return tasks == 0 || (tasks < limits->tasks_max &&
                          connection->replies.bytes + output_queued(&connection->output) +
                                  (tasks + 1) * connection->task_bytes <=
                              limits->output_pause_bytes);
}

/* A reply for work on an I/O thread, with a copy of the request. NULL, and all is said, if there is
 * no slot or no memory for it. */
static struct reply *task_begin(const struct pending *pending) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    const struct wire_options *options = &pending->request->options;
    struct wire_refusal taken = {"too many requests like this are being worked on", WIRE_NO_ITEM,
                                 0};
    struct reply *reply;

    if (!service_slot_take(loop->service, pending->command->slot)) {
        answering_error(connection, pending->request->id, STATUS_BUSY, &taken);
        return NULL;
    }
    reply = answering_add(connection, REPLY_IN_TASK);
    if (!reply) {
        service_slot_give(loop->service, pending->command->slot);
        return NULL;
    }
    note(reply, pending);
    reply->agreed = connection->session.agreed;
    reply->slot = (uint8_t)pending->command->slot;
    if (options->flags & WIRE_FLAG_DEADLINE) {
        reply->deadline_at_ms = connection->last_read_ms + options->deadline_ms;
    }
    if (pending->request->wait_ms > 0) {
        reply->wait_until_ms =
            loop_now_ms(loop) + (pending->request->wait_ms < FEED_LOOK_WAIT_MS_MAX
                                     ? pending->request->wait_ms
                                     : FEED_LOOK_WAIT_MS_MAX);
    }
    buffer_pool_take(&loop->buffers, SIZE_MAX, &reply->frame);
    answering_give_bytes(connection, reply);
    if (buffer_append(&reply->frame, pending->frame.ptr, pending->frame.len) != STATUS_OK) {
        service_slot_give(loop->service, pending->command->slot);
        reply->phase = REPLY_DONE;
        connection->broken = true;
        return NULL;
    }
    return reply;
}

/* `read`: on which it is to be done; NULL for those that read no state. */
static enum step run_task(const struct pending *pending, const struct store_read *read,
                          bool is_walk) {
    struct connection *connection = pending->connection;
    struct reply *reply;

    if (!has_room_for_task(connection)) {
        return STEP_NOT_NOW;
    }
    reply = task_begin(pending);
    if (!reply) {
        return STEP_DONE;
    }
    metrics_add(connection->loop->metrics, METRIC_READS_ON_IO_THREADS, 1);
    connection->replies.tasks++;
    connection->replies.task_bytes += sizeof *reply + reply->frame.len;
    if (read) {
        store_read_begin_same(read, &reply->read);
        reply->has_read = true;
        reply->alone = read->transaction != NULL;
        connection->replies.jobs += reply->alone;
    }
    reply->task.is_walk = is_walk;
    read_task_post(reply);
    return STEP_DONE;
}

/* Reads on the loop, as far as that can be without waiting. */
static enum step run_read_here(const struct pending *pending, struct store_read *read) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct read_context context = {.service = loop->service,
                                   .read = read,
                                   .wait = STORE_WAIT_NEVER,
                                   .scratch = &loop->scratch};
    struct answer answer;
    struct store_hold hold;
    enum status status;
    bool failed;

    if (!answering_begin(connection, &answer)) {
        return STEP_DONE;
    }
    status = read_run(&context, pending->command, pending->request, answer.buffer, &failed);
    hold = store_read_hold_take(read);
    if (status == STATUS_WOULD_BLOCK) {
        return run_task(pending, read, false);
    }
    metrics_add(loop->metrics, METRIC_REQUESTS_FAILED, failed);
    if (status == STATUS_OK && !store_hold_passed(loop->service->store, &hold)) {
        answering_hold(connection, &answer, pending->request, pending->frame.len, &hold);
        return STEP_DONE;
    }
    answering_end(connection, &answer, status);
    count_here(pending);
    return STEP_DONE;
}

static enum step run_read_of(const struct pending *pending, struct store_read *read) {
    const struct command *command = pending->command;

    return is_long(pending)       ? run_task(pending, read, true)
           : command->always_task ? run_task(pending, read, false)
                                  : run_read_here(pending, read);
}

/* On another state than the newest. */
static enum step run_read_at(const struct pending *pending, const struct wire_state *state) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct error error = {.status = STATUS_OK};
    struct store_read read;
    enum status status;
    enum step step;

    status = states_begin(loop->service, pending->request, state, loop_read(loop), &read, &error);
    if (status != STATUS_OK) {
        answering_failure(connection, pending->request->id, status, &error);
        return STEP_DONE;
    }
    step = run_read_of(pending, &read);
    store_read_end(&read);
    return step;
}

static enum step run_read(const struct pending *pending) {
    struct loop *loop = pending->connection->loop;
    const struct wire_state state = states_of(pending->request);

    if (pending->command->no_state) {
        return run_task(pending, NULL, false);
    }
    return state.kind == WIRE_STATE_NEWEST ? run_read_of(pending, loop_read(loop))
                                           : run_read_at(pending, &state);
}

/* ---- Writes */

static enum store_durability durability_of(const struct service *service,
                                           const struct wire_request *request) {
    return request->options.flags & WIRE_FLAG_DURABILITY
               ? (enum store_durability)(request->options.durability - WIRE_DURABILITY_MEMORY)
               : service_durability(service);
}

static void submit(const struct pending *pending, struct store_commit *commit) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct reply *reply = answering_add(connection, REPLY_IN_COMMIT);

    if (!reply) {
        commit_batch_give(&loop->commits, commit);
        return;
    }
    reply->is_write = true;
    note(reply, pending);
    reply->commit = commit;
    reply->write_bytes = pending->frame.len;
    connection->replies.writes++;
    connection->replies.write_bytes += reply->write_bytes;
    store_commit_set_arg(commit, reply);
    store_commit_set_stream(commit, connection->session.stream);
    commit_batch_add(&loop->commits, commit, durability_of(loop->service, pending->request));
}

/* OK: the commit is to be submitted. */
static enum status give_token(const struct pending *pending, struct store_commit *commit,
                              enum status status) {
    if (status != STATUS_OK) {
        return fill_refusal(commit, pending->request, status) ? STATUS_OK : status;
    }
    fill_token(commit, &pending->request->options, 0);
    return STATUS_OK;
}

static enum step run_write(const struct pending *pending) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, 0};
    struct store_commit *commit;
    enum status status = STATUS_NO_MEMORY;

    if (connection->replies.writes > 0 && connection->replies.write_bytes + pending->frame.len >
                                              loop->service->limits.write_bytes_max) {
        return STEP_NOT_NOW;
    }
    commit = commit_batch_take(&loop->commits);
    if (commit) {
        status = pending->command->write(loop->service, pending->request, commit, &refusal);
        status = give_token(pending, commit, status);
    }
    if (status == STATUS_OK) {
        submit(pending, commit);
        return STEP_DONE;
    }
    if (commit) {
        commit_batch_give(&loop->commits, commit);
    }
    answering_error(connection, pending->request->id, status, &refusal);
    return STEP_DONE;
}

/* ---- Transactions */

/* The open transaction of an id. NULL, and all is said, if there is none. */
static struct transaction *find_transaction(const struct pending *pending, uint64_t id) {
    struct connection *connection = pending->connection;
    struct transactions *transactions = connection->session.transactions;
    struct transaction *transaction = transactions ? transactions_find(transactions, id) : NULL;
    struct wire_refusal refusal = {TRANSACTION_NOT_OPEN, WIRE_NO_ITEM, 0};

    if (transaction && !transaction->ended_text) {
        transaction->used_ms = loop_now_ms(connection->loop);
        return transaction;
    }
    if (transaction) {
        refusal.text = transaction->ended_text;
    }
    answering_error(connection, pending->request->id, transaction ? STATUS_DEADLINE : STATUS_GONE,
                    &refusal);
    return NULL;
}

/* A request inside a transaction, on a read of it: a write changes what it holds in memory. */
static enum step run_inside(const struct pending *pending) {
    static const struct wire_refusal read_only = {"the transaction is read-only", WIRE_NO_ITEM, 0};
    static const struct wire_refusal no_token = {"a write inside a transaction has no retry token",
                                                 WIRE_NO_ITEM, 0};
    struct connection *connection = pending->connection;
    struct transaction *transaction =
        find_transaction(pending, pending->request->options.transaction);
    struct store_read read;
    enum status status;
    enum step step;

    if (!transaction) {
        return STEP_DONE;
    }
    if (pending->request->options.flags & WIRE_FLAG_RETRY_TOKEN) {
        answering_error(connection, pending->request->id, STATUS_INVALID, &no_token);
        return STEP_DONE;
    }
    if (transaction->read_only && pending->command->kind == COMMAND_WRITE) {
        answering_error(connection, pending->request->id, STATUS_INVALID, &read_only);
        return STEP_DONE;
    }
    status = store_read_begin_transaction(transaction->store_transaction, &read);
    if (status != STATUS_OK) {
        answering_error(connection, pending->request->id, status, NULL);
        return STEP_DONE;
    }
    step = run_read_of(pending, &read);
    store_read_end(&read);
    return step;
}

/* Whether a commit can only be asked for by its token: its transaction was on another connection.
 */
static bool is_from_elsewhere(const struct pending *pending) {
    struct transactions *transactions = pending->connection->session.transactions;

    return (pending->request->options.flags & WIRE_FLAG_RETRY_TOKEN) &&
           !(transactions && transactions_find(transactions, pending->request->handle));
}

static void ask_for_commit(const struct pending *pending) {
    struct store_commit *commit = commit_batch_take(&pending->connection->loop->commits);

    if (commit && fill_refusal(commit, pending->request, STATUS_GONE)) {
        submit(pending, commit);
    } else {
        answering_error(pending->connection, pending->request->id, STATUS_NO_MEMORY, NULL);
    }
}

static enum step run_commit(const struct pending *pending) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct transaction *transaction;
    struct reply *reply;

    if (is_from_elsewhere(pending)) {
        ask_for_commit(pending);
        return STEP_DONE;
    }
    transaction = find_transaction(pending, pending->request->handle);
    reply = transaction ? answering_add(connection, REPLY_IN_COMMIT) : NULL;
    if (!reply) {
        return STEP_DONE;
    }
    if (pending->request->options.flags & WIRE_FLAG_RETRY_TOKEN) {
        struct store_token token = fill_token_of(&pending->request->options);
        store_transaction_set_token(transaction->store_transaction, &token);
    }
    reply->is_write = true;
    note(reply, pending);
    reply->transaction = transaction->store_transaction;
    reply->write_bytes = (size_t)store_transaction_memory(reply->transaction);
    connection->replies.writes++;
    connection->replies.write_bytes += reply->write_bytes;
    transactions_remove(connection->session.transactions, transaction);
    commit_batch_submit(&loop->commits); /* those before it */
    store_transaction_submit(reply->transaction, durability_of(loop->service, pending->request),
                             reply_committed_cb, reply);
    return STEP_DONE;
}

/* ---- Jobs */

bool requests_reap(struct connection *connection, bool all) {
    struct reply *reply;

    ASSERT(connection->replies.jobs == 0);
    reply = reply_pool_take(&connection->loop->replies);
    if (!reply) {
        return false;
    }
    answering_init(connection, reply, REPLY_IN_TASK);
    reply->is_job = true;
    reply->task.is_walk = false;
    reply->reap_all = all;
    reply->uploads = &connection->session.uploads;
    connection->replies.jobs++;
    job_task_post(reply);
    return true;
}

/* Nothing of the connection is executed until it is done. */
static enum step run_job(const struct pending *pending) {
    struct connection *connection = pending->connection;
    struct loop *loop = connection->loop;
    struct store_commit *commit;
    struct reply *reply;

    if (!has_room_for_task(connection)) {
        return STEP_NOT_NOW;
    }
    commit = commit_batch_take(&loop->commits);
    if (!commit) {
        answering_error(connection, pending->request->id, STATUS_NO_MEMORY, NULL);
        return STEP_DONE;
    }
    reply = task_begin(pending);
    if (!reply) {
        commit_batch_give(&loop->commits, commit);
        return STEP_DONE;
    }
    reply->is_job = true;
    reply->task.is_walk = is_long(pending);
    reply->commit = commit;
    reply->durability = durability_of(loop->service, pending->request);
    reply->uploads = &connection->session.uploads;
    reply->stream = connection->session.stream;
    reply->fresh_id =
        1 + atomic_fetch_add_explicit(&loop->service->upload_ids, 1, memory_order_relaxed);
    reply->write_bytes = pending->frame.len;
    connection->replies.write_bytes += reply->write_bytes;
    connection->replies.jobs++;
    job_task_post(reply);
    return STEP_DONE;
}

/* ---- Frames */

static bool deadline_passed(const struct connection *connection,
                            const struct wire_options *options) {
    return (options->flags & WIRE_FLAG_DEADLINE) &&
           loop_now_ms(connection->loop) - connection->last_read_ms >= options->deadline_ms;
}

static enum step run_command(const struct pending *pending) {
    if (pending->request->options.flags & WIRE_FLAG_TRANSACTION) {
        return run_inside(pending);
    }
    switch (pending->command->kind) {
    case COMMAND_LOCAL:
        run_local(pending);
        return STEP_DONE;
    case COMMAND_READ:
        return run_read(pending);
    case COMMAND_WRITE:
        return run_write(pending);
    case COMMAND_JOB:
        return run_job(pending);
    case COMMAND_COMMIT:
        return run_commit(pending);
    }
    ASSERT(false);
    return STEP_DONE;
}

/* Before HELLO only a few frames are allowed, and only few commands. Returns whether it may run. */
static bool pass_greeting(struct connection *connection, const struct wire_frame *frame,
                          const struct command *command) {
    static const struct wire_refusal not_greeted = {"HELLO must come first", WIRE_NO_ITEM, 0};

    if (connection->session.greeted) {
        return true;
    }
    if (++connection->session.early_frames > connection->loop->service->limits.hello_frames_max) {
        requests_refuse(connection, STATUS_PROTOCOL, "too many frames before HELLO");
        return false;
    }
    if (!command || !command->before_hello) {
        answering_error(connection, frame->id, STATUS_PROTOCOL, &not_greeted);
        return false;
    }
    return true;
}

/* Whether requests before it must be done first: a job is alone, and what reads sees all writes. */
static bool must_wait(const struct connection *connection, const struct command *command) {
    if (connection->replies.jobs > 0 || !command || connection->replies.writes == 0) {
        return connection->replies.jobs > 0;
    }
    return command->kind == COMMAND_READ || command->kind == COMMAND_JOB || command->after_writes;
}

static enum step run_frame(struct connection *connection, const struct wire_frame *frame,
                           struct slice bytes) {
    const struct command *command = dispatch_find(frame->code);
    const struct limits *limits = &connection->loop->service->limits;
    struct wire_request request;
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, 0};
    struct pending pending = {connection, command, &request, bytes};
    enum status status;
    enum step step;

    if (!pass_greeting(connection, frame, command)) {
        return STEP_DONE;
    }
    if (must_wait(connection, command)) {
        return STEP_NOT_NOW; /* seen again when they are done: decode it then */
    }
    status =
        wire_request_decode(frame, &limits->wire, connection->session.agreed, &request, &refusal);
    if (status == STATUS_OK && (!command || (request.options.flags & ~command->flags))) {
        status = STATUS_UNSUPPORTED;
    }
    if (status == STATUS_OK && deadline_passed(connection, &request.options)) {
        status = STATUS_DEADLINE;
    }
    if (status != STATUS_OK) {
        answering_error(connection, frame->id, status, &refusal);
        return STEP_DONE;
    }
    step = run_command(&pending);
    if (step == STEP_DONE) {
        metrics_add(connection->loop->metrics, command->metric, 1);
        observe_keys(connection->loop, command, &request);
    }
    return step;
}

/* A request starts only while the answers before it are not too many, nor those that wait. */
static bool has_room(const struct connection *connection) {
    const struct limits *limits = &connection->loop->service->limits;

    return connection->replies.count < limits->wire.requests_max &&
           connection->replies.bytes + connection->replies.task_bytes +
                   output_queued(&connection->output) <
               limits->output_pause_bytes;
}

/* The next frame of `bytes`. Returns whether it is there whole; a fault ends the connection. */
static bool next_frame(struct connection *connection, struct slice bytes,
                       struct wire_frame *frame_out) {
    const struct limits *limits = &connection->loop->service->limits;
    uint32_t body_max =
        connection->session.greeted ? limits->wire.frame_max : limits->hello_body_max;
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, body_max};
    enum status status = wire_frame_decode(bytes, WIRE_KIND_REQUEST, body_max, frame_out,
                                           &connection->frame_bytes, &refusal.text);

    if (status == STATUS_OK) {
        return true;
    }
    connection->waits = WAITS_FOR_BYTES;
    if (status == STATUS_TOO_LARGE) {
        answering_error(connection, frame_out->id, status, &refusal);
        connection->fault = refusal.text;
        connection->phase = CONNECTION_FINISHING;
    } else if (status != STATUS_NEED_MORE) {
        requests_refuse(connection, status, refusal.text);
    }
    return false;
}

size_t requests_execute(struct connection *connection, struct slice bytes) {
    struct loop *loop = connection->loop;
    uint32_t left = loop->service->limits.turn_requests_max;
    size_t executed = 0;

    connection->waits = WAITS_FOR_BYTES;
    burst_begin(&loop->burst, loop_clock_ns(loop));
    while (connection->phase == CONNECTION_OPEN && !connection->broken && executed < bytes.len) {
        struct slice rest = slice_make(bytes.ptr + executed, bytes.len - executed);
        struct wire_frame frame;
        if (!next_frame(connection, rest, &frame)) {
            break;
        }
        rest.len = WIRE_FRAME_HEADER_BYTES + frame.body_len;
        if (left-- == 0) {
            connection->waits = WAITS_FOR_TURN;
            break;
        }
        if (!has_room(connection) || run_frame(connection, &frame, rest) == STEP_NOT_NOW) {
            connection->waits = WAITS_FOR_REPLY;
            break;
        }
        executed += rest.len;
        connection->requests++;
    }
    loop_read_end(loop);
    if (executed > 0) {
        observe_burst(loop, &connection->session, connection->read_ns);
    }
    return executed;
}
