/* client_async_test.c: the handle that never waits, against a server that also misbehaves. */
#include "client/async.h"
#include "tests/unit/client_fake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#define SHORT_MS 100u
#define GET_REPLY_BYTES (WIRE_FRAME_HEADER_BYTES + WIRE_RECORD_BYTES + 5u)
#define PUT_REPLY_BYTES (WIRE_FRAME_HEADER_BYTES + 8u)
#define SEEN_MAX 200

struct seen {
    enum kvd_status statuses[SEEN_MAX];
    enum kvd_operation operations[SEEN_MAX];
    uint64_t indexes[SEEN_MAX];
    char value[16];
    char error[256];
    size_t count;
};

static struct fake fake;
static struct kvd_async *async;
static struct seen seen;

static void on_result(const struct kvd_result *result, void *arg) {
    struct seen *into = arg;

    ck_assert_uint_lt(into->count, SEEN_MAX);
    ck_assert(result->status == KVD_OK || result->error[0] != '\0');
    into->statuses[into->count] = result->status;
    into->operations[into->count] = result->operation;
    into->indexes[into->count++] = result->index;
    snprintf(into->error, sizeof into->error, "%s", result->error);
    if (result->value.len > 0 && result->value.len < sizeof into->value) {
        memcpy(into->value, result->value.ptr, result->value.len);
    }
}

static enum kvd_status open_with(uint32_t timeout_ms, uint32_t requests_max) {
    const struct kvd_async_options options = {.connect = {.timeout_ms = timeout_ms},
                                              .requests_max = requests_max};

    memset(&seen, 0, sizeof seen);
    return kvd_async_open(fake.address, &options, &async);
}

static void begin(void) {
    fake_start(&fake);
    ck_assert_int_eq(open_with(5000, 0), KVD_OK);
}

static void end(void) {
    kvd_async_close(async);
    fake_stop(&fake);
}

static enum kvd_status wait_and_step(void) {
    struct pollfd poll_fd = {.fd = kvd_async_fd(async), .events = kvd_async_events(async)};

    poll(&poll_fd, 1, kvd_async_timeout_ms(async));
    return kvd_async_step(async);
}

/* Until all callbacks were called; returns the last failure of a step. */
static enum kvd_status run(void) {
    enum kvd_status last = KVD_OK;

    while (kvd_async_pending(async) > 0) {
        enum kvd_status status = wait_and_step();
        last = status == KVD_OK ? last : status;
    }
    return last;
}

static enum kvd_status put(void) {
    return kvd_async_put(async, kvd_text("k"), kvd_text("value"), NULL, on_result, &seen);
}

static enum kvd_status get(void) {
    return kvd_async_get(async, kvd_text("k"), NULL, on_result, &seen);
}

static void submit_three(void) {
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    ck_assert_int_eq(kvd_async_delete(async, kvd_text("k"), NULL, on_result, &seen), KVD_OK);
}

static void expect_three(enum kvd_status first, enum kvd_status second, enum kvd_status third) {
    ck_assert_uint_eq(seen.count, 3);
    ck_assert_int_eq(seen.statuses[0], first);
    ck_assert_int_eq(seen.statuses[1], second);
    ck_assert_int_eq(seen.statuses[2], third);
}

/* A new handle, connected, whose replies are cut after `bytes`. */
static void reopen(long bytes, uint32_t timeout_ms) {
    kvd_async_close(async);
    fake.cut_after = bytes;
    fake.cuts_left = bytes < 0 ? 0 : 1;
    ck_assert_int_eq(open_with(timeout_ms, 0), KVD_OK);
}

START_TEST(callbacks_come_in_the_order_of_the_requests) {
    begin();
    submit_three(); /* not connected yet */
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_uint_eq(kvd_async_pending(async), 3);
    ck_assert_int_eq(run(), KVD_OK);
    expect_three(KVD_OK, KVD_OK, KVD_OK);
    ck_assert_int_eq(seen.operations[1], KVD_OPERATION_GET);
    ck_assert_str_eq(seen.value, "value");
    ck_assert_int_eq(get(), KVD_OK); /* connected */
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_int_eq(seen.statuses[3], KVD_NOT_FOUND);
    ck_assert_uint_eq(seen.indexes[3], 3);
    ck_assert_int_eq(fake.connections, 1);
    end();
}
END_TEST

