/* store_bulk_failure_test.c: bulk loads meet want of memory, failed writes, full disks, and power
 * cuts at every call: all of the load is there or nothing, and the feed knows of it. */
#include "tests/unit/bulk_fixture.h"
#include "tests/unit/feed_fixture.h"
#include "tests/unit/unit.h"

#include "storage/env_fault.h"

#define KIB UINT64_C(1024)
#define OLD_COUNT 60u
#define SEED 5u
static const uint32_t loaded[3] = {20, 150, 1};

static void put_old(struct fixture *fixture) {
    char key[BULK_KEY_BYTES];

    for (uint32_t i = 0; i < OLD_COUNT; i++) {
        bulk_key(key, i);
        fixture_put(fixture, key, "old");
    }
}

static void expect_old(struct fixture *fixture, uint32_t from, uint32_t to) {
    char key[BULK_KEY_BYTES];

    for (uint32_t i = from; i < to; i++) {
        bulk_key(key, i);
        fixture_expect(fixture, key, "old");
    }
}

/* All of it, or nothing: true: all. */
static bool expect_whole(struct fixture *fixture) {
    char last[BULK_KEY_BYTES];
    enum status status;

    bulk_key(last, loaded[1] - 1);
    status = fixture_get(fixture, last);
    expect_old(fixture, 0, loaded[0]);
    if (status == STATUS_OK) {
        bulk_expect_all(fixture, loaded[0], loaded[1], SEED);
        ck_assert_uint_eq(bulk_count_keys(fixture), loaded[1]);
        return true;
    }
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    expect_old(fixture, loaded[0], OLD_COUNT);
    ck_assert_uint_eq(bulk_count_keys(fixture), OLD_COUNT);
    return false;
}

/* Whether what is there fits how the load ended, for a transaction as well. */
static bool expect_outcome(struct fixture *fixture, enum status loaded_status) {
    struct store_transaction_options options = {.read_only = false};
    struct store_transaction *txn = NULL;
    bool is_there = expect_whole(fixture);

    ck_assert_int_eq(store_transaction_begin(fixture->store, &options, &txn), STATUS_OK);
    store_transaction_destroy(txn);

    ck_assert(is_there || loaded_status != STATUS_OK);
    ck_assert(!is_there || loaded_status == STATUS_OK || loaded_status == STATUS_LOG_FAILED);
    return is_there;
}

/* Whatever failed, the next open has all or nothing, without a fault, and takes another load. */
static void expect_after_reopening(struct fixture *fixture, enum status loaded_status) {
    (void)store_close(fixture->store, &fixture->error);
    fixture->store = NULL;
    fixture_open(fixture);
    fixture_settle(fixture);
    expect_outcome(fixture, loaded_status);
    bulk_verify(fixture);
    bulk_load(fixture, 200, 220, 9);
    bulk_expect_all(fixture, 200, 220, 9);
}

START_TEST(want_of_memory_anywhere_leaves_all_or_nothing) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t failures = 0;
    uint64_t n = 0;

    while (status != STATUS_OK) {
        struct fixture fixture;
        fixture_init(&fixture, 1);
        fixture_open(&fixture);
        put_old(&fixture);
        memory_fail_after(n++, false);
        status = bulk_try(&fixture, loaded, SEED);
        memory_fail_never();
        failures += status != STATUS_OK;
        fixture_settle(&fixture);
        if (status !=
            STATUS_LOG_FAILED) { /* the files are in memory too: a failed write is final */
            expect_outcome(&fixture, status);
        }
        expect_after_reopening(&fixture, status);
        fixture_deinit(&fixture);
    }
    ck_assert_uint_gt(failures, 40);
}
END_TEST

/* The n-th call that writes fails. */
static enum status load_with_fault(uint64_t n, enum fault fault, uint64_t *fired_out) {
    struct fault_rule rule = {.kinds = FAULT_WRITES, .countdown = n, .fault = fault};
    struct fixture fixture;
    struct env *faulty;
    enum status status;

