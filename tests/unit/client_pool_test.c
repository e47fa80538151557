/* client_pool_test.c: connections shared by threads, and what becomes of broken and idle ones. */
#include "tests/unit/client_farm.h"

#include <sys/wait.h>

#define THREADS 8

static struct farm farm;
static struct kvd_pool *pool;

static enum kvd_status make(uint32_t min, uint32_t max, uint32_t idle_ms, uint32_t check_ms) {
    const struct kvd_pool_options options = {.connect = {.timeout_ms = 5000},
                                             .connections_min = min,
                                             .connections_max = max,
                                             .idle_ms = idle_ms,
                                             .check_ms = check_ms};

    return kvd_pool_create(farm.address, &options, &pool);
}

static void begin(uint32_t min, uint32_t max) {
    farm_start(&farm);
    ck_assert_int_eq(make(min, max, 0, 0), KVD_OK);
}

static void end(void) {
    kvd_pool_destroy(pool);
    farm_stop(&farm);
}

static struct kvd *borrow(void) {
    struct kvd *db = NULL;

    ck_assert_int_eq(kvd_pool_borrow(pool, 0, &db), KVD_OK);
    return db;
}

static struct kvd_pool_stats stats(void) {
    struct kvd_pool_stats now;

    kvd_pool_stats(pool, &now);
    return now;
}

START_TEST(a_returned_connection_is_lent_again) {
    struct kvd *db;

    begin(0, 2);
    db = borrow();
    ck_assert_int_eq(kvd_ping(db), KVD_OK);
    kvd_pool_return(pool, db);
    ck_assert_ptr_eq(borrow(), db);
    kvd_pool_return(pool, db);
    ck_assert_uint_eq(stats().opened, 1);
    ck_assert_uint_eq(stats().lent, 2);
    kvd_pool_return(pool, NULL);
    end();
}
END_TEST

START_TEST(the_minimum_is_open_from_the_start) {
    begin(3, 5);
    ck_assert_uint_eq(stats().connections, 3);
    ck_assert_uint_eq(stats().idle, 3);
    ck_assert_uint_eq(stats().opened, 3);
    end();
}
END_TEST

START_TEST(above_the_maximum_a_borrower_waits_and_gives_up_in_time) {
    struct kvd *db;
    struct kvd *other = NULL;
    char text[128];

    begin(0, 1);
    db = borrow();
    ck_assert_int_eq(kvd_pool_borrow(pool, 50, &other), KVD_TIMEOUT);
    ck_assert_ptr_null(other);
    kvd_pool_error(pool, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "lent"));
    ck_assert_uint_eq(stats().waiting, 0);
    kvd_pool_return(pool, db);
    ck_assert_ptr_eq(borrow(), db);
    kvd_pool_return(pool, db);
    end();
}
END_TEST

static void *return_later(void *db) {
    while (stats().waiting == 0) {
        usleep(1000);
    }
    kvd_pool_return(pool, db);
    return NULL;
}

START_TEST(a_waiting_borrower_gets_what_another_thread_returns) {
    pthread_t thread;
    struct kvd *db;

    begin(0, 1);
    db = borrow();
    ck_assert_int_eq(pthread_create(&thread, NULL, return_later, db), 0);
    ck_assert_ptr_eq(borrow(), db);
    pthread_join(thread, NULL);
    kvd_pool_return(pool, db);
    end();
}
END_TEST

struct turn {
    pthread_t thread;
    int order; /* written by its thread */
};

static atomic_int served;

static void *take_turn(void *arg) {
    struct turn *turn = arg;
    struct kvd *db = borrow();

    turn->order = served++;
    kvd_pool_return(pool, db);
    return NULL;
}

START_TEST(who_waits_longest_is_served_first) {
    struct turn turns[4];
    struct kvd *db;

    begin(0, 1);
    served = 0;
    db = borrow();
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&turns[i].thread, NULL, take_turn, &turns[i]), 0);
        while (stats().waiting != i + 1) {
            usleep(1000);
        }
    }
    kvd_pool_return(pool, db);
    for (int i = 0; i < 4; i++) {
        pthread_join(turns[i].thread, NULL);
        ck_assert_int_eq(turns[i].order, i);
    }
    end();
}
END_TEST

