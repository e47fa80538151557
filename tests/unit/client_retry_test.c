/* client_retry_test.c: libkvd with retry_ms: what it sends again, with which token, until when, and
 * which answers it believes. */
#include "tests/unit/client_fake.h"

#include "client/clock.h"

#define RETRY_MS 5000u
#define SHORT_MS 150u
#define PUT_REPLY_BYTES (WIRE_FRAME_HEADER_BYTES + 8u)

static struct fake fake;
static struct kvd *db;

static void connect_for(uint32_t retry_ms) {
    const struct kvd_connect_options options = {.timeout_ms = 2000, .retry_ms = retry_ms};

    ck_assert_int_eq(kvd_connect(fake.address, &options, &db), KVD_OK);
}

static void begin(uint32_t retry_ms) {
    fake_start(&fake);
    connect_for(retry_ms);
}

static void end(void) {
    kvd_close(db);
    fake_stop(&fake);
}

static enum kvd_status put(void) {
    return kvd_put(db, kvd_text("k"), kvd_text("value"), NULL, NULL);
}

/* The connection, which has carried no reply yet, is cut before one; the next ones too. */
static void cut(long bytes, int times) {
    fake.cut_after = bytes;
    fake.cuts_left = times;
}

static void refuse_after(int writes, enum status status, int times) {
    fake.refusals_skip = writes;
    fake.refusal = (int)status;
    fake.refusals_left = times;
}

static void refuse(enum status status, int times) {
    refuse_after(0, status, times);
}

/* ---- What is sent again -----------------------------------------------------------------------
 */

START_TEST(a_write_cut_at_any_byte_of_its_reply_is_done_once) {
    fake_start(&fake);
    for (long bytes = 0; bytes < (long)PUT_REPLY_BYTES; bytes++) {
        uint64_t version = 0;
        connect_for(RETRY_MS);
        cut(bytes, 2);
        ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("value"), NULL, &version), KVD_OK);
        ck_assert_int_eq(fake.writes, bytes + 1);
        ck_assert_uint_eq(version, (uint64_t)bytes + 1);
        kvd_close(db);
    }
    fake_stop(&fake);
}
END_TEST

START_TEST(each_write_has_a_sequence_and_each_connection_a_client) {
    struct wire_options first;

    begin(RETRY_MS);
    ck_assert_int_eq(put(), KVD_OK);
    first = fake.executed;
    ck_assert(first.flags & WIRE_FLAG_RETRY_TOKEN);
    ck_assert_int_eq(kvd_delete(db, kvd_text("k"), NULL, NULL), KVD_OK);
    ck_assert_uint_eq(fake.executed.retry_sequence, first.retry_sequence + 1);
    ck_assert_mem_eq(fake.executed.retry_client, first.retry_client, WIRE_RETRY_CLIENT_BYTES);
    kvd_close(db);
    connect_for(RETRY_MS);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_mem_ne(fake.executed.retry_client, first.retry_client, WIRE_RETRY_CLIENT_BYTES);
    end();
}
END_TEST

START_TEST(connections_of_a_pool_are_clients_of_their_own) {
    const struct kvd_pool_options options = {.connect = {.retry_ms = RETRY_MS},
                                             .connections_max = 2};
    uint8_t client[WIRE_RETRY_CLIENT_BYTES];
    struct kvd_pool *pool;

    fake_start(&fake);
    ck_assert_int_eq(kvd_pool_create(fake.address, &options, &pool), KVD_OK);
    ck_assert_int_eq(kvd_pool_borrow(pool, 1000, &db), KVD_OK);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert(fake.executed.flags & WIRE_FLAG_RETRY_TOKEN);
    memcpy(client, fake.executed.retry_client, sizeof client);
    kvd_pool_return(pool, db);
    kvd_pool_destroy(pool);
    ck_assert_int_eq(kvd_pool_create(fake.address, &options, &pool), KVD_OK);
    ck_assert_int_eq(kvd_pool_borrow(pool, 1000, &db), KVD_OK);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_mem_ne(client, fake.executed.retry_client, sizeof client);
    kvd_pool_return(pool, db);
    kvd_pool_destroy(pool);
    fake_stop(&fake);
}
END_TEST

