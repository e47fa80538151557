/* store_counter_fixture.h: verbs for additions, appends and new expiries. */
#ifndef KVD_TESTS_STORE_COUNTER_FIXTURE_H
#define KVD_TESTS_STORE_COUNTER_FIXTURE_H

#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define THRESHOLD 1024u /* of values that are separated */
#define RESULTS_MAX 64u

/* An outcome whose results outlive the commit. */
struct answer {
    enum status status;
    uint64_t version;
    uint32_t operation;
    uint32_t result_count;
    int64_t results[RESULTS_MAX];
};

static inline struct answer submit(struct fixture *fixture, struct store_commit *commit,
                                   enum store_durability durability) {
    struct fixture_commit started;
    struct answer answer = {0};

    fixture_commit_start(fixture, &started, commit, durability);
    while (!atomic_load(&started.done)) {
        if (!fixture->scheduler) {
            usleep(20);
        } else if (!scheduler_sim_run_one(fixture->scheduler, true)) {
            ck_abort_msg("a commit waits for ever");
        }
    }
    answer.status = started.outcome.status;
    answer.version = started.outcome.version;
    answer.operation = started.outcome.operation;
    if (answer.status == STATUS_OK) {
        answer.result_count = started.outcome.result_count;
    }
    ck_assert_uint_le(answer.result_count, RESULTS_MAX);
    if (answer.result_count > 0) {
        memcpy(answer.results, started.outcome.results, answer.result_count * sizeof(int64_t));
    }
    fixture_commit_finish(&started);
    return answer;
}

static inline void fill_add(struct store_commit *commit, const char *key, int64_t amount) {
    enum status status =
        store_commit_add(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), amount, NULL);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void fill_append(struct store_commit *commit, const char *key, struct slice bytes) {
    enum status status =
        store_commit_append(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), bytes, NULL);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void fill_expire(struct store_commit *commit, const char *key, uint64_t ttl_ms) {
    enum status status =
        store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), ttl_ms, NULL);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void fill_put(struct store_commit *commit, const char *key, struct slice value,
                            uint64_t ttl_ms) {
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text(key),
                            .value = value,
                            .user_flags = 7,
                            .ttl_ms = ttl_ms};
    enum status status = store_commit_put(commit, &put);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void fill_delete(struct store_commit *commit, const char *key) {
    enum status status =
        store_commit_delete(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), NULL);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline struct answer add(struct fixture *fixture, const char *key, int64_t amount) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    fill_add(commit, key, amount);
    return submit(fixture, commit, STORE_SYNCED);
}

static inline struct answer append(struct fixture *fixture, const char *key, struct slice bytes) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    fill_append(commit, key, bytes);
    return submit(fixture, commit, STORE_SYNCED);
}

static inline struct answer expire(struct fixture *fixture, const char *key, uint64_t ttl_ms) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    fill_expire(commit, key, ttl_ms);
    return submit(fixture, commit, STORE_SYNCED);
}

static inline void put_for(struct fixture *fixture, const char *key, const char *value,
                           uint64_t ttl_ms) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    fill_put(commit, key, slice_from_text(value), ttl_ms);
    ck_assert_int_eq(submit(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static inline struct store_value_info info_of(struct fixture *fixture, const char *key) {
    struct store_value_info info = {0};
    struct store_read read;
    enum status status;

    store_read_begin(fixture->store, &read);
    status = store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(key), STORE_WAIT_ALLOWED,
                       NULL, &info, &fixture->error);
    store_read_end(&read);
    ck_assert_int_eq(status, STATUS_OK);
    return info;
}

static inline void flush(struct fixture *fixture) {
    struct error error;
    enum status status = store_flush(fixture->store, &error);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void begin(struct fixture *fixture) {
    fixture_init(fixture, 1);
    fixture_open(fixture);
}

#endif
