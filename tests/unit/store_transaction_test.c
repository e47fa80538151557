/* store_transaction_test.c: what a transaction shows of itself, its limits and its life.
 * (Isolation: store_conflict_test.c, store_anomaly_test.c, store_serial_test.c.) */
#include "tests/unit/transaction_fixture.h"

#include "storage/random.h"

#define BIG 3000u /* bytes; well above the threshold */

/* ---- Own writes -------------------------------------------------------------------------------
 */

START_TEST(own_writes_are_read_and_nobody_else_sees_them) {
    struct fixture fixture = opened();
    struct store_transaction *txn;
    struct store_value_info info;

    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "b", "2");
    txn = begin(&fixture);
    txn_put(&fixture, txn, "a", "own");
    txn_put(&fixture, txn, "new", "");
    txn_delete(&fixture, txn, "b");
    txn_expect(&fixture, txn, "a", "own");
    txn_expect(&fixture, txn, "new", "");
    txn_expect_absent(&fixture, txn, "b");
    ck_assert_int_eq(txn_get(&fixture, txn, "a", &info), STATUS_OK);
    ck_assert_uint_eq(info.version, 0);
    ck_assert_uint_eq(info.value_bytes, 3);
    fixture_expect(&fixture, "a", "1");
    fixture_expect(&fixture, "b", "2");
    fixture_expect_absent(&fixture, "new");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    fixture_expect(&fixture, "a", "own");
    fixture_expect(&fixture, "new", "");
    fixture_expect_absent(&fixture, "b");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_is_not_submitted_leaves_no_trace) {
    struct fixture fixture = opened();
    struct store_transaction *txn = begin(&fixture);
    uint64_t memory = store_transaction_memory(txn);

    txn_put(&fixture, txn, "a", "1");
    txn_delete_range(txn, "", "z");
    ck_assert_uint_gt(store_transaction_memory(txn), memory);
    memory = store_transaction_memory(txn);
    txn_expect_scan(&fixture, txn, "", "", "");
    ck_assert_uint_gt(store_transaction_memory(txn), memory);
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_open"), 1);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 1);
    store_transaction_destroy(txn);
    store_transaction_destroy(NULL);
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_open"), 0);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
    ck_assert_uint_eq(fixture_stat(&fixture, "version_visible"), 0);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(scans_show_the_store_as_own_writes_leave_it) {
    struct fixture fixture = opened();
    struct store_range back = {.namespace_id = SPACE, .reverse = true};
    struct store_transaction *txn;
    char text[256];

    for (const char *key = "abcdef"; *key; key++) {
        fixture_put(&fixture, (char[]){*key, 0}, "1");
    }
    txn = begin(&fixture);
    txn_delete(&fixture, txn, "b");
    txn_put(&fixture, txn, "bb", "own");
    txn_put(&fixture, txn, "c", "own");
    txn_put(&fixture, txn, "z", "own");
    txn_put(&fixture, txn, "A", "own");
    txn_delete_range(txn, "d", "f");
    txn_put(&fixture, txn, "dd", "own");
    txn_delete(&fixture, txn, "y"); /* is not there */
    txn_expect_scan(&fixture, txn, "", "", " A a bb c dd f z");
    txn_expect_scan(&fixture, txn, "b", "f", " bb c dd");
    txn_expect_scan(&fixture, txn, "d", "dd", "");
    txn_scan(&fixture, txn, &back, 100, text);
    ck_assert_str_eq(text, " z f dd c bb a A");
    txn_scan(&fixture, txn, &back, 2, text);
    ck_assert_str_eq(text, " z f");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    txn = begin_reader(&fixture);
    txn_expect_scan(&fixture, txn, "", "", " A a bb c dd f z");
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

/* Random writes of its own over a random store, against the state that the commit leaves. */
START_TEST(any_scan_shows_what_the_commit_will_leave) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct random random = random_make(seed);
        struct fixture fixture = opened();
        struct store_range ranges[4] = {0};
        struct store_transaction *txn;
        char texts[4][4096];
        char key[16];
        char to[16];
        for (int i = 0; i < 30; i++) {
            snprintf(key, sizeof key, "%02d", (int)random_below(&random, 60));
            fixture_put_bytes(&fixture, key, i % 3 ? 10 : BIG, seed);
        }
        txn = begin(&fixture);
        for (int i = 0; i < 40; i++) {
            uint64_t at = random_below(&random, 60);
            snprintf(key, sizeof key, "%02d", (int)at);
            snprintf(to, sizeof to, "%02d", (int)(at + random_below(&random, 10)));
            switch (random_below(&random, 8)) {
            case 0:
                txn_delete_range(txn, key, to);
                break;
            case 1:
            case 2:
                txn_delete(&fixture, txn, key);
                break;
            case 3:
                (void)txn_expire(&fixture, txn, key, HOUR_MS);
                break;
            default:
                txn_put(&fixture, txn, key, "own");
                break;
            }
        }
        for (int i = 0; i < 4; i++) {
            ranges[i] = (struct store_range){.namespace_id = SPACE, .reverse = i % 2 == 1};
            ranges[i].from = slice_from_text(i < 2 ? "" : "15");
            ranges[i].to = slice_from_text(i < 2 ? "" : "45");
            txn_scan(&fixture, txn, &ranges[i], 1000, texts[i]);
        }
        ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
        txn = begin_reader(&fixture);
        for (int i = 0; i < 4; i++) {
            char text[4096];
            txn_scan(&fixture, txn, &ranges[i], 1000, text);
            ck_assert_str_eq(text, texts[i]);
        }
        store_transaction_destroy(txn);
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(a_cursor_goes_on_while_rows_are_written) {
    struct fixture fixture = opened();
    struct store_range range = {.namespace_id = SPACE};
    struct buffer value = {.cap = 4096};
    struct store_transaction *txn;
    struct store_cursor *cursor;
    struct store_read read;

    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "c", "3");
    txn = begin(&fixture);
    txn_put(&fixture, txn, "b", "own");
    read = reading(txn);
    ck_assert_int_eq(store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor), STATUS_OK);
    ck_assert_int_eq(store_cursor_next(cursor, NULL, NULL, &fixture.error), STATUS_OK);
    ck_assert_int_eq(store_cursor_next(cursor, NULL, NULL, &fixture.error), STATUS_OK);
    txn_put(&fixture, txn, "b", "other"); /* where it stands */
    txn_delete_range(txn, "", "b");       /* behind it */
    ck_assert_int_eq(store_cursor_value(cursor, &value, &fixture.error), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&value), slice_from_text("own")));
    ck_assert_int_eq(store_cursor_next(cursor, NULL, NULL, &fixture.error), STATUS_OK);
    buffer_clear(&value);
    ck_assert_int_eq(store_cursor_value(cursor, &value, &fixture.error), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&value), slice_from_text("3")));
    ck_assert_int_eq(store_cursor_next(cursor, NULL, NULL, &fixture.error), STATUS_END);
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&value);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Operations -------------------------------------------------------------------------------
 */

