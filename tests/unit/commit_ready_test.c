/* commit_ready_test.c: commits that must wait: for the space promise, and for an install that drops
 * segments. The test plays the promise and the install. */
#include "storage/commit_ready.h"
#include "storage/store_state.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <string.h>

/* Steps that are due, without time passing, so that nothing else takes the figures anew. */
static void run(struct fixture *fixture) {
    for (int i = 0; i < 200 && scheduler_sim_run_one(fixture->scheduler, false); i++) {
    }
}

/* Some milliseconds, in which the lane tries again. */
static void run_for_a_while(struct fixture *fixture) {
    for (int i = 0; i < 200; i++) {
        (void)scheduler_sim_run_one(fixture->scheduler, true);
    }
}

static enum status broken_cb(void *arg) {
    (void)arg;
    return STATUS_CORRUPT;
}

static struct store_commit *fill_put(struct fixture *fixture, const char *key) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text(key),
                            .value = slice_from_text("1")};
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
    return commit;
}

static struct store_commit *fill_delete(struct fixture *fixture, const char *key) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    ck_assert_int_eq(
        store_commit_delete(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), NULL),
        STATUS_OK);
    return commit;
}

static struct store_commit *fill_expire(struct fixture *fixture, const char *key) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    ck_assert_int_eq(
        store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), 60000, NULL),
        STATUS_OK);
    return commit;
}

static void refuse_puts(struct fixture *fixture, bool refuse) {
    atomic_store(&fixture->store->promise.log_is_full, refuse);
}

static void begin(struct fixture *fixture) {
    fixture_init(fixture, 1);
    fixture_open(fixture);
    fixture_put_bytes(fixture, "a", 5000, 1);
    run(fixture);
}

START_TEST(puts_wait_while_the_promise_says_so_and_deletes_do_not) {
    struct fixture_commit started[2];
    struct fixture fixture;

    begin(&fixture);
    refuse_puts(&fixture, true);
    fixture_commit_start(&fixture, &started[0], fill_delete(&fixture, "a"), STORE_MEMORY);
    run(&fixture);
    ck_assert(started[0].done);
    fixture_commit_start(&fixture, &started[1], fill_put(&fixture, "b"), STORE_MEMORY);
    run(&fixture);
    ck_assert(!started[1].done);
    refuse_puts(&fixture, false);
    run_for_a_while(&fixture);
    ck_assert(started[1].done);
    ck_assert_int_eq(started[1].outcome.status, STATUS_OK);
    fixture_commit_finish(&started[0]);
    fixture_commit_finish(&started[1]);
    fixture_expect(&fixture, "b", "1");
    fixture_deinit(&fixture);
}
END_TEST

static void start_of(struct fixture *fixture, struct fixture_commit *started, uint64_t stream,
                     struct store_commit *commit) {
    store_commit_set_stream(commit, stream);
    fixture_commit_start(fixture, started, commit, STORE_MEMORY);
}

