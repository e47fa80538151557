/* job_task.c: see job_task.h. */
#include "server/job_task.h"

#include "protocol/base/assert.h"
#include "server/fill.h"
#include "server/read_task.h"

#include <stddef.h>
#include <uv.h>

static uint64_t now_ms(void) {
    return uv_hrtime() / 1000000;
}

static enum status append_failure(struct reply *reply, enum status status,
                                  const struct wire_refusal *refusal, const struct error *error) {
    reply->failed = true;
    return refusal && refusal->text ? wire_response_error(&reply->bytes, reply->id, status, refusal)
                                    : reply_append_error(&reply->bytes, reply->id, status, error);
}

/* The answer to a TRANSACT is kept with its token: to execute it again tells another one. */
static void give_transaction_token(struct reply *reply, const struct wire_options *options) {
    struct store_token token = fill_token_of(options);

    token.answer = buffer_slice(&reply->bytes);
    token.provisional = reply->tries + 1u < JOB_TRIES_MAX;
    store_transaction_set_token(reply->transaction, &token);
}

/* For a request that has one. A job that came to nothing asks by it whether it was done before. */
static void give_token(struct reply *reply, const struct wire_request *request,
                       enum status status) {
    reply->has_token = true;
    if (status == STATUS_PENDING && reply->transaction) {
        give_transaction_token(reply, &request->options);
    } else if (status == STATUS_PENDING) {
        fill_token(reply->commit, &request->options, reply->number);
    } else if (status != STATUS_OK) {
        reply->refused = fill_refusal(reply->commit, request, status) ? status : STATUS_OK;
    }
}

/* Errors: those that leave no answer. */
static enum status run_job(struct reply *reply) {
    struct wire_request request;
    struct wire_refusal refusal = {NULL, WIRE_NO_ITEM, 0};
    struct error error = {.status = STATUS_OK};
    struct job_context context = {.service = reply->service,
                                  .uploads = reply->uploads,
                                  .fresh_id = reply->fresh_id,
                                  .now_ms = now_ms(),
                                  .commit = reply->commit,
                                  .stream = reply->stream,
                                  .answer = &reply->bytes,
                                  .refusal = &refusal};
    size_t mark = buffer_mark(&reply->bytes);
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];
    enum status status;

    if (atomic_load_explicit(&reply->cancelled, memory_order_relaxed)) {
        return STATUS_CANCELLED; /* nobody is left to read the answer */
    }
    if (read_task_is_late(reply)) {
        return append_failure(reply, STATUS_DEADLINE, NULL, NULL);
    }
    read_task_decode(reply, &request);
    status = dispatch_find(request.opcode)->job(&context, &request, &error);
    reply->number = context.number;
    reply->transaction = context.transaction;
    reply->waiter.hold = context.hold;
    if (request.options.flags & WIRE_FLAG_RETRY_TOKEN) {
        give_token(reply, &request, status);
    }
    reply->filled = status == STATUS_PENDING || reply->refused != STATUS_OK;
    if (status == STATUS_OK || status == STATUS_PENDING) {
        return STATUS_OK;
    }
    buffer_rollback(&reply->bytes, mark);
    if (refusal.item != WIRE_NO_ITEM && !refusal.text) { /* what is known, and of which item */
        error_format(&error, text, sizeof text);
        refusal.text = error.status == status ? text : status_text(status);
    }
    return append_failure(reply, status, &refusal, &error);
}

/* Frees uploads that ended, unless a commit is to name one of them. */
static void reap(struct reply *reply) {
    struct uploads *uploads = *reply->uploads;

    if (uploads && reply->reap_all) {
        uploads_clear(uploads);
    } else if (uploads && !reply->filled) {
        uploads_reap(uploads, now_ms());
    }
}

static void run_cb(struct store_task *task) {
    struct reply *reply = (struct reply *)((char *)task - offsetof(struct reply, task));

    trace_phase(&reply->trace, LATENCY_QUEUED, uv_hrtime());
    if (reply->opcode != 0) {
        reply->lost = run_job(reply) != STATUS_OK;
    }
    reap(reply);
    trace_phase(&reply->trace, LATENCY_WORKED, uv_hrtime());
    mailbox_post(reply->mailbox, &reply->message);
}

void job_task_post(struct reply *reply) {
    ASSERT(reply->phase == REPLY_IN_TASK);
    reply->filled = false;
    reply->refused = STATUS_OK;
    reply->task.run_cb = run_cb;
    store_task_post(reply->service->store, &reply->task);
}
