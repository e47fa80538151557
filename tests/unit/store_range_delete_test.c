/* store_range_delete_test.c: range deletes through the door: what they take away is gone at once
 * and everywhere, stays gone through flush, compaction, reopening and power cuts, and nothing else
 * is.
 */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#include <stdio.h>
#include <string.h>

static struct fixture fixture;

static void start(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
}

static void end(void) {
    fixture_deinit(&fixture);
}

static struct store_range range_of(const char *from, const char *to) {
    return (struct store_range){.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .from = slice_from_text(from),
                                .to = slice_from_text(to)};
}

static void delete_as(const struct store_range *range, enum store_durability durability) {
    struct store_commit *commit = fixture_commit_begin(&fixture);
    enum status status = store_commit_delete_range(commit, range);
    struct store_outcome outcome;

    ck_assert_int_eq(status, STATUS_OK);
    outcome = fixture_commit_end(&fixture, commit, durability);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

static void delete_range(const char *from, const char *to) {
    struct store_range range = range_of(from, to);

    delete_as(&range, STORE_SYNCED);
}

static void flush(void) {
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
}

static void compact(void) {
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
}

/* Both ways of a scan, and each key by itself. */
static void expect_keys(const char *forward, const char *backward) {
    char *keys = fixture_scan(&fixture, false);

    ck_assert_str_eq(keys, forward);
    memory_free(keys);
    keys = fixture_scan(&fixture, true);
    ck_assert_str_eq(keys, backward);
    memory_free(keys);
    for (char key[2] = "a"; key[0] <= 'f'; key[0]++) {
        enum status status = fixture_get(&fixture, key);
        ck_assert_int_eq(status, strchr(forward, key[0]) ? STATUS_OK : STATUS_NOT_FOUND);
    }
}

static void put_a_to_f(void) {
    for (char key[2] = "a"; key[0] <= 'f'; key[0]++) {
        fixture_put(&fixture, key, "value");
    }
}

START_TEST(what_a_range_delete_covers_is_gone_at_once) {
    start();
    put_a_to_f();
    delete_range("b", "e");
    expect_keys("a e f", "f e a");
    delete_range("f", "");
    expect_keys("a e", "e a");
    delete_range("", "");
    expect_keys("", "");
    end();
}
END_TEST

START_TEST(it_stays_gone_wherever_it_lay_and_whatever_is_done) {
    start();
    put_a_to_f();
    flush();
    compact();
    fixture_put(&fixture, "b", "again");
    flush();
    fixture_put(&fixture, "c", "again");
    delete_range("b", "e");
    expect_keys("a e f", "f e a");
    flush();
    expect_keys("a e f", "f e a");
    fixture_reopen(&fixture);
    expect_keys("a e f", "f e a");
    compact();
    expect_keys("a e f", "f e a");
    fixture_reopen(&fixture);
    expect_keys("a e f", "f e a");
    end();
}
END_TEST

START_TEST(what_is_put_after_it_is_there) {
    start();
    put_a_to_f();
    delete_range("b", "e");
    fixture_put(&fixture, "c", "new");
    expect_keys("a c e f", "f e c a");
    flush();
    delete_range("d", "f");
    expect_keys("a c f", "f c a");
    compact();
    fixture_expect(&fixture, "c", "new");
    expect_keys("a c f", "f c a");
    delete_range("b", "e"); /* the same range again */
    expect_keys("a f", "f a");
    flush();
    fixture_put(&fixture, "d", "newer");
    fixture_reopen(&fixture);
    expect_keys("a d f", "f d a");
    end();
}
END_TEST

START_TEST(a_power_cut_takes_nothing_of_it_back) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct power_cut cut = {.seed = seed};
        start();
        put_a_to_f();
        if (seed % 2) {
            flush();
        }
        delete_range("b", "e");
        fixture_put(&fixture, "d", "new");
        fixture_power_cut(&fixture, &cut);
        fixture_open(&fixture);
        expect_keys("a d e f", "f e d a");
        fixture_put(&fixture, "c", "after it");
        expect_keys("a c d e f", "f e d c a");
        end();
    }
}
END_TEST

