/* alias_gate_test.c: commits that make aliases and installs that drop segments, one at a time. */
#include "storage/alias_gate.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

START_TEST(while_a_commit_is_inside_nothing_is_dropped) {
    struct alias_gate gate;

    alias_gate_init(&gate);
    ck_assert(alias_gate_enter(&gate));
    ck_assert(!alias_gate_close_for_drop(&gate));
    ck_assert(!alias_gate_close_for_drop(&gate));
    alias_gate_leave(&gate);
    ck_assert(alias_gate_close_for_drop(&gate));
    alias_gate_open(&gate);
    alias_gate_deinit(&gate);
}
END_TEST

START_TEST(while_an_install_drops_no_commit_enters) {
    struct alias_gate gate;

    alias_gate_init(&gate);
    ck_assert(alias_gate_close_for_drop(&gate));
    ck_assert(!alias_gate_enter(&gate));
    ck_assert(!alias_gate_enter(&gate));
    alias_gate_open(&gate);
    ck_assert(alias_gate_enter(&gate));
    alias_gate_leave(&gate);
    alias_gate_deinit(&gate);
}
END_TEST

#define ROUNDS 2000u /* of each side at least */

struct contest {
    struct alias_gate gate;
    _Atomic int inside; /* both sides count themselves in */
    _Atomic uint32_t commits;
    _Atomic uint32_t drops;
};

static bool goes_on(struct contest *contest) {
    return atomic_load(&contest->commits) < ROUNDS || atomic_load(&contest->drops) < ROUNDS;
}

static void *commit_much(void *arg) {
    struct contest *contest = arg;

    while (goes_on(contest)) {
        if (alias_gate_enter(&contest->gate)) {
            ck_assert_int_eq(atomic_fetch_add(&contest->inside, 1), 0);
            atomic_fetch_add(&contest->commits, 1);
            ck_assert_int_eq(atomic_fetch_sub(&contest->inside, 1), 1);
            alias_gate_leave(&contest->gate);
        }
        sched_yield();
    }
    return NULL;
}

START_TEST(two_threads_are_never_in_it_together) {
    struct contest contest = {.inside = 0};
    pthread_t thread;

    alias_gate_init(&contest.gate);
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_much, &contest), 0);
    while (goes_on(&contest)) {
        if (alias_gate_close_for_drop(&contest.gate)) {
            ck_assert_int_eq(atomic_fetch_add(&contest.inside, 1), 0);
            atomic_fetch_add(&contest.drops, 1);
            ck_assert_int_eq(atomic_fetch_sub(&contest.inside, 1), 1);
            alias_gate_open(&contest.gate);
        }
        sched_yield();
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    alias_gate_deinit(&contest.gate);
}
END_TEST

UNIT_MAIN("alias_gate", while_a_commit_is_inside_nothing_is_dropped,
          while_an_install_drops_no_commit_enters, two_threads_are_never_in_it_together)