START_TEST(a_step_does_not_wait_for_an_answer) {
    begin();
    fake.silent = true;
    ck_assert_int_eq(get(), KVD_OK);
    for (int i = 0; i < 20; i++) { /* a step that waited would end the request */
        ck_assert_int_eq(kvd_async_step(async), KVD_OK);
        usleep(1000);
    }
    ck_assert_uint_eq(kvd_async_pending(async), 1);
    ck_assert_int_eq(kvd_async_events(async), POLLIN);
    ck_assert_int_gt(kvd_async_timeout_ms(async), 1000);
    ck_assert_int_le(kvd_async_timeout_ms(async), 5000);
    end();
    ck_assert_int_eq(seen.statuses[0], KVD_CANCELLED);
}
END_TEST

START_TEST(above_the_limit_requests_are_refused_until_callbacks_made_room) {
    fake_start(&fake);
    ck_assert_int_eq(open_with(5000, 2), KVD_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(put(), KVD_OK);
        ck_assert_int_eq(put(), KVD_OK);
        ck_assert_int_eq(put(), KVD_BUSY);
        ck_assert_int_eq(run(), KVD_OK);
    }
    ck_assert_uint_eq(seen.count, 8);
    ck_assert_int_eq(fake.writes, 8);
    end();
}
END_TEST

START_TEST(bytes_are_limited_too) {
    static char value[80000];
    const struct kvd_async_options options = {.bytes_max = 100000};

    fake_start(&fake);
    ck_assert_int_eq(kvd_async_open(fake.address, &options, &async), KVD_OK);
    for (int i = 0; i < 4; i++) {
        struct kvd_bytes bytes = kvd_bytes(value, sizeof value);
        ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), bytes, NULL, NULL, NULL), KVD_OK);
        ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), bytes, NULL, NULL, NULL), KVD_OK);
        ck_assert_int_eq(put(), KVD_BUSY);
        ck_assert_int_eq(run(), KVD_OK);
    }
    end();
}
END_TEST

START_TEST(a_cut_at_any_byte_tells_what_became_of_each) {
    const long ends[] = {PUT_REPLY_BYTES, PUT_REPLY_BYTES + GET_REPLY_BYTES,
                         2 * PUT_REPLY_BYTES + GET_REPLY_BYTES};
    const enum kvd_status lost[] = {KVD_UNKNOWN, KVD_CLOSED, KVD_UNKNOWN};

    begin();
    for (long bytes = 0; bytes < ends[2]; bytes++) {
        reopen(bytes, 5000);
        submit_three();
        ck_assert_int_eq(run(), KVD_CLOSED);
        expect_three(bytes >= ends[0] ? KVD_OK : lost[0], bytes >= ends[1] ? KVD_OK : lost[1],
                     lost[2]);
    }
    ck_assert_int_eq(put(), KVD_OK); /* connects anew */
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_int_eq(seen.statuses[3], KVD_OK);
    end();
}
END_TEST

static void resubmit(const struct kvd_result *result, void *arg) {
    on_result(result, arg);
    ck_assert_int_eq(put(), KVD_OK);
}

