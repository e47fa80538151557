/* holders_test.c: what holds a segment, over versions and manifests written down by hand. */
#include "storage/holders.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#define TABLES_MAX 8u
#define SEGMENTS_MAX 8u
#define SHARES_MAX 4u

struct books {
    struct version version;
    struct table_info infos[LEVELS_MAX][TABLES_MAX];
    const struct table_info *pointers[LEVELS_MAX][TABLES_MAX];
    struct segment_share shares[LEVELS_MAX][TABLES_MAX][SHARES_MAX];
    struct manifest_state state;
    struct manifest_segment segments[SEGMENTS_MAX];
    struct version_edit edit;
};

/* A table with no references so far. */
static struct table_info *add_table(struct books *books, uint32_t level) {
    struct level *to = &books->version.levels[level];
    uint32_t index = to->count++;
    struct table_info *info = &books->infos[level][index];

    ck_assert_uint_lt(index, TABLES_MAX);
    info->shares = books->shares[level][index];
    books->pointers[level][index] = info;
    to->infos = books->pointers[level];
    return info;
}

static void holds(struct table_info *info, uint64_t segment, uint64_t records, uint64_t bytes) {
    ck_assert_uint_lt(info->share_count, SHARES_MAX);
    info->shares[info->share_count++] =
        (struct segment_share){.segment = segment, .records = records, .bytes = bytes};
}

static void add_segment(struct books *books, uint64_t number, enum segment_kind kind, bool sealed) {
    struct manifest_state *state = &books->state;

    ck_assert_uint_lt(state->segment_count, SEGMENTS_MAX);
    state->segments = books->segments;
    state->segments[state->segment_count++] =
        (struct manifest_segment){.number = number, .kind = kind, .sealed = sealed};
}

static void expect_held(const struct holder_sums *sums, uint64_t segment, uint64_t records,
                        uint64_t bytes) {
    struct segment_share share = holders_get(sums, segment);

    ck_assert_uint_eq(share.segment, segment);
    ck_assert_uint_eq(share.records, records);
    ck_assert_uint_eq(share.bytes, bytes);
}

static void drop_unheld(struct books *books, uint64_t replay_segment) {
    enum status status =
        holders_drop_unheld(&books->state, &books->version, replay_segment, &books->edit);
    ck_assert_int_eq(status, STATUS_OK);
}

START_TEST(a_version_without_tables_holds_nothing) {
    struct books books = {0};
    struct holder_sums sums;

    ck_assert_int_eq(holders_of_version(&books.version, &sums), STATUS_OK);
    ck_assert_uint_eq(sums.count, 0);
    expect_held(&sums, 7, 0, 0);
    holders_deinit(&sums);
}
END_TEST

START_TEST(tables_of_small_values_hold_nothing) {
    struct books books = {0};
    struct holder_sums sums;

    (void)add_table(&books, 0);
    (void)add_table(&books, 6);
    ck_assert_int_eq(holders_of_version(&books.version, &sums), STATUS_OK);
    ck_assert_uint_eq(sums.count, 0);
    holders_deinit(&sums);
}
END_TEST

START_TEST(shares_of_one_segment_add_up_over_tables_and_levels) {
    struct books books = {0};
    struct holder_sums sums;
    struct table_info *table = add_table(&books, 6);

    holds(table, 9, 1, 10);
    holds(table, 12, 2, 20);
    holds(add_table(&books, 6), 3, 4, 40);
    holds(add_table(&books, 1), 9, 8, 80);
    holds(add_table(&books, 0), 9, 16, 160);
    ck_assert_int_eq(holders_of_version(&books.version, &sums), STATUS_OK);
    ck_assert_uint_eq(sums.count, 3);
    expect_held(&sums, 3, 4, 40);
    expect_held(&sums, 9, 25, 250);
    expect_held(&sums, 12, 2, 20);
    for (uint64_t segment = 0; segment < 20; segment++) {
        if (segment != 3 && segment != 9 && segment != 12) {
            expect_held(&sums, segment, 0, 0);
        }
    }
    ck_assert_uint_lt(sums.shares[0].segment, sums.shares[1].segment);
    ck_assert_uint_lt(sums.shares[1].segment, sums.shares[2].segment);
    holders_deinit(&sums);
    ck_assert_uint_eq(sums.count, 0);
}
END_TEST

