/* client_uv_test.c: asynchronous handles in loops of libuv, which are empty in the end. */
#include "tests/unit/client_fake.h"

#include <kvd/kvd_uv.h>

static struct fake fake;
static uv_loop_t loop;
static struct kvd_uv uv;
static struct kvd_async *async;
static int wanted;
static int done;
static int failed;
static int closed;

static void on_closed(struct kvd_uv *which) {
    ck_assert_ptr_eq(which, &uv);
    closed++;
}

static void begin(uint32_t timeout_ms) {
    const struct kvd_async_options options = {.connect = {.timeout_ms = timeout_ms}};

    wanted = done = failed = closed = 0;
    fake_start(&fake);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(kvd_async_open(fake.address, &options, &async), KVD_OK);
    ck_assert_int_eq(kvd_uv_init(&uv, &loop, async), 0);
}

/* Runs until the adapter is closed; nothing may be left in the loop. */
static void run_to_end(void) {
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(closed, 1);
    fake_stop(&fake);
}

static void on_result(const struct kvd_result *result, void *arg) {
    (void)arg;
    done++;
    failed += result->status != KVD_OK;
    if (done == wanted) {
        kvd_uv_close(&uv, on_closed);
    }
}

static void put(kvd_result_cb result_cb) {
    ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), kvd_text("value"), NULL, result_cb, NULL),
                     KVD_OK);
}

START_TEST(requests_of_one_round_are_all_answered) {
    begin(5000);
    wanted = 500;
    for (int i = 0; i < wanted; i++) {
        put(on_result);
    }
    run_to_end();
    ck_assert_int_eq(done, 500);
    ck_assert_int_eq(failed, 0);
}
END_TEST

static void put_next(const struct kvd_result *result, void *arg) {
    if (done + 1 < wanted) {
        put(put_next);
    }
    on_result(result, arg);
}

START_TEST(each_callback_may_submit_the_next_request) {
    begin(5000);
    wanted = 200;
    put(put_next);
    run_to_end();
    ck_assert_int_eq(done, 200);
    ck_assert_int_eq(failed, 0);
}
END_TEST

START_TEST(lost_connections_are_opened_anew) {
    begin(5000);
    fake.cut_after = 100; /* of each connection's replies */
    fake.cuts_left = 10;
    wanted = 200;
    put(put_next);
    run_to_end();
    ck_assert_int_eq(done, 200);
    ck_assert_int_eq(failed, 10);
}
END_TEST

START_TEST(silence_ends_by_the_timer) {
    begin(100);
    fake.silent = true;
    wanted = 2;
    put(on_result);
    put(on_result);
    run_to_end();
    ck_assert_int_eq(failed, 2);
}
END_TEST

static void close_uv(uv_timer_t *timer) {
    kvd_uv_close(&uv, on_closed);
    kvd_uv_close(&uv, on_closed);
    uv_close((uv_handle_t *)timer, NULL);
}

START_TEST(closing_from_elsewhere_ends_what_is_unanswered) {
    uv_timer_t timer;

    begin(5000);
    fake.silent = true;
    put(on_result);
    ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, close_uv, 50, 0), 0);
    run_to_end();
    ck_assert_int_eq(failed, 1);
}
END_TEST

START_TEST(nobody_listening_ends_the_requests) {
    begin(5000);
    kvd_uv_close(&uv, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(kvd_async_open("127.0.0.1:1", NULL, &async), KVD_OK);
    ck_assert_int_eq(kvd_uv_init(&uv, &loop, async), 0);
    wanted = 2;
    put(on_result);
    put(on_result);
    run_to_end();
    ck_assert_int_eq(failed, 2);
}
END_TEST

UNIT_MAIN("client_uv", requests_of_one_round_are_all_answered,
          each_callback_may_submit_the_next_request, lost_connections_are_opened_anew,
          silence_ends_by_the_timer, closing_from_elsewhere_ends_what_is_unanswered,
          nobody_listening_ends_the_requests)