START_TEST(what_a_callback_submits_after_a_loss_goes_to_a_new_connection) {
    begin();
    reopen(0, 5000);
    ck_assert_int_eq(kvd_async_get(async, kvd_text("k"), NULL, resubmit, &seen), KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    ck_assert_int_eq(run(), KVD_CLOSED);
    expect_three(KVD_CLOSED, KVD_CLOSED, KVD_OK);
    end();
}
END_TEST

START_TEST(a_connection_closed_while_idle_does_not_lose_the_next_request) {
    begin();
    reopen((long)PUT_REPLY_BYTES, 5000); /* closes behind the whole reply */
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    while (fake.cuts_left > 0) {
        usleep(1000);
    }
    usleep(50000); /* until the close has arrived */
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_int_eq(fake.writes, 2);
    end();
}
END_TEST

START_TEST(a_descriptor_given_up_stays_open_until_the_next_step) {
    int old;

    begin();
    ck_assert_int_eq(put(), KVD_OK);
    run();
    old = kvd_async_fd(async);
    kvd_async_cancel(async);
    ck_assert_int_eq(kvd_async_fd(async), -1);
    ck_assert_int_eq(kvd_async_events(async), 0);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_ne(kvd_async_fd(async), old);
    run();
    ck_assert_int_eq(seen.statuses[1], KVD_OK);
    end();
}
END_TEST

START_TEST(silence_is_a_timeout_for_reads_and_unknown_for_writes) {
    begin();
    reopen(-1, SHORT_MS);
    fake.silent = true;
    submit_three();
    ck_assert_int_eq(run(), KVD_TIMEOUT);
    expect_three(KVD_UNKNOWN, KVD_TIMEOUT, KVD_UNKNOWN);
    fake.silent = false;
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    end();
}
END_TEST

START_TEST(nonsense_is_a_protocol_error_for_all) {
    atomic_bool *const knobs[] = {&fake.garbage, &fake.huge, &fake.wrong_id};

    begin();
    for (size_t i = 0; i < 3; i++) {
        reopen(-1, 5000);
        *knobs[i] = true;
        submit_three();
        ck_assert_int_eq(run(), KVD_PROTOCOL);
        expect_three(KVD_UNKNOWN, KVD_PROTOCOL, KVD_UNKNOWN);
        *knobs[i] = false;
    }
    end();
}
END_TEST

START_TEST(cancelled_reads_are_cancelled_and_sent_writes_unknown) {
    begin();
    submit_three();
    kvd_async_cancel(async); /* nothing was sent yet */
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(kvd_async_timeout_ms(async), 0);
    ck_assert_int_eq(run(), KVD_OK);
    expect_three(KVD_CANCELLED, KVD_CANCELLED, KVD_CANCELLED);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    fake.silent = true;
    seen.count = 0;
    submit_three();
    ck_assert_int_eq(kvd_async_step(async), KVD_OK); /* sends */
    kvd_async_cancel(async);
    ck_assert_int_eq(run(), KVD_OK);
    expect_three(KVD_UNKNOWN, KVD_CANCELLED, KVD_UNKNOWN);
    end();
}
END_TEST

static void close_it(const struct kvd_result *result, void *arg) {
    on_result(result, arg);
    kvd_async_close(async);
    ck_assert_int_eq(put(), KVD_SHUTTING_DOWN);
}

START_TEST(a_callback_may_close_the_handle) {
    enum kvd_status status = KVD_OK;

    begin();
    ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), kvd_text("v"), NULL, close_it, &seen),
                     KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    while (status == KVD_OK) {
        status = wait_and_step();
    }
    ck_assert_int_eq(status, KVD_SHUTTING_DOWN);
    expect_three(KVD_OK, KVD_CANCELLED, KVD_CANCELLED);
    fake_stop(&fake);
}
END_TEST

static void cancel_it(const struct kvd_result *result, void *arg) {
    on_result(result, arg);
    kvd_async_cancel(async);
    ck_assert_int_eq(put(), KVD_OK);
}

START_TEST(a_callback_may_cancel_and_submit) {
    begin();
    ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), kvd_text("v"), NULL, cancel_it, &seen),
                     KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    expect_three(KVD_OK, KVD_CANCELLED, KVD_OK);
    end();
}
END_TEST

