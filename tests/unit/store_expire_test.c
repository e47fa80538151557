/* store_expire_test.c: new expiries; and what answers of operations that need the value that is
 * there wait for, and that want of memory fails one commit only. */
#include "tests/unit/store_counter_fixture.h"

#include "protocol/base/memory.h"

/* ---- New expiries -----------------------------------------------------------------------------
 */

START_TEST(a_key_gets_an_expiry_and_loses_it) {
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "a", "1");
    ck_assert_int_eq(expire(&fixture, "a", 1000).status, STATUS_OK);
    ck_assert_uint_eq(info_of(&fixture, "a").expiry_ms, store_now_ms(fixture.store) + 1000);
    fixture_expect(&fixture, "a", "1");
    ck_assert_int_eq(expire(&fixture, "a", 0).status, STATUS_OK);
    env_memory_advance_clock(fixture.memory, 5 * SECOND_NS);
    fixture_expect(&fixture, "a", "1");
    ck_assert_int_eq(expire(&fixture, "a", 1000).status, STATUS_OK);
    env_memory_advance_clock(fixture.memory, SECOND_NS);
    fixture_expect_absent(&fixture, "a");
    ck_assert_int_eq(expire(&fixture, "a", 1000).status, STATUS_ABSENT);
    ck_assert_int_eq(expire(&fixture, "none", 1000).status, STATUS_ABSENT);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_expiry_of_a_separated_value_copies_nothing) {
    struct fixture fixture;
    uint64_t before;

    begin(&fixture);
    fixture_put_bytes(&fixture, "a", 50000, 1);
    before = fixture_stat(&fixture, "log_bytes_written");
    ck_assert_int_eq(expire(&fixture, "a", 60000).status, STATUS_OK);
    ck_assert_uint_lt(fixture_stat(&fixture, "log_bytes_written") - before, 200);
    fixture_expect_bytes(&fixture, "a", 50000, 1);
    ck_assert_int_eq(expire(&fixture, "a", 0).status, STATUS_OK); /* an alias of an alias */
    fixture_expect_bytes(&fixture, "a", 50000, 1);
    flush(&fixture);
    fixture_expect_bytes(&fixture, "a", 50000, 1);
    ck_assert_int_eq(expire(&fixture, "a", 60000).status, STATUS_OK); /* of what is in a table */
    fixture_expect_bytes(&fixture, "a", 50000, 1);
    ck_assert_uint_lt(fixture_stat(&fixture, "log_bytes_written") - before, 600);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(all_of_it_is_replayed_after_a_power_cut) {
    static const struct power_cut cut = {.mode = POWER_CUT_DROP_ALL};
    struct fixture fixture;
    uint64_t expiry_ms;

    begin(&fixture);
    fixture_put_bytes(&fixture, "long", 5000, 1);
    expire(&fixture, "long", 60000);
    expiry_ms = info_of(&fixture, "long").expiry_ms;
    add(&fixture, "n", 5);
    append(&fixture, "text", slice_from_text("ab"));
    append(&fixture, "text", slice_from_text("cd"));
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    fixture_expect_bytes(&fixture, "long", 5000, 1);
    ck_assert_uint_eq(info_of(&fixture, "long").expiry_ms, expiry_ms);
    fixture_expect(&fixture, "n", "5");
    fixture_expect(&fixture, "text", "abcd");
    ck_assert_int_eq(expire(&fixture, "long", 0).status, STATUS_OK);
    fixture_reopen(&fixture);
    fixture_expect_bytes(&fixture, "long", 5000, 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_alias_keeps_the_segment_of_its_record) {
    struct fixture fixture;
    char key[16];

    begin(&fixture);
    fixture_put_bytes(&fixture, "kept", 4000, 1);
    for (int round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < 40; i++) { /* segments come and go */
            snprintf(key, sizeof key, "other%u", i);
            fixture_put_bytes(&fixture, key, 4000, i);
        }
        ck_assert_int_eq(expire(&fixture, "kept", 3600 * 1000).status, STATUS_OK);
        fixture_settle(&fixture);
        fixture_expect_bytes(&fixture, "kept", 4000, 1);
    }
    fixture_reopen(&fixture);
    fixture_expect_bytes(&fixture, "kept", 4000, 1);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Holds ------------------------------------------------------------------------------------
 */

/* Runs steps until nothing more can happen without time passing. */
static void run(struct fixture *fixture) {
    while (scheduler_sim_run_one(fixture->scheduler, false)) {
    }
}

START_TEST(a_failed_condition_waits_for_what_it_met) {
    struct store_condition absent = {STORE_IF_ABSENT, 0};
    struct fixture_commit first;
    struct fixture_commit second;
    struct fixture fixture;

    for (uint64_t seed = 1; seed < 40; seed++) {
        struct store_commit *commit;
        fixture_init(&fixture, seed);
        fixture_open(&fixture);
        run(&fixture);
        commit = fixture_commit_begin(&fixture);
        fill_put(commit, "k", slice_from_text("1"), 0);
        fixture_commit_start(&fixture, &first, commit, STORE_SYNCED);
        commit = fixture_commit_begin(&fixture);
        ck_assert_int_eq(
            store_commit_delete(commit, STORE_NAMESPACE_DEFAULT, slice_from_text("k"), &absent),
            STATUS_OK);
        fixture_commit_start(&fixture, &second, commit, STORE_MEMORY);
        while (!second.done) {
            ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
            ck_assert(!second.done || first.done); /* EXISTS needs the sync of the put */
        }
        fixture_settle(&fixture);
        ck_assert_int_eq(second.outcome.status, STATUS_EXISTS);
        fixture_commit_finish(&first);
        fixture_commit_finish(&second);
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(the_result_of_an_addition_waits_for_what_it_added_to) {
    struct fixture_commit first;
    struct fixture_commit second;
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    run(&fixture);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, "n", slice_from_text("1"), 0);
    fixture_commit_start(&fixture, &first, commit, STORE_SYNCED);
    commit = fixture_commit_begin(&fixture);
    fill_add(commit, "n", 1);
    fixture_commit_start(&fixture, &second, commit, STORE_MEMORY);
    while (!second.done) {
        ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
        ck_assert(!second.done || first.done);
    }
    fixture_settle(&fixture);
    ck_assert_int_eq(second.outcome.results[0], 2);
    fixture_commit_finish(&first);
    fixture_commit_finish(&second);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

/* A job that wanted memory too may not have been tried again yet: that is no fault. */
static void close_after_want_of_memory(struct fixture *fixture) {
    enum status status = store_close(fixture->store, &fixture->error);

    ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    fixture->store = NULL;
    fixture_deinit(fixture);
}

START_TEST(want_of_memory_fails_one_commit_and_nothing_else) {
    bool some_failed = false;
    struct fixture fixture;
    char text[32];

    memset(text, 'x', sizeof text);
    begin(&fixture);
    fixture_put_bytes(&fixture, "a", 2000, 1);
    for (uint64_t n = 0; n < 60; n++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct answer answer;
        fill_add(commit, "n", 1);
        fill_expire(commit, "a", 60000);
        for (uint32_t i = 0; i <= n / 2; i++) {
            char key[16];
            snprintf(key, sizeof key, "key%u", i);
            fill_append(commit, key, slice_make(text, n % 2 ? 20 : 1));
        }
        memory_fail_after(n, false);
        answer = submit(&fixture, commit, STORE_SYNCED);
        memory_fail_never();
        ck_assert_msg(answer.status == STATUS_OK || answer.status == STATUS_NO_MEMORY, "%s",
                      status_name(answer.status));
        some_failed = some_failed || answer.status == STATUS_NO_MEMORY;
        ck_assert_int_eq(add(&fixture, "m", 1).status, STATUS_OK);
    }
    ck_assert(some_failed);
    fixture_expect(&fixture, "m", "60");
    close_after_want_of_memory(&fixture);
}
END_TEST

START_TEST(want_of_memory_for_a_group_does_not_fail_the_log) {
    struct fixture fixture;

    begin(&fixture);
    for (uint32_t len = 100; len < 4000; len += 300) { /* each needs more than any before it */
        for (uint64_t n = 0; n < 12; n++) {
            char key[4000];
            struct store_commit *commit = fixture_commit_begin(&fixture);
            struct answer answer;
            memset(key, 'k', len);
            key[len] = 0;
            fill_put(commit, key, slice_from_text("1"), 0);
            memory_fail_after(n, false);
            answer = submit(&fixture, commit, STORE_SYNCED);
            memory_fail_never();
            ck_assert_msg(answer.status == STATUS_OK || answer.status == STATUS_NO_MEMORY, "%s",
                          status_name(answer.status));
        }
    }
    fixture_put(&fixture, "after", "1");
    close_after_want_of_memory(&fixture);
}
END_TEST

UNIT_MAIN("store_expire", a_key_gets_an_expiry_and_loses_it,
          an_expiry_of_a_separated_value_copies_nothing, all_of_it_is_replayed_after_a_power_cut,
          an_alias_keeps_the_segment_of_its_record, a_failed_condition_waits_for_what_it_met,
          the_result_of_an_addition_waits_for_what_it_added_to,
          want_of_memory_fails_one_commit_and_nothing_else,
          want_of_memory_for_a_group_does_not_fail_the_log)