START_TEST(only_a_sealed_commit_segment_that_nobody_needs_is_dropped) {
    struct books books = {0};

    holds(add_table(&books, 4), 2, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    add_segment(&books, 2, SEGMENT_COMMIT, true); /* held */
    add_segment(&books, 3, SEGMENT_COMMIT, false);
    add_segment(&books, 4, SEGMENT_SURVIVOR, true);
    add_segment(&books, 5, SEGMENT_EXTENT, true);
    add_segment(&books, 6, SEGMENT_COMMIT, true);
    drop_unheld(&books, 10);
    ck_assert_uint_eq(books.edit.segments_removed_count, 2);
    ck_assert_uint_eq(books.edit.segments_removed[0], 1);
    ck_assert_uint_eq(books.edit.segments_removed[1], 6);
    version_edit_deinit(&books.edit);
}
END_TEST

START_TEST(the_replay_segment_and_those_above_it_stay) {
    struct books books = {0};

    add_segment(&books, 4, SEGMENT_COMMIT, true);
    add_segment(&books, 5, SEGMENT_COMMIT, true);
    add_segment(&books, 6, SEGMENT_COMMIT, true);
    drop_unheld(&books, 0);
    drop_unheld(&books, 4);
    ck_assert(version_edit_is_empty(&books.edit));
    drop_unheld(&books, 5);
    ck_assert_uint_eq(books.edit.segments_removed_count, 1);
    ck_assert_uint_eq(books.edit.segments_removed[0], 4);
    version_edit_deinit(&books.edit);
}
END_TEST

START_TEST(a_segment_is_dropped_with_its_last_reference_only) {
    struct books books = {0};

    holds(add_table(&books, 0), 1, 1, 100);
    holds(add_table(&books, 6), 1, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    drop_unheld(&books, 10);
    books.version.levels[0].count = 0;
    drop_unheld(&books, 10);
    ck_assert(version_edit_is_empty(&books.edit));
    books.version.levels[6].count = 0;
    drop_unheld(&books, 10);
    ck_assert_uint_eq(books.edit.segments_removed_count, 1);
    version_edit_deinit(&books.edit);
}
END_TEST

START_TEST(what_the_edit_said_before_stays_in_it) {
    struct books books = {0};

    add_segment(&books, 1, SEGMENT_COMMIT, true);
    ck_assert_int_eq(version_edit_remove_table(&books.edit, 3, 77), STATUS_OK);
    drop_unheld(&books, 2);
    ck_assert_uint_eq(books.edit.tables_removed_count, 1);
    ck_assert_uint_eq(books.edit.segments_removed_count, 1);
    version_edit_deinit(&books.edit);
}
END_TEST

START_TEST(each_failing_allocation_is_told) {
    struct books books = {0};
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;

    holds(add_table(&books, 1), 2, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    add_segment(&books, 2, SEGMENT_COMMIT, true);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = holders_drop_unheld(&books.state, &books.version, 10, &books.edit);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(books.edit.segments_removed_count, status == STATUS_OK);
    }
    ck_assert_uint_ge(n, 3);
    version_edit_deinit(&books.edit);
}
END_TEST

UNIT_MAIN("holders", a_version_without_tables_holds_nothing, tables_of_small_values_hold_nothing,
          shares_of_one_segment_add_up_over_tables_and_levels,
          only_a_sealed_commit_segment_that_nobody_needs_is_dropped,
          the_replay_segment_and_those_above_it_stay,
          a_segment_is_dropped_with_its_last_reference_only, what_the_edit_said_before_stays_in_it,
          each_failing_allocation_is_told)
