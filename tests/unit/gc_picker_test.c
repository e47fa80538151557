/* gc_picker_test.c: which segments the log GC takes, over accounts written down
 * by hand. */
#include "storage/gc_picker.h"
#include "tests/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define ACCOUNTS_MAX 128u

struct log {
    struct segment_account accounts[ACCOUNTS_MAX];
    size_t count;
    struct gc_rules rules;
    struct gc_pick pick;
};

/* A log of segments of 64 MiB, all of them flushed. */
static struct log log_of(uint32_t dead_percent_min) {
    return (struct log){.rules = {.segment_bytes = 64 * MIB,
                                  .replay_segment = 1000,
                                  .dead_percent_min = dead_percent_min}};
}

static struct segment_account *add(struct log *log, uint64_t segment, uint64_t file_bytes,
                                   uint64_t live_bytes) {
    struct segment_account *account = &log->accounts[log->count++];

    ck_assert_uint_le(log->count, ACCOUNTS_MAX);
    *account = (struct segment_account){.segment = segment,
                                        .kind = SEGMENT_COMMIT,
                                        .sealed = true,
                                        .file_bytes = file_bytes,
                                        .records = live_bytes / 1024,
                                        .bytes = live_bytes};
    return account;
}

static void expect_pick(struct log *log, uint32_t count, const uint64_t *victims) {
    ck_assert(gc_pick(log->accounts, log->count, &log->rules, &log->pick));
    ck_assert_uint_eq(log->pick.count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(log->pick.victims[i], victims[i]);
    }
}

#define EXPECT_PICK(log, ...)                                                                      \
    expect_pick(log, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                         \
                (uint64_t[]){__VA_ARGS__})

static void expect_nothing(struct log *log) {
    ck_assert(!gc_pick(log->accounts, log->count, &log->rules, &log->pick));
    ck_assert_uint_eq(log->pick.count, 0);
}

START_TEST(an_empty_log_and_a_full_one_have_no_victim) {
    struct log log = log_of(10);

    expect_nothing(&log);
    add(&log, 1, 64 * MIB, 64 * MIB);
    add(&log, 2, 64 * MIB, 60 * MIB);
    expect_nothing(&log);
}
END_TEST

START_TEST(the_largest_dead_share_is_taken_first) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, 50 * MIB);
    add(&log, 2, 64 * MIB, 40 * MIB);
    add(&log, 3, 64 * MIB, 45 * MIB);
    EXPECT_PICK(&log, 2);
    ck_assert_uint_eq(log.pick.file_bytes, 64 * MIB);
    ck_assert_uint_eq(log.pick.live_bytes, 40 * MIB);
}
END_TEST

START_TEST(the_share_counts_and_not_the_bytes) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, 40 * MIB);
    add(&log, 2, 32 * MIB, 16 * MIB);
    EXPECT_PICK(&log, 1, 2); /* both fit one survivor */
    log.rules.segment_bytes = 48 * MIB;
    EXPECT_PICK(&log, 2);
}
END_TEST

START_TEST(among_equals_the_oldest_is_taken) {
    struct log log = log_of(10);

    add(&log, 7, 64 * MIB, 40 * MIB);
    add(&log, 3, 64 * MIB, 40 * MIB);
    add(&log, 5, 64 * MIB, 40 * MIB);
    EXPECT_PICK(&log, 3);
}
END_TEST

START_TEST(victims_are_taken_as_long_as_what_lives_fits_one_survivor) {
    struct log log = log_of(10);

    add(&log, 4, 64 * MIB, 20 * MIB);
    add(&log, 3, 64 * MIB, 22 * MIB);
    add(&log, 2, 64 * MIB, 24 * MIB);
    add(&log, 1, 64 * MIB, 22 * MIB + 1); /* would not fit: 20 + 22 + 22 + 1 > 64 */
    EXPECT_PICK(&log, 3, 4);
    log.accounts[3].bytes -= 1;
    EXPECT_PICK(&log, 1, 3, 4);
}
END_TEST

START_TEST(only_what_is_dead_enough_is_taken) {
    struct log log = log_of(50);

    add(&log, 1, 64 * MIB, 33 * MIB);
    expect_nothing(&log);
    add(&log, 2, 64 * MIB, 31 * MIB);
    EXPECT_PICK(&log, 2);
    log.rules.dead_percent_min = 0;
    EXPECT_PICK(&log, 1, 2);
}
END_TEST

START_TEST(what_is_wholly_dead_needs_no_job) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, 0);
    expect_nothing(&log);
}
END_TEST