START_TEST(nobody_listening_is_told_by_the_step_and_tried_again) {
    fake_start(&fake);
    fake_stop(&fake);
    ck_assert_int_eq(open_with(5000, 0), KVD_OK);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(run(), KVD_CONNECT);
    ck_assert_int_eq(seen.statuses[0], KVD_CONNECT);
    ck_assert_ptr_nonnull(strstr(seen.error, fake.address));
    fake_start(&fake);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_int_eq(seen.statuses[1], KVD_OK);
    end();
}
END_TEST

/* A port of this machine at which nobody listens: the refusal arrives after connect(). */
START_TEST(a_refused_tcp_connection_is_told_too) {
    ck_assert_int_eq(kvd_async_open("127.0.0.1:1", NULL, &async), KVD_OK);
    memset(&seen, 0, sizeof seen);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_CONNECT);
    ck_assert_int_eq(seen.statuses[0], KVD_CONNECT);
    kvd_async_close(async);
}
END_TEST

/* As of a name with two addresses: nobody listens at the first. */
START_TEST(all_addresses_of_a_name_are_tried) {
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(1)};

    begin();
    run();
    kvd_async_cancel(async);
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    async->targets.targets[1] = async->targets.targets[0];
    memcpy(&async->targets.targets[0].name, &nobody, sizeof nobody);
    async->targets.targets[0].len = sizeof nobody;
    async->targets.count = 2;
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_int_eq(seen.statuses[0], KVD_OK);
    async->targets.count = 1; /* and then it fails */
    kvd_async_cancel(async);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(run(), KVD_CONNECT);
    end();
}
END_TEST

START_TEST(a_refused_hello_tells_every_request_why) {
    begin();
    fake.deny_hello = true;
    submit_three();
    ck_assert_int_eq(run(), KVD_BUSY);
    expect_three(KVD_BUSY, KVD_BUSY, KVD_BUSY);
    ck_assert_ptr_nonnull(strstr(seen.error, "no more connections"));
    end();
}
END_TEST

START_TEST(what_hello_does_not_allow_is_refused_in_its_turn) {
    const struct kvd_write_options ttl = {.ttl_ms = 1000};
    static char huge[FAKE_FRAME_MAX + 1];

    begin();
    fake.agree = WIRE_FLAGS_REQUEST & ~(uint32_t)WIRE_FLAG_TTL;
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), kvd_text("v"), &ttl, on_result, &seen),
                     KVD_OK);
    ck_assert_int_eq(
        kvd_async_put(async, kvd_text("k"), kvd_bytes(huge, sizeof huge), NULL, on_result, &seen),
        KVD_OK);
    ck_assert_int_eq(get(), KVD_OK);
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_uint_eq(seen.count, 4);
    ck_assert_int_eq(seen.statuses[3], KVD_OK);
    seen.count = 3;
    expect_three(KVD_OK, KVD_UNSUPPORTED, KVD_TOO_LARGE);
    ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), kvd_text("v"), &ttl, on_result, &seen),
                     KVD_UNSUPPORTED); /* now it is known at once */
    end();
}
END_TEST

START_TEST(both_directions_full_do_not_lock) {
    static char value[80000];
    struct kvd_bytes bytes = kvd_bytes(value, sizeof value);

    begin();
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), bytes, NULL, on_result, &seen),
                         KVD_OK);
        ck_assert_int_eq(get(), KVD_OK);
    }
    ck_assert_int_eq(run(), KVD_OK);
    ck_assert_uint_eq(seen.count, 100);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_int_eq(seen.statuses[i], KVD_OK);
        ck_assert_uint_eq(seen.indexes[i], i);
    }
    end();
}
END_TEST

/* --- scans --- */

struct walk {
    struct kvd_scan_options options;
    char keys[32]; /* in a row */
    size_t pages;
    bool stays;            /* no page is asked for but the first */
    enum kvd_status taken; /* by the last kvd_page_next */
    struct kvd_result last;
};

