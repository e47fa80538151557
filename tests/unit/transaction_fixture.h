/* transaction_fixture.h: verbs for tests of transactions, over past_fixture.h. Included once by a
 * test program. */
#ifndef KVD_TESTS_TRANSACTION_FIXTURE_H
#define KVD_TESTS_TRANSACTION_FIXTURE_H

#include "protocol/base/memory.h"
#include "tests/unit/past_fixture.h"

static inline struct fixture opened(void) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    return fixture;
}

static inline struct store_transaction *
begin_with(struct fixture *fixture, const struct store_transaction_options *options) {
    struct store_transaction *txn;
    enum status status = store_transaction_begin(fixture->store, options, &txn);

    ck_assert_int_eq(status, STATUS_OK);
    return txn;
}

static inline struct store_transaction *begin(struct fixture *fixture) {
    struct store_transaction_options options = {0};
    return begin_with(fixture, &options);
}

static inline struct store_transaction *begin_reader(struct fixture *fixture) {
    struct store_transaction_options options = {.read_only = true};
    return begin_with(fixture, &options);
}

static inline struct store_read reading(struct store_transaction *txn) {
    struct store_read read;
    enum status status = store_read_begin_transaction(txn, &read);

    ck_assert_int_eq(status, STATUS_OK);
    return read;
}

/* Reads into fixture->value. */
static inline enum status txn_get(struct fixture *fixture, struct store_transaction *txn,
                                  const char *key, struct store_value_info *info_out) {
    struct store_read read = reading(txn);
    enum status status;

    buffer_clear(&fixture->value);
    status = store_get(&read, SPACE, slice_from_text(key), STORE_WAIT_ALLOWED, &fixture->value,
                       info_out, &fixture->error);
    store_read_end(&read);
    return status;
}

static inline void txn_expect(struct fixture *fixture, struct store_transaction *txn,
                              const char *key, const char *value) {
    ck_assert_int_eq(txn_get(fixture, txn, key, NULL), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&fixture->value), slice_from_text(value)));
}

static inline void txn_expect_absent(struct fixture *fixture, struct store_transaction *txn,
                                     const char *key) {
    ck_assert_int_eq(txn_get(fixture, txn, key, NULL), STATUS_NOT_FOUND);
}

static inline enum status txn_try_put(struct fixture *fixture, struct store_transaction *txn,
                                      const struct store_put *put) {
    struct store_read read = reading(txn);
    enum status status = store_transaction_put(&read, put, STORE_WAIT_ALLOWED, &fixture->error);

    store_read_end(&read);
    return status;
}

static inline void txn_put(struct fixture *fixture, struct store_transaction *txn, const char *key,
                           const char *value) {
    struct store_put put = {
        .namespace_id = SPACE, .key = slice_from_text(key), .value = slice_from_text(value)};
    ck_assert_int_eq(txn_try_put(fixture, txn, &put), STATUS_OK);
}

static inline void txn_delete(struct fixture *fixture, struct store_transaction *txn,
                              const char *key) {
    struct store_read read = reading(txn);
    enum status status = store_transaction_delete(&read, SPACE, slice_from_text(key), NULL,
                                                  STORE_WAIT_ALLOWED, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    store_read_end(&read);
}

static inline void txn_delete_range(struct store_transaction *txn, const char *from,
                                    const char *to) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text(from), .to = slice_from_text(to)};
    struct store_read read = reading(txn);
    enum status status = store_transaction_delete_range(&read, &range);

    ck_assert_int_eq(status, STATUS_OK);
    store_read_end(&read);
}

static inline enum status txn_add(struct fixture *fixture, struct store_transaction *txn,
                                  const char *key, int64_t amount, int64_t *number_out) {
    struct store_change_of change = {
        .namespace_id = SPACE, .key = slice_from_text(key), .amount = amount};
    struct store_read read = reading(txn);
    enum status status =
        store_transaction_add(&read, &change, STORE_WAIT_ALLOWED, number_out, &fixture->error);

    store_read_end(&read);
    return status;
}

static inline enum status txn_append(struct fixture *fixture, struct store_transaction *txn,
                                     const char *key, const char *bytes, uint64_t *length_out) {
    struct store_change_of change = {
        .namespace_id = SPACE, .key = slice_from_text(key), .bytes = slice_from_text(bytes)};
    struct store_read read = reading(txn);
    enum status status =
        store_transaction_append(&read, &change, STORE_WAIT_ALLOWED, length_out, &fixture->error);

    store_read_end(&read);
    return status;
}

static inline enum status txn_expire(struct fixture *fixture, struct store_transaction *txn,
                                     const char *key, uint64_t ttl_ms) {
    struct store_change_of change = {
        .namespace_id = SPACE, .key = slice_from_text(key), .ttl_ms = ttl_ms};
    struct store_read read = reading(txn);
    enum status status =
        store_transaction_expire(&read, &change, STORE_WAIT_ALLOWED, &fixture->error);

    store_read_end(&read);
    return status;
}

/* The keys of a range as text, at most `limit`, each behind a space. */
static inline void txn_scan(struct fixture *fixture, struct store_transaction *txn,
                            const struct store_range *range, int limit, char *text_out) {
    struct store_read read = reading(txn);
    struct buffer keys = {.cap = 1 << 20};
    struct store_cursor *cursor;
    enum status status = store_cursor_open(&read, range, STORE_WAIT_ALLOWED, &cursor);

    ck_assert_int_eq(status, STATUS_OK);
    for (int i = 0; i < limit && status == STATUS_OK; i++) {
        size_t mark = buffer_mark(&keys);
        ck_assert_int_eq(buffer_append(&keys, " ", 1), STATUS_OK);
        status = store_cursor_next(cursor, &keys, NULL, &fixture->error);
        if (status != STATUS_OK) {
            buffer_rollback(&keys, mark);
        }
    }
    ck_assert(status == STATUS_OK || status == STATUS_END);
    memcpy(text_out, keys.data, keys.len);
    text_out[keys.len] = 0;
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&keys);
}

static inline void txn_expect_scan(struct fixture *fixture, struct store_transaction *txn,
                                   const char *from, const char *to, const char *wanted) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text(from), .to = slice_from_text(to)};
    char text[4096];

    txn_scan(fixture, txn, &range, 1000, text);
    ck_assert_str_eq(text, wanted);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

struct txn_end {
    struct store_outcome outcome;
    _Atomic bool done;
};

static inline void txn_done_cb(void *arg, struct store_transaction *transaction,
                               const struct store_outcome *outcome) {
    struct txn_end *end = arg;

    (void)transaction;

    end->outcome = *outcome;
    atomic_store(&end->done, true);
}

/* Submits and waits; the transaction is still there. */
static inline struct store_outcome txn_submit(struct fixture *fixture,
                                              struct store_transaction *txn) {
    struct txn_end end = {.done = false};

    store_transaction_submit(txn, STORE_SYNCED, txn_done_cb, &end);
    while (!atomic_load(&end.done)) {
        ck_assert(scheduler_sim_run_one(fixture->scheduler, true));
    }
    return end.outcome;
}

/* Submits, waits, destroys. */
static inline enum status txn_commit(struct fixture *fixture, struct store_transaction *txn) {
    enum status status = txn_submit(fixture, txn).status;

    store_transaction_destroy(txn);
    return status;
}

#endif
