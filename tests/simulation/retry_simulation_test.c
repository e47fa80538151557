/* retry_simulation_test.c: random lives of a counter whose clients repeat their additions: copies
 * at any time, in any order, beside each other, over flushes, compactions, reopenings and power
 * cuts at any call of the file system. Whatever happens: each token is answered with one version
 * and one sum, and in the end the counter equals the number of tokens, each sum having come once.
 *
 * SIM_SEEDS: how many (1200); SIM_SEED: only this one. */
#include "tests/support/store_fixture.h"
#include "tests/support/store_sim.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SEEDS 1200u
#define SEEDS_PER_PART 100u
#define LIVES 3u
#define ACTS_PER_LIFE 60u
#define TOKENS 90u
#define COPIES 12u
#define TRIES_MAX 10000u

/* What is known of a token. */
struct asked {
    bool answered;
    int64_t sum;
    uint64_t version;
};

/* A copy under way. */
struct copy {
    bool used;
    uint32_t token;
    struct fixture_commit started;
};

struct life {
    uint64_t seed;
    struct random random;
    struct fixture fixture;
    bool faulty; /* failures are expected */
    uint32_t sent;
    struct asked tokens[TOKENS];
    struct copy copies[COPIES];
};

/* ---- Copies -----------------------------------------------------------------------------------
 */

static void wrong(const struct life *life, uint32_t token, const char *what) {
    ck_abort_msg("seed %llu, token %u: %s", (unsigned long long)life->seed, token, what);
}

/* Additions of three clients; some with a value beside, which is different in each copy. */
static struct store_commit *make(struct life *life, uint32_t number) {
    struct store_commit *commit = fixture_commit_begin(&life->fixture);
    struct store_token token = {.sequence = number / 3};
    uint8_t bytes[2048];
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text("beside"),
                            .value = slice_make(bytes, random_below(&life->random, sizeof bytes))};

    token.client[0] = (uint8_t)(number % 3);
    fixture_fill(bytes, sizeof bytes, random_next(&life->random));
    ck_assert_int_eq(
        store_commit_add(commit, STORE_NAMESPACE_DEFAULT, slice_from_text("n"), 1, NULL),
        STATUS_OK);
    if (number % 4 == 0) {
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
    }
    store_commit_set_token(commit, &token);
    return commit;
}

static void send(struct life *life, uint32_t token) {
    for (uint32_t i = 0; i < COPIES; i++) {
        struct copy *copy = &life->copies[i];
        if (!copy->used) {
            copy->used = true;
            copy->token = token;
            fixture_commit_start(&life->fixture, &copy->started, make(life, token), STORE_SYNCED);
            return;
        }
    }
}

static void check_answer(struct life *life, const struct copy *copy) {
    const struct store_outcome *outcome = &copy->started.outcome;
    struct asked *asked = &life->tokens[copy->token];

    if (outcome->status != STATUS_OK) {
        if (!life->faulty) {
            wrong(life, copy->token, status_name(outcome->status));
        }
        return;
    }
    ck_assert_uint_eq(outcome->result_count, 1);
    if (asked->answered &&
        (asked->sum != outcome->results[0] || asked->version != outcome->version)) {
        wrong(life, copy->token, "answered in two ways");
    }
    *asked = (struct asked){true, outcome->results[0], outcome->version};
}

static void collect(struct life *life, bool believe) {
    for (uint32_t i = 0; i < COPIES; i++) {
        struct copy *copy = &life->copies[i];
        if (copy->used && atomic_load(&copy->started.done)) {
            if (believe) {
                check_answer(life, copy);
            }
            fixture_commit_finish(&copy->started);
            copy->used = false;
        }
    }
}

static void run(struct life *life, uint64_t steps, bool may_wait) {
    while (steps-- > 0 && scheduler_sim_run_one(life->fixture.scheduler, may_wait)) {
    }
    collect(life, true);
}

/* ---- Acts -------------------------------------------------------------------------------------
 */

