/* server_reply_queue_test.c: answers leave in the order of their requests. */
#include "protocol/base/memory.h"
#include "server/reply_queue.h"
#include "tests/unit/unit.h"

struct line {
    struct reply_pool pool;
    struct reply_queue queue;
};

static struct reply *add(struct line *line, enum reply_phase phase, uint32_t id) {
    struct reply *reply = reply_pool_take(&line->pool);

    ck_assert_ptr_nonnull(reply);
    reply->phase = phase;
    reply->id = id;
    reply_queue_push(&line->queue, reply);
    return reply;
}

/* The id of the reply that leaves now; 0 if none may. */
static uint32_t leave(struct line *line) {
    struct reply *reply = reply_queue_pop_done(&line->queue);
    uint32_t id = reply ? reply->id : 0;

    if (reply) {
        reply_pool_give(&line->pool, reply);
    }
    return id;
}

static void drop(struct line *line) {
    ck_assert_uint_eq(line->queue.count, 0);
    reply_pool_deinit(&line->pool);
}

START_TEST(answer_that_is_ready_waits_for_the_one_before) {
    struct line line = {0};
    struct reply *first = add(&line, REPLY_IN_COMMIT, 1);

    add(&line, REPLY_DONE, 2);
    ck_assert_uint_eq(leave(&line), 0);
    first->phase = REPLY_DONE;
    ck_assert_uint_eq(leave(&line), 1);
    ck_assert_uint_eq(leave(&line), 2);
    ck_assert_uint_eq(leave(&line), 0);
    drop(&line);
}
END_TEST

START_TEST(each_kind_of_work_in_flight_holds_the_queue) {
    for (enum reply_phase phase = REPLY_IN_TASK; phase <= REPLY_IN_COMMIT; phase++) {
        struct line line = {0};
        struct reply *reply = add(&line, phase, 1);
        ck_assert_uint_eq(leave(&line), 0);
        reply->phase = REPLY_DONE;
        ck_assert_uint_eq(leave(&line), 1);
        drop(&line);
    }
}
END_TEST

START_TEST(recycled_reply_is_as_new_and_costs_no_allocation) {
    struct line line = {0};
    uint64_t allocations;

    add(&line, REPLY_DONE, 1)->is_write = true;
    leave(&line);
    allocations = memory_allocation_count();
    ck_assert(!add(&line, REPLY_DONE, 2)->is_write);
    ck_assert_uint_eq(memory_allocation_count(), allocations);
    leave(&line);
    drop(&line);
}
END_TEST

START_TEST(no_memory_is_no_reply) {
    struct reply_pool pool = {0};

    memory_fail_after(0, true);
    ck_assert_ptr_null(reply_pool_take(&pool));
    memory_fail_never();
}
END_TEST

static struct wire_response decode(const struct buffer *buffer, uint16_t opcode) {
    struct wire_frame frame;
    struct wire_response response;
    size_t wanted;
    const char *reason;

    ck_assert_int_eq(wire_frame_decode(buffer_slice(buffer), WIRE_KIND_RESPONSE, 1 << 20, &frame,
                                       &wanted, &reason),
                     STATUS_OK);
    ck_assert_int_eq(wire_response_decode(&frame, opcode, false, &response, &reason), STATUS_OK);
    return response;
}

static struct wire_response answer_as(enum status status, uint16_t opcode,
                                      struct store_outcome outcome, struct buffer *buffer) {
    struct reply reply = {
        .phase = REPLY_DONE, .is_write = true, .id = 5, .opcode = opcode, .outcome = outcome};
    struct wire_response response;

    buffer_init(buffer, 1 << 20);
    ck_assert_int_eq(reply_append(&reply, buffer), STATUS_OK);
    response = decode(buffer, opcode);
    ck_assert_uint_eq(response.id, 5);
    ck_assert_int_eq(response.status, status);
    return response;
}

static struct wire_response answer_of(uint16_t opcode, struct store_outcome outcome,
                                      struct buffer *buffer) {
    return answer_as(outcome.status, opcode, outcome, buffer);
}