    fixture_init(&fixture, 2);
    ck_assert_int_eq(env_fault_create(fixture.memory, NULL, &faulty), STATUS_OK);
    fixture.env = faulty;
    fixture_open(&fixture);
    put_old(&fixture);
    env_fault_add(faulty, &rule);
    status = bulk_try(&fixture, loaded, SEED);
    *fired_out = env_fault_fired(faulty);
    env_fault_clear(faulty);
    expect_outcome(&fixture, status);
    expect_after_reopening(&fixture, status);
    fixture_close(&fixture);
    env_fault_destroy(faulty);
    fixture.env = fixture.memory;
    fixture_deinit(&fixture);
    return status;
}

START_TEST(a_failed_write_anywhere_leaves_all_or_nothing) {
    static const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_ENOSPC, FAULT_IS_SHORT};
    uint64_t failures = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint64_t fired = 1;
        for (uint64_t n = 1; fired > 0; n++) {
            failures += load_with_fault(n, faults[i], &fired) != STATUS_OK;
        }
    }
    ck_assert_uint_gt(failures, 30);
}
END_TEST

START_TEST(a_full_disk_refuses_the_load_and_gives_the_space_back) {
    const uint32_t many[3] = {0, 4000, 1};
    struct env_space space;
    struct fixture fixture;
    uint32_t files;

    fixture_init(&fixture, 3);
    env_memory_set_space(fixture.memory, 8 * KIB * KIB);
    fixture.options.compress = false;
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    files = bulk_count_files(&fixture);
    ck_assert_int_eq(bulk_try(&fixture, many, SEED), STATUS_NO_SPACE);
    ck_assert_uint_eq(bulk_count_files(&fixture), files);
    ck_assert_int_eq(env_space(fixture.env, fixture.dir, &space, NULL), STATUS_OK);
    ck_assert_uint_gt(space.free_bytes, 4 * KIB * KIB);
    pass_ticks(&fixture, 2); /* the free space is looked at anew */
    fixture_expect(&fixture, "key", "old");
    bulk_load(&fixture, 0, 100, 1);
    bulk_expect_all(&fixture, 0, 100, 1);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Power cuts -------------------------------------------------------------------------------
 */

/* What the feed tells of the load to who has seen all up to `version`: whether there was a gap. */
static bool feed_tells_a_gap(struct fixture *fixture, uint64_t version) {
    struct feed feed;
    bool gap = false;

    feed_init(&feed, version);
    do {
        feed_follow(fixture, &feed);
        gap |= feed.result.gap_from > 0;
    } while (!feed.result.at_end);
    feed_deinit(&feed);
    return gap;
}

/* What came of a load that the power may have cut. */
struct cut_result {
    bool crashed;
    bool is_there;
    bool gap;
};

static struct cut_result load_until_cut(uint64_t n, const struct power_cut *cut) {
    struct cut_result result;
    struct fixture fixture;
    uint64_t version;
    enum status status;

    fixture_init(&fixture, 4);
    fixture.options.feed_bytes = 64 * KIB * KIB;
    fixture_open(&fixture);
    put_old(&fixture);
    version = atomic_load(&fixture.last_version);
    env_memory_set_crash_point(fixture.memory, n);
    status = bulk_try(&fixture, loaded, SEED);
    result.crashed = env_memory_crashed(fixture.memory);
    fixture_power_cut(&fixture, cut);
    fixture_open(&fixture);
    fixture_put(&fixture, "end", "x"); /* behind whatever the open has to make good */
    result.gap = feed_tells_a_gap(&fixture, version);
    fixture_delete(&fixture, "end");
    result.is_there = expect_whole(&fixture);
    ck_assert(result.is_there || status != STATUS_OK);
    ck_assert(result.gap == result.is_there);
    bulk_verify(&fixture);
    fixture_reopen(&fixture); /* nothing is made good twice */
    version = atomic_load(&fixture.last_version);
    fixture_put(&fixture, "end", "x");
    ck_assert(!feed_tells_a_gap(&fixture, version));
    fixture_deinit(&fixture);
    return result;
}

START_TEST(the_power_goes_at_every_call_of_a_load) {
    static const enum power_cut_mode modes[] = {POWER_CUT_DROP_ALL, POWER_CUT_KEEP_ALL,
                                                POWER_CUT_RANDOM_SUBSET, POWER_CUT_NONE};
    uint64_t broken_but_there = 0;

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct cut_result result = {.crashed = true};
        uint64_t n;
        for (n = 1; result.crashed; n++) {
            struct power_cut cut = {.seed = n,
                                    .mode = modes[i],
                                    .entries =
                                        n % 2 ? POWER_CUT_ENTRIES_DROP : POWER_CUT_ENTRIES_KEEP,
                                    .block_bytes = 4096,
                                    .garbage = n % 3 == 0};
            result = load_until_cut(n, &cut);
            broken_but_there += result.crashed && result.is_there;
        }
        ck_assert(result.is_there);
        ck_assert_uint_gt(n, 15);
    }
    ck_assert_uint_gt(broken_but_there, 0); /* between the edit and the end of the load */
}
END_TEST