START_TEST(the_last_keys_there_can_be_are_covered_too) {
    start();
    fixture_put(&fixture, "\xff", "value");
    fixture_put(&fixture, "\xff\xff\xff", "value");
    fixture_put(&fixture, "a", "value");
    delete_range("b", "");
    expect_keys("a", "a");
    fixture_put(&fixture, "\xff\xff\xff", "value");
    delete_range("\xff", "\xff\xff\xff");
    expect_keys("a \xff\xff\xff", "\xff\xff\xff a");
    end();
}
END_TEST

/* ---- What is refused ---- */

static enum status try_delete(uint32_t namespace_id, size_t from_len, const char *from,
                              const char *to) {
    struct store_commit *commit = fixture_commit_begin(&fixture);
    struct store_range range = {namespace_id, slice_make(from, from_len), slice_from_text(to),
                                false};
    enum status status = store_commit_delete_range(commit, &range);

    store_commit_destroy(commit);
    return status;
}

START_TEST(impossible_ranges_are_refused_and_empty_ones_do_nothing) {
    char *long_key = memory_alloc_zeroed((size_t)KEY_BYTES_MAX + 1);

    ck_assert_ptr_nonnull(long_key);
    start();
    put_a_to_f();
    ck_assert_int_eq(try_delete(0, 1, "a", "b"), STATUS_INVALID);
    ck_assert_int_eq(try_delete(0, 1, "a", "a"), STATUS_INVALID);
    ck_assert_int_eq(try_delete(UINT32_MAX, 1, "a", "b"), STATUS_INVALID);
    ck_assert_int_eq(try_delete(UINT32_MAX, 1, "a", "a"), STATUS_INVALID);
    ck_assert_int_eq(try_delete(1, 1, "b", "a"), STATUS_INVALID);
    ck_assert_int_eq(try_delete(1, (size_t)KEY_BYTES_MAX + 1, long_key, ""), STATUS_TOO_LARGE);
    ck_assert_int_eq(try_delete(1, KEY_BYTES_MAX, long_key, ""), STATUS_OK);
    delete_range("b", "b");
    expect_keys("a b c d e f", "f e d c b a");
    end();
    memory_free(long_key);
}
END_TEST

START_TEST(other_namespaces_are_not_touched) {
    struct store_range range = range_of("", "");
    struct store_put put = {.key = slice_from_text("k"), .value = slice_from_text("v")};
    uint32_t ids[2];

    start();
    put_a_to_f();
    for (int i = 0; i < 2; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        ck_assert_int_eq(
            store_namespace(fixture.store, slice_from_text(i ? "one" : "two"), true, &ids[i]),
            STATUS_OK);
        put.namespace_id = ids[i];
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
    range.namespace_id = ids[0];
    delete_as(&range, STORE_SYNCED);
    for (int round = 0; round < 3; round++) {
        struct store_read read;
        expect_keys("a b c d e f", "f e d c b a");
        store_read_begin(fixture.store, &read);
        for (int i = 0; i < 2; i++) {
            enum status status =
                store_get(&read, ids[i], put.key, STORE_WAIT_ALLOWED, NULL, NULL, &fixture.error);
            ck_assert_int_eq(status, i == 0 ? STATUS_NOT_FOUND : STATUS_OK);
        }
        store_read_end(&read);
        round == 0 ? flush() : fixture_reopen(&fixture);
    }
    end();
}
END_TEST

/* ---- Other readers and writers ---- */

START_TEST(a_read_begun_before_sees_what_was) {
    struct store_read read;
    enum status status;

    start();
    put_a_to_f();
    store_read_begin(fixture.store, &read);
    delete_range("b", "e");
    flush();
    fixture_put(&fixture, "c", "new");
    buffer_clear(&fixture.value);
    status = store_get(&read, 1, slice_from_text("c"), STORE_WAIT_ALLOWED, &fixture.value, NULL,
                       &fixture.error);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&fixture.value), slice_from_text("value")));
    store_read_end(&read);
    fixture_expect(&fixture, "c", "new");
    end();
}
END_TEST

static enum status put_if(enum store_condition_kind kind, uint64_t version) {
    struct store_condition condition = {kind, version};

    return fixture_put_if(&fixture, "c", slice_from_text("x"), condition, STORE_SYNCED).status;
}