static void *work(void *arg) {
    int *done = arg;
    char room[16];

    for (int i = 0; i < 200; i++) {
        struct kvd *db = NULL;
        ck_assert_int_eq(kvd_pool_borrow(pool, 5000, &db), KVD_OK);
        ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("v"), NULL, NULL), KVD_OK);
        ck_assert_int_eq(kvd_get_into(db, kvd_text("k"), NULL, room, sizeof room, NULL), KVD_OK);
        kvd_pool_return(pool, db);
        (*done)++;
    }
    return NULL;
}

START_TEST(many_threads_share_few_connections) {
    pthread_t threads[THREADS];
    int done[THREADS] = {0};

    begin(1, 3);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &done[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(done[i], 200);
    }
    ck_assert_uint_le(stats().connections, 3);
    ck_assert_uint_le(stats().opened, 3);
    ck_assert_uint_eq(stats().idle, stats().connections);
    ck_assert_uint_eq(stats().lent, THREADS * 200);
    end();
}
END_TEST

START_TEST(broken_connections_are_replaced_before_they_are_lent) {
    struct kvd *dbs[2];

    begin(2, 2);
    farm_cut(&farm);
    for (int i = 0; i < 2; i++) {
        dbs[i] = borrow();
        ck_assert_int_eq(kvd_put(dbs[i], kvd_text("k"), kvd_text("v"), NULL, NULL), KVD_OK);
    }
    kvd_pool_return(pool, dbs[0]);
    kvd_pool_return(pool, dbs[1]);
    ck_assert_uint_eq(stats().opened, 4);
    ck_assert_uint_eq(stats().connections, 2);
    end();
}
END_TEST

START_TEST(a_connection_that_does_not_answer_any_more_is_replaced_too) {
    struct kvd *db;

    farm_start(&farm);
    ck_assert_int_eq(make(0, 1, 0, 10), KVD_OK);
    farm.silent = true; /* answers HELLO alone */
    kvd_pool_return(pool, borrow());
    farm.silent = false;
    usleep(20000); /* until it is due to be tried */
    ck_assert_int_eq(kvd_pool_borrow(pool, 400, &db), KVD_OK);
    ck_assert_int_eq(kvd_ping(db), KVD_OK);
    kvd_pool_return(pool, db);
    ck_assert_uint_eq(stats().opened, 2);
    end();
}
END_TEST

START_TEST(idle_connections_above_the_minimum_are_closed) {
    struct kvd *dbs[4];

    farm_start(&farm);
    ck_assert_int_eq(make(1, 4, 30, 0), KVD_OK);
    for (int i = 0; i < 4; i++) {
        dbs[i] = borrow();
    }
    for (int i = 0; i < 4; i++) {
        kvd_pool_return(pool, dbs[i]);
    }
    ck_assert_uint_eq(stats().idle, 4);
    usleep(50000);
    ck_assert_int_eq(kvd_pool_tend(pool, 0), KVD_OK);
    ck_assert_uint_eq(stats().connections, 1);
    end();
}
END_TEST

START_TEST(tending_does_not_keep_a_connection_from_growing_old) {
    struct kvd *dbs[2];

    farm_start(&farm);
    ck_assert_int_eq(make(0, 2, 200, 1), KVD_OK);
    dbs[0] = borrow();
    dbs[1] = borrow();
    kvd_pool_return(pool, dbs[0]);
    kvd_pool_return(pool, dbs[1]);
    for (int i = 0; i < 60; i++) {
        usleep(5000);
        ck_assert_int_eq(kvd_pool_tend(pool, 0), KVD_OK);
    }
    ck_assert_uint_eq(stats().connections, 0);
    end();
}
END_TEST

START_TEST(tending_brings_back_the_minimum) {
    farm_start(&farm);
    ck_assert_int_eq(make(2, 4, 0, 1), KVD_OK);
    farm_cut(&farm);
    usleep(5000);
    ck_assert_int_eq(kvd_pool_tend(pool, 0), KVD_OK);
    ck_assert_int_eq(farm_alive(&farm), 2);
    ck_assert_uint_eq(stats().idle, 2);
    end();
}
END_TEST