START_TEST(additions_and_appends_see_what_came_before_them) {
    struct fixture fixture = opened();
    struct store_transaction *txn;
    uint64_t length;
    int64_t number;

    fixture_put(&fixture, "n", "40");
    fixture_put(&fixture, "text", "abc");
    txn = begin(&fixture);
    ck_assert_int_eq(txn_add(&fixture, txn, "n", 1, &number), STATUS_OK);
    ck_assert_int_eq(txn_add(&fixture, txn, "n", 1, &number), STATUS_OK);
    ck_assert_int_eq(number, 42);
    ck_assert_int_eq(txn_add(&fixture, txn, "new", -7, &number), STATUS_OK);
    ck_assert_int_eq(number, -7);
    ck_assert_int_eq(txn_add(&fixture, txn, "n", INT64_MAX, &number), STATUS_OVERFLOW);
    ck_assert_int_eq(txn_add(&fixture, txn, "text", 1, &number), STATUS_INVALID);
    ck_assert_int_eq(txn_append(&fixture, txn, "text", "de", &length), STATUS_OK);
    ck_assert_uint_eq(length, 5);
    ck_assert_int_eq(txn_append(&fixture, txn, "made", "x", &length), STATUS_OK);
    ck_assert_uint_eq(length, 1);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    fixture_expect(&fixture, "n", "42");
    fixture_expect(&fixture, "new", "-7");
    fixture_expect(&fixture, "text", "abcde");
    fixture_expect(&fixture, "made", "x");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(conditions_are_judged_at_once) {
    struct fixture fixture = opened();
    struct store_put put = {
        .namespace_id = SPACE, .key = slice_from_text("a"), .value = slice_from_text("v")};
    uint64_t version = put_text(&fixture, "a", "1");
    struct store_transaction *txn = begin(&fixture);

    put.condition = (struct store_condition){STORE_IF_ABSENT, 0};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_EXISTS);
    put.condition = (struct store_condition){STORE_IF_VERSION, version + 1};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_VERSION_MISMATCH);
    put.condition = (struct store_condition){STORE_IF_VERSION, version};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_OK);
    put.condition = (struct store_condition){STORE_IF_VERSION, 0};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_VERSION_MISMATCH);
    put.key = slice_from_text("b");
    put.condition = (struct store_condition){STORE_IF_PRESENT, 0};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_ABSENT);
    put.condition = (struct store_condition){STORE_IF_ABSENT, 0};
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_OK);
    fixture_put(&fixture, "b", "another's"); /* what was found absent */
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_CONFLICT);
    fixture_expect(&fixture, "a", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_new_expiry_copies_no_value_of_the_log) {
    struct fixture fixture = opened();
    struct store_transaction *txn;
    struct store_value_info info;
    uint64_t before;

    fixture_put_bytes(&fixture, "big", BIG, 7);
    fixture_put(&fixture, "small", "1");
    compact(&fixture);
    txn = begin(&fixture);
    ck_assert_int_eq(txn_expire(&fixture, txn, "big", HOUR_MS), STATUS_OK);
    ck_assert_int_eq(txn_expire(&fixture, txn, "small", HOUR_MS), STATUS_OK);
    ck_assert_int_eq(txn_expire(&fixture, txn, "none", HOUR_MS), STATUS_ABSENT);
    ck_assert_int_eq(txn_get(&fixture, txn, "big", &info), STATUS_OK);
    ck_assert_uint_eq(fixture.value.len, BIG);
    ck_assert_uint_gt(info.expiry_ms, store_now_ms(fixture.store));
    txn_expect_scan(&fixture, txn, "", "", " big small");
    before = fixture_stat(&fixture, "log_bytes_written");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    ck_assert_uint_lt(fixture_stat(&fixture, "log_bytes_written") - before, BIG / 4);
    fixture_expect_bytes(&fixture, "big", BIG, 7);
    pass_ms(&fixture, HOUR_MS + 1000);
    fixture_expect_absent(&fixture, "big");
    fixture_expect_absent(&fixture, "small");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_write_set_may_be_larger_than_a_memtable) {
    struct fixture fixture = opened(); /* of 64 KiB */
    struct store_transaction *txn = begin(&fixture);
    char value[1001];
    char key[16];

    memset(value, 'v', sizeof value);
    value[1000] = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%04d", i);
        txn_put(&fixture, txn, key, value);
    }
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    fixture_expect(&fixture, "k0000", value);
    fixture_expect(&fixture, "k0999", value);
    ck_assert_uint_eq(fixture_stat(&fixture, "version_visible"), 1);
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "k0500", value);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(limits_are_kept) {
    struct fixture fixture = opened();
    struct store_transaction_options options = {.write_bytes_max = 2000};
    struct store_transaction *txn = begin_with(&fixture, &options);
    struct store_put put = {.namespace_id = SPACE, .key = slice_from_text("a")};
    uint8_t *bytes = memory_alloc_zeroed(65537);

    put.value = slice_make(bytes, 2000);
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_TOO_LARGE);
    put.value.len = 1000;
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_OK);
    put.key = slice_make(bytes, 65536);
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_TOO_LARGE);
    put.key = slice_from_text("b");
    put.namespace_id = 0;
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_INVALID);
    put.namespace_id = SPACE;
    put.has_checksum = true;
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_CHECKSUM);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    txn = begin_reader(&fixture);
    put.has_checksum = false;
    ck_assert_int_eq(txn_try_put(&fixture, txn, &put), STATUS_INVALID);
    store_transaction_destroy(txn);
    memory_free(bytes);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Life -------------------------------------------------------------------------------------
 */

