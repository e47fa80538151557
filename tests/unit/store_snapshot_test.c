/* store_snapshot_test.c: reads of the past: at snapshots, at versions and at times, over
 * everything that could take it away. */
#include "tests/unit/past_fixture.h"

#include "protocol/base/memory.h"

/* ---- Snapshots --------------------------------------------------------------------------------
 */

START_TEST(a_snapshot_sees_its_state_through_overwrite_delete_flush_and_compaction) {
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "b", "2");
    fixture_put(&fixture, "c", "3");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "other");
    fixture_delete(&fixture, "b");
    delete_range(&fixture, "c", "d");
    fixture_put(&fixture, "d", "new");
    for (int round = 0; round < 4; round++) {
        expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "a", "1");
        expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "b", "2");
        expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "c", "3");
        expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "d", NULL);
        fixture_expect(&fixture, "a", "other");
        fixture_expect_absent(&fixture, "b");
        fixture_expect_absent(&fixture, "c");
        if (round == 0) {
            flush(&fixture);
        } else {
            compact(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

static void put_keys(struct fixture *fixture, int count) {
    char key[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key%02d", i);
        fixture_put(fixture, key, "a value");
    }
}

START_TEST(what_only_a_snapshot_sees_goes_after_it_is_closed) {
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_keys(&fixture, 50);
    old = open_snapshot(&fixture);
    put_keys(&fixture, 50);
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 100);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 1);
    ck_assert_uint_eq(fixture_stat(&fixture, "oldest_snapshot_version"), old.version);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_NOT_FOUND);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_SNAPSHOT, old.id, "key00"), STATUS_NOT_FOUND);
    put_keys(&fixture, 50); /* so that the tables are compacted */
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 50);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
    fixture_deinit(&fixture);
}
END_TEST

/* The row of the range delete must stay with what is kept below it. */
START_TEST(what_a_snapshot_keeps_below_a_range_delete_does_not_come_back) {
    for (int way = 0; way < 3; way++) {
        struct store_snapshot_info old;
        struct fixture fixture;
        fixture_init(&fixture, 1);
        fixture_open(&fixture);
        fixture_put(&fixture, "b", "1");
        old = open_snapshot(&fixture);
        if (way == 1) {
            compact(&fixture);
        }
        fixture_put(&fixture, "b", "2");
        delete_range(&fixture, "a", "c");
        flush(&fixture);
        if (way == 2) {
            compact(&fixture);
        }
        expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "b", "1");
        fixture_reopen(&fixture);
        fixture_expect_absent(&fixture, "b");
        compact(&fixture);
        fixture_expect_absent(&fixture, "b");
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(a_value_that_expires_after_the_snapshot_was_opened_is_still_seen_by_it) {
    struct store_snapshot_info old;
    struct store_snapshot_info late;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "a", "1", 1000);
    old = open_snapshot(&fixture);
    pass_ms(&fixture, 2000);
    late = open_snapshot(&fixture);
    flush(&fixture);
    compact(&fixture);
    fixture_expect_absent(&fixture, "a");
    expect_at(&fixture, STORE_AT_SNAPSHOT, old.id, "a", "1");
    expect_at(&fixture, STORE_AT_SNAPSHOT, late.id, "a", NULL);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_snapshot_is_gone_at_its_deadline_and_then_keeps_nothing) {
    struct store_snapshot_info info;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    ck_assert_int_eq(store_snapshot_open(fixture.store, "x", 1000, &info), STATUS_OK);
    ck_assert_uint_eq(info.deadline_ms, info.opened_ms + 1000);
    fixture_put(&fixture, "a", "2");
    pass_ms(&fixture, 999);
    compact(&fixture);
    expect_at(&fixture, STORE_AT_SNAPSHOT, info.id, "a", "1");
    pass_ms(&fixture, 1);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_SNAPSHOT, info.id, "a"), STATUS_NOT_FOUND);
    fixture_put(&fixture, "a", "3");
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_reopened_store_has_no_snapshots_and_knows_none_of_the_old_ids) {
    struct store_snapshot_info before;
    struct store_snapshot_info after;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    before = open_snapshot(&fixture);
    pass_ms(&fixture, 1);
    fixture_reopen(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
    after = open_snapshot(&fixture);
    ck_assert_uint_gt(after.id, before.id);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_SNAPSHOT, before.id, "a"), STATUS_NOT_FOUND);
    expect_at(&fixture, STORE_AT_SNAPSHOT, after.id, "a", "1");
    fixture_deinit(&fixture);
}
END_TEST