START_TEST(reads_and_connections_without_it_have_no_token) {
    begin(RETRY_MS);
    ck_assert_int_eq(kvd_exists(db, kvd_text("k"), NULL, NULL), KVD_NOT_FOUND);
    ck_assert(!(fake.last.flags & WIRE_FLAG_RETRY_TOKEN));
    kvd_close(db);
    connect_for(0);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert(!(fake.last.flags & WIRE_FLAG_RETRY_TOKEN));
    kvd_close(db);
    connect_for(0);
    cut(0, 1);
    ck_assert_int_eq(put(), KVD_UNKNOWN);
    end();
}
END_TEST

START_TEST(a_token_of_the_program_is_sent_as_it_is) {
    const struct kvd_retry_token token = {.client = "of the program", .sequence = 77};
    const struct kvd_write_options options = {.token = &token};
    struct kvd_result result;

    for (uint32_t retry_ms = 0; retry_ms <= RETRY_MS; retry_ms += RETRY_MS) {
        begin(retry_ms);
        ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("v"), &options, NULL), KVD_OK);
        ck_assert_mem_eq(fake.executed.retry_client, token.client, sizeof token.client);
        ck_assert_uint_eq(fake.executed.retry_sequence, 77);
        ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_text("v"), &options), KVD_OK);
        ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
        ck_assert_int_eq(result.status, KVD_OK);
        ck_assert_uint_eq(fake.last.retry_sequence, 77);
        ck_assert_int_eq(fake.writes, 1);
        end();
    }
}
END_TEST

START_TEST(requests_of_a_pipeline_are_not_sent_again) {
    struct kvd_result result;

    begin(RETRY_MS);
    cut(0, 1);
    ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_text("v"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_int_eq(result.status, KVD_UNKNOWN);
    ck_assert(!(fake.executed.flags & WIRE_FLAG_RETRY_TOKEN));
    end();
}
END_TEST

/* ---- Until when -------------------------------------------------------------------------------
 */

START_TEST(a_server_that_stays_away_is_waited_for_so_long) {
    int64_t began_ms;

    begin(SHORT_MS);
    kvd_set_timeout(db, 50);
    fake.silent = true;
    began_ms = clock_now_ms();
    ck_assert_int_eq(put(), KVD_UNKNOWN);
    ck_assert_int_ge(clock_now_ms() - began_ms, SHORT_MS);
    ck_assert_int_lt(clock_now_ms() - began_ms, 2000);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), "the answer was lost"));
    fake.silent = false;
    end();
}
END_TEST

START_TEST(what_was_never_sent_is_no_more_unknown_than_without) {
    int64_t began_ms;

    fake_start(&fake);
    connect_for(SHORT_MS);
    shutdown(fake.listener, SHUT_RDWR); /* nobody is accepted any more */
    cut(0, 1);
    kvd_ping(db); /* this connection goes */
    began_ms = clock_now_ms();
    ck_assert_int_eq(put(), KVD_CONNECT);
    ck_assert_int_ge(clock_now_ms() - began_ms, SHORT_MS);
    ck_assert_int_eq(fake.writes, 0);
    end();
}
END_TEST

/* ---- Which answers count ----------------------------------------------------------------------
 */

START_TEST(a_refusal_of_the_first_try_is_told_at_once) {
    begin(RETRY_MS);
    refuse(STATUS_NO_SPACE, 1);
    ck_assert_int_eq(put(), KVD_NO_SPACE);
    refuse(STATUS_BUSY, 1);
    ck_assert_int_eq(put(), KVD_BUSY);
    refuse(STATUS_EXISTS, 1);
    ck_assert_int_eq(put(), KVD_EXISTS);
    ck_assert_int_eq(fake.writes, 0);
    end();
}
END_TEST

