/* scheduler_threads_test.c: steps on threads: order within a lane, parallel lanes, delay, cancel,
 * drain, and posting from everywhere at once. */
#include "storage/scheduler.h"

#include "protocol/base/memory.h"
#include "storage/lock.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STEPS 200
#define POSTERS 4
#define POSTS_EACH 5000

/* ---- fixture ---- */

struct job {
    struct step step; /* first */
    struct scheduler *scheduler;
    int number;
    uint64_t ran_at_ns;
};

static struct scheduler *scheduler;
static struct job jobs[STEPS];
static int order[STEPS]; /* numbers in order of running; one lane at a time writes it */
static atomic_int ran;
static atomic_int inside;
static atomic_int inside_most;
static atomic_bool gate_open;

static void start(uint32_t io_threads, uint32_t background_threads) {
    struct scheduler_threads_options options = {
        .io_threads = io_threads, .walk_threads = 1, .background_threads = background_threads};
    ck_assert_int_eq(scheduler_threads_create(&options, &scheduler), STATUS_OK);
}

static void record_cb(struct step *step) {
    struct job *job = (struct job *)step;
    job->ran_at_ns = lock_clock_ns();
    order[atomic_load(&ran)] = job->number;
    atomic_fetch_add(&ran, 1);
}

static void count_cb(struct step *step) {
    (void)step;
    atomic_fetch_add(&ran, 1);
}

/* Stays in the lane until the gate opens. */
static void gate_cb(struct step *step) {
    int now = atomic_fetch_add(&inside, 1) + 1;
    int most = atomic_load(&inside_most);
    (void)step;
    while (most < now && !atomic_compare_exchange_weak(&inside_most, &most, now)) {
    }
    while (!atomic_load(&gate_open)) {
        usleep(200);
    }
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&ran, 1);
}

static struct job *job(int number, void (*run_cb)(struct step *)) {
    jobs[number].number = number;
    step_init(&jobs[number].step, run_cb);
    return &jobs[number];
}

static void post(enum lane lane, int number, void (*run_cb)(struct step *)) {
    scheduler_post(scheduler, lane, &job(number, run_cb)->step);
}

static void post_after(enum lane lane, int number, void (*run_cb)(struct step *), uint64_t ms) {
    scheduler_post_after(scheduler, lane, &job(number, run_cb)->step, ms);
}

static void wait_until_ran(int count) {
    for (int i = 0; i < 50000 && atomic_load(&ran) < count; i++) {
        usleep(200);
    }
    ck_assert_int_eq(atomic_load(&ran), count);
}

/* ---- tests ---- */

START_TEST(steps_of_the_commit_lane_run_in_order_of_posting) {
    start(1, 1);
    for (int i = 0; i < STEPS; i++) {
        post(LANE_COMMIT, i, record_cb);
    }
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), STEPS);
    for (int i = 0; i < STEPS; i++) {
        ck_assert_int_eq(order[i], i);
    }
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(a_lane_runs_as_many_at_once_as_it_has_threads) {
    start(3, 2);
    for (int i = 0; i < 6; i++) {
        post(LANE_IO, i, gate_cb);
    }
    while (atomic_load(&inside) < 3) {
        usleep(200);
    }
    usleep(20000);
    ck_assert_int_eq(atomic_load(&inside_most), 3);
    post(LANE_BACKGROUND, 6, gate_cb);
    post(LANE_BACKGROUND, 7, gate_cb);
    post(LANE_COMMIT, 8, gate_cb);
    post(LANE_SYNC, 9, gate_cb);
    post(LANE_WALK, 10, gate_cb);
    while (atomic_load(&inside) < 8) { /* each lane has threads of its own */
        usleep(200);
    }
    atomic_store(&gate_open, true);
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 11);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(a_sleeping_lane_wakes_for_each_post) {
    start(1, 1);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        post(LANE_SYNC, i, count_cb);
        wait_until_ran(i + 1); /* without drain, which could hide a lost wake-up */
    }
    scheduler_destroy(scheduler);
}
END_TEST