START_TEST(conditions_see_it) {
    uint64_t version;

    for (int flushed = 0; flushed < 2; flushed++) {
        start();
        put_a_to_f();
        fixture_put(&fixture, "c", "value");
        version = fixture.last_version;
        delete_range("b", "e");
        if (flushed) {
            flush();
        }
        ck_assert_int_eq(put_if(STORE_IF_PRESENT, 0), STATUS_ABSENT);
        ck_assert_int_eq(put_if(STORE_IF_VERSION, version), STATUS_VERSION_MISMATCH);
        ck_assert_int_eq(put_if(STORE_IF_ABSENT, 0), STATUS_OK);
        ck_assert_int_eq(put_if(STORE_IF_ABSENT, 0), STATUS_EXISTS);
        end();
    }
}
END_TEST

START_TEST(an_absence_that_a_crash_could_undo_is_held) {
    struct store_range range = range_of("b", "e");
    struct store_commit *commit;
    struct fixture_commit started;
    struct store_read read;

    start();
    put_a_to_f();
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    fixture_commit_start(&fixture, &started, commit, STORE_SYNCED);
    for (;;) {
        enum status status;
        store_read_begin(fixture.store, &read);
        status = store_get(&read, 1, slice_from_text("c"), STORE_WAIT_ALLOWED, NULL, NULL,
                           &fixture.error);
        if (status == STATUS_NOT_FOUND) {
            break;
        }
        store_read_end(&read);
        ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
    }
    ck_assert(!started.done);
    ck_assert(!store_hold_passed(fixture.store, &read.hold));
    store_read_end(&read);
    fixture_settle(&fixture);
    ck_assert(store_hold_passed(fixture.store, &read.hold));
    fixture_commit_finish(&started);
    end();
}
END_TEST

/* ---- In one commit ---- */

static void put_into(struct store_commit *commit, const char *key) {
    struct store_put put = {
        .namespace_id = 1, .key = slice_from_text(key), .value = slice_from_text("mine")};

    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
}

START_TEST(in_one_commit_what_comes_after_it_lives) {
    struct store_range range = range_of("b", "e");
    struct store_commit *commit;

    for (int way = 0; way < 5; way++) {
        start();
        put_a_to_f();
        if (way % 2) {
            flush();
        }
        commit = fixture_commit_begin(&fixture);
        put_into(commit, "b");
        put_into(commit, "c");
        ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
        put_into(commit, "c");
        put_into(commit, "d");
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
        if (way == 1) {
            fixture_reopen(&fixture);
        } else if (way == 2) {
            struct power_cut cut = {.seed = 3};
            fixture_power_cut(&fixture, &cut);
            fixture_open(&fixture);
        } else if (way > 2) {
            flush();
        }
        expect_keys("a c d e f", "f e d c a");
        fixture_expect(&fixture, "d", "mine");
        end();
    }
}
END_TEST

/* ---- Size and number ---- */

START_TEST(a_range_between_the_longest_keys_goes_all_the_way) {
    uint8_t *keys = memory_alloc((size_t)2 * KEY_BYTES_MAX);
    struct store_range range = {.namespace_id = 1};

    ck_assert_ptr_nonnull(keys);
    memset(keys, 'b', (size_t)2 * KEY_BYTES_MAX);
    keys[2 * KEY_BYTES_MAX - 1] = 'c';
    range.from = slice_make(keys, KEY_BYTES_MAX);
    range.to = slice_make(keys + KEY_BYTES_MAX, KEY_BYTES_MAX);
    start();
    put_a_to_f();
    for (int round = 0; round < 4; round++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_put put = {
            .namespace_id = 1, .key = range.from, .value = slice_from_text("value")};
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        put.key = range.to;
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
        delete_as(&range, STORE_SYNCED);
        if (round % 2) {
            flush();
        }
        fixture_reopen(&fixture);
        for (int i = 0; i < 2; i++) {
            struct store_read read;
            enum status status;
            store_read_begin(fixture.store, &read);
            status = store_get(&read, 1, i ? range.to : range.from, STORE_WAIT_ALLOWED, NULL, NULL,
                               &fixture.error);
            ck_assert_int_eq(status, i ? STATUS_OK : STATUS_NOT_FOUND);
            store_read_end(&read);
        }
        compact();
    }
    end();
    memory_free(keys);
}
END_TEST

