/* client_loss_test.c: libkvd when the connection breaks, hangs, or says nonsense. */
#include "tests/unit/client_fake.h"

#define SHORT_MS 100u
#define GET_REPLY_BYTES (WIRE_FRAME_HEADER_BYTES + WIRE_RECORD_BYTES + 5u)
#define PUT_REPLY_BYTES (WIRE_FRAME_HEADER_BYTES + 8u)

static struct fake fake;
static struct kvd *db;

static void begin(void) {
    const struct kvd_connect_options options = {.timeout_ms = 5000};

    fake_start(&fake);
    ck_assert_int_eq(kvd_connect(fake.address, &options, &db), KVD_OK);
}

static void end(void) {
    kvd_close(db);
    fake_stop(&fake);
}

static enum kvd_status put(void) {
    return kvd_put(db, kvd_text("k"), kvd_text("value"), NULL, NULL);
}

static enum kvd_status get(void) {
    char room[16];
    return kvd_get_into(db, kvd_text("k"), NULL, room, sizeof room, NULL);
}

/* A new connection, whose replies are cut after `bytes`. */
static void cut_after(long bytes, int times) {
    kvd_close(db);
    fake.cut_after = bytes;
    fake.cuts_left = times;
    ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_OK);
}

START_TEST(a_read_cut_at_any_byte_of_its_reply_is_asked_again) {
    begin();
    ck_assert_int_eq(put(), KVD_OK);
    for (long bytes = 0; bytes < (long)GET_REPLY_BYTES; bytes++) {
        int before = fake.connections;
        cut_after(bytes, 1);
        ck_assert_int_eq(get(), KVD_OK);
        ck_assert_int_eq(fake.connections, before + 2);
    }
    end();
}
END_TEST

START_TEST(a_read_cut_twice_is_closed) {
    begin();
    ck_assert_int_eq(put(), KVD_OK);
    cut_after(10, 2);
    ck_assert_int_eq(get(), KVD_CLOSED);
    ck_assert_int_eq(kvd_outcome(KVD_CLOSED), KVD_OUTCOME_FAILED);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), "closed"));
    ck_assert_int_eq(get(), KVD_OK);
    end();
}
END_TEST

START_TEST(a_write_cut_at_any_byte_of_its_reply_is_unknown_and_not_repeated) {
    begin();
    for (long bytes = 0; bytes < (long)PUT_REPLY_BYTES; bytes++) {
        int before;
        cut_after(bytes, 1);
        before = fake.writes;
        ck_assert_int_eq(put(), KVD_UNKNOWN);
        ck_assert_int_eq(fake.writes, before + 1);
        ck_assert_int_eq(put(), KVD_OK);
        ck_assert_int_eq(fake.writes, before + 2);
    }
    ck_assert_int_eq(kvd_outcome(KVD_UNKNOWN), KVD_OUTCOME_UNKNOWN);
    end();
}
END_TEST

START_TEST(a_write_on_a_connection_closed_while_idle_goes_to_a_new_one) {
    begin();
    cut_after((long)PUT_REPLY_BYTES, 1); /* closes behind the whole reply */
    ck_assert_int_eq(put(), KVD_OK);
    while (fake.cuts_left > 0) {
        usleep(1000);
    }
    usleep(50000); /* until the close has arrived */
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(fake.writes, 2);
    end();
}
END_TEST

START_TEST(silence_is_a_timeout_for_reads_and_unknown_for_writes) {
    begin();
    fake.silent = true;
    kvd_set_timeout(db, SHORT_MS);
    ck_assert_int_eq(get(), KVD_TIMEOUT);
    ck_assert_int_eq(put(), KVD_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), "timeout"));
    fake.silent = false;
    kvd_set_timeout(db, 5000);
    ck_assert_int_eq(get(), KVD_OK);
    end();
}
END_TEST

START_TEST(nonsense_is_a_protocol_error_and_the_next_call_connects_anew) {
    atomic_bool *const knobs[] = {&fake.garbage, &fake.huge, &fake.wrong_id};

    begin();
    for (size_t i = 0; i < 3; i++) {
        *knobs[i] = true;
        ck_assert_int_eq(get(), KVD_PROTOCOL);
        ck_assert_int_eq(put(), KVD_UNKNOWN);
        *knobs[i] = false;
        ck_assert_int_eq(put(), KVD_OK);
    }
    end();
}
END_TEST