static void on_page(const struct kvd_result *result, void *arg) {
    struct walk *walk = arg;
    struct kvd_entry entry;

    walk->last = *result;
    walk->pages++;
    if (result->status != KVD_OK) {
        ck_assert_ptr_null(result->page);
        return;
    }
    ck_assert_int_eq(result->operation, KVD_OPERATION_SCAN);
    while ((walk->taken = kvd_page_next(result->page, &entry)) == KVD_OK) {
        ck_assert_uint_eq(entry.key.len, 1);
        strncat(walk->keys, entry.key.ptr, 1);
        ck_assert_uint_eq(entry.meta.value_len, 5);
        ck_assert_uint_eq(entry.value.len, walk->options.keys_only ? 0 : 5);
    }
    if (result->cursor.len > 0 && !walk->stays) {
        walk->options.cursor = result->cursor;
        ck_assert_int_eq(kvd_async_scan(async, &walk->options, on_page, walk), KVD_OK);
    }
}

static const char *walked(struct walk *walk) {
    walk->keys[0] = '\0';
    walk->options.cursor = kvd_bytes(NULL, 0);
    ck_assert_int_eq(kvd_async_scan(async, &walk->options, on_page, walk), KVD_OK);
    run();
    return walk->keys;
}

static void begin_with_keys(void) {
    begin();
    for (const char *key = "abcdefg"; *key; key++) {
        ck_assert_int_eq(
            kvd_async_put(async, kvd_bytes(key, 1), kvd_text("value"), NULL, NULL, NULL), KVD_OK);
    }
}

START_TEST(a_scan_walks_the_pages_that_are_asked_for) {
    struct walk walk = {.options = {.verify = true}};

    begin_with_keys();
    ck_assert_str_eq(walked(&walk), "abcdefg"); /* of puts that were submitted just before */
    ck_assert_uint_gt(walk.pages, 1);
    ck_assert_int_eq(walk.taken, KVD_END);
    walk.options.reverse = true;
    walk.options.keys_only = true;
    ck_assert_str_eq(walked(&walk), "gfedcba");
    walk = (struct walk){.options = {.from = kvd_text("b"), .to = kvd_text("f")}};
    ck_assert_str_eq(walked(&walk), "bcde");
    walk.options.page_entries = 1;
    walk.pages = 0;
    ck_assert_str_eq(walked(&walk), "bcde");
    ck_assert_uint_eq(walk.pages, 4);
    walk = (struct walk){.options = {.limit = 2}, .stays = true};
    ck_assert_str_eq(walked(&walk), "ab");
    walk.options.limit = 0;
    walk.options.prefix = kvd_text("c");
    ck_assert_str_eq(walked(&walk), "c");
    ck_assert_uint_eq(walk.last.cursor.len, 0);
    ck_assert_int_eq(kvd_async_scan(async, NULL, NULL, NULL), KVD_OK);
    run();
    end();
}
END_TEST

START_TEST(a_scan_of_a_prefix_and_a_range_is_refused_at_once) {
    struct walk walk = {.options = {.prefix = kvd_text("a"), .from = kvd_text("b")}};

    begin_with_keys();
    ck_assert_int_eq(kvd_async_scan(async, &walk.options, on_page, &walk), KVD_INVALID);
    run();
    ck_assert_uint_eq(walk.pages, 0);
    end();
}
END_TEST

START_TEST(a_value_of_a_page_that_was_damaged_is_told_when_it_is_taken) {
    struct walk walk = {.options = {.verify = true}};

    begin_with_keys();
    run();
    fake.wrong_checksum = true;
    walk.stays = true;
    ck_assert_str_eq(walked(&walk), "");
    ck_assert_int_eq(walk.taken, KVD_CHECKSUM);
    ck_assert(kvd_async_error(async)[0] != '\0');
    end();
}
END_TEST

START_TEST(a_scan_without_an_answer_ends_as_reads_do) {
    struct walk walk = {.options = {.limit = 1}};

    begin_with_keys();
    run();
    fake.silent = true;
    ck_assert_int_eq(kvd_async_scan(async, &walk.options, on_page, &walk), KVD_OK);
    kvd_async_cancel(async);
    run();
    ck_assert_uint_eq(walk.pages, 1);
    ck_assert_int_eq(walk.last.status, KVD_CANCELLED);
    end();
}
END_TEST

