/* store_bulk_test.c: bulk loads: all of it at its end, nothing before; over what is there, below
 * what comes after; for snapshots, the feed, transactions, quotas, compaction and log GC. */
#include "tests/unit/bulk_fixture.h"
#include "tests/unit/transaction_fixture.h"
#include "tests/unit/unit.h"

#include "storage/checksum.h"

#define KIB UINT64_C(1024)

static struct fixture open_store(uint64_t seed) {
    struct fixture fixture;

    fixture_init(&fixture, seed);
    fixture_open(&fixture);
    return fixture;
}

/* ---- What is loaded ---------------------------------------------------------------------------
 */

START_TEST(all_of_it_is_there_at_the_end_and_after_reopening) {
    struct fixture fixture = open_store(1);
    uint64_t version = bulk_load(&fixture, 0, 400, 7);

    for (uint32_t round = 0; round < 2; round++) {
        bulk_expect_all(&fixture, 0, 400, 7);
        ck_assert_uint_eq(bulk_count_keys(&fixture), 400);
        bulk_verify(&fixture);
        fixture_reopen(&fixture);
    }
    fixture_put(&fixture, "later", "x");
    ck_assert_uint_gt(atomic_load(&fixture.last_version), version);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(nothing_of_it_is_there_before_the_end) {
    struct fixture fixture = open_store(2);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 300, 1);

    ck_assert_uint_eq(bulk_count_keys(&fixture), 0);
    ck_assert_uint_eq(store_bulk_entries(bulk), 300);
    ck_assert_uint_gt(store_bulk_bytes(bulk), 300 * KIB);
    ck_assert_uint_lt(store_bulk_memory(bulk), 4096 * KIB);
    fixture_put(&fixture, "k00007x", "meanwhile");
    compact(&fixture);
    bulk_expect_absent(&fixture, 7);
    bulk_end(&fixture, bulk);
    ck_assert_uint_eq(bulk_count_keys(&fixture), 301);
    fixture_expect(&fixture, "k00007x", "meanwhile");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_empty_load_is_the_newest_version) {
    struct fixture fixture = open_store(3);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 0, 1);
    uint64_t version;

    fixture_put(&fixture, "key", "value");
    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture.error), STATUS_OK);
    ck_assert_uint_eq(version, atomic_load(&fixture.last_version));
    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture.error), STATUS_INVALID);
    store_bulk_destroy(bulk);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(expiry_and_flags_are_kept) {
    struct fixture fixture = open_store(4);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 0, 1);
    struct store_bulk_entry entry = {.key = slice_from_text("a"),
                                     .value = slice_from_text("short-lived"),
                                     .ttl_ms = 5000,
                                     .user_flags = 77,
                                     .has_checksum = true};
    struct store_value_info info;
    struct store_read read;

    entry.checksum = checksum_of(entry.value);
    ck_assert_int_eq(store_bulk_add(bulk, &entry, &fixture.error), STATUS_OK);
    bulk_end(&fixture, bulk);
    store_read_begin(fixture.store, &read);
    ck_assert_int_eq(store_get(&read, SPACE, entry.key, STORE_WAIT_ALLOWED, &fixture.value, &info,
                               &fixture.error),
                     STATUS_OK);
    store_read_end(&read);
    ck_assert_uint_eq(info.user_flags, 77);
    ck_assert_uint_gt(info.expiry_ms, store_now_ms(fixture.store));
    pass_ms(&fixture, 5001);
    fixture_expect_absent(&fixture, "a");
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------
 */

static enum status add_text(struct fixture *fixture, struct store_bulk *bulk, const char *key,
                            struct slice value) {
    struct store_bulk_entry entry = {.key = slice_from_text(key), .value = value};
    return store_bulk_add(bulk, &entry, &fixture->error);
}

