/* command_transact.c: TRANSACT: comparisons and a list for either outcome, as one transaction. See
 * command.h. */
#include "server/command.h"
#include "server/fill.h"
#include "server/lookup.h"
#include "server/page_range.h"
#include "server/write_item.h"

#include "protocol/base/assert.h"

/* ---- Comparisons */

static bool relation_holds(uint8_t relation, int order) {
    switch ((enum wire_relation)relation) {
    case WIRE_RELATION_EQUAL:
        return order == 0;
    case WIRE_RELATION_DIFFERENT:
        return order != 0;
    case WIRE_RELATION_LESS:
        return order < 0;
    case WIRE_RELATION_GREATER:
        return order > 0;
    }
    return false;
}

/* How the version that is there stands to the one given. */
static int order_of_versions(uint64_t there, uint64_t given) {
    return there < given ? -1 : there > given;
}

static bool compare(const struct wire_comparison *comparison, bool is_there,
                    const struct store_value_info *info, struct slice value) {
    switch ((enum wire_comparison_kind)comparison->kind) {
    case WIRE_COMPARE_PRESENCE:
        return relation_holds(comparison->relation, is_there ? 0 : 1);
    case WIRE_COMPARE_VERSION:
        return relation_holds(comparison->relation,
                              order_of_versions(is_there ? info->version : 0, comparison->version));
    case WIRE_COMPARE_VALUE:
        return is_there
                   ? relation_holds(comparison->relation, slice_compare(value, comparison->value))
                   : comparison->relation == WIRE_RELATION_DIFFERENT;
    }
    return false;
}

/* Reads one key and compares; `value` is for its value. */
static enum status judge(struct read_context *context, uint32_t namespace_id,
                         const struct wire_comparison *comparison, struct buffer *value,
                         bool *holds_out, struct error *error) {
    bool wants_value = comparison->kind == WIRE_COMPARE_VALUE;
    struct store_value_info info;
    enum status status;

    buffer_clear(value);
    status = store_get(context->read, namespace_id, comparison->key, context->wait,
                       wants_value ? value : NULL, &info, error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    *holds_out = compare(comparison, status == STATUS_OK, &info, buffer_slice(value));
    return STATUS_OK;
}

static bool writes(struct wire_list list) {
    struct wire_item item;

    while (wire_list_next_item(&list, &item) == STATUS_OK) {
        if (item.kind != WIRE_ITEM_GET) {
            return true;
        }
    }
    return false;
}

static enum status judge_all(struct read_context *context, uint32_t namespace_id,
                             const struct wire_request *request, bool *held_out,
                             struct error *error) {
    struct wire_list list = request->comparisons;
    struct buffer value;
    enum status status = STATUS_OK;
    bool held = true;

    buffer_init(&value, context->service->limits.wire.value_max);
    while (held && list.count > 0 && status == STATUS_OK) {
        struct wire_comparison comparison;
        status = wire_list_next_comparison(&list, &comparison);
        if (status == STATUS_OK) {
            status = judge(context, namespace_id, &comparison, &value, &held, error);
        }
    }
    buffer_deinit(&value);
    *held_out = held;
    return status;
}

/* ---- Items */

/* What does not fit the answer fits no frame. */
static void explain_too_large(const struct wire_limits *limits, const struct buffer *answer,
                              struct wire_refusal *refusal) {
    bool alone = answer->cap - answer->len > limits->value_max;

    refusal->text = alone ? "the value is longer than value_max: read it with GET_RANGE"
                          : "the answer would be longer than frame_max: get less at once";
    refusal->detail = alone ? limits->value_max : limits->frame_max;
}

static enum status append_found(struct read_context *context, const struct lookup *lookup,
                                struct buffer *answer, struct wire_refusal *refusal,
                                struct error *error) {
    size_t mark = buffer_mark(answer);
    enum status status = wire_result_found_begin(answer);

    if (status == STATUS_OK) {
        status = lookup_append(context, lookup, answer, error);
    }
    if (status == STATUS_NOT_FOUND) {
        buffer_rollback(answer, mark);
        return wire_result_entry(answer, WIRE_RESULT_ABSENT, 0);
    }
    if (status == STATUS_TOO_LARGE) {
        buffer_rollback(answer, mark);
        explain_too_large(&context->service->limits.wire, answer, refusal);
    }
    return status;
}

static enum status run_item(struct read_context *context, struct lookup *lookup,
                            const struct wire_item *item, struct buffer *answer,
                            struct wire_refusal *refusal, struct error *error) {
    struct wire_result result;
    enum status status;

    if (item->kind == WIRE_ITEM_GET) {
        lookup->key = item->key;
        return append_found(context, lookup, answer, refusal, error);
    }
    status = write_item_apply(context, lookup->namespace_id, item, &result, refusal, error);
    return status == STATUS_OK ? wire_result_entry(answer, result.kind, result.number) : status;
}

static enum status run_items(struct read_context *context, struct lookup *lookup,
                             struct wire_list list, struct buffer *answer,
                             struct wire_refusal *refusal, struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && list.count > 0; i++) {
        struct wire_item item;
        status = wire_list_next_item(&list, &item);
        if (status == STATUS_OK) {
            status = run_item(context, lookup, &item, answer, refusal, error);
        }
        if (status != STATUS_OK) {
            refusal->item = i;
        }
    }
    return status;
}

