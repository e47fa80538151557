/* store_conflict_test.c: when a transaction ends with a conflict, or is too old to tell, and what
 * is said of it. (Every interleaving: store_anomaly_test.c.) */
#include "tests/unit/transaction_fixture.h"

START_TEST(a_conflict_names_the_key_and_who_won) {
    struct fixture fixture = opened();
    struct store_transaction *txn = begin(&fixture);
    struct store_conflict conflict;
    struct store_outcome outcome;
    uint64_t version;

    txn_expect_absent(&fixture, txn, "other");
    txn_expect_absent(&fixture, txn, "key");
    txn_put(&fixture, txn, "mine", "1");
    version = put_text(&fixture, "key", "1");
    outcome = txn_submit(&fixture, txn);
    ck_assert_int_eq(outcome.status, STATUS_CONFLICT);
    ck_assert_uint_eq(outcome.version, version);
    ck_assert_int_eq(store_transaction_conflict(txn, &conflict), STATUS_OK);
    ck_assert(!conflict.is_range && !conflict.expired);
    ck_assert_uint_eq(conflict.namespace_id, SPACE);
    ck_assert(slice_equal(conflict.from, slice_from_text("key")));
    ck_assert_uint_eq(conflict.version, version);
    store_transaction_destroy(txn);
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_conflicts"), 1);
    fixture_expect_absent(&fixture, "mine");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_conflict_names_the_range_and_who_won) {
    struct fixture fixture = opened();
    struct store_transaction *txn = begin(&fixture);
    struct store_conflict conflict;

    txn_expect_scan(&fixture, txn, "user/", "user0", "");
    txn_put(&fixture, txn, "mine", "1");
    delete_range(&fixture, "a", "user/x");
    ck_assert_int_eq(txn_submit(&fixture, txn).status, STATUS_CONFLICT);
    ck_assert_int_eq(store_transaction_conflict(txn, &conflict), STATUS_OK);
    ck_assert(conflict.is_range && !conflict.expired);
    ck_assert(slice_equal(conflict.from, slice_from_text("user/")));
    ck_assert(slice_equal(conflict.to, slice_from_text("user0")));
    ck_assert_uint_eq(conflict.version, atomic_load(&fixture.last_version));
    store_transaction_destroy(txn);
    txn = begin(&fixture);
    ck_assert_int_eq(store_transaction_conflict(txn, &conflict), STATUS_NOT_FOUND);
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

static enum status after_expiry(bool scans, uint64_t wait_ms, struct store_conflict *conflict_out) {
    struct fixture fixture = opened();
    struct store_transaction *txn;
    enum status status;

    put_for(&fixture, "b", "1", 5000);
    fixture_put(&fixture, "c", "1");
    txn = begin(&fixture);
    if (scans) {
        txn_expect_scan(&fixture, txn, "a", "z", " b c");
    } else {
        txn_expect(&fixture, txn, "b", "1");
    }
    pass_ms(&fixture, wait_ms);
    txn_put(&fixture, txn, "d", "1");
    status = txn_submit(&fixture, txn).status;
    if (status == STATUS_CONFLICT) {
        ck_assert_int_eq(store_transaction_conflict(txn, conflict_out), STATUS_OK);
        ck_assert_uint_eq(conflict_out->version, 1);
    }
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
    return status;
}

START_TEST(what_was_read_and_has_expired_is_a_conflict) {
    struct store_conflict conflict;

    ck_assert_int_eq(after_expiry(false, 1000, &conflict), STATUS_OK);
    ck_assert_int_eq(after_expiry(true, 1000, &conflict), STATUS_OK);
    ck_assert_int_eq(after_expiry(false, 6000, &conflict), STATUS_CONFLICT);
    ck_assert(conflict.expired && !conflict.is_range);
    ck_assert_int_eq(after_expiry(true, 6000, &conflict), STATUS_CONFLICT);
    ck_assert(conflict.expired && conflict.is_range);
}
END_TEST

START_TEST(it_still_sees_what_expires_meanwhile) {
    struct fixture fixture = opened();
    struct store_transaction *txn;

    put_for(&fixture, "b", "1", 5000);
    txn = begin(&fixture);
    pass_ms(&fixture, 6000);
    compact(&fixture);
    txn_expect(&fixture, txn, "b", "1");
    fixture_expect_absent(&fixture, "b");
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(conflicts_are_found_behind_flushes_and_compactions) {
    struct fixture fixture = opened();
    struct store_transaction *key = begin(&fixture);
    struct store_transaction *range = begin(&fixture);
    struct store_transaction *free_one = begin(&fixture);

    txn_expect_absent(&fixture, key, "b");
    txn_expect_scan(&fixture, range, "a", "d", "");
    txn_expect_absent(&fixture, free_one, "e");
    fixture_put(&fixture, "b", "1");
    for (int i = 0; i < 3; i++) {
        fixture_put_bytes(&fixture, "z", 10, (uint64_t)i);
        flush(&fixture);
    }
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "conflict_window_memtables"), 3);
    txn_put(&fixture, key, "x", "1");
    txn_put(&fixture, range, "x", "1");
    txn_put(&fixture, free_one, "x", "1");
    ck_assert_int_eq(txn_commit(&fixture, key), STATUS_CONFLICT);
    ck_assert_int_eq(txn_commit(&fixture, range), STATUS_CONFLICT);
    ck_assert_int_eq(txn_commit(&fixture, free_one), STATUS_OK);
    ck_assert_uint_eq(fixture_stat(&fixture, "conflict_window_memtables"), 0);
    ck_assert_uint_eq(fixture_stat(&fixture, "conflict_window_bytes"), 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(one_whose_window_was_cut_is_too_old) {
    struct store_transaction *reader;
    struct store_transaction *blind;
    struct store_transaction *txn;
    struct store_transaction *young;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture.options.conflict_bytes = 1;
    fixture_open(&fixture);
    txn = begin(&fixture);
    reader = begin_reader(&fixture);
    blind = begin(&fixture);
    txn_expect_absent(&fixture, txn, "a");
    txn_expect_absent(&fixture, reader, "a");
    fixture_put(&fixture, "unrelated", "1");
    flush(&fixture);
    young = begin(&fixture);
    txn_expect_absent(&fixture, young, "a");
    txn_put(&fixture, txn, "b", "1");
    txn_put(&fixture, blind, "b", "blind");
    txn_put(&fixture, young, "c", "1");
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_TXN_TOO_OLD);
    ck_assert_int_eq(txn_commit(&fixture, reader), STATUS_OK);
    ck_assert_int_eq(txn_commit(&fixture, young), STATUS_OK);
    ck_assert_int_eq(txn_commit(&fixture, blind), STATUS_OK);
    fixture_expect(&fixture, "b", "blind");
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_too_old"), 1);
    ck_assert_uint_eq(fixture_stat(&fixture, "conflict_window_cuts"), 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rewind_conflicts_with_its_readers) {
    struct fixture fixture = opened();
    struct store_range all = {.namespace_id = SPACE};
    struct store_snapshot_info old;
    struct store_transaction *txn;
    struct store_commit *commit;
    struct store_read past;
    struct store_read present;
    uint64_t changed;

    fixture_put(&fixture, "a", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    txn = begin(&fixture);
    txn_expect(&fixture, txn, "a", "2");
    txn_put(&fixture, txn, "b", "1");
    ck_assert_int_eq(begin_at(&fixture, STORE_AT_SNAPSHOT, old.id, &past), STATUS_OK);
    store_read_begin(fixture.store, &present);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_rewind(&past, &present, &all, commit, &changed, &fixture.error),
                     STATUS_OK);
    store_read_end(&past);
    store_read_end(&present);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_CONFLICT);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_dropped_namespace_conflicts_with_its_readers) {
    struct fixture fixture = opened();
    struct store_namespace_settings settings = {0};
    struct store_commit *commit = fixture_commit_begin(&fixture);
    struct store_transaction *txn;
    struct store_read read;
    uint32_t id;

    ck_assert_int_eq(store_commit_namespace_set(commit, slice_from_text("other"), &settings),
                     STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    ck_assert_int_eq(store_namespace(fixture.store, slice_from_text("other"), false, &id),
                     STATUS_OK);
    txn = begin(&fixture);
    read = reading(txn);
    ck_assert_int_eq(
        store_get(&read, id, slice_from_text("k"), STORE_WAIT_ALLOWED, NULL, NULL, &fixture.error),
        STATUS_NOT_FOUND);
    store_read_end(&read);
    txn_put(&fixture, txn, "k", "1");
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_namespace_drop(commit, slice_from_text("other")), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    ck_assert_int_eq(txn_commit(&fixture, txn), STATUS_CONFLICT);
    fixture_deinit(&fixture);
}
END_TEST

/* The answer shows that the other one took effect. */
START_TEST(a_conflict_is_told_when_the_winner_is_durable) {
    struct fixture fixture = opened();
    struct store_put put = {
        .namespace_id = SPACE, .key = slice_from_text("key"), .value = slice_from_text("1")};
    struct store_transaction *txn = begin(&fixture);
    struct fixture_commit winner;
    struct txn_end end = {.done = false};
    struct store_commit *commit = fixture_commit_begin(&fixture);

    txn_expect_absent(&fixture, txn, "key");
    txn_put(&fixture, txn, "mine", "1");
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
    fixture_commit_start(&fixture, &winner, commit, STORE_SYNCED); /* both in one group */
    store_transaction_submit(txn, STORE_MEMORY, txn_done_cb, &end);
    while (!atomic_load(&end.done)) {
        ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
        ck_assert(!atomic_load(&end.done) || fixture_stat(&fixture, "version_durable") >= 1);
    }
    ck_assert_int_eq(end.outcome.status, STATUS_CONFLICT);
    ck_assert_uint_eq(end.outcome.version, 1);
    store_transaction_destroy(txn);
    fixture_settle(&fixture);
    fixture_commit_finish(&winner);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_conflict", a_conflict_names_the_key_and_who_won,
          a_conflict_names_the_range_and_who_won, what_was_read_and_has_expired_is_a_conflict,
          it_still_sees_what_expires_meanwhile, conflicts_are_found_behind_flushes_and_compactions,
          one_whose_window_was_cut_is_too_old, a_rewind_conflicts_with_its_readers,
          a_dropped_namespace_conflicts_with_its_readers,
          a_conflict_is_told_when_the_winner_is_durable)
