/* store_transaction_threads_test.c: transactions on threads, on a real disk: sums stay, and those
 * that touch different keys never meet. */
#include "tests/unit/transaction_fixture.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 60
#define ACCOUNTS 8

struct worker {
    struct fixture *fixture;
    pthread_t thread;
    uint32_t number;
    uint32_t conflicts;
    enum status failed; /* the first that is no conflict */
};

static void wait_for(struct txn_end *end) {
    while (!atomic_load(&end->done)) {
        usleep(20);
    }
}

static enum status end(struct store_transaction *txn, enum status status) {
    struct txn_end ended = {.done = false};

    if (status == STATUS_OK) {
        store_transaction_submit(txn, STORE_LOGGED, txn_done_cb, &ended);
        wait_for(&ended);
        status = ended.outcome.status;
    }
    store_transaction_destroy(txn);
    return status;
}

/* Takes one from an account and gives it to another. */
static enum status transfer(struct worker *worker, uint32_t from, uint32_t to) {
    struct store_transaction_options options = {0};
    struct store_change_of change = {.namespace_id = SPACE, .amount = -1};
    struct store_transaction *txn;
    struct store_read read;
    struct error error;
    char keys[2][16];
    enum status status = store_transaction_begin(worker->fixture->store, &options, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    snprintf(keys[0], sizeof keys[0], "account%u", from);
    snprintf(keys[1], sizeof keys[1], "account%u", to);
    status = store_read_begin_transaction(txn, &read);
    if (status == STATUS_OK) {
        change.key = slice_from_text(keys[0]);
        status = store_transaction_add(&read, &change, STORE_WAIT_ALLOWED, NULL, &error);
        if (status == STATUS_OK) {
            change.key = slice_from_text(keys[1]);
            change.amount = 1;
            status = store_transaction_add(&read, &change, STORE_WAIT_ALLOWED, NULL, &error);
        }
        store_read_end(&read);
    }
    return end(txn, status);
}

static void *run_transfers(void *arg) {
    struct worker *worker = arg;

    for (uint32_t i = 0; i < ROUNDS && worker->failed == STATUS_OK; i++) {
        uint32_t from = (worker->number + i) % ACCOUNTS;
        enum status status = transfer(worker, from, (from + 1 + i % 3) % ACCOUNTS);
        worker->conflicts += status == STATUS_CONFLICT;
        worker->failed = status == STATUS_CONFLICT ? STATUS_OK : status;
    }
    return NULL;
}

/* Counts a range of its own, and puts one more into it. */
static enum status insert_next(struct worker *worker, uint32_t round) {
    struct store_transaction_options options = {0};
    struct store_range range = {.namespace_id = SPACE};
    struct store_put put = {.namespace_id = SPACE};
    struct store_transaction *txn;
    struct store_cursor *cursor;
    struct store_read read;
    struct error error;
    uint32_t count = 0;
    char bounds[3][24];
    enum status status = store_transaction_begin(worker->fixture->store, &options, &txn);

    if (status != STATUS_OK) {
        return status;
    }
    snprintf(bounds[0], sizeof bounds[0], "own%u/", worker->number);
    snprintf(bounds[1], sizeof bounds[1], "own%u0", worker->number);
    range.from = slice_from_text(bounds[0]);
    range.to = slice_from_text(bounds[1]);
    status = store_read_begin_transaction(txn, &read);
    if (status != STATUS_OK) {
        return end(txn, status);
    }
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    while (status == STATUS_OK) {
        status = store_cursor_next(cursor, NULL, NULL, &error);
        count += status == STATUS_OK;
    }
    store_cursor_close(cursor);
    snprintf(bounds[2], sizeof bounds[2], "own%u/%06u", worker->number, count);
    put.key = slice_from_text(bounds[2]);
    put.value = slice_from_text("1");
    status = count == round ? store_transaction_put(&read, &put, STORE_WAIT_ALLOWED, &error)
                            : STATUS_INTERNAL;
    store_read_end(&read);
    return end(txn, status);
}

static void *run_inserts(void *arg) {
    struct worker *worker = arg;

    for (uint32_t i = 0; i < ROUNDS && worker->failed == STATUS_OK; i++) {
        worker->failed = insert_next(worker, i); /* a conflict is a failure here */
    }
    return NULL;
}

static uint32_t run_all(struct fixture *fixture, void *(*run)(void *)) {
    struct worker workers[THREADS];
    uint32_t conflicts = 0;

    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.fixture = fixture, .number = i};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_msg(workers[i].failed == STATUS_OK, "%s", status_name(workers[i].failed));
        conflicts += workers[i].conflicts;
    }
    return conflicts;
}

START_TEST(transfers_on_threads_keep_the_sum) {
    struct fixture fixture;
    int64_t sum = 0;
    char key[32];

    fixture_init_on_disk(&fixture);
    fixture_open(&fixture);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(key, sizeof key, "account%d", i);
        fixture_put(&fixture, key, "100");
    }
    ck_assert_uint_lt(run_all(&fixture, run_transfers), THREADS * ROUNDS);
    for (int i = 0; i < ACCOUNTS; i++) {
        char text[32] = "";
        snprintf(key, sizeof key, "account%d", i);
        ck_assert_int_eq(fixture_get(&fixture, key), STATUS_OK);
        memcpy(text, fixture.value.data, fixture.value.len);
        sum += strtoll(text, NULL, 10);
    }
    ck_assert_int_eq(sum, 100 * ACCOUNTS);
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_open"), 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(disjoint_ranges_on_threads_never_conflict) {
    struct fixture fixture;

    fixture_init_on_disk(&fixture);
    fixture.options.memtable_bytes = 16 * 1024; /* flushes meanwhile */
    fixture_open(&fixture);
    ck_assert_uint_eq(run_all(&fixture, run_inserts), 0);
    ck_assert_uint_eq(fixture_stat(&fixture, "transactions_conflicts"), 0);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_transaction_threads", transfers_on_threads_keep_the_sum,
          disjoint_ranges_on_threads_never_conflict)