START_TEST(deletes_pass_puts_that_wait_but_not_those_of_their_own_stream) {
    struct fixture_commit started[10];
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "d", "old");
    refuse_puts(&fixture, true);
    start_of(&fixture, &started[0], 7, fill_put(&fixture, "b"));
    run(&fixture);
    start_of(&fixture, &started[1], 7, fill_delete(&fixture, "b"));
    start_of(&fixture, &started[2], 8, fill_delete(&fixture, "a"));
    start_of(&fixture, &started[3], 8, fill_delete(&fixture, "d"));
    start_of(&fixture, &started[4], 8, fill_put(&fixture, "c"));
    start_of(&fixture, &started[5], 8, fill_delete(&fixture, "c"));
    start_of(&fixture, &started[6], 0, fill_delete(&fixture, "nobody's"));
    start_of(&fixture, &started[7], 9, fill_expire(&fixture, "x"));
    start_of(&fixture, &started[8], 9, fill_delete(&fixture, "x"));
    start_of(&fixture, &started[9], 10, fill_delete(&fixture, "last"));
    run_for_a_while(&fixture);
    for (uint32_t i = 0; i < 10; i++) {
        ck_assert_int_eq(started[i].done, i == 2 || i == 3 || i == 9);
    }
    ck_assert_uint_lt(started[2].outcome.version, started[3].outcome.version);
    ck_assert_uint_lt(started[3].outcome.version, started[9].outcome.version);
    fixture_expect_absent(&fixture, "d");
    refuse_puts(&fixture, false);
    run_for_a_while(&fixture);
    for (uint32_t i = 0; i < 10; i++) {
        ck_assert(started[i].done);
        fixture_commit_finish(&started[i]);
    }
    fixture_expect_absent(&fixture, "b");
    fixture_expect_absent(&fixture, "c");
    fixture_put(&fixture, "after", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_put_does_not_wait_for_jobs_that_have_failed) {
    struct fixture_commit started;
    struct fixture fixture;

    begin(&fixture);
    refuse_puts(&fixture, true);
    fixture.store->pipeline.options.jobs_status_cb = broken_cb;
    fixture_commit_start(&fixture, &started, fill_put(&fixture, "b"), STORE_SYNCED);
    run(&fixture);
    ck_assert(started.done);
    ck_assert_int_eq(started.outcome.status, STATUS_CORRUPT);
    fixture_commit_finish(&started);
    refuse_puts(&fixture, false);
    fixture_put(&fixture, "c", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(closing_does_not_wait_for_the_promise) {
    struct fixture_commit started;
    struct fixture fixture;

    begin(&fixture);
    refuse_puts(&fixture, true);
    fixture_commit_start(&fixture, &started, fill_put(&fixture, "b"), STORE_SYNCED);
    run(&fixture);
    ck_assert(!started.done);
    fixture_close(&fixture);
    ck_assert(started.done);
    ck_assert_int_eq(started.outcome.status, STATUS_OK);
    fixture_commit_finish(&started);
    fixture_open(&fixture);
    fixture_expect(&fixture, "b", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_new_expiry_waits_for_an_install_that_drops) {
    struct fixture_commit started[2];
    struct fixture fixture;

    begin(&fixture);
    ck_assert(alias_gate_close_for_drop(&fixture.store->versions.gate));
    fixture_commit_start(&fixture, &started[0], fill_put(&fixture, "b"), STORE_MEMORY);
    fixture_commit_start(&fixture, &started[1], fill_expire(&fixture, "a"), STORE_MEMORY);
    while (!started[0].done) { /* it makes no alias */
        ck_assert(scheduler_sim_run_one(fixture.scheduler, false));
    }
    ck_assert(!started[1].done);
    alias_gate_open(&fixture.store->versions.gate);
    run_for_a_while(&fixture);
    ck_assert(started[1].done);
    ck_assert_int_eq(started[1].outcome.status, STATUS_OK);
    fixture_commit_finish(&started[0]);
    fixture_commit_finish(&started[1]);
    ck_assert(alias_gate_close_for_drop(&fixture.store->versions.gate)); /* it has left */
    alias_gate_open(&fixture.store->versions.gate);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(who_waits_for_space_does_not_stand_in_the_gate) {
    struct fixture_commit started;
    struct fixture fixture;

    begin(&fixture);
    refuse_puts(&fixture, true);
    fixture_commit_start(&fixture, &started, fill_expire(&fixture, "a"), STORE_MEMORY);
    run(&fixture);
    ck_assert(!started.done);
    ck_assert(alias_gate_close_for_drop(&fixture.store->versions.gate));
    alias_gate_open(&fixture.store->versions.gate);
    refuse_puts(&fixture, false);
    run_for_a_while(&fixture);
    ck_assert_int_eq(started.outcome.status, STATUS_OK);
    fixture_commit_finish(&started);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_commit_that_fails_leaves_the_gate) {
    struct fixture_commit started;
    struct fixture fixture;

    begin(&fixture);
    fixture_commit_start(&fixture, &started, fill_expire(&fixture, "none"), STORE_MEMORY);
    fixture_settle(&fixture);
    ck_assert_int_eq(started.outcome.status, STATUS_ABSENT);
    fixture_commit_finish(&started);
    ck_assert(alias_gate_close_for_drop(&fixture.store->versions.gate));
    alias_gate_open(&fixture.store->versions.gate);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("commit_ready", puts_wait_while_the_promise_says_so_and_deletes_do_not,
          deletes_pass_puts_that_wait_but_not_those_of_their_own_stream,
          a_put_does_not_wait_for_jobs_that_have_failed, closing_does_not_wait_for_the_promise,
          a_new_expiry_waits_for_an_install_that_drops,
          who_waits_for_space_does_not_stand_in_the_gate, a_commit_that_fails_leaves_the_gate)