static void chain_cb(struct step *step) {
    struct job *job = (struct job *)step;
    if (++job->number < 100) {
        scheduler_post(job->scheduler, (enum lane)(job->number % LANE_COUNT), step);
    } else {
        atomic_fetch_add(&ran, 1);
    }
}

START_TEST(drain_waits_for_what_steps_post_to_other_lanes) {
    start(2, 1);
    for (int i = 0; i < 10; i++) {
        job(i, chain_cb)->scheduler = scheduler;
        jobs[i].number = 0;
        scheduler_post(scheduler, LANE_COMMIT, &jobs[i].step);
    }
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 10);
    scheduler_destroy(scheduler);
}
END_TEST

static void free_cb(struct step *step) {
    memory_free(step);
    atomic_fetch_add(&ran, 1);
}

START_TEST(a_step_may_free_itself) {
    start(1, 1);
    for (int i = 0; i < 50; i++) {
        struct step *step = memory_alloc(sizeof *step);
        step_init(step, free_cb);
        scheduler_post(scheduler, LANE_IO, step);
    }
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 50);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(delayed_steps_run_soonest_first_and_not_early) {
    uint64_t begin = lock_clock_ns();
    start(1, 1);
    post_after(LANE_SYNC, 0, record_cb, 60);
    post_after(LANE_SYNC, 1, record_cb, 20);
    post_after(LANE_SYNC, 2, record_cb, 40);
    post_after(LANE_SYNC, 3, record_cb, 0);
    wait_until_ran(4);
    ck_assert_int_eq(order[0], 3);
    ck_assert_int_eq(order[1], 1);
    ck_assert_int_eq(order[2], 2);
    ck_assert_int_eq(order[3], 0);
    ck_assert_uint_ge(jobs[1].ran_at_ns, begin + 20 * NS_PER_MS);
    ck_assert_uint_ge(jobs[0].ran_at_ns, begin + 60 * NS_PER_MS);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(a_delayed_step_runs_on_time_while_the_worker_that_watched_is_busy) {
    start(2, 1);
    usleep(20000); /* both asleep */
    post_after(LANE_IO, 0, record_cb, 50);
    usleep(5000);              /* one watches */
    post(LANE_IO, 1, gate_cb); /* one, perhaps the watch, is busy from here on */
    wait_until_ran(1);
    ck_assert_int_eq(order[0], 0);
    atomic_store(&gate_open, true);
    scheduler_drain(scheduler);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(drain_leaves_delayed_steps_and_cancel_takes_them_back) {
    start(1, 1);
    post_after(LANE_BACKGROUND, 0, count_cb, 3600 * 1000);
    post_after(LANE_BACKGROUND, 1, count_cb, SCHEDULER_DELAY_MS_MAX);
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 0);
    ck_assert(scheduler_cancel(scheduler, LANE_BACKGROUND, &jobs[0].step));
    ck_assert(scheduler_cancel(scheduler, LANE_BACKGROUND, &jobs[1].step));
    ck_assert(!scheduler_cancel(scheduler, LANE_BACKGROUND, &jobs[1].step));
    scheduler_destroy(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 0);
}
END_TEST

START_TEST(queued_steps_can_be_cancelled_first_middle_and_last) {
    start(1, 1);
    post(LANE_COMMIT, 100, gate_cb);
    while (atomic_load(&inside) < 1) {
        usleep(200);
    }
    for (int i = 0; i < 5; i++) {
        post(LANE_COMMIT, i, record_cb);
    }
    ck_assert(scheduler_cancel(scheduler, LANE_COMMIT, &jobs[0].step));
    ck_assert(scheduler_cancel(scheduler, LANE_COMMIT, &jobs[2].step));
    ck_assert(scheduler_cancel(scheduler, LANE_COMMIT, &jobs[4].step));
    ck_assert(!scheduler_cancel(scheduler, LANE_COMMIT, &jobs[100].step)); /* it runs */
    post(LANE_COMMIT, 5, record_cb); /* behind the new last one */
    atomic_store(&gate_open, true);
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 4);
    ck_assert_int_eq(order[1], 1);
    ck_assert_int_eq(order[2], 3);
    ck_assert_int_eq(order[3], 5);
    scheduler_destroy(scheduler);
}
END_TEST

