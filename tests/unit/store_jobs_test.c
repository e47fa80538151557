/* store_jobs_test.c: flush, compaction and GC asked for by hand while others write without a pause:
 * each call returns, with its work done. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 5u
#define WRITERS 8u /* so many that the scheduler is never idle */
#define KEYS 500u

struct writer {
    struct fixture *fixture;
    _Atomic bool stop;
    pthread_t threads[WRITERS];
};

static void *write_until_stopped(void *arg) {
    struct writer *writer = arg;

    for (uint64_t i = 0; !atomic_load_explicit(&writer->stop, memory_order_relaxed); i++) {
        char key[16];
        snprintf(key, sizeof key, "key%03u", (unsigned int)(i * 7 % KEYS));
        fixture_put_bytes(writer->fixture, key, 200 + i % 3000, i);
    }
    return NULL;
}

/* Until the writer has filled so many memtables more. */
static void wait_for_flushes(struct fixture *fixture, uint64_t more) {
    uint64_t until = fixture_stat(fixture, "flushes") + more;

    while (fixture_stat(fixture, "flushes") < until) {
        usleep(1000);
    }
}

static void start(struct fixture *fixture, struct writer *writer) {
    fixture_init_on_disk(fixture);
    fixture->options.memtable_bytes = 64 * 1024;
    fixture->options.segment_bytes = 256 * 1024;
    fixture_open(fixture);
    *writer = (struct writer){.fixture = fixture};
    for (uint32_t i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_create(&writer->threads[i], NULL, write_until_stopped, writer), 0);
    }
    wait_for_flushes(fixture, 10);
}

static void end(struct fixture *fixture, struct writer *writer) {
    atomic_store_explicit(&writer->stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(writer->threads[i], NULL), 0);
    }
    fixture_deinit(fixture);
}

START_TEST(a_flush_returns_under_steady_writes) {
    struct fixture fixture;
    struct writer writer;

    start(&fixture, &writer);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct error error = {0};
        uint64_t flushes = fixture_stat(&fixture, "flushes");
        ck_assert_int_eq(store_flush(fixture.store, &error), STATUS_OK);
        ck_assert_uint_gt(fixture_stat(&fixture, "flushes"), flushes);
        wait_for_flushes(&fixture, 2);
    }
    end(&fixture, &writer);
}
END_TEST

START_TEST(a_compaction_returns_under_steady_writes) {
    struct fixture fixture;
    struct writer writer;

    start(&fixture, &writer);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct error error = {0};
        ck_assert_int_eq(store_compact(fixture.store, &error), STATUS_OK);
        wait_for_flushes(&fixture, 2);
    }
    ck_assert_uint_gt(fixture_stat(&fixture, "compactions"), 0);
    end(&fixture, &writer);
}
END_TEST

START_TEST(a_collection_returns_under_steady_writes) {
    struct fixture fixture;
    struct writer writer;

    start(&fixture, &writer);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct error error = {0};
        ck_assert_int_eq(store_collect(fixture.store, &error), STATUS_OK);
        wait_for_flushes(&fixture, 2);
    }
    end(&fixture, &writer);
}
END_TEST

struct caller {
    struct fixture *fixture;
    pthread_t thread;
    enum status status;
};

static void *compact_once(void *arg) {
    struct caller *caller = arg;
    struct error error = {0};

    caller->status = store_compact(caller->fixture->store, &error);
    return NULL;
}

START_TEST(several_callers_are_all_served) {
    struct fixture fixture;
    struct writer writer;
    struct caller callers[4];

    start(&fixture, &writer);
    for (uint32_t i = 0; i < 4; i++) {
        callers[i] = (struct caller){.fixture = &fixture, .status = STATUS_INTERNAL};
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, compact_once, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        ck_assert_int_eq(callers[i].status, STATUS_OK);
    }
    end(&fixture, &writer);
}
END_TEST

struct canceller {
    struct fixture *fixture;
    _Atomic enum status status;
    pthread_t thread;
};

static void *compact_without_end(void *arg) {
    struct canceller *canceller = arg;
    struct error error;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        status = store_compact(canceller->fixture->store, &error);
    }
    atomic_store(&canceller->status, status);
    return NULL;
}

START_TEST(what_was_asked_for_by_hand_can_be_cancelled_and_the_rest_goes_on) {
    struct fixture fixture;
    struct writer writer;
    struct canceller canceller = {.fixture = &fixture};
    struct store_verify_result result;
    struct store *store;

    start(&fixture, &writer);
    store = fixture.store;
    ck_assert_int_eq(pthread_create(&canceller.thread, NULL, compact_without_end, &canceller), 0);
    wait_for_flushes(&fixture, 2);
    store_cancel_jobs(store);
    ck_assert_int_eq(pthread_join(canceller.thread, NULL), 0);
    ck_assert_int_eq(atomic_load(&canceller.status), STATUS_CANCELLED);
    ck_assert_int_eq(store_compact(store, &fixture.error), STATUS_CANCELLED);
    ck_assert_int_eq(store_collect(store, &fixture.error), STATUS_CANCELLED);
    ck_assert_int_eq(store_verify(store, NULL, NULL, NULL, &result, &fixture.error),
                     STATUS_CANCELLED);
    wait_for_flushes(&fixture, 20); /* writers wait for compactions and GC: these go on */
    ck_assert_int_eq(store_health(store, &fixture.error), STATUS_OK);
    end(&fixture, &writer);
}
END_TEST

static void ignore_cb(void *arg, const char *name, const char *text) {
    (void)arg;
    (void)name;
    (void)text;
}

START_TEST(a_store_is_closed_in_the_middle_of_its_jobs_and_is_sound) {
    struct store_verify_result result;
    struct fixture fixture;
    struct writer writer;

    start(&fixture, &writer);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        atomic_store_explicit(&writer.stop, true, memory_order_relaxed);
        for (uint32_t j = 0; j < WRITERS; j++) {
            ck_assert_int_eq(pthread_join(writer.threads[j], NULL), 0);
        }
        fixture_reopen(&fixture); /* with compactions under way */
        ck_assert_int_eq(
            store_verify(fixture.store, NULL, ignore_cb, NULL, &result, &fixture.error), STATUS_OK);
        ck_assert_uint_eq(result.faults, 0);
        writer.stop = false;
        for (uint32_t j = 0; j < WRITERS; j++) {
            ck_assert_int_eq(pthread_create(&writer.threads[j], NULL, write_until_stopped, &writer),
                             0);
        }
        wait_for_flushes(&fixture, 5);
    }
    end(&fixture, &writer);
}
END_TEST

UNIT_MAIN("store jobs", a_flush_returns_under_steady_writes,
          a_compaction_returns_under_steady_writes, a_collection_returns_under_steady_writes,
          several_callers_are_all_served,
          what_was_asked_for_by_hand_can_be_cancelled_and_the_rest_goes_on,
          a_store_is_closed_in_the_middle_of_its_jobs_and_is_sound)