START_TEST(a_value_that_does_not_match_its_checksum_is_refused) {
    const struct kvd_read_options verify = {.verify = true};
    struct kvd_value value = {0};

    begin();
    ck_assert_int_eq(put(), KVD_OK);
    fake.wrong_checksum = true;
    ck_assert_int_eq(kvd_get(db, kvd_text("k"), &verify, &value), KVD_CHECKSUM);
    ck_assert_int_eq(kvd_get(db, kvd_text("k"), NULL, &value), KVD_OK);
    kvd_value_free(&value);
    end();
}
END_TEST

START_TEST(nobody_listening_is_told_and_tried_again) {
    fake_start(&fake);
    fake_stop(&fake);
    ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_CONNECT);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), fake.address));
    ck_assert_int_eq(put(), KVD_CONNECT);
    fake_start(&fake);
    ck_assert_int_eq(put(), KVD_OK);
    end();
}
END_TEST

START_TEST(bad_addresses_are_invalid) {
    const char *const addresses[] = {"",         "host",  "host:", ":1",
                                     "host:abc", "a:b:1", "unix:", "[::1]"};

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        ck_assert_int_eq(kvd_connect(addresses[i], NULL, &db), KVD_INVALID);
        kvd_close(db);
    }
}
END_TEST

START_TEST(a_refused_hello_tells_why) {
    fake_start(&fake);
    fake.deny_hello = true;
    ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_BUSY);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), "no more connections"));
    end();
}
END_TEST

/* --- pipelines --- */

static void queue_three(void) {
    ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_text("value"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_get(db, kvd_text("k"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_delete(db, kvd_text("k"), NULL), KVD_OK);
}

static enum kvd_status next_status(void) {
    struct kvd_result result;

    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert(result.status == KVD_OK || result.error[0] != '\0');
    return result.status;
}

START_TEST(results_come_in_the_order_of_the_requests) {
    struct kvd_result result;

    begin();
    queue_three();
    ck_assert_int_eq(kvd_ping(db), KVD_BUSY);
    ck_assert_uint_eq(kvd_pipeline_pending(db), 3);
    ck_assert_int_eq(kvd_pipeline_flush(db), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_int_eq(result.operation, KVD_OPERATION_PUT);
    ck_assert_uint_eq(result.version, 1);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_uint_eq(result.index, 1);
    ck_assert_uint_eq(result.value.len, 5);
    ck_assert_mem_eq(result.value.ptr, "value", 5);
    ck_assert_int_eq(next_status(), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_END);
    ck_assert_int_eq(kvd_ping(db), KVD_OK);
    end();
}
END_TEST

START_TEST(a_pipeline_cut_at_any_byte_tells_what_became_of_each) {
    const long ends[] = {PUT_REPLY_BYTES, PUT_REPLY_BYTES + GET_REPLY_BYTES,
                         2 * PUT_REPLY_BYTES + GET_REPLY_BYTES};
    const enum kvd_status lost[] = {KVD_UNKNOWN, KVD_CLOSED, KVD_UNKNOWN};

    begin();
    for (long bytes = 0; bytes < ends[2]; bytes++) {
        struct kvd_result result;
        cut_after(bytes, 1);
        queue_three();
        for (size_t i = 0; i < 3; i++) {
            ck_assert_int_eq(next_status(), bytes >= ends[i] ? KVD_OK : lost[i]);
        }
        ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_END);
    }
    ck_assert_int_eq(put(), KVD_OK);
    end();
}
END_TEST

START_TEST(a_silent_server_leaves_writes_unknown_and_reads_timed_out) {
    begin();
    fake.silent = true;
    kvd_set_timeout(db, SHORT_MS);
    queue_three();
    ck_assert_int_eq(next_status(), KVD_UNKNOWN);
    ck_assert_int_eq(next_status(), KVD_TIMEOUT);
    ck_assert_int_eq(next_status(), KVD_UNKNOWN);
    end();
}
END_TEST

START_TEST(nonsense_in_a_pipeline_ends_all_of_it) {
    begin();
    fake.wrong_id = true;
    queue_three();
    ck_assert_int_eq(next_status(), KVD_UNKNOWN);
    ck_assert_int_eq(next_status(), KVD_PROTOCOL);
    ck_assert_int_eq(next_status(), KVD_UNKNOWN);
    fake.wrong_id = false;
    ck_assert_int_eq(put(), KVD_OK);
    end();
}
END_TEST

START_TEST(replies_larger_than_all_socket_buffers_do_not_lock_both_sides) {
    static char value[80000];
    struct kvd_result result;
    size_t count = 0;

    begin();
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_bytes(value, sizeof value), NULL, NULL),
                     KVD_OK);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(kvd_pipeline_get(db, kvd_text("k"), NULL), KVD_OK);
        ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_bytes(value, sizeof value), NULL),
                         KVD_OK);
    }
    while (kvd_pipeline_next(db, &result) == KVD_OK) {
        ck_assert_int_eq(result.status, KVD_OK);
        count++;
    }
    ck_assert_uint_eq(count, 100);
    end();
}
END_TEST

