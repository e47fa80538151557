/* store_simulation_test.c: random lives of a store, each from a seed: commits, reads, flushes,
 * compactions, reopenings, power cuts at any call of the file system, and crashes inside the
 * recovery, up to three deep. After each the store must show what the model allows.
 *
 * SIM_SEEDS: how many (2100); SIM_SEED: only this one; SIM_FIRST: where to begin (1). */
#include "tests/support/store_sim.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SEEDS 2100u
#define SEEDS_PER_PART 150u /* a part has a time limit of its own */
#define LIVES_PER_SEED 4u
#define ACTS_PER_LIFE 250u
#define RECOVERY_DEPTH 3u

static void act(struct sim *sim) {
    switch (random_below(&sim->random, 32)) {
    case 0:
        sim_flush(sim);
        break;
    case 1:
        if (random_below(&sim->random, 4) == 0) {
            sim_compact(sim);
        } else if (random_below(&sim->random, 3) == 0) {
            sim_collect(sim);
        } else {
            sim_random_load(sim);
        }
        break;
    case 2:
        sim_wait(sim);
        break;
    case 3:
        sim_run(sim, 1 + (uint32_t)random_below(&sim->random, 40), true);
        break;
    case 4:
        env_memory_advance_clock(sim->memory, random_below(&sim->random, 2000) * 1000000);
        break;
    case 5:
    case 6:
        sim_random_scan(sim);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        sim_get(sim, (uint32_t)random_below(&sim->random, MODEL_KEYS));
        break;
    case 12:
        sim_random_snapshot(sim);
        break;
    case 13:
        sim_random_version(sim);
        break;
    case 14:
        if (random_below(&sim->random, 4) == 0) {
            sim_random_retention(sim);
            break;
        }
        sim_random_commit(sim);
        break;
    default:
        sim_random_commit(sim);
        break;
    }
    sim_run(sim, (uint32_t)random_below(&sim->random, sim->steps_max), false);
}

/* The power goes now, or at one of the next calls that change something. */
static void crash(struct sim *sim) {
    struct power_cut cut = sim_random_cut(sim);

    if (random_below(&sim->random, 2)) {
        env_memory_set_crash_point(sim->memory, 1 + random_below(&sim->random, 25));
        sim->faulty = true;
        for (uint32_t i = 0; i < 20 && !env_memory_crashed(sim->memory); i++) {
            act(sim);
        }
    }
    sim_cut(sim, &cut);
}

/* Opens what the crash left; perhaps the power goes again meanwhile. */
static void recover(struct sim *sim) {
    for (uint32_t i = 0; i < RECOVERY_DEPTH && random_below(&sim->random, 2); i++) {
        struct power_cut cut = sim_random_cut(sim);
        env_memory_set_crash_point(sim->memory, 1 + random_below(&sim->random, 20));
        sim->faulty = true;
        if (sim_try_open(sim) == STATUS_OK) {
            act(sim);
        }
        sim_cut(sim, &cut);
    }
    sim_open(sim);
}

static void run_seed(uint64_t seed) {
    struct sim sim;

    sim_init(&sim, seed);
    sim.steps_max = 2u + (uint32_t)(seed % 7); /* from a machine that lags to one that keeps up */
    sim_open(&sim);
    for (uint32_t life = 0; life < LIVES_PER_SEED; life++) {
        uint64_t acts = random_below(&sim.random, ACTS_PER_LIFE);
        for (uint64_t i = 0; i < acts; i++) {
            act(&sim);
        }
        if (random_below(&sim.random, 4) == 0) {
            sim_close(&sim);
            sim_open(&sim);
        } else {
            crash(&sim);
            recover(&sim);
        }
    }
    sim_deinit(&sim);
}

/* Of its part of the seeds: _i. */
START_TEST(any_life_of_a_store_keeps_its_promises) {
    uint64_t first = sim_number("SIM_FIRST", 1);
    uint64_t end = first + sim_number("SIM_SEEDS", SEEDS);
    uint64_t only = sim_number("SIM_SEED", 0);
    uint64_t seed = only > 0 ? only : first + (uint64_t)_i * SEEDS_PER_PART;
    uint64_t behind = only > 0 ? only + 1 : seed + SEEDS_PER_PART;

    for (; seed < behind && (only > 0 || seed < end); seed++) {
        run_seed(seed);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store simulation");
    TCase *tcase = tcase_create("store simulation");
    uint64_t seeds = sim_number("SIM_SEED", 0) > 0 ? 1 : sim_number("SIM_SEEDS", SEEDS);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
    tcase_add_loop_test(tcase, any_life_of_a_store_keeps_its_promises, 0,
                        (int)((seeds + SEEDS_PER_PART - 1) / SEEDS_PER_PART));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
