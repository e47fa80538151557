/* store_threads_test.c: a store on the disk with threads: writers, readers and scanners beside each
 * other, with memtables so small that flush and compaction never rest. Meant for ThreadSanitizer.
 *
 * THREADS_MS: for how long (4000). */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITERS 4u
#define READERS 4u
#define KEYS 32u /* of each writer */
#define VALUE_BYTES_MAX_TEST 3000u

struct crowd {
    struct fixture fixture;
    _Atomic bool stop;
    /* what a writer has been told: key k of writer w has at least this count */
    _Atomic uint64_t acknowledged[WRITERS][KEYS];
};

struct worker {
    struct crowd *crowd;
    pthread_t thread;
    uint32_t number;
    uint64_t done;
};

/* A value says which key it is of, and its count, over and over. */
static size_t make_value(uint8_t *room, uint32_t writer, uint32_t key, uint64_t count) {
    size_t len = 24 + (size_t)(count * 37 + key) % (VALUE_BYTES_MAX_TEST - 24);

    memset(room, 'v', 24);
    snprintf((char *)room, 24, "%02u/%02u/%014llu", writer, key, (unsigned long long)count);
    for (size_t i = 24; i < len; i++) {
        room[i] = room[i - 24];
    }
    return len;
}

static void name_key(char name[16], uint32_t writer, uint32_t key) {
    snprintf(name, 16, "w%02u-%02u", writer, key);
}

/* The count in a value; aborts if it is not whole. */
static uint64_t count_of(struct slice value, uint32_t writer, uint32_t key) {
    uint8_t expected[VALUE_BYTES_MAX_TEST];
    unsigned int in_writer;
    unsigned int in_key;
    unsigned long long count;
    char head[25] = {0};

    ck_assert_uint_ge(value.len, 24);
    memcpy(head, value.ptr, 24);
    ck_assert_int_eq(sscanf(head, "%u/%u/%llu", &in_writer, &in_key, &count), 3);
    ck_assert_uint_eq(in_writer, writer);
    ck_assert_uint_eq(in_key, key);
    ck_assert(slice_equal(value, slice_make(expected, make_value(expected, writer, key, count))));
    return count;
}

static void *write_much(void *arg) {
    struct worker *worker = arg;
    struct crowd *crowd = worker->crowd;
    struct fixture *fixture = &crowd->fixture;
    uint8_t room[VALUE_BYTES_MAX_TEST];

    for (uint64_t count = 1; !atomic_load(&crowd->stop); count++) {
        uint32_t key = (uint32_t)(count % KEYS);
        struct store_commit *commit = fixture_commit_begin(fixture);
        struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT};
        struct store_outcome outcome;
        char name[16];
        enum status status;

        name_key(name, worker->number, key);
        put.key = slice_from_text(name);
        put.value = slice_make(room, make_value(room, worker->number, key, count));
        status = store_commit_put(commit, &put);
        ck_assert_int_eq(status, STATUS_OK);
        outcome = fixture_commit_end(fixture, commit, (enum store_durability)(count % 3));
        ck_assert_int_eq(outcome.status, STATUS_OK);
        atomic_store(&crowd->acknowledged[worker->number][key], count);
        worker->done++;
    }
    return NULL;
}

static void expect_ok(enum status status, const struct error *error) {
    char line[640];

    error_format(error, line, sizeof line);
    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), line);
}

static void read_one(struct crowd *crowd, struct buffer *value, uint32_t writer, uint32_t key) {
    uint64_t least = atomic_load(&crowd->acknowledged[writer][key]);
    struct store_read read;
    struct error error = {0};
    enum status status;
    char name[16];

    name_key(name, writer, key);
    buffer_clear(value);
    store_read_begin(crowd->fixture.store, &read);
    status = store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(name), STORE_WAIT_ALLOWED,
                       value, NULL, &error);
    store_read_end(&read);
    if (least > 0 || status != STATUS_NOT_FOUND) {
        expect_ok(status, &error);
        ck_assert_uint_ge(count_of(buffer_slice(value), writer, key), least);
    }
}