struct listed {
    struct store_snapshot_info infos[8];
    size_t count;
};

static void list_cb(void *arg, const struct store_snapshot_info *info) {
    struct listed *listed = arg;

    ck_assert_uint_lt(listed->count, 8);
    listed->infos[listed->count++] = *info;
}

START_TEST(snapshots_are_listed_oldest_first_with_who_opened_them) {
    struct listed listed = {0};
    struct store_snapshot_info info;
    struct fixture fixture;
    char owner[200];

    memset(owner, 'x', sizeof owner - 1);
    owner[sizeof owner - 1] = '\0';
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    (void)open_snapshot(&fixture);
    fixture_put(&fixture, "a", "1");
    ck_assert_int_eq(store_snapshot_open(fixture.store, owner, 0, &info), STATUS_OK);
    (void)open_snapshot(&fixture); /* at the same version */
    store_snapshot_list(fixture.store, list_cb, &listed);
    ck_assert_uint_eq(listed.count, 3);
    ck_assert_str_eq(listed.infos[0].owner, "a test");
    ck_assert_uint_lt(listed.infos[0].version, listed.infos[1].version);
    ck_assert_uint_eq(listed.infos[1].id, info.id);
    ck_assert_uint_eq(strlen(listed.infos[1].owner), STORE_OWNER_BYTES_MAX);
    ck_assert_uint_eq(listed.infos[2].version, listed.infos[1].version);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_cursor_walks_a_snapshot) {
    struct store_range range = {.namespace_id = SPACE};
    struct buffer keys = {.cap = 100};
    struct store_cursor *cursor = NULL;
    struct store_snapshot_info old;
    struct fixture fixture;
    struct store_read read;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "c", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "b", "1");
    delete_range(&fixture, "c", "d");
    compact(&fixture);
    ck_assert_int_eq(begin_at(&fixture, STORE_AT_SNAPSHOT, old.id, &read), STATUS_OK);
    ck_assert_int_eq(store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor), STATUS_OK);
    while (store_cursor_next(cursor, &keys, NULL, &fixture.error) == STATUS_OK) {
    }
    ck_assert_uint_eq(keys.len, 2);
    ck_assert_mem_eq(keys.data, "ac", 2);
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&keys);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_snapshot_without_memory_is_refused_and_changes_nothing) {
    struct store_snapshot_info info;
    struct fixture fixture;
    enum status status;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, true);
        status = store_snapshot_open(fixture.store, "x", 0, &info);
        memory_fail_never();
        ck_assert_int_eq(status, STATUS_NO_MEMORY);
        ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
    }
    (void)open_snapshot(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 1);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Versions ---------------------------------------------------------------------------------
 */