/* The load is broken: nothing can be added, it cannot end well, and nothing of it is there. */
static void expect_broken(struct fixture *fixture, struct store_bulk *bulk, enum status status) {
    uint64_t version;

    ck_assert_int_eq(add_text(fixture, bulk, "z", slice_from_text("")), status);
    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture->error), status);
    store_bulk_destroy(bulk);
    ck_assert_uint_eq(bulk_count_keys(fixture), 0);
}

START_TEST(keys_that_do_not_ascend_are_refused_by_number) {
    static const char *const wrong[] = {"b", "a", ""};
    struct fixture fixture = open_store(5);

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 0, 1);
        ck_assert_int_eq(add_text(&fixture, bulk, "", slice_from_text("1")), STATUS_OK);
        ck_assert_int_eq(add_text(&fixture, bulk, "b", slice_from_text("1")), STATUS_OK);
        ck_assert_int_eq(add_text(&fixture, bulk, wrong[i], slice_from_text("2")), STATUS_INVALID);
        ck_assert_ptr_nonnull(strstr(fixture.error.text, "entry 3"));
        expect_broken(&fixture, bulk, STATUS_INVALID);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_a_put_refuses_is_refused) {
    struct fixture fixture = open_store(6);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 0, 1);
    uint8_t *bytes = memory_alloc_zeroed(24 * KIB * KIB + 1);
    struct store_bulk_entry entry = {.key = slice_make(bytes, 65536)};

    ck_assert_int_eq(store_bulk_add(bulk, &entry, &fixture.error), STATUS_TOO_LARGE);
    expect_broken(&fixture, bulk, STATUS_TOO_LARGE);
    bulk = bulk_begin_with(&fixture, 0, 0, 1);
    entry = (struct store_bulk_entry){.key = slice_from_text("a"),
                                      .value = slice_make(bytes, 24 * KIB * KIB + 1)};
    ck_assert_int_eq(store_bulk_add(bulk, &entry, &fixture.error), STATUS_TOO_LARGE);
    expect_broken(&fixture, bulk, STATUS_TOO_LARGE);
    bulk = bulk_begin_with(&fixture, 0, 0, 1);
    entry.value.len = 5;
    entry.has_checksum = true;
    ck_assert_int_eq(store_bulk_add(bulk, &entry, &fixture.error), STATUS_CHECKSUM);
    expect_broken(&fixture, bulk, STATUS_CHECKSUM);
    ck_assert_int_eq(store_bulk_begin(fixture.store, 0, &bulk, &fixture.error), STATUS_INVALID);
    memory_free(bytes);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(one_at_a_time) {
    struct fixture fixture = open_store(7);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 10, 1);
    struct store_bulk *second;

    ck_assert_int_eq(store_bulk_begin(fixture.store, SPACE, &second, &fixture.error), STATUS_BUSY);
    ck_assert_ptr_nonnull(strstr(fixture.error.text, "another"));
    store_bulk_destroy(bulk);
    bulk_load(&fixture, 0, 10, 2);
    bulk_expect_all(&fixture, 0, 10, 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_abandoned_load_leaves_no_file) {
    struct fixture fixture = open_store(8);
    uint32_t files = bulk_count_files(&fixture);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 3000, 1);

    ck_assert_uint_gt(bulk_count_files(&fixture), files + 2);
    store_bulk_destroy(bulk);
    ck_assert_uint_eq(bulk_count_files(&fixture), files);
    bulk_verify(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Other versions ---------------------------------------------------------------------------
 */

/* Old ones in the bottom, in level 0, and in memory; for some of the numbers each. */
static void put_everywhere(struct fixture *fixture, uint32_t count) {
    char key[BULK_KEY_BYTES];

    for (uint32_t part = 0; part < 3; part++) {
        for (uint32_t i = part; i < count; i += 3) {
            bulk_key(key, i);
            fixture_put(fixture, key, "old");
        }
        if (part == 0) {
            compact(fixture);
        } else if (part == 1) {
            flush(fixture);
        }
    }
}

START_TEST(what_is_there_is_replaced_wherever_it_lies) {
    struct fixture fixture = open_store(9);

    put_everywhere(&fixture, 300);
    bulk_load(&fixture, 50, 250, 3);
    for (uint32_t round = 0; round < 3; round++) {
        fixture_expect(&fixture, "k00049", "old");
        bulk_expect_all(&fixture, 50, 250, 3);
        fixture_expect(&fixture, "k00250", "old");
        ck_assert_uint_eq(bulk_count_keys(&fixture), 300);
        bulk_verify(&fixture);
        if (round == 0) {
            compact(&fixture);
        } else {
            fixture_reopen(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_load_comes_after_what_was_written_while_it_ran) {
    struct fixture fixture = open_store(10);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 50, 3);

    fixture_put(&fixture, "k00010", "while");
    fixture_delete(&fixture, "k00011");
    bulk_end(&fixture, bulk);
    bulk_expect_all(&fixture, 0, 50, 3);
    fixture_put(&fixture, "k00010", "after");
    fixture_delete(&fixture, "k00011");
    for (uint32_t round = 0; round < 3; round++) {
        fixture_expect(&fixture, "k00010", "after");
        fixture_expect_absent(&fixture, "k00011");
        bulk_expect_all(&fixture, 12, 50, 3);
        if (round == 0) {
            flush(&fixture);
        } else {
            compact(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_newer_of_two_loads_over_a_flush_wins) {
    struct fixture fixture = open_store(11);
    struct store_bulk *bulk = bulk_begin_with(&fixture, 0, 100, 4);
    uint64_t first_version;

    put_everywhere(&fixture, 100); /* tables with higher numbers than those of the load */
    flush(&fixture);
    first_version = bulk_end(&fixture, bulk);
    bulk_expect_all(&fixture, 0, 100, 4);
    ck_assert_uint_gt(bulk_load(&fixture, 20, 60, 5), first_version);
    for (uint32_t round = 0; round < 2; round++) {
        bulk_expect_all(&fixture, 0, 20, 4);
        bulk_expect_all(&fixture, 20, 60, 5);
        bulk_expect_all(&fixture, 60, 100, 4);
        compact(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_range_delete_hides_what_was_loaded_before_it_alone) {
    struct fixture fixture = open_store(12);
    struct store_commit *commit;
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text("k00010"), .to = slice_from_text("k00020")};

    bulk_load(&fixture, 0, 30, 4);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    ck_assert_uint_eq(bulk_count_keys(&fixture), 20);
    bulk_load(&fixture, 15, 18, 5);
    for (uint32_t round = 0; round < 2; round++) {
        bulk_expect_absent(&fixture, 14);
        bulk_expect_all(&fixture, 15, 18, 5);
        bulk_expect_absent(&fixture, 18);
        bulk_expect_all(&fixture, 20, 30, 4);
        compact(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_snapshot_keeps_what_it_saw) {
    struct fixture fixture = open_store(13);
    struct store_snapshot_info snapshot;
    struct store_value_info info;
    struct store_read read;

    put_everywhere(&fixture, 40);
    ck_assert_int_eq(store_snapshot_open(fixture.store, "test", HOUR_MS, &snapshot), STATUS_OK);
    bulk_load(&fixture, 0, 80, 6);
    for (uint32_t round = 0; round < 2; round++) {
        struct store_at at = {STORE_AT_SNAPSHOT, snapshot.id};
        ck_assert_int_eq(store_read_begin_at(fixture.store, &at, SPACE, &read), STATUS_OK);
        buffer_clear(&fixture.value);
        ck_assert_int_eq(store_get(&read, SPACE, slice_from_text("k00004"), STORE_WAIT_ALLOWED,
                                   &fixture.value, &info, &fixture.error),
                         STATUS_OK);
        ck_assert(slice_equal(buffer_slice(&fixture.value), slice_from_text("old")));
        ck_assert_int_eq(store_get(&read, SPACE, slice_from_text("k00044"), STORE_WAIT_ALLOWED,
                                   &fixture.value, &info, &fixture.error),
                         STATUS_NOT_FOUND);
        store_read_end(&read);
        bulk_expect_all(&fixture, 0, 80, 6);
        compact(&fixture);
    }
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Space ------------------------------------------------------------------------------------
 */

START_TEST(a_load_into_a_free_range_goes_to_the_bottom) {
    struct fixture fixture = open_store(14);
    uint64_t bottom;

    fixture_put(&fixture, "a", "x");
    fixture_put(&fixture, "z", "x"); /* a table of level 0 over the whole range */
    bulk_load(&fixture, 0, 2000, 1);
    bottom = fixture_stat(&fixture, "level_6_tables");
    ck_assert_uint_gt(bottom, 1);
    bulk_load(&fixture, 3000, 5000, 1);
    bulk_load(&fixture, 2500, 2600, 1); /* between the two */
    ck_assert_uint_gt(fixture_stat(&fixture, "level_6_tables"), bottom + 2);
    ck_assert_uint_eq(fixture_stat(&fixture, "compactions"), 0);
    for (uint32_t round = 0; round < 2; round++) {
        bulk_expect_all(&fixture, 0, 2000, 1);
        bulk_expect_all(&fixture, 2500, 2600, 1);
        bulk_expect_all(&fixture, 3000, 5000, 1);
        bulk_verify(&fixture);
        compact(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

/* Where the bottom has tables over the range, but no rows in it. */
START_TEST(a_load_between_rows_of_the_bottom_goes_above_it) {
    struct fixture fixture = open_store(20);

    fixture_put(&fixture, "a", "x");
    fixture_put(&fixture, "z", "x");
    compact(&fixture);
    fixture_put(&fixture, "b", "x");
    bulk_load(&fixture, 0, 2000, 1);
    ck_assert_uint_le(fixture_stat(&fixture, "level_0_tables"), 2); /* of flushes */
    bulk_expect_all(&fixture, 0, 2000, 1);
    bulk_verify(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_is_overwritten_after_a_load_comes_back) {
    struct fixture fixture = open_store(15);
    uint64_t bytes;

    bulk_load(&fixture, 0, 2000, 1);
    bytes = fixture_stat(&fixture, "space_segment_bytes");
    for (uint32_t seed = 2; seed < 6; seed++) {
        bulk_load(&fixture, 0, 2000, seed);
    }
    compact(&fixture);
    ck_assert_int_eq(store_collect(fixture.store, &fixture.error), STATUS_OK);
    ck_assert_uint_lt(fixture_stat(&fixture, "space_segment_bytes"), 2 * bytes);
    bulk_expect_all(&fixture, 0, 2000, 5);
    bulk_verify(&fixture);
    for (uint32_t i = 0; i < 2000; i += 2) {
        char key[BULK_KEY_BYTES];
        bulk_key(key, i);
        fixture_delete(&fixture, key);
    }
    compact(&fixture);
    ck_assert_int_eq(store_collect(fixture.store, &fixture.error), STATUS_OK);
    fixture_reopen(&fixture);
    for (uint32_t i = 1; i < 2000; i += 2) {
        bulk_expect(&fixture, i, 5);
        bulk_expect_absent(&fixture, i - 1);
    }
    bulk_verify(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

static uint32_t id_of(struct fixture *fixture, const char *name, bool create,
                      enum status expected) {
    uint32_t id = 0;
    enum status status = store_namespace(fixture->store, slice_from_text(name), create, &id);

    ck_assert_int_eq(status, expected);
    return id;
}

static struct store_bulk *begin_in(struct fixture *fixture, uint32_t id) {
    struct store_bulk *bulk;
    enum status status = store_bulk_begin(fixture->store, id, &bulk, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(bulk_add_to(fixture, bulk, i, 1), STATUS_OK);
    }
    return bulk;
}

START_TEST(a_new_namespace_is_there_with_what_was_loaded) {
    struct fixture fixture = open_store(16);
    uint32_t id = id_of(&fixture, "fresh", true, STATUS_OK);

    bulk_end(&fixture, begin_in(&fixture, id));
    fixture_reopen(&fixture);
    ck_assert_uint_eq(id_of(&fixture, "fresh", false, STATUS_OK), id);
    ck_assert_uint_eq(bulk_count_keys(&fixture), 0); /* of the default one */
    bulk_verify(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

static void change_namespace(struct fixture *fixture, const char *name, uint64_t quota_bytes) {
    struct store_namespace_settings settings = {.quota_bytes = quota_bytes};
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = quota_bytes > 0
                             ? store_commit_namespace_set(commit, slice_from_text(name), &settings)
                             : store_commit_namespace_drop(commit, slice_from_text(name));

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

START_TEST(a_namespace_that_was_dropped_meanwhile_takes_nothing) {
    struct fixture fixture = open_store(17);
    uint32_t id = id_of(&fixture, "gone", true, STATUS_OK);
    struct store_bulk *bulk;
    uint64_t version;

    change_namespace(&fixture, "gone", 1000 * KIB);
    bulk = begin_in(&fixture, id);
    change_namespace(&fixture, "gone", 0);
    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture.error), STATUS_NOT_FOUND);
    store_bulk_destroy(bulk);
    bulk_verify(&fixture);
    fixture_reopen(&fixture);
    id_of(&fixture, "gone", false, STATUS_NOT_FOUND);
    bulk_load(&fixture, 0, 10, 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_quota_holds_for_loads) {
    struct fixture fixture = open_store(18);
    uint32_t id = id_of(&fixture, "small", true, STATUS_OK);
    struct store_bulk *bulk;
    uint64_t version;

    change_namespace(&fixture, "small", 20 * KIB);
    bulk = begin_in(&fixture, id);
    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture.error), STATUS_QUOTA);
    store_bulk_destroy(bulk);
    change_namespace(&fixture, "small", 2000 * KIB);
    bulk_end(&fixture, begin_in(&fixture, id));
    bulk_verify(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Transactions -----------------------------------------------------------------------------
 */

START_TEST(a_transaction_from_before_is_too_old_to_write) {
    struct fixture fixture = open_store(19);
    struct store_transaction *old = begin(&fixture);
    struct store_transaction *reader = begin_reader(&fixture);
    struct store_transaction *fresh;

    txn_expect_absent(&fixture, old, "k00003");
    bulk_load(&fixture, 0, 10, 1);
    fresh = begin(&fixture);
    txn_put(&fixture, old, "old", "x");
    txn_put(&fixture, fresh, "fresh", "x");
    ck_assert_int_eq(txn_submit(&fixture, old).status, STATUS_TXN_TOO_OLD);
    ck_assert_int_eq(txn_submit(&fixture, fresh).status, STATUS_OK);
    txn_expect_absent(&fixture, reader, "k00003");
    store_transaction_destroy(old);
    store_transaction_destroy(reader);
    store_transaction_destroy(fresh);
    fixture_expect_absent(&fixture, "old");
    fixture_expect(&fixture, "fresh", "x");
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_bulk", all_of_it_is_there_at_the_end_and_after_reopening,
          nothing_of_it_is_there_before_the_end, an_empty_load_is_the_newest_version,
          expiry_and_flags_are_kept, keys_that_do_not_ascend_are_refused_by_number,
          what_a_put_refuses_is_refused, one_at_a_time, an_abandoned_load_leaves_no_file,
          what_is_there_is_replaced_wherever_it_lies,
          a_load_comes_after_what_was_written_while_it_ran,
          the_newer_of_two_loads_over_a_flush_wins,
          a_range_delete_hides_what_was_loaded_before_it_alone, a_snapshot_keeps_what_it_saw,
          a_load_into_a_free_range_goes_to_the_bottom,
          a_load_between_rows_of_the_bottom_goes_above_it,
          what_is_overwritten_after_a_load_comes_back,
          a_new_namespace_is_there_with_what_was_loaded,
          a_namespace_that_was_dropped_meanwhile_takes_nothing, a_quota_holds_for_loads,
          a_transaction_from_before_is_too_old_to_write)
