/* every_call_test.c: one fixed life of a store (commits, flush, rotation, compaction, reopening),
 * and the power goes at every single call that changes the disk; then again at every call of the
 * recovery that follows.
 *
 * CRASH_MODES: how many of the kinds of power cut are tried at each call (6 of 6). */
#include "tests/support/store_life.h"
#include "tests/unit/unit.h"

static const struct power_cut cuts[] = {
    {.mode = POWER_CUT_DROP_ALL, .block_bytes = 4096},
    {.mode = POWER_CUT_KEEP_ALL, .entries = POWER_CUT_ENTRIES_KEEP, .block_bytes = 4096},
    {.mode = POWER_CUT_RANDOM_SUBSET, .entries = POWER_CUT_ENTRIES_RANDOM, .block_bytes = 512},
    {.mode = POWER_CUT_NONE, .block_bytes = 4096},
    {.mode = POWER_CUT_RANDOM_SUBSET, .block_bytes = 4096, .garbage = true},
    {.mode = POWER_CUT_DROP_ALL,
     .entries = POWER_CUT_ENTRIES_KEEP,
     .block_bytes = 512,
     .garbage = true}};

#define CUTS (sizeof cuts / sizeof cuts[0])

/* The life with the power gone at call n; false when it has no so many calls. */
static bool live_until(struct sim *sim, uint64_t n, const struct power_cut *cut) {
    bool crashed;

    life_begin(sim);
    env_memory_set_crash_point(sim->memory, n);
    life_run(sim);
    crashed = env_memory_crashed(sim->memory);
    sim_cut(sim, cut);
    return crashed;
}

START_TEST(the_power_goes_at_every_call) {
    const struct power_cut *cut = &cuts[_i % (int)CUTS];
    uint64_t n = 0;
    bool crashed = true;

    while (crashed) {
        struct sim sim;
        struct power_cut seeded = *cut;
        seeded.seed = ++n;
        crashed = live_until(&sim, n, &seeded);
        life_goes_on(&sim);
        sim_deinit(&sim);
    }
    ck_assert_uint_gt(n, 150); /* the life is long enough to tell something */
}
END_TEST

/* And again m calls into the recovery. */
static bool recover_until(struct sim *sim, uint64_t m, const struct power_cut *cut) {
    bool crashed;

    env_memory_set_crash_point(sim->memory, m);
    sim->faulty = true;
    (void)sim_try_open(sim);
    crashed = env_memory_crashed(sim->memory);
    sim_cut(sim, cut);
    return crashed;
}

START_TEST(the_power_goes_again_at_every_call_of_the_recovery) {
    uint64_t n = 0;
    bool crashed = true;

    while (crashed) {
        bool again = true;
        n += 1 + sim_number("CRASH_STRIDE", 3);
        for (uint64_t m = 1; again; m++) {
            struct power_cut first = cuts[(n + m) % CUTS];
            struct power_cut second = cuts[(n / 2 + m * 5 + 1) % CUTS];
            struct sim sim;
            first.seed = n;
            second.seed = m;
            crashed = live_until(&sim, n, &first);
            again = recover_until(&sim, m, &second);
            life_goes_on(&sim);
            sim_deinit(&sim);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("every call");
    TCase *tcase = tcase_create("every call");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 250);
    tcase_add_loop_test(tcase, the_power_goes_at_every_call, 0,
                        (int)sim_number("CRASH_MODES", CUTS));
    tcase_add_test(tcase, the_power_goes_again_at_every_call_of_the_recovery);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
