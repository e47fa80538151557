/* store_reclaim_test.c: what has been set free comes back before other work on the tree, and other
 * work has its turns too. */
#include "tests/unit/past_fixture.h"

#define KEYS 200u
#define VALUE_BYTES 900u /* stands in the tables */
#define SEEDS 12u
#define PIECES 6u     /* of the tree job, watched one by one */
#define DUE_TABLES 4u /* of level 0: a merge is due */

static struct fixture fixture;

static void put_all(uint64_t seed) {
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%03u", i);
        fixture_put_bytes(&fixture, key, VALUE_BYTES, seed + i);
    }
}

/* Half of all tables is held by a snapshot, and level 0 is due: both kinds of work are there the
 * moment that the snapshot is closed. Fills level 0 faster than it can be merged. */
static void begin(uint64_t seed, uint64_t rate) {
    struct store_snapshot_info snapshot;

    fixture_init(&fixture, seed);
    fixture.options.memtable_bytes = 16 * 1024;
    fixture.options.reclaim_bytes_per_s = rate;
    fixture_open(&fixture);
    put_all(1);
    snapshot = open_snapshot(&fixture);
    put_all(1000);
    compact(&fixture);
    for (uint64_t i = 0; fixture_stat(&fixture, "level_0_tables") < DUE_TABLES; i++) {
        char key[16];
        ck_assert_uint_lt(i, 100000);
        snprintf(key, sizeof key, "other%04u", (unsigned)(i % 10000));
        fixture_put_bytes(&fixture, key, VALUE_BYTES, i);
    }
    ck_assert_int_eq(store_snapshot_close(fixture.store, snapshot.id), STATUS_OK);
}

struct turns {
    uint32_t tidied_first; /* while level 0 was due */
    uint32_t merged_first;
    uint32_t in_a_row_max; /* pieces for what may go, one after the other, while level 0 was due */
};

/* Watches the next pieces of the tree job. */
static void watch(struct turns *turns) {
    uint32_t in_a_row = 0;

    for (uint32_t piece = 0; piece < PIECES; piece++) {
        uint64_t compactions = fixture_stat(&fixture, "compactions");
        uint64_t tidied = fixture_stat(&fixture, "tidied_tables");
        bool due = fixture_stat(&fixture, "level_0_tables") >= DUE_TABLES;
        bool is_tidy;
        while (fixture_stat(&fixture, "compactions") == compactions) {
            if (!scheduler_sim_run_one(fixture.scheduler, true)) {
                return;
            }
        }
        is_tidy = fixture_stat(&fixture, "tidied_tables") > tidied;
        in_a_row = due && is_tidy ? in_a_row + 1 : 0;
        turns->in_a_row_max = in_a_row > turns->in_a_row_max ? in_a_row : turns->in_a_row_max;
        turns->tidied_first += piece == 0 && due && is_tidy;
        turns->merged_first += piece == 0 && due && !is_tidy;
        if (!due) {
            return;
        }
    }
}

static struct turns watch_seeds(uint64_t rate) {
    struct turns turns = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed, rate);
        watch(&turns);
        fixture_settle(&fixture);
        ck_assert_uint_gt(fixture_stat(&fixture, "reclaimed_weight"), KEYS * VALUE_BYTES / 4);
        fixture_deinit(&fixture);
    }
    return turns;
}

START_TEST(what_may_go_and_a_level_that_is_due_have_turns) {
    struct turns turns = watch_seeds(0);

    ck_assert_uint_gt(turns.tidied_first + turns.merged_first, SEEDS / 2);
    ck_assert_uint_gt(turns.tidied_first, 0);
    ck_assert_uint_eq(turns.in_a_row_max, 1);
}
END_TEST

UNIT_MAIN("store reclaim", what_may_go_and_a_level_that_is_due_have_turns)
