/* store_life.c: see store_life.h. */
#include "tests/support/store_life.h"

#define LIFE_SEED 4711u

void life_begin(struct sim *sim) {
    sim_init(sim, LIFE_SEED);
    sim->options.memtable_bytes = 16u << 10;
    sim->options.segment_bytes = 8u << 10;
    sim->options.value_threshold = 1024;
    sim->ttl_percent = 0;
    sim->faulty = true;
}

void life_put_round(struct sim *sim, uint32_t round, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct model_op ops[2] = {{.key = (round * 7 + i * 3) % MODEL_KEYS,
                                   .value_bytes = 40 + (i % 5) * 700,
                                   .value_seed = round * 100 + i},
                                  {.key = (round + i) % MODEL_KEYS, .deletes = true}};
        sim_submit(sim, ops, i % 4 == 0 ? 2 : 1, i % 3 ? STORE_SYNCED : STORE_LOGGED, i % 7 == 6);
        sim_run(sim, i % 6, false);
    }
}

static void read_some(struct sim *sim) {
    for (uint32_t i = 0; i < 4; i++) {
        sim_get(sim, (uint32_t)random_below(&sim->random, MODEL_KEYS));
        sim_random_scan(sim);
    }
}

static bool opens(struct sim *sim) {
    return sim_try_open(sim) == STATUS_OK || sim_try_open(sim) == STATUS_OK;
}

void life_run(struct sim *sim) {
    if (!opens(sim)) {
        return;
    }
    life_put_round(sim, 1, 20);
    sim_wait(sim);
    sim_flush(sim);
    life_put_round(sim, 2, 16);
    read_some(sim);
    sim_compact(sim);
    sim_collect(sim);
    sim_random_load(sim);
    life_put_round(sim, 3, 12);
    sim_run(sim, 100, true); /* seconds pass: ticks */
    sim_close(sim);
    if (!opens(sim)) {
        return;
    }
    life_put_round(sim, 4, 10);
    read_some(sim);
    sim_flush(sim);
    life_put_round(sim, 5, 6);
    sim_compact(sim);
    sim_collect(sim); /* survivors of survivors */
    life_put_round(sim, 6, 4);
    read_some(sim);
    sim_run(sim, 20, false);
}

void life_goes_on(struct sim *sim) {
    sim_open(sim);
    life_put_round(sim, 7, 3);
    sim_wait(sim);
    sim_flush(sim);
    sim_check_all(sim);
    sim_close(sim);
    sim_open(sim);
}
