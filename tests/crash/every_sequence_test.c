/* every_sequence_test.c: every sequence of up to three acts, with the power gone at every call that
 * changes the disk (every sync among them), once with all lost that was not synced, and once with
 * all kept.
 *
 * CRASH_LENGTH: the length of the sequences (3). */
#include "tests/support/store_sim.h"
#include "tests/unit/unit.h"

#define ACTS 7u
#define KEY 1u
#define OTHER_KEY 2u

static void put(struct sim *sim, uint32_t value_bytes) {
    struct model_op op = {
        .key = KEY, .value_bytes = value_bytes, .value_seed = sim->model.count + 1};
    sim_submit(sim, &op, 1, STORE_SYNCED, false);
}

static void do_act(struct sim *sim, uint32_t act) {
    struct model_op gone = {.key = KEY, .deletes = true};
    struct model_op batch[3] = {
        {.key = OTHER_KEY, .value_bytes = 10, .value_seed = sim->model.count + 1},
        {.key = KEY, .value_bytes = 1500, .value_seed = sim->model.count + 2},
        {.key = 7, .value_bytes = 3, .value_seed = sim->model.count + 3}};

    switch (act) {
    case 0:
        put(sim, 20);
        break;
    case 1:
        sim_submit(sim, &gone, 1, STORE_SYNCED, false);
        break;
    case 2:
        sim_submit(sim, batch, 3, STORE_SYNCED, false);
        break;
    case 3:
        sim_flush(sim);
        break;
    case 4:
        sim_compact(sim);
        break;
    case 5:
        sim_close(sim);
        if (env_memory_crashed(sim->memory) || sim_try_open(sim) != STATUS_OK) {
            return;
        }
        break;
    default: /* fills the segment: the next commit begins another */
        put(sim, 9000);
        break;
    }
    sim_wait(sim);
}

static void begin(struct sim *sim) {
    sim_init(sim, 1);
    sim->options.segment_bytes = 8u << 10;
    sim->options.memtable_bytes = 16u << 10;
    sim_open(sim);
    put(sim, 2000);
    sim_wait(sim);
    sim_flush(sim);
    put(sim, 30);
    sim_wait(sim);
    sim->faulty = true;
}

/* False when the sequence has no n-th call. */
static bool run(const uint32_t *acts, uint32_t length, uint64_t n, const struct power_cut *cut) {
    struct sim sim;
    bool crashed;

    begin(&sim);
    env_memory_set_crash_point(sim.memory, n);
    for (uint32_t i = 0; i < length && sim.store; i++) {
        do_act(&sim, acts[i]);
    }
    crashed = env_memory_crashed(sim.memory);
    sim_cut(&sim, cut);
    sim_open(&sim);
    put(&sim, 5);
    sim_wait(&sim);
    sim_check_all(&sim);
    sim_deinit(&sim);
    return crashed;
}

START_TEST(every_sequence_with_the_power_gone_at_every_call) {
    static const struct power_cut drop = {.mode = POWER_CUT_DROP_ALL, .block_bytes = 4096};
    static const struct power_cut keep = {
        .mode = POWER_CUT_KEEP_ALL, .entries = POWER_CUT_ENTRIES_KEEP, .block_bytes = 4096};
    uint32_t length_max = (uint32_t)sim_number("CRASH_LENGTH", 3);
    uint32_t acts[8];

    for (uint32_t length = 1; length <= length_max; length++) {
        uint32_t sequences = 1;
        for (uint32_t i = 1; i < length; i++) {
            sequences *= ACTS;
        }
        for (uint32_t sequence = 0; sequence < sequences; sequence++) {
            uint32_t rest = sequence;
            acts[0] = (uint32_t)_i;
            for (uint32_t i = 1; i < length; i++, rest /= ACTS) {
                acts[i] = rest % ACTS;
            }
            for (uint64_t n = 1; run(acts, length, n, n % 2 ? &drop : &keep); n++) {
                (void)run(acts, length, n, n % 2 ? &keep : &drop);
            }
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("every sequence");
    TCase *tcase = tcase_create("every sequence");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 250);
    tcase_add_loop_test(tcase, every_sequence_with_the_power_gone_at_every_call, 0, ACTS);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