START_TEST(a_server_that_stops_or_does_not_know_is_asked_again) {
    begin(RETRY_MS);
    refuse(STATUS_SHUTTING_DOWN, 2);
    ck_assert_int_eq(put(), KVD_OK);
    refuse(STATUS_UNKNOWN, 2);
    ck_assert_int_eq(put(), KVD_OK);
    refuse(STATUS_INTERNAL, 1);
    ck_assert_int_eq(put(), KVD_OK);
    ck_assert_int_eq(fake.writes, 3);
    end();
}
END_TEST

/* The first copy was executed; a refusal for want of space says nothing of it. */
START_TEST(a_refusal_of_a_repeat_counts_only_if_it_is_of_the_data) {
    static const enum status passing[] = {STATUS_NO_SPACE, STATUS_BUSY, STATUS_DEADLINE,
                                          STATUS_LOG_FAILED, STATUS_SHUTTING_DOWN};

    fake_start(&fake);
    for (int i = 0; i < (int)(sizeof passing / sizeof passing[0]); i++) {
        connect_for(RETRY_MS);
        cut(0, 1);
        refuse_after(1, passing[i], 2);
        ck_assert_int_eq(put(), KVD_OK);
        ck_assert_int_eq(fake.writes, i + 1);
        ck_assert_int_eq(fake.refusals_left, 0);
        kvd_close(db);
    }
    fake_stop(&fake);
}
END_TEST

START_TEST(a_repeat_that_finds_no_space_all_the_time_is_unknown) {
    begin(SHORT_MS);
    cut(0, 1);
    refuse_after(1, STATUS_NO_SPACE, 1000);
    ck_assert_int_eq(put(), KVD_UNKNOWN);
    ck_assert_int_eq(fake.writes, 1);
    end();
}
END_TEST

START_TEST(a_repeat_that_is_refused_for_the_data_is_refused) {
    begin(RETRY_MS);
    cut(0, 1); /* the first refusal is lost */
    refuse(STATUS_EXISTS, 2);
    ck_assert_int_eq(put(), KVD_EXISTS);
    ck_assert_int_eq(fake.writes, 0);
    end();
}
END_TEST

/* ---- Refused from the start -------------------------------------------------------------------
 */

START_TEST(a_server_without_tokens_is_no_server_for_it) {
    const struct kvd_connect_options options = {.retry_ms = RETRY_MS};

    fake_start(&fake);
    fake.agree = WIRE_FLAGS_REQUEST & ~(uint32_t)WIRE_FLAG_RETRY_TOKEN;
    ck_assert_int_eq(kvd_connect(fake.address, &options, &db), KVD_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(kvd_error(db), "retry tokens"));
    kvd_close(db);
    connect_for(0);
    end();
}
END_TEST

START_TEST(more_than_the_server_remembers_is_invalid) {
    struct kvd_connect_options options = {.retry_ms = KVD_RETRY_MS_MAX};

    fake_start(&fake);
    ck_assert_int_eq(kvd_connect(fake.address, &options, &db), KVD_OK);
    kvd_close(db);
    options.retry_ms++;
    ck_assert_int_eq(kvd_connect(fake.address, &options, &db), KVD_INVALID);
    ck_assert_uint_eq(kvd_error_detail(db), KVD_RETRY_MS_MAX);
    end();
}
END_TEST

UNIT_MAIN("client_retry", a_write_cut_at_any_byte_of_its_reply_is_done_once,
          each_write_has_a_sequence_and_each_connection_a_client,
          connections_of_a_pool_are_clients_of_their_own,
          reads_and_connections_without_it_have_no_token, a_token_of_the_program_is_sent_as_it_is,
          requests_of_a_pipeline_are_not_sent_again, a_server_that_stays_away_is_waited_for_so_long,
          what_was_never_sent_is_no_more_unknown_than_without,
          a_refusal_of_the_first_try_is_told_at_once,
          a_server_that_stops_or_does_not_know_is_asked_again,
          a_refusal_of_a_repeat_counts_only_if_it_is_of_the_data,
          a_repeat_that_finds_no_space_all_the_time_is_unknown,
          a_repeat_that_is_refused_for_the_data_is_refused,
          a_server_without_tokens_is_no_server_for_it, more_than_the_server_remembers_is_invalid)
