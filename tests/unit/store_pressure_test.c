/* store_pressure_test.c: what cannot be flushed, closed or indexed well is said, and never hangs.
 */
#include "storage/env_fault.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define TABLE_WRITES (FAULT_APPEND | FAULT_CREATE | FAULT_PREALLOCATE)

/* A store on a faulty environment. */
static struct env *open_on_fault(struct fixture *fixture, uint64_t seed) {
    struct env *fault;
    enum status status;

    fixture_init(fixture, seed);
    status = env_fault_create(fixture->memory, NULL, &fault);
    ck_assert_int_eq(status, STATUS_OK);
    fixture->env = fault;
    fixture_open(fixture);
    return fault;
}

static void end_on_fault(struct fixture *fixture, struct env *fault) {
    fixture_deinit(fixture);
    env_fault_destroy(fault);
}

static void inject(struct env *fault, unsigned kinds, const char *path_part, enum fault what) {
    struct fault_rule rule = {
        .kinds = kinds, .path_part = path_part, .countdown = 1, .for_ever = true, .fault = what};
    env_fault_add(fault, &rule);
}

static enum status put_until_refused(struct fixture *fixture, uint32_t puts_max) {
    struct store_condition always = {STORE_ALWAYS, 0};
    enum status status = STATUS_OK;
    char value[500];
    char key[32];

    memset(value, 'x', sizeof value);
    for (uint32_t i = 0; i < puts_max && status == STATUS_OK; i++) {
        snprintf(key, sizeof key, "key%05u", i);
        status = fixture_put_if(fixture, key, slice_make(value, sizeof value), always, STORE_SYNCED)
                     .status;
    }
    return status;
}

START_TEST(while_tables_cannot_be_written_puts_are_refused_and_deletes_go_on) {
    struct fixture fixture;
    struct env *fault = open_on_fault(&fixture, 1);

    inject(fault, TABLE_WRITES, "table", FAULT_IS_ENOSPC);
    ck_assert_int_eq(put_until_refused(&fixture, 3000), STATUS_NO_SPACE);
    fixture_delete(&fixture, "key00000");
    fixture_expect_absent(&fixture, "key00000");
    env_fault_clear(fault);
    env_memory_advance_clock(fixture.memory, UINT64_C(5000000000));
    for (int i = 0; i < 100 && scheduler_sim_run_one(fixture.scheduler, true); i++) {
    }
    fixture_put(&fixture, "after", "1");
    fixture_expect_absent(&fixture, "key00000");
    end_on_fault(&fixture, fault);
}
END_TEST

START_TEST(closing_tells_that_its_own_sync_failed) {
    struct store_condition always = {STORE_ALWAYS, 0};
    struct fixture fixture;
    struct env *fault = open_on_fault(&fixture, 2);
    struct store_outcome outcome =
        fixture_put_if(&fixture, "k", slice_from_text("v"), always, STORE_LOGGED);
    enum status status;

    ck_assert_int_eq(outcome.status, STATUS_OK);
    inject(fault, FAULT_SYNC, "segment", FAULT_IS_EIO);
    status = store_close(fixture.store, &fixture.error);
    fixture.store = NULL;
    ck_assert_int_eq(status, STATUS_LOG_FAILED);
    end_on_fault(&fixture, fault);
}
END_TEST

/* 64 MiB of long keys with one prefix: an index that holds each of them whole. */
START_TEST(a_memtable_of_the_longest_keys_is_flushed) {
    static uint8_t key[65535];
    struct fixture fixture;

    fixture_init(&fixture, 3);
    fixture.options.memory_limit_bytes = UINT64_C(1) << 30;
    fixture.options.memtable_bytes = 0;
    fixture.options.segment_bytes = 0;
    fixture_open(&fixture);
    memset(key, 'p', sizeof key);
    for (uint32_t i = 0; i < 12; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_outcome outcome;
        for (uint32_t j = 0; j < 100; j++) {
            struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                    .key = slice_make(key, sizeof key),
                                    .value = slice_make(key, 8)};
            enum status status;
            key[sizeof key - 2] = (uint8_t)i;
            key[sizeof key - 1] = (uint8_t)j;
            status = store_commit_put(commit, &put);
            ck_assert_int_eq(status, STATUS_OK);
        }
        outcome = fixture_commit_end(&fixture, commit, STORE_SYNCED);
        ck_assert_int_eq(outcome.status, STATUS_OK);
    }
    fixture_reopen(&fixture);
    ck_assert_uint_ge(fixture_stat(&fixture, "level_0_tables"), 2);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries"), 1200);
    fixture_deinit(&fixture);
}
END_TEST

/* Rotation and flush, on threads of their own, both note the store's time. */
START_TEST(rotations_and_flushes_beside_each_other_never_fail_the_log) {
    struct store_condition always = {STORE_ALWAYS, 0};
    static uint8_t value[3000];
    struct fixture fixture;
    char key[32];

    fixture_init_on_disk(&fixture);
    fixture.options.compress = false;
    fixture.options.memtable_bytes = 64 * 1024;
    fixture.options.segment_bytes = 64 * 1024;
    fixture.options.value_threshold = 4096;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 6000; i++) {
        struct store_outcome outcome;
        snprintf(key, sizeof key, "%u", i * 7919 % 5000);
        outcome =
            fixture_put_if(&fixture, key, slice_make(value, sizeof value), always, STORE_LOGGED);
        ck_assert_msg(outcome.status == STATUS_OK, "put %u: %s", i, status_name(outcome.status));
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store pressure", while_tables_cannot_be_written_puts_are_refused_and_deletes_go_on,
          closing_tells_that_its_own_sync_failed, a_memtable_of_the_longest_keys_is_flushed,
          rotations_and_flushes_beside_each_other_never_fail_the_log)
