/* store_space_test.c: a full disk: puts are refused, deletes and reads go on, and writes resume
 * without reopening once there is space. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>

#define MIB (UINT64_C(1) << 20)
#define DISK_BYTES (8 * MIB)

static void open_on_a_small_disk(struct fixture *fixture) {
    fixture_init(fixture, 1);
    env_memory_set_space(fixture->memory, DISK_BYTES);
    fixture->options.compress = false;
    fixture_open(fixture);
}

static enum status try_put(struct fixture *fixture, uint32_t number, size_t bytes) {
    struct store_condition always = {STORE_ALWAYS, 0};
    uint8_t *value = memory_alloc(bytes);
    char key[32];
    enum status status;

    ck_assert_ptr_nonnull(value);
    fixture_fill(value, bytes, number);
    snprintf(key, sizeof key, "key%05u", number);
    status = fixture_put_if(fixture, key, slice_make(value, bytes), always, STORE_SYNCED).status;
    memory_free(value);
    return status;
}

/* Puts until the disk is full; returns how many went well. */
static uint32_t fill(struct fixture *fixture, size_t bytes) {
    uint32_t count = 0;
    enum status status;

    while ((status = try_put(fixture, count, bytes)) == STATUS_OK) {
        count++;
        ck_assert_uint_lt(count, 100000);
    }
    ck_assert_int_eq(status, STATUS_NO_SPACE);
    return count;
}

static void expect_all(struct fixture *fixture, uint32_t from, uint32_t to, size_t bytes) {
    char key[32];

    for (uint32_t i = from; i < to; i++) {
        snprintf(key, sizeof key, "key%05u", i);
        fixture_expect_bytes(fixture, key, bytes, i);
    }
}

static void pass_time(struct fixture *fixture, uint32_t seconds) {
    uint64_t until = scheduler_sim_now_ns(fixture->scheduler) + seconds * UINT64_C(1000000000);

    while (scheduler_sim_now_ns(fixture->scheduler) < until &&
           scheduler_sim_run_one(fixture->scheduler, true)) {
    }
}

static void delete_some(struct fixture *fixture, uint32_t from, uint32_t to) {
    char key[32];

    for (uint32_t i = from; i < to; i++) {
        snprintf(key, sizeof key, "key%05u", i);
        fixture_delete(fixture, key);
    }
}

/* Nothing is wrong but the want of space. */
static void expect_health(struct fixture *fixture) {
    struct error error = {0};
    enum status status = store_health(fixture->store, &error);

    ck_assert_msg(status == STATUS_OK || status == STATUS_NO_SPACE, "%s", status_name(status));
}

static void run_full_disk(size_t bytes) {
    struct fixture fixture;
    struct error error = {0};
    enum status status;
    uint32_t count;

    open_on_a_small_disk(&fixture);
    count = fill(&fixture, bytes);
    ck_assert_uint_gt(count * bytes, DISK_BYTES / 8);
    expect_all(&fixture, 0, count, bytes);
    pass_time(&fixture, 5); /* ticks and retries do no harm */
    expect_health(&fixture);
    delete_some(&fixture, 0, count / 2);
    expect_all(&fixture, count / 2, count, bytes);
    status = store_compact(fixture.store, &error); /* what it can without much space */
    ck_assert_msg(status == STATUS_OK || status == STATUS_NO_SPACE, "%s", status_name(status));
    pass_time(&fixture, 3);
    expect_all(&fixture, count / 2, count, bytes);
    env_memory_set_space(fixture.memory, 4 * DISK_BYTES);
    pass_time(&fixture, 3);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(try_put(&fixture, i, bytes), STATUS_OK);
    }
    fixture_reopen(&fixture);
    expect_all(&fixture, 0, 20, bytes);
    expect_all(&fixture, count / 2, count, bytes);
    fixture_deinit(&fixture);
}

START_TEST(small_values_fill_the_disk) {
    run_full_disk(300);
}
END_TEST

START_TEST(large_values_fill_the_disk) {
    run_full_disk(20000);
}
END_TEST

/* Another program takes all that is left, the reserve too. */
START_TEST(a_disk_that_others_filled_fails_no_log) {
    struct fixture fixture;
    struct error error = {0};
    uint32_t i;

    open_on_a_small_disk(&fixture);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(try_put(&fixture, i, 1000), STATUS_OK);
    }
    env_memory_set_space(fixture.memory, 1);
    pass_time(&fixture, 5);
    expect_health(&fixture);
    ck_assert_int_eq(try_put(&fixture, i, 1000), STATUS_NO_SPACE);
    expect_all(&fixture, 0, 100, 1000);
    env_memory_set_space(fixture.memory, DISK_BYTES);
    pass_time(&fixture, 3);
    ck_assert_int_eq(try_put(&fixture, i, 1000), STATUS_OK);
    ck_assert_int_eq(store_health(fixture.store, &error), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

/* The space ends while the log does not know yet: at every number of bytes left. */
START_TEST(wherever_the_space_ends_the_log_does_not_fail) {
    for (uint64_t left = 0; left < 300000; left += 7919) {
        struct fixture fixture;
        struct error error = {0};
        enum status status = STATUS_OK;

        open_on_a_small_disk(&fixture);
        env_memory_set_space(fixture.memory, 100000 + left);
        for (uint32_t i = 0; i < 300; i++) {
            status = try_put(&fixture, i, 2000);
            ck_assert_msg(status == STATUS_OK || status == STATUS_NO_SPACE, "%s",
                          status_name(status));
        }
        ck_assert_int_eq(status, STATUS_NO_SPACE);
        pass_time(&fixture, 4);
        expect_health(&fixture);
        env_memory_set_space(fixture.memory, 8 * DISK_BYTES);
        pass_time(&fixture, 3);
        ck_assert_int_eq(store_health(fixture.store, &error), STATUS_OK);
        ck_assert_int_eq(try_put(&fixture, 1, 2000), STATUS_OK);
        fixture_deinit(&fixture);
    }
}
END_TEST

UNIT_MAIN("store space", small_values_fill_the_disk, large_values_fill_the_disk,
          a_disk_that_others_filled_fails_no_log, wherever_the_space_ends_the_log_does_not_fail)
