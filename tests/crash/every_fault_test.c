/* every_fault_test.c: one fixed life of a store in which each call of the file system fails in
 * turn, in each of several ways, once or for ever; and each allocation. Never a wrong answer, never
 * a loss of what was acknowledged; the store can always be opened again.
 *
 * FAULT_STRIDE: 1 for each call, n for every n-th (1). */
#include "tests/support/store_life.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/env_fault.h"

struct kind {
    const char *name;
    struct fault_rule rule;
};

/* A short read says that the file ends there: no file system does that, so reads are not cut. */
static const struct kind kinds[] = {
    {"EIO once", {.kinds = FAULT_ALL & ~FAULT_LOCK, .fault = FAULT_IS_EIO}},
    {"EIO for ever", {.kinds = FAULT_ALL & ~FAULT_LOCK, .fault = FAULT_IS_EIO, .for_ever = true}},
    {"a full disk once", {.kinds = FAULT_WRITES, .fault = FAULT_IS_ENOSPC}},
    {"a full disk for ever", {.kinds = FAULT_WRITES, .fault = FAULT_IS_ENOSPC, .for_ever = true}},
    {"a short append", {.kinds = FAULT_WRITES, .fault = FAULT_IS_SHORT}},
    {"no descriptors",
     {.kinds = FAULT_CREATE | FAULT_OPEN, .fault = FAULT_IS_EMFILE, .for_ever = true}},
    {"failed syncs", {.kinds = FAULT_SYNC | FAULT_SYNC_DIR, .fault = FAULT_IS_EIO}}};

#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct power_cut killed = {.mode = POWER_CUT_NONE, .block_bytes = 4096};
static const struct power_cut dropped = {.mode = POWER_CUT_DROP_ALL, .block_bytes = 4096};

/* Once a commit is UNKNOWN or the log has failed, no commit goes well until reopening. */
static void expect_sticky(struct sim *sim) {
    struct error error = {0};
    size_t count = sim->model.count;
    uint32_t failures = sim->failures;

    if (!sim->store || store_health(sim->store, &error) != STATUS_LOG_FAILED) {
        return;
    }
    life_put_round(sim, 8, 3);
    sim_wait(sim);
    ck_assert_uint_ge(sim->failures - failures, 2); /* a third may be refused by its condition */
    for (size_t i = count; i < sim->model.count; i++) {
        ck_assert_int_eq(sim->model.commits[i].fate, MODEL_FAILED);
    }
    ck_assert_int_eq(store_health(sim->store, &error), STATUS_LOG_FAILED);
    ck_assert_int_eq(error.status == STATUS_OK, false);
}

/* False when the life has no n-th call of this kind. */
static bool run_fault(const struct kind *kind, uint64_t n, uint64_t seed) {
    struct env_fault_options options = {.lose_unsynced_cb = env_memory_drop_unsynced_writes,
                                        .seed = seed};
    struct fault_rule rule = kind->rule;
    struct env *fault;
    struct sim sim;
    bool fired;
    enum status status;

    life_begin(&sim);
    status = env_fault_create(sim.memory, &options, &fault);
    ck_assert_int_eq(status, STATUS_OK);
    sim.env = fault;
    sim.lossy = true;
    rule.countdown = n;
    env_fault_add(fault, &rule);
    life_run(&sim);
    fired = env_fault_fired(fault) > 0;
    env_fault_clear(fault);
    expect_sticky(&sim);
    sim_cut(&sim, seed % 2 ? &killed : &dropped);
    env_fault_destroy(fault);
    life_goes_on(&sim);
    sim_deinit(&sim);
    return fired;
}

START_TEST(each_call_fails) {
    const struct kind *kind = &kinds[_i];
    uint64_t stride = sim_number("FAULT_STRIDE", 1);
    uint64_t n = sim_number("FAULT_FIRST", 1);

    while (run_fault(kind, n, n)) {
        n += stride;
    }
    ck_assert_uint_gt(n, 20);
}
END_TEST

static bool run_allocation(uint64_t n, bool for_ever) {
    struct sim sim;
    uint64_t before;
    uint64_t made;

    life_begin(&sim);
    before = memory_allocation_count();
    memory_fail_after(n, for_ever);
    life_run(&sim);
    memory_fail_never();
    made = memory_allocation_count() - before;
    expect_sticky(&sim);
    if (sim.store && n % 3 == 0) {
        sim_wait(&sim);
        sim_close(&sim);
    } else {
        sim_cut(&sim, n % 2 ? &killed : &dropped);
    }
    sim.faulty = false;
    life_goes_on(&sim);
    sim_deinit(&sim);
    return made > n;
}

START_TEST(each_allocation_fails) {
    uint64_t stride = sim_number("FAULT_STRIDE", 1) * 2 + 1;
    uint64_t n = sim_number("FAULT_FIRST", 0) + (uint64_t)_i;

    while (run_allocation(n, _i % 2)) {
        n += stride;
    }
    ck_assert_uint_gt(n, 1000);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("every fault");
    TCase *tcase = tcase_create("every fault");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 250);
    tcase_add_loop_test(tcase, each_call_fails, 0, KINDS);
    tcase_add_loop_test(tcase, each_allocation_fails, 0, 3);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
