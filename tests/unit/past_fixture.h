/* past_fixture.h: verbs for tests of snapshots, retention, history and rewind, over
 * store_fixture.h. Included once by a test program. */
#ifndef KVD_TESTS_PAST_FIXTURE_H
#define KVD_TESTS_PAST_FIXTURE_H

#include "storage/env_memory.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SPACE STORE_NAMESPACE_DEFAULT
#define SECOND_NS UINT64_C(1000000000)
#define HOUR_MS UINT64_C(3600000)

static inline void flush(struct fixture *fixture) {
    enum status status = store_flush(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void compact(struct fixture *fixture) {
    enum status status = store_compact(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
}

static inline void pass_ms(struct fixture *fixture, uint64_t ms) {
    env_memory_advance_clock(fixture->memory, ms * 1000000);
}

/* Lets the ticks of so many seconds run, by the scheduler's clock and by the store's. */
static inline void pass_ticks(struct fixture *fixture, uint64_t seconds) {
    for (uint64_t i = 0; i < seconds; i++) {
        uint64_t until = scheduler_sim_now_ns(fixture->scheduler) + SECOND_NS;
        pass_ms(fixture, 1000);
        while (scheduler_sim_now_ns(fixture->scheduler) < until) {
            ck_assert(scheduler_sim_run_one(fixture->scheduler, true));
        }
    }
}

static inline uint64_t put_text(struct fixture *fixture, const char *key, const char *value) {
    fixture_put(fixture, key, value);
    return atomic_load(&fixture->last_version);
}

static inline void put_for(struct fixture *fixture, const char *key, const char *value,
                           uint64_t ttl_ms) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = SPACE,
                            .key = slice_from_text(key),
                            .value = slice_from_text(value),
                            .ttl_ms = ttl_ms};
    enum status status = store_commit_put(commit, &put);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static inline void delete_range(struct fixture *fixture, const char *from, const char *to) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text(from), .to = slice_from_text(to)};
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_delete_range(commit, &range);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static inline void keep(struct fixture *fixture, uint64_t keep_ms, uint32_t keep_versions) {
    struct store_namespace_settings settings = {.keep_ms = keep_ms, .keep_versions = keep_versions};
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_namespace_set(commit, slice_from_text(""), &settings);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static inline struct store_snapshot_info open_snapshot(struct fixture *fixture) {
    struct store_snapshot_info info = {0};
    enum status status = store_snapshot_open(fixture->store, "a test", 0, &info);

    ck_assert_int_eq(status, STATUS_OK);
    return info;
}

static inline enum status begin_at(struct fixture *fixture, enum store_at_kind kind, uint64_t value,
                                   struct store_read *read) {
    struct store_at at = {kind, value};
    return store_read_begin_at(fixture->store, &at, SPACE, read);
}

/* What a key is at some state: its value in fixture->value. */
static inline enum status get_at(struct fixture *fixture, enum store_at_kind kind, uint64_t value,
                                 const char *key) {
    struct store_read read;
    enum status status = begin_at(fixture, kind, value, &read);

    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&fixture->value);
    status = store_get(&read, SPACE, slice_from_text(key), STORE_WAIT_ALLOWED, &fixture->value,
                       NULL, &fixture->error);
    store_read_end(&read);
    return status;
}

static inline void expect_at(struct fixture *fixture, enum store_at_kind kind, uint64_t at,
                             const char *key, const char *value) {
    enum status status = get_at(fixture, kind, at, key);

    if (!value) {
        ck_assert_int_eq(status, STATUS_NOT_FOUND);
        return;
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(fixture->value.len, strlen(value));
    ck_assert_mem_eq(fixture->value.data, value, strlen(value));
}

#endif
