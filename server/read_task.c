/* read_task.c: see read_task.h. */
#include "server/read_task.h"

#include "protocol/base/assert.h"

#include <stddef.h>
#include <uv.h>

enum status read_run(struct read_context *context, const struct command *command,
                     const struct wire_request *request, struct buffer *answer, bool *failed_out) {
    struct error error = {.status = STATUS_OK};
    size_t mark = buffer_mark(answer);
    enum status status = command->read(context, request, answer, &error);

    *failed_out = false;
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    buffer_rollback(answer, mark);
    if (status == STATUS_WOULD_BLOCK) {
        ASSERT(context->wait == STORE_WAIT_NEVER);
        return status;
    }
    *failed_out = status != STATUS_NOT_FOUND;
    return reply_append_error(answer, request->id, status, &error);
}

/* The frame was decoded on the loop, so it is sound. */
void read_task_decode(const struct reply *reply, struct wire_request *request_out) {
    const struct wire_limits *limits = &reply->service->limits.wire;
    struct wire_frame frame;
    struct wire_refusal refusal;
    const char *reason;
    size_t wanted;
    enum status status = wire_frame_decode(buffer_slice(&reply->frame), WIRE_KIND_REQUEST,
                                           limits->frame_max, &frame, &wanted, &reason);

    ASSERT(status == STATUS_OK);
    status = wire_request_decode(&frame, limits, reply->agreed, request_out, &refusal);
    ASSERT(status == STATUS_OK);
}

/* A second look at the feed is not the beginning of the work. */
bool read_task_is_late(const struct reply *reply) {
    return reply->deadline_at_ms != 0 && !reply->look.resumed &&
           uv_hrtime() / 1000000 >= reply->deadline_at_ms;
}

static enum status answer_for(struct reply *reply) {
    struct wire_request request;
    struct buffer scratch;
    struct read_context context = {.service = reply->service,
                                   .read = reply->has_read ? &reply->read : NULL,
                                   .wait = STORE_WAIT_ALLOWED,
                                   .scratch = &scratch,
                                   .cancelled = &reply->cancelled,
                                   .look = &reply->look};
    enum status status;

    if (atomic_load_explicit(&reply->cancelled, memory_order_relaxed)) {
        return STATUS_CANCELLED; /* nobody is left to read the answer */
    }
    if (read_task_is_late(reply)) {
        reply->failed = true;
        return reply_append_error(&reply->bytes, reply->id, STATUS_DEADLINE, NULL);
    }
    read_task_decode(reply, &request);
    buffer_init(&scratch, READ_SCRATCH_BYTES_MAX);
    status =
        read_run(&context, dispatch_find(request.opcode), &request, &reply->bytes, &reply->failed);
    buffer_deinit(&scratch);
    return status;
}

static void run_cb(struct store_task *task) {
    struct reply *reply = (struct reply *)((char *)task - offsetof(struct reply, task));

    trace_phase(&reply->trace, LATENCY_QUEUED, uv_hrtime());
    reply->lost = answer_for(reply) != STATUS_OK;
    if (reply->has_read) {
        reply->waiter.hold = store_read_hold_take(&reply->read);
        store_read_end(&reply->read);
    }
    trace_phase(&reply->trace, LATENCY_WORKED, uv_hrtime());
    mailbox_post(reply->mailbox, &reply->message);
}

void read_task_post(struct reply *reply) {
    ASSERT(reply->phase == REPLY_IN_TASK);
    reply->task.run_cb = run_cb;
    store_task_post(reply->service->store, &reply->task);
}