START_TEST(answers_of_a_pipeline_do_not_reach_the_next_borrower) {
    struct kvd *db;

    begin(0, 1);
    db = borrow();
    ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_text("v"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_flush(db), KVD_OK);
    kvd_set_timeout(db, 1);
    kvd_pool_return(pool, db);
    db = borrow();
    ck_assert_uint_eq(kvd_pipeline_pending(db), 0);
    ck_assert_int_eq(kvd_ping(db), KVD_OK);
    kvd_pool_return(pool, db);
    ck_assert_uint_eq(stats().opened, 2);
    end();
}
END_TEST

START_TEST(nobody_listening_is_told_and_leaves_the_pool_usable) {
    char text[256];
    struct kvd *db = NULL;

    farm_start(&farm);
    farm_stop(&farm);
    ck_assert_int_eq(make(1, 1, 0, 0), KVD_CONNECT);
    kvd_pool_error(pool, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, farm.address));
    ck_assert_int_eq(kvd_pool_borrow(pool, 0, &db), KVD_CONNECT);
    ck_assert_uint_eq(stats().connections, 0);
    farm_start(&farm);
    kvd_pool_return(pool, borrow());
    end();
}
END_TEST

START_TEST(a_child_of_fork_cannot_borrow_and_leaves_the_parent_alone) {
    struct kvd *db = NULL;
    pid_t child;
    int result = 0;

    begin(1, 2);
    child = fork();
    if (child == 0) {
        enum kvd_status status = kvd_pool_borrow(pool, 100, &db);
        kvd_pool_destroy(pool);
        _exit(status == KVD_INVALID ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
    db = borrow();
    ck_assert_int_eq(kvd_ping(db), KVD_OK);
    kvd_pool_return(pool, db);
    ck_assert_uint_eq(stats().opened, 1);
    end();
}
END_TEST

START_TEST(options_that_are_no_good_are_invalid) {
    struct kvd *db = NULL;

    farm_start(&farm);
    ck_assert_int_eq(make(3, 2, 0, 0), KVD_INVALID);
    ck_assert_int_eq(kvd_pool_borrow(pool, 0, &db), KVD_INVALID);
    ck_assert_int_eq(kvd_pool_tend(pool, 0), KVD_INVALID);
    kvd_pool_destroy(pool);
    ck_assert_int_eq(make(0, KVD_POOL_CONNECTIONS_MAX + 1, 0, 0), KVD_INVALID);
    kvd_pool_destroy(pool);
    kvd_pool_destroy(NULL);
    farm_stop(&farm);
}
END_TEST

START_TEST(without_memory_nothing_is_lent_and_nothing_lost) {
    struct kvd *db = NULL;

    farm_start(&farm);
    farm_stop(&farm); /* no server: its memory would fail too */
    for (uint64_t n = 0; n < 12; n++) {
        enum kvd_status status;
        memory_fail_after(n, true);
        status = make(0, 2, 0, 0);
        if (status == KVD_OK) {
            status = kvd_pool_borrow(pool, 0, &db);
            ck_assert_uint_eq(stats().connections, 0);
        }
        memory_fail_never();
        ck_assert(status == KVD_NO_MEMORY || status == KVD_CONNECT);
        kvd_pool_destroy(pool);
    }
}
END_TEST

UNIT_MAIN("client_pool", a_returned_connection_is_lent_again, the_minimum_is_open_from_the_start,
          above_the_maximum_a_borrower_waits_and_gives_up_in_time,
          a_waiting_borrower_gets_what_another_thread_returns, who_waits_longest_is_served_first,
          many_threads_share_few_connections, broken_connections_are_replaced_before_they_are_lent,
          a_connection_that_does_not_answer_any_more_is_replaced_too,
          idle_connections_above_the_minimum_are_closed,
          tending_does_not_keep_a_connection_from_growing_old, tending_brings_back_the_minimum,
          answers_of_a_pipeline_do_not_reach_the_next_borrower,
          nobody_listening_is_told_and_leaves_the_pool_usable,
          a_child_of_fork_cannot_borrow_and_leaves_the_parent_alone,
          options_that_are_no_good_are_invalid, without_memory_nothing_is_lent_and_nothing_lost)