START_TEST(outcome_of_a_write_becomes_its_version) {
    struct buffer buffer;
    struct store_outcome outcome = {.status = STATUS_OK, .version = 77};

    ck_assert_uint_eq(answer_of(WIRE_PUT, outcome, &buffer).version, 77);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(unmet_condition_tells_the_version_and_in_a_batch_the_item) {
    struct buffer buffer;
    struct store_outcome outcome = {.status = STATUS_EXISTS, .version = 77, .operation = 3};
    struct wire_response response = answer_of(WIRE_BATCH, outcome, &buffer);

    ck_assert_uint_eq(response.error.detail, 77);
    ck_assert_uint_eq(response.error.item, 3);
    buffer_deinit(&buffer);
    ck_assert_uint_eq(answer_of(WIRE_PUT, outcome, &buffer).error.item, WIRE_NO_ITEM);
    buffer_deinit(&buffer);
}
END_TEST

/* What becomes of an outcome with results while its commit still has them. */
static struct wire_response rendered(uint16_t opcode, struct store_outcome outcome,
                                     struct buffer *buffer) {
    struct reply reply = {.phase = REPLY_DONE,
                          .is_write = true,
                          .id = 5,
                          .opcode = opcode,
                          .outcome = outcome,
                          .number = 9,
                          .bytes = {.cap = 1 << 20}};

    ck_assert(reply_has_results(&reply));
    ck_assert_int_eq(reply_render(&reply), STATUS_OK);
    reply.outcome.results = NULL; /* they went with the commit */
    buffer_init(buffer, 1 << 20);
    ck_assert_int_eq(reply_append(&reply, buffer), STATUS_OK);
    buffer_deinit(&reply.bytes);
    return decode(buffer, opcode);
}

START_TEST(results_of_a_write_outlive_its_commit) {
    static const int64_t results[] = {-5, 7};
    struct store_outcome outcome = {
        .status = STATUS_OK, .version = 77, .result_count = 1, .results = results};
    struct wire_response response;
    struct buffer buffer;
    int64_t result;

    ck_assert_int_eq(rendered(WIRE_ADD, outcome, &buffer).sum, -5);
    buffer_deinit(&buffer);
    outcome.result_count = 2;
    response = rendered(WIRE_BATCH, outcome, &buffer);
    ck_assert_uint_eq(response.version, 77);
    ck_assert_int_eq(wire_response_next_result(&response, &result), STATUS_OK);
    ck_assert_int_eq(result, -5);
    ck_assert_int_eq(wire_response_next_result(&response, &result), STATUS_OK);
    ck_assert_int_eq(result, 7);
    buffer_deinit(&buffer);
    outcome.result_count = 0;
    ck_assert_uint_eq(rendered(WIRE_REWIND, outcome, &buffer).number, 9);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(failed_results_tell_the_item_and_why) {
    struct store_outcome outcome = {.status = STATUS_OVERFLOW, .version = 77, .operation = 2};
    struct buffer buffer;
    struct wire_response response = answer_of(WIRE_BATCH, outcome, &buffer);

    ck_assert_uint_eq(response.error.item, 2);
    ck_assert_uint_eq(response.error.detail, 0);
    buffer_deinit(&buffer);
    outcome.status = STATUS_INVALID;
    response = answer_of(WIRE_ADD, outcome, &buffer);
    ck_assert_uint_eq(response.error.item, WIRE_NO_ITEM);
    ck_assert(slice_has_prefix(response.error.text, slice_from_text("the value is not a decimal")));
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(write_into_a_namespace_that_has_just_been_dropped_is_not_done) {
    struct store_outcome outcome = {.status = STATUS_NOT_FOUND};
    struct buffer buffer;
    struct wire_response response = answer_as(STATUS_BUSY, WIRE_PUT, outcome, &buffer);

    ck_assert_int_eq(wire_status_outcome(response.status), WIRE_OUTCOME_FAILED);
    ck_assert_uint_eq(response.error.item, WIRE_NO_ITEM);
    buffer_deinit(&buffer);
    answer_of(WIRE_NAMESPACE_DROP, outcome, &buffer);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(unknown_outcome_stays_unknown) {
    struct buffer buffer;
    struct store_outcome outcome = {.status = STATUS_UNKNOWN};

    ck_assert_int_eq(wire_status_outcome(answer_of(WIRE_PUT, outcome, &buffer).status),
                     WIRE_OUTCOME_UNKNOWN);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(error_answer_carries_the_detail_of_the_failure) {
    struct buffer buffer;
    struct error error;
    char text[256] = "";
    struct wire_response response;

    buffer_init(&buffer, 1 << 20);
    (void)error_set(&error, STATUS_CORRUPT, 0, "000007.log", 4096, "checksum differs");
    ck_assert_int_eq(reply_append_error(&buffer, 9, STATUS_CORRUPT, &error), STATUS_OK);
    response = decode(&buffer, WIRE_GET);
    memcpy(text, response.error.text.ptr, response.error.text.len);
    ck_assert_ptr_nonnull(strstr(text, "000007.log at 4096"));
    buffer_deinit(&buffer);
}
END_TEST

UNIT_MAIN("reply_queue", answer_that_is_ready_waits_for_the_one_before,
          each_kind_of_work_in_flight_holds_the_queue,
          recycled_reply_is_as_new_and_costs_no_allocation, no_memory_is_no_reply,
          outcome_of_a_write_becomes_its_version,
          unmet_condition_tells_the_version_and_in_a_batch_the_item,
          results_of_a_write_outlive_its_commit, failed_results_tell_the_item_and_why,
          write_into_a_namespace_that_has_just_been_dropped_is_not_done,
          unknown_outcome_stays_unknown, error_answer_carries_the_detail_of_the_failure)