static void *poster_main(void *arg) {
    struct step *steps = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        step_init(&steps[i], count_cb);
        scheduler_post(scheduler, (enum lane)(i % LANE_COUNT), &steps[i]);
        if (i % 500 == 0) {
            usleep(300); /* let the lanes fall asleep now and then */
        }
    }
    return NULL;
}

START_TEST(no_step_is_lost_when_many_threads_post) {
    static struct step steps[POSTERS][POSTS_EACH];
    pthread_t threads[POSTERS];
    start(4, 2);
    for (int i = 0; i < POSTERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, poster_main, steps[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_until_ran(POSTERS * POSTS_EACH);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(posting_allocates_nothing) {
    uint64_t before;
    start(1, 1);
    before = memory_allocation_count();
    for (int i = 0; i < STEPS; i++) {
        post(LANE_IO, i, count_cb);
    }
    scheduler_drain(scheduler);
    ck_assert_uint_eq(memory_allocation_count(), before);
    scheduler_destroy(scheduler);
}
END_TEST

static void mask_cb(struct step *step) {
    sigset_t mask;
    (void)step;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    atomic_store(&ran, sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP));
}

START_TEST(signals_are_blocked_in_its_threads_and_stay_open_in_the_caller) {
    sigset_t mask;
    start(1, 1);
    post(LANE_IO, 0, mask_cb);
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 1);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGTERM));
    scheduler_destroy(scheduler);
}
END_TEST

static void name_cb(struct step *step) {
    char name[16] = "";
    (void)step;
    for (int i = 0; i < 1000 && strcmp(name, "kvd-sync") != 0; i++) { /* the creator names it */
        pthread_getname_np(pthread_self(), name, sizeof name);
        usleep(100);
    }
    atomic_store(&ran, strcmp(name, "kvd-sync") == 0);
}

START_TEST(threads_have_names) {
    start(1, 1);
    post(LANE_SYNC, 0, name_cb);
    scheduler_drain(scheduler);
    ck_assert_int_eq(atomic_load(&ran), 1);
    scheduler_destroy(scheduler);
}
END_TEST

START_TEST(failed_creation_is_reported) {
    struct scheduler_threads_options options = {
        .io_threads = 64, .walk_threads = 16, .background_threads = 16};
    memory_fail_after(0, false);
    ck_assert_int_eq(scheduler_threads_create(&options, &scheduler), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_int_eq(scheduler_threads_create(&options, &scheduler), STATUS_OK); /* the maximum */
    scheduler_destroy(scheduler);
}
END_TEST

UNIT_MAIN("scheduler_threads", steps_of_the_commit_lane_run_in_order_of_posting,
          a_lane_runs_as_many_at_once_as_it_has_threads, a_sleeping_lane_wakes_for_each_post,
          drain_waits_for_what_steps_post_to_other_lanes, a_step_may_free_itself,
          delayed_steps_run_soonest_first_and_not_early,
          a_delayed_step_runs_on_time_while_the_worker_that_watched_is_busy,
          drain_leaves_delayed_steps_and_cancel_takes_them_back,
          queued_steps_can_be_cancelled_first_middle_and_last,
          no_step_is_lost_when_many_threads_post, posting_allocates_nothing,
          signals_are_blocked_in_its_threads_and_stay_open_in_the_caller, threads_have_names,
          failed_creation_is_reported)