static void act(struct life *life) {
    uint64_t which = random_below(&life->random, 24);
    enum status status = STATUS_OK;

    if (which == 0) {
        status = store_flush(life->fixture.store, &life->fixture.error);
    } else if (which == 1 && random_below(&life->random, 3) == 0) {
        status = store_compact(life->fixture.store, &life->fixture.error);
    } else if (which == 2) { /* far from the end of the window */
        env_memory_advance_clock(life->fixture.memory,
                                 random_below(&life->random, 2000) * UINT64_C(1000000));
    } else if (which < 12 && life->sent < TOKENS) {
        send(life, life->sent++);
    } else if (life->sent > 0) {
        uint32_t back = (uint32_t)random_below(&life->random, 8); /* mostly of the last ones */
        send(life, back < 6 && back < life->sent
                       ? life->sent - 1 - back
                       : (uint32_t)random_below(&life->random, life->sent));
    }
    if (status != STATUS_OK && status != STATUS_BUSY && !life->faulty) {
        wrong(life, 0, status_name(status));
    }
    run(life, random_below(&life->random, 8), random_below(&life->random, 8) == 0);
}

/* The power goes, perhaps at one of the next calls; what is answered after that counts for nothing.
 */
static void crash(struct life *life) {
    struct power_cut cut = {.seed = random_next(&life->random),
                            .mode = (enum power_cut_mode)random_below(&life->random, 4),
                            .entries = (enum power_cut_entries)random_below(&life->random, 3),
                            .block_bytes = random_below(&life->random, 2) ? 512 : 4096,
                            .garbage = random_below(&life->random, 2)};

    if (random_below(&life->random, 2)) {
        env_memory_set_crash_point(life->fixture.memory, 1 + random_below(&life->random, 25));
        life->faulty = true;
        for (uint32_t i = 0; i < 20 && !env_memory_crashed(life->fixture.memory); i++) {
            act(life);
        }
    }
    fixture_power_cut(&life->fixture, &cut);
    collect(life, false);
    life->faulty = false;
    fixture_open(&life->fixture);
}

/* As clients do: each unanswered addition is sent until it is answered. */
static void answer_all(struct life *life) {
    uint32_t tries = 0;

    for (uint32_t token = 0; token < life->sent; token++) {
        while (!life->tokens[token].answered) {
            send(life, token);
            run(life, 1, true);
            if (++tries > TRIES_MAX) {
                wrong(life, token, "is never answered");
            }
        }
    }
}

static void check_all(struct life *life) {
    bool seen[TOKENS + 1] = {false};
    char sum[32];

    for (uint32_t i = 0; i < life->sent; i++) {
        int64_t number = life->tokens[i].sum;
        if (number < 1 || number > life->sent || seen[number]) {
            wrong(life, i, "has a sum that cannot be");
        }
        seen[number] = true;
    }
    if (life->sent > 0) {
        snprintf(sum, sizeof sum, "%u", life->sent);
        fixture_expect(&life->fixture, "n", sum);
    }
}

static void run_seed(uint64_t seed) {
    struct life *life = memory_alloc_zeroed(sizeof *life);

    ck_assert_ptr_nonnull(life);
    life->seed = seed;
    life->random = random_make(seed);
    fixture_init(&life->fixture, seed);
    life->fixture.options.memtable_bytes = 16 * 1024;
    fixture_open(&life->fixture);
    for (uint32_t i = 0; i < LIVES; i++) {
        uint64_t acts = random_below(&life->random, ACTS_PER_LIFE);
        for (uint64_t j = 0; j < acts; j++) {
            act(life);
        }
        crash(life);
        if (random_below(&life->random, 2)) {
            answer_all(life);
            check_all(life);
        }
    }
    answer_all(life);
    for (uint32_t i = 0; i < life->sent; i++) { /* and once more, all */
        send(life, i);
        run(life, 100, true);
    }
    check_all(life);
    fixture_settle(&life->fixture);
    collect(life, true);
    fixture_deinit(&life->fixture);
    memory_free(life);
}

/* Of its part of the seeds: _i. */
START_TEST(however_often_additions_are_sent_each_is_made_once) {
    uint64_t only = sim_number("SIM_SEED", 0);
    uint64_t end = 1 + sim_number("SIM_SEEDS", SEEDS);
    uint64_t seed = only > 0 ? only : 1 + (uint64_t)_i * SEEDS_PER_PART;
    uint64_t behind = only > 0 ? only + 1 : seed + SEEDS_PER_PART;

    for (; seed < behind && (only > 0 || seed < end); seed++) {
        run_seed(seed);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("retry simulation");
    TCase *tcase = tcase_create("retry simulation");
    uint64_t seeds = sim_number("SIM_SEED", 0) > 0 ? 1 : sim_number("SIM_SEEDS", SEEDS);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
    tcase_add_loop_test(tcase, however_often_additions_are_sent_each_is_made_once, 0,
                        (int)((seeds + SEEDS_PER_PART - 1) / SEEDS_PER_PART));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