static void scan_all(struct crowd *crowd, struct buffer *value, bool reverse) {
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT, .reverse = reverse};
    struct buffer name = {.cap = 64};
    struct store_cursor *cursor;
    struct store_read read;
    struct error error = {0};
    enum status status;
    unsigned int writer;
    unsigned int key;

    store_read_begin(crowd->fixture.store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    while (status == STATUS_OK) {
        buffer_clear(&name);
        buffer_clear(value);
        status = store_cursor_next(cursor, &name, NULL, &error);
        if (status == STATUS_OK) {
            status = store_cursor_value(cursor, value, &error);
            expect_ok(status, &error);
            ck_assert_int_eq(buffer_append_u8(&name, 0), STATUS_OK);
            ck_assert_int_eq(sscanf((char *)name.data, "w%u-%u", &writer, &key), 2);
            (void)count_of(buffer_slice(value), writer, key);
        }
    }
    ck_assert_int_eq(status, STATUS_END);
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&name);
}

static void *read_much(void *arg) {
    struct worker *worker = arg;
    struct buffer value = {.cap = 1u << 20};

    for (uint32_t i = worker->number; !atomic_load(&worker->crowd->stop); i++) {
        read_one(worker->crowd, &value, i % WRITERS, i * 7 % KEYS);
        if (i % 64 == 0) {
            scan_all(worker->crowd, &value, i % 128 == 0);
        }
        worker->done++;
    }
    buffer_deinit(&value);
    return NULL;
}

static void sleep_ms(uint64_t ms) {
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static void start(struct worker *worker, struct crowd *crowd, uint32_t number,
                  void *(*run)(void *)) {
    *worker = (struct worker){.crowd = crowd, .number = number};
    ck_assert_int_eq(pthread_create(&worker->thread, NULL, run, worker), 0);
}

static void run_crowd(struct crowd *crowd, uint64_t ms) {
    struct worker writers[WRITERS];
    struct worker readers[READERS];

    for (uint32_t i = 0; i < WRITERS; i++) {
        start(&writers[i], crowd, i, write_much);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        start(&readers[i], crowd, i, read_much);
    }
    sleep_ms(ms);
    atomic_store(&crowd->stop, true);
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        ck_assert_uint_gt(writers[i].done, 0);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert_uint_gt(readers[i].done, 0);
    }
}

static void expect_last_values(struct crowd *crowd) {
    struct buffer value = {.cap = 1u << 20};

    for (uint32_t writer = 0; writer < WRITERS; writer++) {
        for (uint32_t key = 0; key < KEYS; key++) {
            read_one(crowd, &value, writer, key);
        }
    }
    scan_all(crowd, &value, false);
    buffer_deinit(&value);
}

START_TEST(writers_and_readers_beside_flush_and_compaction) {
    const char *text = getenv("THREADS_MS");
    struct crowd *crowd = memory_alloc_zeroed(sizeof *crowd);

    ck_assert_ptr_nonnull(crowd);
    fixture_init_on_disk(&crowd->fixture);
    crowd->fixture.options.memtable_bytes = 32 * 1024;
    crowd->fixture.options.segment_bytes = 256 * 1024;
    fixture_open(&crowd->fixture);
    run_crowd(crowd, text ? strtoull(text, NULL, 10) : 4000);
    ck_assert_uint_gt(fixture_stat(&crowd->fixture, "flushes"), 0);
    expect_last_values(crowd);
    fixture_reopen(&crowd->fixture);
    expect_last_values(crowd);
    fixture_deinit(&crowd->fixture);
    memory_free(crowd);
}
END_TEST

UNIT_MAIN("store threads", writers_and_readers_beside_flush_and_compaction)