/* ---- The feed ---------------------------------------------------------------------------------
 */

START_TEST(the_feed_tells_a_gap_in_the_place_of_a_load) {
    struct fixture fixture;
    struct feed feed;
    uint64_t version;
    uint64_t before;
    char expected[64];

    fixture_init(&fixture, 5);
    fixture.options.feed_bytes = 64 * KIB * KIB;
    fixture_open(&fixture);
    feed_init(&feed, 0);
    before = put_text(&fixture, "a", "1");
    version = bulk_load(&fixture, 0, 30, 1);
    for (uint32_t round = 0; round < 2; round++) {
        buffer_clear(&feed.text);
        feed.position = (struct store_feed_position){.version = before - 1};
        feed_follow(&fixture, &feed);
        if (feed.result.gap_from == 0) { /* a page ends before the gap */
            feed_follow(&fixture, &feed);
        }
        snprintf(expected, sizeof expected, "%llu put a=1;\n", (unsigned long long)before);
        ck_assert_uint_eq(feed.text.len, strlen(expected));
        ck_assert_mem_eq(feed.text.data, expected, strlen(expected));
        ck_assert_uint_eq(feed.result.gap_from, version);
        ck_assert_uint_eq(feed.result.gap_to, version);
        before = put_text(&fixture, "b", "2");
        buffer_clear(&feed.text);
        feed_follow(&fixture, &feed);
        ck_assert_uint_eq(feed.result.gap_from, 0);
        ck_assert_uint_gt(feed.text.len, 0);
        before = atomic_load(&fixture.last_version);
        fixture_reopen(&fixture);
        before = put_text(&fixture, "a", "1");
        version = bulk_load(&fixture, 10, 40, 2);
    }
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_load_elsewhere_is_no_gap) {
    struct fixture fixture;
    uint32_t id;
    uint64_t before;
    struct store_bulk *bulk;

    fixture_init(&fixture, 6);
    fixture.options.feed_bytes = 64 * KIB * KIB;
    fixture_open(&fixture);
    before = put_text(&fixture, "a", "1");
    ck_assert_int_eq(store_namespace(fixture.store, slice_from_text("other"), true, &id),
                     STATUS_OK);
    ck_assert_int_eq(store_bulk_begin(fixture.store, id, &bulk, &fixture.error), STATUS_OK);
    ck_assert_int_eq(bulk_add_to(&fixture, bulk, 1, 1), STATUS_OK);
    bulk_end(&fixture, bulk);
    ck_assert(!feed_tells_a_gap(&fixture, before));
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_bulk_failure", want_of_memory_anywhere_leaves_all_or_nothing,
          a_failed_write_anywhere_leaves_all_or_nothing,
          a_full_disk_refuses_the_load_and_gives_the_space_back,
          the_power_goes_at_every_call_of_a_load, the_feed_tells_a_gap_in_the_place_of_a_load,
          a_load_elsewhere_is_no_gap)
