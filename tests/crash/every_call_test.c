/* every_call_test.c: one fixed life of a store (commits, flush, rotation, compaction, reopening),
 * and the power goes at every single call that changes the disk; then again at every call of the
 * recovery that follows.
 *
 * CRASH_MODES: how many of the kinds of power cut are tried at each call (6 of 6). */
#include "tests/support/store_sim.h"
#include "tests/unit/unit.h"

#define TEST_SEED 4711u

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

static void put_round(struct sim *sim, uint32_t round, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct model_op ops[2] = {{.key = (round * 7 + i * 3) % MODEL_KEYS,
                                   .value_bytes = 40 + (i % 5) * 700,
                                   .value_seed = round * 100 + i},
                                  {.key = (round + i) % MODEL_KEYS, .deletes = true}};
        sim_submit(sim, ops, i % 4 == 0 ? 2 : 1, i % 3 ? STORE_SYNCED : STORE_LOGGED, false);
        sim_run(sim, i % 6, false);
    }
}

/* The life; ends early when the disk has crashed. */
static void live(struct sim *sim) {
    if (sim->store) {
        put_round(sim, 1, 20); /* some segments of 8 KiB */
        sim_wait(sim);
        sim_flush(sim);
        put_round(sim, 2, 16);
        sim_compact(sim);
        put_round(sim, 3, 12);
        sim_close(sim);
    }
    if (!env_memory_crashed(sim->memory) && sim_try_open(sim) == STATUS_OK) {
        put_round(sim, 4, 10);
        sim_flush(sim);
        put_round(sim, 5, 6);
        sim_compact(sim);
        put_round(sim, 6, 4);
        sim_run(sim, 20, false);
    }
}

static void begin(struct sim *sim, uint64_t seed) {
    sim_init(sim, seed);
    sim->options.memtable_bytes = 16u << 10;
    sim->options.segment_bytes = 8u << 10;
    sim->options.value_threshold = 1024;
    sim->ttl_percent = 0;
    sim->faulty = true;
}

/* The life with the power gone at call n; false when it has no so many calls. */
static bool live_until(struct sim *sim, uint64_t n, const struct power_cut *cut) {
    bool crashed;

    begin(sim, TEST_SEED);
    env_memory_set_crash_point(sim->memory, n);
    if (sim_try_open(sim) == STATUS_OK) {
        live(sim);
    }
    crashed = env_memory_crashed(sim->memory);
    sim_cut(sim, cut);
    return crashed;
}

/* The store goes on: what was recovered can be written to, flushed and opened again. */
static void expect_alive(struct sim *sim) {
    sim_open(sim);
    put_round(sim, 7, 3);
    sim_wait(sim);
    sim_flush(sim);
    sim_check_all(sim);
    sim_close(sim);
    sim_open(sim);
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
        expect_alive(&sim);
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
            expect_alive(&sim);
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
