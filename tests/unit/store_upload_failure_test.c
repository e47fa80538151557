/* store_upload_failure_test.c: uploads meet full disks, want of memory, failed writes, power cuts
 * at every call: the key has its old value or the new one, and nothing of the rest stays. */
#include "tests/support/upload_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/env_fault.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static const struct store_condition always = {STORE_ALWAYS, 0};

static void settle_space(struct fixture *fixture) {
    enum status status = store_compact(fixture->store, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    status = store_collect(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
    fixture_settle(fixture);
}

/* The free space of the disk is looked at anew. */
static void pass_a_second(struct fixture *fixture) {
    uint64_t until = scheduler_sim_now_ns(fixture->scheduler) + 2 * UINT64_C(1000000000);

    while (scheduler_sim_now_ns(fixture->scheduler) < until &&
           scheduler_sim_run_one(fixture->scheduler, true)) {
    }
}

START_TEST(a_full_disk_refuses_the_upload_and_gives_the_space_back) {
    struct store_upload *upload;
    struct env_space space;
    struct fixture fixture;
    enum status status;

    fixture_init(&fixture, 14);
    env_memory_set_space(fixture.memory, 8 * MIB + 300 * KIB);
    fixture.options.memtable_bytes = 512 * KIB; /* the reserve is two of them and more */
    fixture.options.compress = false;
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    status = upload_try(&fixture, "key", 20 * MIB, 1, &upload);
    ck_assert_int_eq(status, STATUS_NO_SPACE);
    ck_assert_int_eq(env_space(fixture.env, fixture.dir, &space, NULL), STATUS_OK);
    ck_assert_uint_ge(space.free_bytes, 768 * KIB); /* the reserve has not been touched */
    ck_assert_int_eq(store_upload_append(upload, slice_from_text("more"), &fixture.error),
                     STATUS_NO_SPACE);
    ck_assert_int_eq(store_upload_finish(upload, &fixture.error), STATUS_NO_SPACE);
    store_upload_destroy(upload);
    pass_a_second(&fixture);
    fixture_expect(&fixture, "key", "old");
    upload_put(&fixture, "key", 2 * MIB, 2);
    upload_expect(&fixture, "key", 2 * MIB, 2);
    fixture_deinit(&fixture);
}
END_TEST

/* Old value, upload, commit; whatever fails, the key has the old value or the new one. */
static enum status upload_over_old(struct fixture *fixture) {
    struct store_upload *upload;
    enum status status = upload_try(fixture, "key", 3 * MIB + 5, 9, &upload);

    if (status == STATUS_OK) {
        status = store_upload_finish(upload, &fixture->error);
    }
    if (status == STATUS_OK) {
        struct store_commit *commit;
        struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .key = slice_from_text("key")};
        status = store_commit_create(fixture->store, &commit);
        if (status == STATUS_OK) {
            status = store_commit_upload(commit, &put, upload);
            if (status == STATUS_OK) {
                status = fixture_commit_end(fixture, commit, STORE_SYNCED).status;
            } else {
                store_commit_destroy(commit);
            }
        }
    }
    store_upload_destroy(upload);
    fixture_settle(fixture);
    return status;
}

static void expect_old_or_new(struct fixture *fixture, enum status uploaded) {
    enum status status = upload_get_range(fixture, "key", 0, 3, STORE_WAIT_ALLOWED);

    ck_assert_int_eq(status, STATUS_OK);
    if (uploaded == STATUS_OK ||
        (uploaded == STATUS_UNKNOWN && memcmp(fixture->value.data, "old", 3) != 0)) {
        upload_expect(fixture, "key", 3 * MIB + 5, 9);
    } else {
        fixture_expect(fixture, "key", "old");
    }
}

START_TEST(want_of_memory_anywhere_leaves_the_old_value) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t failures = 0;
    uint64_t n = 0;

    while (status != STATUS_OK) {
        struct fixture fixture;
        fixture_init(&fixture, 15);
        fixture_open(&fixture);
        fixture_put(&fixture, "key", "old");
        memory_fail_after(n++, false);
        status = upload_over_old(&fixture);
        memory_fail_never();
        expect_old_or_new(&fixture, status);
        (void)store_close(fixture.store, &fixture.error); /* the files are in memory too: a write
                                                             that fails for want of it is final */
        fixture.store = NULL;
        fixture_open(&fixture);
        expect_old_or_new(&fixture, status);
        failures += status == STATUS_NO_MEMORY;
        fixture_deinit(&fixture);
    }
    ck_assert_uint_gt(failures, 20);
}
END_TEST

/* The n-th call that writes fails. */
static enum status upload_with_fault(uint64_t n, enum fault fault, uint64_t *fired_out) {
    struct fault_rule rule = {.kinds = FAULT_WRITES, .countdown = n, .fault = fault};
    struct fixture fixture;
    struct env *faulty;
    enum status status;