START_TEST(a_write_that_was_not_sent_whole_is_not_unknown) {
    static char value[80000];
    struct kvd_result result;

    begin();
    cut_after(0, 1);
    for (int i = 0; i < 40; i++) { /* more than the socket buffers take */
        ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_bytes(value, sizeof value), NULL),
                         KVD_OK);
    }
    ck_assert_int_eq(kvd_pipeline_flush(db), KVD_CLOSED);
    ck_assert_int_eq(next_status(), KVD_UNKNOWN);
    while (kvd_pipeline_pending(db) > 1) {
        next_status();
    }
    ck_assert_int_eq(next_status(), KVD_CLOSED);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_END);
    ck_assert_int_eq(fake.writes, 1);
    end();
}
END_TEST

START_TEST(a_scan_goes_on_after_a_page_that_failed) {
    struct kvd_scan *scan;
    struct kvd_entry entry;

    begin();
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(kvd_scan_open(db, NULL, &scan), KVD_OK);
    fake.silent = true;
    kvd_set_timeout(db, SHORT_MS);
    ck_assert_int_eq(kvd_scan_next(scan, &entry), KVD_TIMEOUT);
    fake.silent = false;
    ck_assert_int_eq(kvd_scan_next(scan, &entry), KVD_OK);
    ck_assert_int_eq(kvd_scan_next(scan, &entry), KVD_END);
    kvd_scan_close(scan);
    end();
}
END_TEST

START_TEST(every_status_has_name_text_and_outcome) {
    for (int i = KVD_OK; i <= KVD_INTERNAL; i++) {
        ck_assert_str_ne(kvd_status_name((enum kvd_status)i), "invalid_status");
        ck_assert(kvd_status_text((enum kvd_status)i)[0] != '\0');
    }
    ck_assert_str_eq(kvd_status_name(KVD_NOT_FOUND), "not_found");
    ck_assert_str_eq(kvd_status_name((enum kvd_status)999), "invalid_status");
    ck_assert_int_eq(kvd_outcome(KVD_NOT_FOUND), KVD_OUTCOME_DONE);
    ck_assert_int_eq(kvd_outcome(KVD_INTERNAL), KVD_OUTCOME_UNKNOWN);
    ck_assert_int_eq(kvd_outcome(KVD_EXISTS), KVD_OUTCOME_FAILED);
}
END_TEST

UNIT_MAIN("client_loss", a_read_cut_at_any_byte_of_its_reply_is_asked_again,
          a_read_cut_twice_is_closed,
          a_write_cut_at_any_byte_of_its_reply_is_unknown_and_not_repeated,
          a_write_on_a_connection_closed_while_idle_goes_to_a_new_one,
          silence_is_a_timeout_for_reads_and_unknown_for_writes,
          nonsense_is_a_protocol_error_and_the_next_call_connects_anew,
          a_value_that_does_not_match_its_checksum_is_refused,
          nobody_listening_is_told_and_tried_again, bad_addresses_are_invalid,
          a_refused_hello_tells_why, results_come_in_the_order_of_the_requests,
          a_pipeline_cut_at_any_byte_tells_what_became_of_each,
          a_silent_server_leaves_writes_unknown_and_reads_timed_out,
          nonsense_in_a_pipeline_ends_all_of_it,
          replies_larger_than_all_socket_buffers_do_not_lock_both_sides,
          a_write_that_was_not_sent_whole_is_not_unknown, a_scan_goes_on_after_a_page_that_failed,
          every_status_has_name_text_and_outcome)