START_TEST(a_write_that_was_not_sent_whole_is_not_unknown) {
    static char value[80000];
    struct kvd_bytes bytes = kvd_bytes(value, sizeof value);

    begin();
    reopen(0, 5000);
    for (int i = 0; i < 40; i++) { /* more than the socket buffers take */
        ck_assert_int_eq(kvd_async_put(async, kvd_text("k"), bytes, NULL, on_result, &seen),
                         KVD_OK);
    }
    ck_assert_int_eq(run(), KVD_CLOSED);
    ck_assert_uint_eq(seen.count, 40);
    ck_assert_int_eq(seen.statuses[0], KVD_UNKNOWN);
    ck_assert_int_eq(seen.statuses[39], KVD_CLOSED);
    ck_assert_int_eq(fake.writes, 1);
    end();
}
END_TEST

START_TEST(options_that_are_no_good_are_invalid) {
    const struct kvd_async_options many = {.requests_max = KVD_ASYNC_REQUESTS_MAX + 1};

    ck_assert_int_eq(kvd_async_open("nonsense", NULL, &async), KVD_INVALID);
    ck_assert_ptr_nonnull(strstr(kvd_async_error(async), "HOST:PORT"));
    ck_assert_int_eq(put(), KVD_SHUTTING_DOWN);
    ck_assert_int_eq(kvd_async_step(async), KVD_OK);
    kvd_async_close(async);
    ck_assert_int_eq(kvd_async_open("unix:/x", &many, &async), KVD_INVALID);
    kvd_async_close(async);
    kvd_async_close(NULL);
}
END_TEST

START_TEST(without_memory_every_request_still_gets_its_end) {
    begin(); /* the server, which is in this process, has what it needs */
    ck_assert_int_eq(put(), KVD_OK);
    run();
    kvd_async_close(async);
    for (uint64_t n = 0; n < 40; n++) {
        size_t submitted = 0;
        memory_fail_after(n, true);
        if (open_with(5000, 0) == KVD_OK) {
            for (int i = 0; i < 3; i++) {
                submitted += put() == KVD_OK;
            }
            while (kvd_async_pending(async) > 0 && kvd_async_step(async) == KVD_OK) {
                usleep(100);
            }
        }
        memory_fail_never();
        kvd_async_close(async);
        ck_assert_uint_eq(seen.count, submitted);
    }
    fake_stop(&fake);
}
END_TEST

UNIT_MAIN("client_async", callbacks_come_in_the_order_of_the_requests,
          a_step_does_not_wait_for_an_answer,
          above_the_limit_requests_are_refused_until_callbacks_made_room, bytes_are_limited_too,
          a_cut_at_any_byte_tells_what_became_of_each,
          what_a_callback_submits_after_a_loss_goes_to_a_new_connection,
          a_connection_closed_while_idle_does_not_lose_the_next_request,
          a_descriptor_given_up_stays_open_until_the_next_step,
          silence_is_a_timeout_for_reads_and_unknown_for_writes,
          nonsense_is_a_protocol_error_for_all,
          cancelled_reads_are_cancelled_and_sent_writes_unknown, a_callback_may_close_the_handle,
          a_callback_may_cancel_and_submit, nobody_listening_is_told_by_the_step_and_tried_again,
          a_refused_tcp_connection_is_told_too, all_addresses_of_a_name_are_tried,
          a_refused_hello_tells_every_request_why, what_hello_does_not_allow_is_refused_in_its_turn,
          both_directions_full_do_not_lock, a_write_that_was_not_sent_whole_is_not_unknown,
          options_that_are_no_good_are_invalid, a_scan_walks_the_pages_that_are_asked_for,
          a_scan_of_a_prefix_and_a_range_is_refused_at_once,
          a_value_of_a_page_that_was_damaged_is_told_when_it_is_taken,
          a_scan_without_an_answer_ends_as_reads_do,
          without_memory_every_request_still_gets_its_end)