/* ---- The whole */

/* The answer, of which there is the beginning, may not become longer than a frame. */
static enum status run_list(struct job_context *job, struct read_context *context,
                            struct lookup *lookup, const struct wire_list *list,
                            struct error *error) {
    size_t frame_bytes = WIRE_FRAME_HEADER_BYTES + (size_t)job->service->limits.wire.frame_max;
    size_t cap = job->answer->cap;
    enum status status;

    if (frame_bytes < cap) {
        job->answer->cap = frame_bytes;
    }
    status = run_items(context, lookup, *list, job->answer, job->refusal, error);
    job->answer->cap = cap;
    return status;
}

/* Does all of it in the transaction that context->read belongs to, and appends the answer. */
static enum status run(struct job_context *job, struct read_context *context,
                       const struct wire_request *request, struct error *error) {
    struct lookup lookup = {.flags = lookup_flags(request), .with_value = true};
    const struct wire_list *list;
    bool held = false;
    size_t mark;
    size_t list_mark;
    bool is_there;
    enum status status = lookup_namespace(context, request, &lookup.namespace_id);

    is_there = status != STATUS_NOT_FOUND;
    if (!is_there) { /* it reads as empty */
        lookup.namespace_id = PAGE_NAMESPACE_NONE;
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = judge_all(context, lookup.namespace_id, request, &held, error);
    }
    list = held ? &request->list : &request->other_list;
    if (status == STATUS_OK && !is_there && writes(*list)) {
        status = fill_namespace(job->service, request, true, &lookup.namespace_id, job->refusal);
    }
    if (status == STATUS_OK) {
        status = wire_response_begin(job->answer, request->id, STATUS_OK, lookup.flags, &mark);
    }
    if (status == STATUS_OK) {
        status = wire_transact_begin(job->answer, held, &list_mark);
    }
    if (status == STATUS_OK) {
        status = run_list(job, context, &lookup, list, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    wire_list_finish(job->answer, list_mark, list->count);
    return wire_response_finish(job->answer, mark);
}

enum status command_transact(struct job_context *job, const struct wire_request *request,
                             struct error *error) {
    const struct wire_limits *limits = &job->service->limits.wire;
    const struct store_transaction_options options = {.lifetime_ms = limits->transaction_age_ms,
                                                      .owner = slice_from_text("TRANSACT"),
                                                      .write_bytes_max = limits->transaction_bytes,
                                                      .stream = job->stream};
    struct store_transaction *txn;
    struct store_read read;
    struct read_context context = {
        .service = job->service, .read = &read, .wait = STORE_WAIT_ALLOWED};
    enum status status = store_transaction_begin(job->service->store, &options, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    status = store_read_begin_transaction(txn, &read);
    if (status == STATUS_OK) {
        status = run(job, &context, request, error);
        job->hold = store_read_hold_take(&read);
        store_read_end(&read);
    }
    if (status != STATUS_OK) {
        store_transaction_destroy(txn);
        return status;
    }
    job->transaction = txn;
    return STATUS_PENDING;
}