START_TEST(a_version_can_be_read_until_a_job_has_let_it_go) {
    struct fixture fixture;
    uint64_t first;
    uint64_t second;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    first = put_text(&fixture, "a", "1");
    second = put_text(&fixture, "a", "2");
    expect_at(&fixture, STORE_AT_VERSION, first, "a", "1");
    expect_at(&fixture, STORE_AT_VERSION, second, "a", "2");
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, second + 1, "a"), STATUS_INVALID);
    flush(&fixture);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, first, "a"), STATUS_GONE);
    expect_at(&fixture, STORE_AT_VERSION, second, "a", "2");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_version_of_a_snapshot_can_be_read_as_long_as_it_is_open) {
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    fixture_put(&fixture, "a", "3");
    compact(&fixture);
    expect_at(&fixture, STORE_AT_VERSION, old.version, "a", "1");
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, old.version + 1, "a"), STATUS_GONE);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, old.version, "a"), STATUS_GONE);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(after_a_reopen_only_what_was_kept_can_be_read) {
    struct fixture fixture;
    uint64_t first;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    first = put_text(&fixture, "a", "1");
    fixture_put(&fixture, "a", "2");
    fixture_reopen(&fixture);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, first, "a"), STATUS_GONE);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Retention --------------------------------------------------------------------------------
 */

START_TEST(a_kept_version_and_time_can_be_read_until_the_retention_is_over) {
    struct fixture fixture;
    uint64_t first;
    uint64_t first_ms;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, HOUR_MS, 0);
    pass_ms(&fixture, 1000);
    first = put_text(&fixture, "a", "1");
    first_ms = store_now_ms(fixture.store);
    pass_ms(&fixture, 10000);
    fixture_put(&fixture, "a", "2");
    pass_ms(&fixture, HOUR_MS - 1000);
    compact(&fixture);
    expect_at(&fixture, STORE_AT_VERSION, first, "a", "1");
    expect_at(&fixture, STORE_AT_TIME, first_ms + 9999, "a", "1");
    expect_at(&fixture, STORE_AT_TIME, first_ms + 10000, "a", "2");
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"),
                      4); /* and the setting, with its time */
    pass_ms(&fixture, 20000);
    fixture_put(&fixture, "a", "3");
    compact(&fixture);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, first, "a"), STATUS_GONE);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_TIME, first_ms + 9999, "a"), STATUS_GONE);
    expect_at(&fixture, STORE_AT_TIME, first_ms + 10000, "a", "2");
    fixture_expect(&fixture, "a", "3");
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 4);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_time_of_the_future_or_of_the_unknown_past_cannot_be_read) {
    struct fixture fixture;
    uint64_t now_ms;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    now_ms = store_now_ms(fixture.store);
    expect_at(&fixture, STORE_AT_TIME, now_ms, "a", "1");
    ck_assert_int_eq(get_at(&fixture, STORE_AT_TIME, now_ms + 1, "a"), STATUS_INVALID);
    ck_assert_int_eq(get_at(&fixture, STORE_AT_TIME, now_ms - HOUR_MS, "a"), STATUS_GONE);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_value_is_read_with_the_expiry_of_the_time_asked_for) {
    struct fixture fixture;
    uint64_t then_ms;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, HOUR_MS, 0);
    pass_ms(&fixture, 1000);
    put_for(&fixture, "a", "1", 5000);
    then_ms = store_now_ms(fixture.store);
    pass_ms(&fixture, 60000);
    compact(&fixture);
    fixture_expect_absent(&fixture, "a");
    expect_at(&fixture, STORE_AT_TIME, then_ms + 4999, "a", "1");
    expect_at(&fixture, STORE_AT_TIME, then_ms + 5000, "a", NULL);
    fixture_deinit(&fixture);
}
END_TEST

