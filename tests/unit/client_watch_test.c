/* client_watch_test.c: libkvd's watch: each change once and in order, whatever breaks. */
#include "tests/unit/client_fake.h"

static struct fake fake;
static struct kvd *db;
static struct kvd_watch *watch;

static void begin(uint64_t feed_last, const struct kvd_watch_options *options) {
    const struct kvd_connect_options connect = {.timeout_ms = 5000};

    fake_start(&fake);
    fake.feed_last = feed_last;
    ck_assert_int_eq(kvd_connect(fake.address, &connect, &db), KVD_OK);
    ck_assert_int_eq(kvd_watch_open(db, options, &watch), KVD_OK);
}

static void end(void) {
    kvd_watch_close(watch);
    kvd_close(db);
    fake_stop(&fake);
}

static void expect_change(const struct kvd_watch_change *change, uint64_t version) {
    char text[32];

    ck_assert_int_eq(change->kind, KVD_WATCH_PUT);
    ck_assert_uint_eq(change->version, version);
    ck_assert_uint_eq(change->time_ms, 1000 + version);
    ck_assert(change->last);
    snprintf(text, sizeof text, "k%llu", (unsigned long long)version);
    ck_assert_uint_eq(change->key.len, strlen(text));
    ck_assert_mem_eq(change->key.ptr, text, strlen(text));
    snprintf(text, sizeof text, "value %llu", (unsigned long long)version);
    ck_assert_uint_eq(change->value.len, strlen(text));
    ck_assert_mem_eq(change->value.ptr, text, strlen(text));
    ck_assert_uint_eq(kvd_watch_version(watch), version);
}

static void expect_next(uint64_t version) {
    struct kvd_watch_change change;

    ck_assert_int_eq(kvd_watch_next(watch, 0, &change), KVD_OK);
    expect_change(&change, version);
}

static void expect_end(uint32_t wait_ms) {
    struct kvd_watch_change change;
    ck_assert_int_eq(kvd_watch_next(watch, wait_ms, &change), KVD_END);
}

START_TEST(changes_come_once_each_and_then_there_are_no_more) {
    begin(5, NULL);
    for (uint64_t version = 1; version <= 5; version++) {
        expect_next(version);
    }
    expect_end(0);
    expect_end(0);
    expect_end(20);
    ck_assert_uint_gt(fake.feed_wait_ms, 0);
    ck_assert_uint_le(fake.feed_wait_ms, 20);
    fake.feed_last = 6;
    expect_next(6);
    expect_end(0);
    end();
}
END_TEST

START_TEST(it_begins_where_it_is_told) {
    struct kvd_watch_options options = {.from_version = 3};

    begin(5, &options);
    expect_next(4);
    kvd_watch_close(watch);
    options = (struct kvd_watch_options){.from_now = true};
    ck_assert_int_eq(kvd_watch_open(db, &options, &watch), KVD_OK);
    expect_end(0);
    ck_assert_uint_eq(kvd_watch_version(watch), 5);
    fake.feed_last = 6;
    expect_next(6);
    kvd_watch_close(watch);
    options = (struct kvd_watch_options){.prefix = kvd_text("a"), .to = kvd_text("b")};
    watch = NULL;
    ck_assert_int_eq(kvd_watch_open(db, &options, &watch), KVD_INVALID);
    end();
}
END_TEST

START_TEST(other_calls_may_come_between) {
    begin(5, NULL);
    for (uint64_t version = 1; version <= 5; version++) {
        expect_next(version);
        ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("v"), NULL, NULL), KVD_OK);
    }
    expect_end(0);
    end();
}
END_TEST

START_TEST(a_connection_cut_at_any_byte_loses_no_change_and_repeats_none) {
    for (long bytes = 0; bytes < 400; bytes += 3) {
        begin(5, NULL);
        kvd_watch_close(watch);
        kvd_close(db);
        fake.cut_after = bytes;
        fake.cuts_left = 3; /* a call is sent twice at most */
        ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_OK);
        ck_assert_int_eq(kvd_watch_open(db, NULL, &watch), KVD_OK);
        for (uint64_t version = 1; version <= 5; version++) {
            struct kvd_watch_change change;
            enum kvd_status status = kvd_watch_next(watch, 0, &change);
            while (status == KVD_CLOSED) {
                status = kvd_watch_next(watch, 0, &change);
            }
            ck_assert_int_eq(status, KVD_OK);
            expect_change(&change, version);
        }
        end();
    }
}
END_TEST

static void expect_gap(uint64_t from, uint64_t to, uint64_t snapshot, uint64_t version) {
    struct kvd_watch_change change;

    ck_assert_int_eq(kvd_watch_next(watch, 0, &change), KVD_OK);
    ck_assert_int_eq(change.kind, KVD_WATCH_GAP);
    ck_assert_uint_eq(change.version, from);
    ck_assert_uint_eq(change.gap_to, to);
    ck_assert_uint_eq(change.snapshot.id, snapshot);
    ck_assert_uint_eq(change.snapshot.version, version);
}

START_TEST(a_gap_comes_with_a_snapshot_behind_which_it_goes_on) {
    begin(8, &(struct kvd_watch_options){.from_version = 2});
    fake.feed_gap_to = 4;
    expect_gap(3, 4, 7, 5);
    ck_assert_uint_eq(kvd_watch_version(watch), 5);
    expect_next(6);
    expect_next(7);
    end();
}
END_TEST

START_TEST(a_gap_may_be_skipped) {
    begin(8, &(struct kvd_watch_options){.skip_gaps = true});
    fake.feed_gap_to = 4;
    expect_gap(1, 4, 0, 0);
    ck_assert_uint_eq(kvd_watch_version(watch), 4);
    expect_next(5);
    end();
}
END_TEST

START_TEST(a_value_that_came_damaged_is_asked_for_again) {
    struct kvd_watch_change change;

    begin(5, NULL);
    expect_next(1);
    expect_next(2);
    fake.wrong_checksum = true;
    ck_assert_int_eq(kvd_watch_next(watch, 0, &change), KVD_CHECKSUM);
    fake.wrong_checksum = false;
    expect_next(3);
    end();
}
END_TEST

START_TEST(the_nth_allocation_fails_and_the_next_call_goes_on) {
    enum kvd_status status = KVD_NO_MEMORY;
    struct kvd_watch_change change;

    begin(5, NULL);
    for (uint64_t version = 1; version <= 5; version++) {
        expect_next(version); /* the fake allocates no more after it */
    }
    kvd_watch_close(watch);
    ck_assert_int_eq(kvd_watch_open(db, NULL, &watch), KVD_OK);
    for (uint64_t n = 0; status != KVD_OK; n++) {
        ck_assert_uint_lt(n, 20);
        memory_fail_after(n, false);
        status = kvd_watch_next(watch, 0, &change);
        memory_fail_never();
    }
    expect_change(&change, 1);
    expect_next(2);
    end();
}
END_TEST

UNIT_MAIN("client_watch", changes_come_once_each_and_then_there_are_no_more,
          it_begins_where_it_is_told, other_calls_may_come_between,
          a_connection_cut_at_any_byte_loses_no_change_and_repeats_none,
          a_gap_comes_with_a_snapshot_behind_which_it_goes_on, a_gap_may_be_skipped,
          a_value_that_came_damaged_is_asked_for_again,
          the_nth_allocation_fails_and_the_next_call_goes_on)