START_TEST(what_only_aliases_hold_is_collected_and_their_bytes_live) {
    struct log log = log_of(10);
    struct segment_account *account = add(&log, 1, 64 * MIB, 0);

    account->alias_records = 3;
    account->alias_bytes = 8 * MIB;
    EXPECT_PICK(&log, 1);
    ck_assert_uint_eq(log.pick.live_bytes, 8 * MIB);
}
END_TEST

START_TEST(unsealed_unflushed_damaged_and_pinned_ones_are_left) {
    struct log log = log_of(10);
    uint64_t pinned[] = {2, 6};

    log.rules.replay_segment = 8;
    log.rules.pinned = pinned;
    log.rules.pinned_count = 2;
    add(&log, 1, 64 * MIB, MIB)->sealed = false;
    add(&log, 2, 64 * MIB, MIB)->kind = SEGMENT_EXTENT; /* pinned */
    add(&log, 3, 64 * MIB, MIB)->damaged = true;
    add(&log, 8, 64 * MIB, MIB); /* replayed at the next open */
    expect_nothing(&log);
    add(&log, 9, 64 * MIB, 2 * MIB)->kind = SEGMENT_SURVIVOR; /* never replayed */
    add(&log, 7, 64 * MIB, 3 * MIB);
    EXPECT_PICK(&log, 7, 9);
}
END_TEST

START_TEST(frames_are_no_garbage) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, 50 * MIB)->frame_bytes = 13 * MIB;
    expect_nothing(&log);
    log.accounts[0].frame_bytes = 5 * MIB;
    EXPECT_PICK(&log, 1);
}
END_TEST

START_TEST(more_references_than_bytes_do_no_harm) {
    struct log log = log_of(10);
    struct segment_account *account = add(&log, 1, 64 * MIB, 60 * MIB);

    account->alias_records = 100;
    account->alias_bytes = 50 * MIB; /* the same records a second time */
    ck_assert_uint_eq(segment_account_unreferenced(account), 0);
    expect_nothing(&log);
}
END_TEST

START_TEST(small_ones_come_along) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, 30 * MIB);
    add(&log, 2, 2 * MIB, 2 * MIB);
    add(&log, 3, 8 * MIB, 8 * MIB); /* an eighth is not small */
    EXPECT_PICK(&log, 1, 2);
}
END_TEST

START_TEST(enough_small_ones_are_a_job_of_their_own) {
    struct log log = log_of(10);

    for (uint64_t i = 1; i < GC_SMALL_MIN; i++) {
        add(&log, i, 2 * MIB, 2 * MIB);
    }
    expect_nothing(&log);
    add(&log, GC_SMALL_MIN, 2 * MIB, 2 * MIB);
    EXPECT_PICK(&log, 1, 2, 3, 4);
}
END_TEST

START_TEST(one_larger_than_a_survivor_is_collected_alone) {
    struct log log = log_of(10);

    add(&log, 1, 200 * MIB, 90 * MIB);
    add(&log, 2, 64 * MIB, 40 * MIB);
    EXPECT_PICK(&log, 1);
    ck_assert_uint_eq(log.pick.live_bytes, 90 * MIB);
}
END_TEST

START_TEST(a_job_has_a_bound_of_records_and_of_victims) {
    struct log log = log_of(10);

    add(&log, 1, 64 * MIB, MIB)->records = GC_RECORDS_MAX - 10;
    add(&log, 2, 64 * MIB, 2 * MIB)->records = 11;
    EXPECT_PICK(&log, 1);
    log.accounts[1].records = 10;
    EXPECT_PICK(&log, 1, 2);
    log.count = 0;
    for (uint64_t i = 0; i < GC_VICTIMS_MAX + 3; i++) {
        add(&log, 1 + i, MIB, 1024);
    }
    ck_assert(gc_pick(log.accounts, log.count, &log.rules, &log.pick));
    ck_assert_uint_eq(log.pick.count, GC_VICTIMS_MAX);
}
END_TEST

UNIT_MAIN("gc picker", an_empty_log_and_a_full_one_have_no_victim,
          the_largest_dead_share_is_taken_first, the_share_counts_and_not_the_bytes,
          among_equals_the_oldest_is_taken,
          victims_are_taken_as_long_as_what_lives_fits_one_survivor,
          only_what_is_dead_enough_is_taken, what_is_wholly_dead_needs_no_job,
          what_only_aliases_hold_is_collected_and_their_bytes_live,
          unsealed_unflushed_damaged_and_pinned_ones_are_left, frames_are_no_garbage,
          more_references_than_bytes_do_no_harm, small_ones_come_along,
          enough_small_ones_are_a_job_of_their_own, one_larger_than_a_survivor_is_collected_alone,
          a_job_has_a_bound_of_records_and_of_victims)