START_TEST(one_past_its_deadline_ends) {
    struct fixture fixture = opened();
    struct store_transaction_options options = {.lifetime_ms = 1000,
                                                .owner = slice_from_text("a test")};
    struct store_transaction *txn = begin_with(&fixture, &options);
    struct store_read read;

    txn_put(&fixture, txn, "a", "1");
    pass_ms(&fixture, 999);
    txn_expect(&fixture, txn, "a", "1");
    pass_ms(&fixture, 2);
    ck_assert_int_eq(store_read_begin_transaction(txn, &read), STATUS_DEADLINE);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_DEADLINE);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(it_may_read_an_open_snapshot) {
    struct fixture fixture = opened();
    struct store_transaction_options options = {0};
    struct store_transaction *txn;
    struct store_snapshot_info old;

    fixture_put(&fixture, "a", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    options.snapshot_id = old.id;
    txn = begin_with(&fixture, &options);
    txn_expect(&fixture, txn, "a", "1");
    txn_put(&fixture, txn, "b", "1");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_CONFLICT);
    flush(&fixture);
    ck_assert_int_eq(store_transaction_begin(fixture.store, &options, &txn), STATUS_TXN_TOO_OLD);
    options.read_only = true;
    txn = begin_with(&fixture, &options);
    txn_expect(&fixture, txn, "a", "1");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_OK);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
    ck_assert_int_eq(store_transaction_begin(fixture.store, &options, &txn), STATUS_NOT_FOUND);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_key_that_is_read_again_allocates_nothing) {
    struct fixture fixture = opened();
    struct store_transaction *txn;
    uint64_t before;

    fixture_put(&fixture, "hot", "value");
    txn = begin(&fixture);
    txn_expect(&fixture, txn, "hot", "value");
    before = memory_allocation_count();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(txn_get(&fixture, txn, "hot", NULL), STATUS_OK);
    }
    ck_assert_uint_eq(memory_allocation_count(), before);
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_read_only_one_notes_nothing) {
    struct fixture fixture = opened();
    struct store_transaction *txn = begin_reader(&fixture);
    uint64_t before;
    char key[16];

    txn_expect_absent(&fixture, txn, "first");
    before = memory_allocation_count();
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        ck_assert(txn_get(&fixture, txn, key, NULL) == STATUS_NOT_FOUND);
    }
    ck_assert_uint_eq(memory_allocation_count(), before);
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(without_memory_it_fails_and_leaves_no_trace) {
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        struct fixture fixture = opened();
        struct store_transaction_options options = {0};
        struct store_put put = {
            .namespace_id = SPACE, .key = slice_from_text("b"), .value = slice_from_text("1")};
        struct store_transaction *txn = NULL;
        struct store_range range = {.namespace_id = SPACE};
        struct store_cursor *cursor = NULL;
        struct txn_end end = {.done = false};
        struct store_read read;
        enum status status;
        fixture_put(&fixture, "a", "1");
        buffer_clear(&fixture.value);
        memory_fail_after(n, true);
        status = store_transaction_begin(fixture.store, &options, &txn);
        if (status == STATUS_OK) {
            read = reading(txn);
            status = store_get(&read, SPACE, slice_from_text("c"), STORE_WAIT_ALLOWED, NULL, NULL,
                               &fixture.error);
            status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
            if (status == STATUS_OK) {
                status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
            }
            if (status == STATUS_OK) {
                status = store_cursor_next(cursor, NULL, NULL, &fixture.error);
                store_cursor_close(cursor);
            }
            if (status == STATUS_OK) {
                status = store_transaction_put(&read, &put, STORE_WAIT_ALLOWED, &fixture.error);
            }
            store_read_end(&read);
            if (status == STATUS_OK) {
                store_transaction_submit(txn, STORE_SYNCED, txn_done_cb, &end);
            }
        }
        memory_fail_never(); /* else the log fails too */
        while (status == STATUS_OK && !atomic_load(&end.done)) {
            ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
        }
        status = status == STATUS_OK ? end.outcome.status : status;
        store_transaction_destroy(txn);
        failed = status != STATUS_OK;
        ck_assert_msg(!failed || status == STATUS_NO_MEMORY, "%s", status_name(status));
        ck_assert_int_eq(fixture_get(&fixture, "b"), failed ? STATUS_NOT_FOUND : STATUS_OK);
        ck_assert_uint_eq(fixture_stat(&fixture, "transactions_open"), 0);
        ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
        fixture_deinit(&fixture);
        ck_assert_uint_lt(n, 500);
    }
}
END_TEST

UNIT_MAIN("store_transaction", own_writes_are_read_and_nobody_else_sees_them,
          what_is_not_submitted_leaves_no_trace, scans_show_the_store_as_own_writes_leave_it,
          any_scan_shows_what_the_commit_will_leave, a_cursor_goes_on_while_rows_are_written,
          additions_and_appends_see_what_came_before_them, conditions_are_judged_at_once,
          a_new_expiry_copies_no_value_of_the_log, a_write_set_may_be_larger_than_a_memtable,
          limits_are_kept, one_past_its_deadline_ends, it_may_read_an_open_snapshot,
          a_key_that_is_read_again_allocates_nothing, a_read_only_one_notes_nothing,
          without_memory_it_fails_and_leaves_no_trace)