    fixture_init(&fixture, 16);
    status = env_fault_create(fixture.memory, NULL, &faulty);
    ck_assert_int_eq(status, STATUS_OK);
    fixture.env = faulty;
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    env_fault_add(faulty, &rule);
    status = upload_over_old(&fixture);
    *fired_out = env_fault_fired(faulty);
    env_fault_clear(faulty);
    expect_old_or_new(&fixture, status);
    (void)store_close(fixture.store, &fixture.error);
    fixture.store = NULL;
    fixture_open(&fixture);
    expect_old_or_new(&fixture, status);
    fixture_close(&fixture);
    env_fault_destroy(faulty);
    fixture.env = fixture.memory;
    fixture_deinit(&fixture);
    return status;
}

START_TEST(a_failed_write_anywhere_leaves_the_old_value) {
    static const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_ENOSPC, FAULT_IS_SHORT};
    uint64_t failures = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint64_t fired = 1;
        for (uint64_t n = 1; fired > 0; n++) {
            failures += upload_with_fault(n, faults[i], &fired) != STATUS_OK;
        }
    }
    ck_assert_uint_gt(failures, 30);
}
END_TEST

/* The power goes at the n-th call. False when it came through. */
static bool upload_until_cut(uint64_t n, const struct power_cut *cut) {
    struct fixture fixture;
    enum status status;
    bool crashed;

    fixture_init(&fixture, 17);
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    env_memory_set_crash_point(fixture.memory, n);
    status = upload_over_old(&fixture);
    crashed = env_memory_crashed(fixture.memory);
    fixture_power_cut(&fixture, cut);
    fixture_open(&fixture);
    if (status != STATUS_OK &&
        upload_get_range(&fixture, "key", 0, 3, STORE_WAIT_ALLOWED) == STATUS_OK &&
        memcmp(fixture.value.data, "old", 3) != 0) {
        status = STATUS_OK; /* the answer was lost, the commit was not */
    }
    expect_old_or_new(&fixture, status);
    fixture_put(&fixture, "key", "again");
    settle_space(&fixture);
    ck_assert_uint_le(upload_segment_files(&fixture), 3); /* nothing of the upload is left */
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "key", "again");
    fixture_deinit(&fixture);
    return crashed;
}

START_TEST(the_power_goes_at_every_call_of_an_upload) {
    static const enum power_cut_mode modes[] = {POWER_CUT_DROP_ALL, POWER_CUT_KEEP_ALL,
                                                POWER_CUT_RANDOM_SUBSET, POWER_CUT_NONE};
    uint64_t n = 0;

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        bool crashed = true;
        for (n = 1; crashed; n++) {
            struct power_cut cut = {.seed = n,
                                    .mode = modes[i],
                                    .entries =
                                        n % 2 ? POWER_CUT_ENTRIES_DROP : POWER_CUT_ENTRIES_KEEP,
                                    .block_bytes = 4096,
                                    .garbage = n % 3 == 0};
            crashed = upload_until_cut(n, &cut);
        }
        ck_assert_uint_gt(n, 15);
    }
}
END_TEST

START_TEST(a_failed_log_takes_no_uploads) {
    struct fault_rule rule = {.kinds = FAULT_SYNC, .countdown = 1, .fault = FAULT_IS_EIO};
    struct store_upload *open_upload;
    struct store_upload *upload = NULL;
    struct fixture fixture;
    struct env *faulty;
    enum status status;

    fixture_init(&fixture, 18);
    status = env_fault_create(fixture.memory, NULL, &faulty);
    ck_assert_int_eq(status, STATUS_OK);
    fixture.env = faulty;
    fixture_open(&fixture);
    open_upload = upload_start(&fixture, "key", 100, 1);
    env_fault_add(faulty, &rule);
    ck_assert_int_eq(
        fixture_put_if(&fixture, "key", slice_from_text("x"), always, STORE_SYNCED).status,
        STATUS_UNKNOWN);
    ck_assert_int_eq(store_upload_finish(open_upload, &fixture.error), STATUS_LOG_FAILED);
    ck_assert_int_eq(upload_try(&fixture, "key", 100, 1, &upload), STATUS_LOG_FAILED);
    ck_assert_ptr_null(upload);
    store_upload_destroy(open_upload);
    (void)store_close(fixture.store, &fixture.error);
    fixture.store = NULL;
    env_fault_destroy(faulty);
    fixture.env = fixture.memory;
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_upload_failure", a_full_disk_refuses_the_upload_and_gives_the_space_back,
          want_of_memory_anywhere_leaves_the_old_value,
          a_failed_write_anywhere_leaves_the_old_value, the_power_goes_at_every_call_of_an_upload,
          a_failed_log_takes_no_uploads)
