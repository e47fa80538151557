/* store_close_test.c: closing a store at moments that are not quiet. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/log_format.h"

#include <stdatomic.h>
#include <stdio.h>

#define COMMITS (8u * GROUP_COMMITS_MAX)

struct crowd {
    struct fixture_commit *started; /* owned */
};

/* More groups than memtables may wait for their flush, with no step run between. */
static void start_many(struct fixture *fixture, struct crowd *crowd) {
    crowd->started = memory_alloc_array(COMMITS, sizeof *crowd->started);
    ck_assert_ptr_nonnull(crowd->started);
    for (uint32_t i = 0; i < COMMITS; i++) {
        struct store_commit *commit = fixture_commit_begin(fixture);
        struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .value =
                                    slice_from_text("a value of some forty bytes, or so, yes")};
        char key[32];
        enum status status;

        snprintf(key, sizeof key, "key%05u", i);
        put.key = slice_from_text(key);
        status = store_commit_put(commit, &put);
        ck_assert_int_eq(status, STATUS_OK);
        fixture_commit_start(fixture, &crowd->started[i], commit, STORE_SYNCED);
    }
}

static void finish_many(struct crowd *crowd, enum status expected) {
    for (uint32_t i = 0; i < COMMITS; i++) {
        ck_assert_int_eq(crowd->started[i].outcome.status, expected);
        fixture_commit_finish(&crowd->started[i]);
    }
    memory_free(crowd->started);
}

START_TEST(closing_waits_for_commits_that_were_put_off) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture fixture;
        struct crowd crowd;

        fixture_init(&fixture, seed);
        fixture.options.memtable_bytes = 16 * 1024;
        fixture_open(&fixture);
        start_many(&fixture, &crowd);
        fixture_close(&fixture);
        finish_many(&crowd, STATUS_OK);
        fixture_open(&fixture);
        fixture_expect(&fixture, "key00000", "a value of some forty bytes, or so, yes");
        fixture_expect(&fixture, "key02000", "a value of some forty bytes, or so, yes");
        fixture_deinit(&fixture);
    }
}
END_TEST

/* The step that was put off finds nothing to do any more, and must not outlive the store. */
START_TEST(closing_after_the_last_of_them_was_answered) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture fixture;
        struct crowd crowd;
        bool done = false;

        fixture_init(&fixture, seed);
        fixture.options.memtable_bytes = 16 * 1024;
        fixture_open(&fixture);
        start_many(&fixture, &crowd);
        while (!done) {
            ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
            done = atomic_load(&crowd.started[COMMITS - 1].done);
        }
        fixture_close(&fixture);
        finish_many(&crowd, STATUS_OK);
        fixture_open(&fixture);
        fixture_deinit(&fixture);
    }
}
END_TEST

UNIT_MAIN("store close", closing_waits_for_commits_that_were_put_off,
          closing_after_the_last_of_them_was_answered)
