/* store_bulk_threads_test.c: bulk loads on threads, on a real disk, beside writers, readers and
 * jobs: who reads sees one load whole, and no write is lost or comes out of order. */
#include "tests/unit/bulk_fixture.h"

#include <pthread.h>

#define LOADS 40u
#define KEYS 300u /* of a load; the last ones are also put by writers */
#define READ_KEYS 250u
#define WRITERS 2u

struct shared {
    struct fixture *fixture;
    _Atomic bool ended;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    uint32_t number;
    uint64_t rounds;
    const char *wrong; /* the first thing that is */
};

static bool is_ended(struct worker *worker) {
    return worker->wrong || atomic_load(&worker->shared->ended);
}

/* ---- Writers ----------------------------------------------------------------------------------
 */

struct put_end {
    _Atomic bool done;
    enum status status;
    uint64_t version;
};

static void put_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct put_end *end = store_commit_arg(commit);

    end->status = outcome->status;
    end->version = outcome->version;
    atomic_store(&end->done, true);
}

/* 0: it failed. */
static uint64_t put_number(struct store *store, const char *key, uint64_t number) {
    struct store_put put = {.namespace_id = SPACE, .key = slice_from_text(key)};
    struct put_end end = {.done = false};
    struct timespec pause = {.tv_nsec = 20000};
    struct store_commit *commit;
    char value[24];

    snprintf(value, sizeof value, "%llu", (unsigned long long)number);
    put.value = slice_from_text(value);
    if (store_commit_create(store, &commit) != STATUS_OK) {
        return 0;
    }
    store_commit_set_arg(commit, &end);
    if (store_commit_put(commit, &put) != STATUS_OK) {
        store_commit_destroy(commit);
        return 0;
    }
    store_submit(store, &commit, 1, STORE_LOGGED, put_cb);
    while (!atomic_load(&end.done)) {
        nanosleep(&pause, NULL);
    }
    store_commit_destroy(commit);
    return end.status == STATUS_OK ? end.version : 0;
}

static enum status get(struct store_read *read, const char *key, struct buffer *value,
                       uint64_t *version_out) {
    struct store_value_info info;
    struct error error;
    enum status status;

    buffer_clear(value);
    status = store_get(read, SPACE, slice_from_text(key), STORE_WAIT_ALLOWED, value, &info, &error);
    *version_out = status == STATUS_OK ? info.version : 0;
    return status;
}

/* Its own key, and one that loads put as well: neither ever goes back behind a put of this thread.
 */
static void *run_writer(void *arg) {
    struct worker *worker = arg;
    struct store *store = worker->shared->fixture->store;
    struct buffer value = {.cap = 1 << 20};
    char keys[2][BULK_KEY_BYTES];

    bulk_key(keys[0], KEYS + worker->number);
    bulk_key(keys[1], READ_KEYS + worker->number);
    while (!is_ended(worker)) {
        worker->rounds++;
        for (uint32_t i = 0; i < 2; i++) {
            uint64_t put_version = put_number(store, keys[i], worker->rounds);
            uint64_t version;
            struct store_read read;
            store_read_begin(store, &read);
            if (put_version == 0 || get(&read, keys[i], &value, &version) != STATUS_OK ||
                version < put_version || (i == 0 && version != put_version)) {
                worker->wrong = "a put is not there, or not in its order";
            }
            store_read_end(&read);
        }
    }
    buffer_deinit(&value);
    return NULL;
}

/* ---- Readers and jobs -------------------------------------------------------------------------
 */

/* All keys of one read are of one load. */
static void read_once(struct worker *worker, struct buffer *value) {
    char key[BULK_KEY_BYTES];
    struct store_read read;
    uint64_t first = 0;

    store_read_begin(worker->shared->fixture->store, &read);
    for (uint32_t i = 0; i < READ_KEYS; i += 7) {
        uint64_t version;
        bulk_key(key, i);
        if (get(&read, key, value, &version) != STATUS_OK) {
            worker->wrong = "a loaded key is not there";
            break;
        }
        first = i == 0 ? version : first;
        if (version != first) {
            worker->wrong = "a read sees two loads";
            break;
        }
    }
    store_read_end(&read);
}

static void *run_reader(void *arg) {
    struct worker *worker = arg;
    struct buffer value = {.cap = 1 << 20};

    while (!is_ended(worker)) {
        read_once(worker, &value);
        worker->rounds++;
    }
    buffer_deinit(&value);
    return NULL;
}

static void *run_jobs(void *arg) {
    struct worker *worker = arg;
    struct store *store = worker->shared->fixture->store;
    struct error error;

    while (!is_ended(worker)) {
        enum status status = worker->rounds % 3 == 0   ? store_compact(store, &error)
                             : worker->rounds % 3 == 1 ? store_collect(store, &error)
                                                       : store_flush(store, &error);
        if (status != STATUS_OK) {
            worker->wrong = "a job failed";
        }
        worker->rounds++;
    }
    return NULL;
}

/* ---- All together ----------------------------------------------------------------------------
 */

static void start(struct worker *worker, struct shared *shared, void *(*run)(void *)) {
    worker->shared = shared;
    ck_assert_int_eq(pthread_create(&worker->thread, NULL, run, worker), 0);
}

static void expect_counters(struct fixture *fixture, const struct worker *workers) {
    char key[BULK_KEY_BYTES];
    char value[24];

    for (uint32_t i = 0; i < WRITERS; i++) {
        bulk_key(key, KEYS + i);
        snprintf(value, sizeof value, "%llu", (unsigned long long)workers[i].rounds);
        fixture_expect(fixture, key, value);
    }
}

START_TEST(loads_beside_writers_readers_and_jobs) {
    struct worker workers[WRITERS + 2] = {{.number = 0}, {.number = 1}};
    struct fixture fixture;
    struct shared shared = {.fixture = &fixture};
    uint64_t last_version = 0;

    fixture_init_on_disk(&fixture);
    fixture_open(&fixture);
    bulk_load(&fixture, 0, KEYS, 0);
    for (uint32_t i = 0; i < WRITERS; i++) {
        start(&workers[i], &shared, run_writer);
    }
    start(&workers[WRITERS], &shared, run_reader);
    start(&workers[WRITERS + 1], &shared, run_jobs);
    for (uint32_t i = 1; i <= LOADS; i++) {
        uint64_t version = bulk_load(&fixture, 0, KEYS, i);
        ck_assert_uint_gt(version, last_version);
        last_version = version;
    }
    atomic_store(&shared.ended, true);
    for (uint32_t i = 0; i < WRITERS + 2; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_msg(!workers[i].wrong, "%s", workers[i].wrong);
        ck_assert_uint_gt(workers[i].rounds, 0);
    }
    for (uint32_t round = 0; round < 2; round++) {
        expect_counters(&fixture, workers);
        bulk_expect_all(&fixture, 0, READ_KEYS, LOADS);
        bulk_verify(&fixture);
        fixture_reopen(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_bulk_threads", loads_beside_writers_readers_and_jobs)
