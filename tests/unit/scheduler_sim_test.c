/* scheduler_sim_test.c: the deterministic scheduler: a seed replays, lanes keep their promises. */
#include "storage/scheduler.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <string.h>

#define JOBS 50
#define NS_PER_MS UINT64_C(1000000)

struct job {
    struct step step; /* first */
    int number;
};

static struct scheduler *scheduler;
static struct job jobs[JOBS];
static int order[4 * JOBS];
static int ran;

static void start(uint64_t seed) {
    ck_assert_int_eq(scheduler_sim_create(seed, &scheduler), STATUS_OK);
    ran = 0;
}

static void record_cb(struct step *step) {
    order[ran++] = ((struct job *)step)->number;
}

static struct step *job(int number, void (*run_cb)(struct step *)) {
    jobs[number].number = number;
    step_init(&jobs[number].step, run_cb);
    return &jobs[number].step;
}

static void post(enum lane lane, int number) {
    scheduler_post(scheduler, lane, job(number, record_cb));
}

static void post_after(enum lane lane, int number, uint64_t delay_ms) {
    scheduler_post_after(scheduler, lane, job(number, record_cb), delay_ms);
}

/* Ten jobs in each lane, number / 10 being the lane; runs all. */
static void run_ten_in_each_lane(uint64_t seed) {
    start(seed);
    for (int i = 0; i < JOBS; i++) {
        post((enum lane)(i / 10), i);
    }
    scheduler_drain(scheduler);
    ck_assert_int_eq(ran, JOBS);
    scheduler_destroy(scheduler);
}

static bool lane_in_order(int lane) {
    int last = -1;
    for (int i = 0; i < JOBS; i++) {
        if (order[i] / 10 == lane) {
            if (order[i] < last) {
                return false;
            }
            last = order[i];
        }
    }
    return true;
}

START_TEST(a_seed_replays_and_another_seed_differs) {
    int first[JOBS];
    run_ten_in_each_lane(7);
    memcpy(first, order, sizeof first);
    run_ten_in_each_lane(7);
    ck_assert_mem_eq(first, order, sizeof first);
    run_ten_in_each_lane(8);
    ck_assert_mem_ne(first, order, sizeof first);
}
END_TEST

START_TEST(commit_and_sync_keep_order_and_the_others_do_not_always) {
    bool io_shuffled = false;
    bool walk_shuffled = false;
    bool background_shuffled = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        run_ten_in_each_lane(seed);
        ck_assert(lane_in_order(LANE_COMMIT));
        ck_assert(lane_in_order(LANE_SYNC));
        io_shuffled |= !lane_in_order(LANE_IO);
        walk_shuffled |= !lane_in_order(LANE_WALK);
        background_shuffled |= !lane_in_order(LANE_BACKGROUND);
    }
    ck_assert(io_shuffled);
    ck_assert(walk_shuffled);
    ck_assert(background_shuffled);
}
END_TEST

START_TEST(lanes_overtake_each_other_in_every_way) {
    bool first_seen[LANE_COUNT] = {false};
    for (uint64_t seed = 0; seed < 50; seed++) {
        run_ten_in_each_lane(seed);
        first_seen[order[0] / 10] = true;
    }
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        ck_assert(first_seen[lane]);
    }
}
END_TEST

START_TEST(delayed_steps_wait_for_made_up_time) {
    uint64_t before;
    start(1);
    post_after(LANE_COMMIT, 0, 3600 * 1000);
    post_after(LANE_SYNC, 1, 1000);
    post(LANE_IO, 2);
    ck_assert(scheduler_sim_run_one(scheduler, false));
    ck_assert_int_eq(order[0], 2);
    before = scheduler_sim_now_ns(scheduler);
    ck_assert(!scheduler_sim_run_one(scheduler, false));
    ck_assert_uint_eq(scheduler_sim_now_ns(scheduler), before);
    ck_assert(scheduler_sim_run_one(scheduler, true));
    ck_assert_int_eq(order[1], 1);
    ck_assert_uint_ge(scheduler_sim_now_ns(scheduler), 1000 * NS_PER_MS);
    ck_assert_uint_lt(scheduler_sim_now_ns(scheduler), 1001 * NS_PER_MS);
    ck_assert(scheduler_sim_run_one(scheduler, true));
    ck_assert_int_eq(order[2], 0);
    ck_assert(!scheduler_sim_run_one(scheduler, true));
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(steps_due_at_the_same_time_run_in_order_of_posting) {
    start(3);
    for (int i = 0; i < 5; i++) {
        post_after(LANE_COMMIT, i, 10);
    }
    while (scheduler_sim_run_one(scheduler, true)) {
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(order[i], i);
    }
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(cancel_takes_due_and_delayed_steps_back) {
    start(1);
    post(LANE_COMMIT, 0);
    post(LANE_COMMIT, 1);
    post_after(LANE_COMMIT, 2, 5);
    ck_assert(scheduler_cancel(scheduler, LANE_COMMIT, &jobs[0].step));
    ck_assert(scheduler_cancel(scheduler, LANE_COMMIT, &jobs[2].step));
    ck_assert(!scheduler_cancel(scheduler, LANE_COMMIT, &jobs[2].step));
    scheduler_drain(scheduler);
    ck_assert_int_eq(ran, 1);
    ck_assert_int_eq(order[0], 1);
    ck_assert(!scheduler_cancel(scheduler, LANE_COMMIT, &jobs[1].step));
    scheduler_destroy(scheduler);
}
END_TEST

static void again_cb(struct step *step) {
    record_cb(step);
    if (ran < 5) {
        scheduler_post(scheduler, LANE_IO, step);
    }
}

static void free_cb(struct step *step) {
    memory_free(step);
    ran++;
}

START_TEST(a_step_may_post_itself_again_or_free_itself) {
    struct step *step = memory_alloc(sizeof *step);
    start(1);
    scheduler_post(scheduler, LANE_IO, job(0, again_cb));
    scheduler_drain(scheduler);
    ck_assert_int_eq(ran, 5);
    step_init(step, free_cb);
    scheduler_post(scheduler, LANE_BACKGROUND, step);
    scheduler_destroy(scheduler);
    ck_assert_int_eq(ran, 6);
}
END_TEST

START_TEST(failed_creation_is_reported) {
    memory_fail_after(0, false);
    ck_assert_int_eq(scheduler_sim_create(1, &scheduler), STATUS_NO_MEMORY);
    memory_fail_never();
}
END_TEST

UNIT_MAIN("scheduler_sim", a_seed_replays_and_another_seed_differs,
          commit_and_sync_keep_order_and_the_others_do_not_always,
          lanes_overtake_each_other_in_every_way, delayed_steps_wait_for_made_up_time,
          steps_due_at_the_same_time_run_in_order_of_posting,
          cancel_takes_due_and_delayed_steps_back, a_step_may_post_itself_again_or_free_itself,
          failed_creation_is_reported)