START_TEST(a_thousand_of_them_freeze_memtables_and_are_all_honoured) {
    char keys[3][16];

    start();
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[0], sizeof keys[0], "k%04d", i);
        snprintf(keys[1], sizeof keys[1], "k%04d-a", i);
        snprintf(keys[2], sizeof keys[2], "k%04d-b", i);
        fixture_put(&fixture, keys[0], "stays");
        fixture_put(&fixture, keys[1], "goes");
        delete_range(keys[1], keys[2]);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(keys[0], sizeof keys[0], "k%04d", i);
            snprintf(keys[1], sizeof keys[1], "k%04d-a", i);
            fixture_expect(&fixture, keys[0], "stays");
            fixture_expect_absent(&fixture, keys[1]);
        }
        round == 0 ? fixture_reopen(&fixture) : compact();
    }
    end();
}
END_TEST

START_TEST(a_memtable_with_many_of_them_is_frozen) {
    fixture_init(&fixture, 1);
    fixture.options.memtable_bytes = 1024 * 1024;
    fixture_open(&fixture);
    for (uint64_t i = 1; i <= 256; i++) {
        delete_range("b", "c");
        ck_assert_uint_ge(fixture_stat(&fixture, "memtable_entries"), i);
    }
    delete_range("b", "c");
    ck_assert_uint_lt(fixture_stat(&fixture, "memtable_entries"), 4);
    end();
}
END_TEST

/* ---- Forgetting ---- */

START_TEST(it_is_forgotten_once_nothing_of_it_is_left) {
    start();
    put_a_to_f();
    flush();
    compact();
    delete_range("b", "e");
    flush();
    compact();
    fixture_put(&fixture, "c", "new");
    for (int round = 0; round < 3; round++) { /* its row goes when a compaction meets it again */
        expect_keys("a c e f", "f e c a");
        fixture_put(&fixture, "x", "something to flush");
        fixture_delete(&fixture, "x");
        flush();
        compact();
    }
    ck_assert_uint_eq(fixture_stat(&fixture, "range_points"), 0);
    fixture_reopen(&fixture);
    expect_keys("a c e f", "f e c a");
    ck_assert_uint_eq(fixture_stat(&fixture, "range_points"), 0);
    end();
}
END_TEST

START_TEST(of_many_nested_ones_little_is_kept_in_memory) {
    start();
    put_a_to_f();
    flush();
    for (int i = 0; i < 2000; i++) { /* as who throws away what is older than an hour */
        char to[16];
        snprintf(to, sizeof to, "b%06d", i);
        delete_range("", to);
    }
    flush();
    compact();
    ck_assert_uint_lt(fixture_stat(&fixture, "range_bytes"), 100000);
    fixture_reopen(&fixture);
    ck_assert_uint_lt(fixture_stat(&fixture, "range_bytes"), 100000);
    expect_keys("c d e f", "f e d c");
    end();
}
END_TEST

/* ---- Want of memory ---- */

START_TEST(each_failing_allocation_is_told_and_leaves_the_store_usable) {
    struct store_range range = range_of("b", "e");
    enum status status = STATUS_NO_MEMORY;
    struct store_commit *commit;
    uint64_t n;

    start();
    put_a_to_f();
    commit = fixture_commit_begin(&fixture);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = store_commit_delete_range(commit, &range);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    expect_keys("a e f", "f e a");
    fixture_close(&fixture);
    status = STATUS_NO_MEMORY;
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = fixture_try_open(&fixture);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY ||
                  status == STATUS_LOG_FAILED); /* the disk is in memory too */
    }
    ck_assert_uint_gt(n, 20);
    expect_keys("a e f", "f e a");
    end();
}
END_TEST

UNIT_MAIN("store range delete", what_a_range_delete_covers_is_gone_at_once,
          it_stays_gone_wherever_it_lay_and_whatever_is_done, what_is_put_after_it_is_there,
          a_power_cut_takes_nothing_of_it_back, the_last_keys_there_can_be_are_covered_too,
          impossible_ranges_are_refused_and_empty_ones_do_nothing, other_namespaces_are_not_touched,
          a_read_begun_before_sees_what_was, conditions_see_it,
          an_absence_that_a_crash_could_undo_is_held, in_one_commit_what_comes_after_it_lives,
          a_range_between_the_longest_keys_goes_all_the_way,
          a_thousand_of_them_freeze_memtables_and_are_all_honoured,
          a_memtable_with_many_of_them_is_frozen, it_is_forgotten_once_nothing_of_it_is_left,
          of_many_nested_ones_little_is_kept_in_memory,
          each_failing_allocation_is_told_and_leaves_the_store_usable)