/* Once a second, so that the times outlive a reopen. */
START_TEST(retention_holds_over_a_reopen_from_the_first_known_time_on) {
    struct fixture fixture;
    uint64_t versions[4];
    uint64_t times[4];
    char value[16];

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, HOUR_MS, 0);
    for (int i = 0; i < 4; i++) {
        snprintf(value, sizeof value, "%d", i);
        pass_ticks(&fixture, 3);
        versions[i] = put_text(&fixture, "a", value);
        times[i] = store_now_ms(fixture.store);
        pass_ticks(&fixture, 3);
    }
    for (int round = 0; round < 3; round++) {
        expect_at(&fixture, STORE_AT_TIME, times[1] + 2000, "a", "1");
        expect_at(&fixture, STORE_AT_TIME, times[2] + 2000, "a", "2");
        expect_at(&fixture, STORE_AT_VERSION, versions[2], "a", "2");
        ck_assert_int_eq(get_at(&fixture, STORE_AT_TIME, times[0] - 60000, "a"), STATUS_GONE);
        if (round == 0) {
            fixture_reopen(&fixture);
        } else {
            compact(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

/* No tick comes in between, neither before the first reopen nor before any later one. */
START_TEST(retention_that_has_just_begun_holds_over_reopens) {
    struct fixture fixture;
    uint64_t versions[4];
    char value[16];

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "before");
    pass_ms(&fixture, 50);
    keep(&fixture, HOUR_MS, 0);
    for (int i = 0; i < 4; i++) {
        snprintf(value, sizeof value, "%d", i);
        pass_ms(&fixture, 50);
        versions[i] = put_text(&fixture, "a", value);
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 4; i++) {
            snprintf(value, sizeof value, "%d", i);
            expect_at(&fixture, STORE_AT_VERSION, versions[i], "a", value);
        }
        if (round % 2 == 0) {
            fixture_reopen(&fixture);
        } else {
            compact(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_idle_store_writes_no_times_and_old_ones_are_deleted) {
    struct fixture fixture;
    uint64_t entries;
    uint64_t commits;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 10000, 0);
    for (int i = 0; i < 30; i++) {
        fixture_put(&fixture, "a", "1");
        pass_ticks(&fixture, 1);
    }
    commits = fixture_stat(&fixture, "commits");
    ck_assert_uint_ge(commits, 59); /* with a row each second */
    pass_ticks(&fixture, 30);
    ck_assert_uint_le(fixture_stat(&fixture, "commits"), commits + 3);
    compact(&fixture);
    entries = fixture_stat(&fixture, "table_entries");
    ck_assert_uint_le(entries, 2 + 10 + 33); /* the setting, a, and rows of a few seconds */
    keep(&fixture, 0, 0);
    pass_ticks(&fixture, 2);
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_longer_retention_does_not_bring_back_what_has_been_let_go) {
    struct fixture fixture;
    uint64_t first;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 10000, 0);
    pass_ticks(&fixture, 1);
    first = put_text(&fixture, "a", "1");
    fixture_put(&fixture, "a", "2");
    pass_ticks(&fixture, 20);
    compact(&fixture);
    keep(&fixture, HOUR_MS, 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, first, "a"), STATUS_GONE);
        fixture_reopen(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store snapshots",
          a_snapshot_sees_its_state_through_overwrite_delete_flush_and_compaction,
          what_only_a_snapshot_sees_goes_after_it_is_closed,
          what_a_snapshot_keeps_below_a_range_delete_does_not_come_back,
          a_value_that_expires_after_the_snapshot_was_opened_is_still_seen_by_it,
          a_snapshot_is_gone_at_its_deadline_and_then_keeps_nothing,
          a_reopened_store_has_no_snapshots_and_knows_none_of_the_old_ids,
          snapshots_are_listed_oldest_first_with_who_opened_them, a_cursor_walks_a_snapshot,
          a_snapshot_without_memory_is_refused_and_changes_nothing,
          a_version_can_be_read_until_a_job_has_let_it_go,
          the_version_of_a_snapshot_can_be_read_as_long_as_it_is_open,
          after_a_reopen_only_what_was_kept_can_be_read,
          a_kept_version_and_time_can_be_read_until_the_retention_is_over,
          a_time_of_the_future_or_of_the_unknown_past_cannot_be_read,
          a_value_is_read_with_the_expiry_of_the_time_asked_for,
          retention_holds_over_a_reopen_from_the_first_known_time_on,
          retention_that_has_just_begun_holds_over_reopens,
          an_idle_store_writes_no_times_and_old_ones_are_deleted,
          a_longer_retention_does_not_bring_back_what_has_been_let_go)
