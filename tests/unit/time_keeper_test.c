/* time_keeper_test.c: which rows of times are committed, and which deleted, tick by tick. */
#include "storage/time_keeper.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#define START_MS UINT64_C(1700000000000)
#define HOUR_MS UINT64_C(3600000)

struct desk {
    struct namespaces namespaces;
    struct time_index index;
    struct time_keeper keeper;
    struct value_policy policy;
    uint64_t version; /* the newest */
};

static void make(struct desk *desk, uint64_t keep_ms) {
    struct namespace_row row = {.id = NAMESPACE_DEFAULT, .settings = {.keep_ms = keep_ms}};

    *desk = (struct desk){.version = 10};
    namespaces_init(&desk->namespaces);
    namespaces_apply(&desk->namespaces, &row);
    ck_assert_int_eq(time_index_init(&desk->index), STATUS_OK);
    ck_assert_int_eq(
        time_keeper_init(&desk->keeper, &desk->index, &desk->namespaces, NULL, &desk->policy),
        STATUS_OK);
}

static void unmake(struct desk *desk) {
    time_keeper_deinit(&desk->keeper);
    time_index_deinit(&desk->index);
    namespaces_deinit(&desk->namespaces);
}

struct ticked {
    uint32_t rows;
    uint32_t deletes;
};

/* One tick; what it commits is answered by `status`. */
static struct ticked tick(struct desk *desk, uint64_t now_ms, enum status status) {
    struct store_commit *commit = time_keeper_tick(&desk->keeper, now_ms, desk->version);
    struct store_outcome outcome = {.status = status};
    struct ticked ticked = {0, 0};
    struct batch_op op;
    struct reader reader;

    if (!commit) {
        return ticked;
    }
    reader = reader_make(buffer_slice(&commit->batch.meta));
    while (batch_take(&reader, 0, &op) == STATUS_OK) {
        ck_assert_uint_eq(op.namespace_id, NAMESPACE_SYSTEM);
        ticked.rows += op.kind == ENTRY_INLINE;
        ticked.deletes += op.kind == ENTRY_TOMBSTONE;
    }
    ck_assert_ptr_null(time_keeper_tick(&desk->keeper, now_ms + 5000, desk->version + 1));
    if (status == STATUS_OK) {
        outcome.version = ++desk->version;
    }
    commit->done_cb(commit, &outcome);
    return ticked;
}

START_TEST(without_retention_nothing_is_committed) {
    struct desk desk;

    make(&desk, 0);
    ck_assert_ptr_null(time_keeper_tick(&desk.keeper, START_MS, desk.version));
    unmake(&desk);
}
END_TEST

START_TEST(a_row_a_second_while_the_store_changes) {
    struct desk desk;

    make(&desk, HOUR_MS);
    ck_assert_uint_eq(tick(&desk, START_MS, STATUS_OK).rows, 1);
    ck_assert_uint_eq(tick(&desk, START_MS + 2000, STATUS_OK).rows, 0); /* only its own commit */
    desk.version++;
    ck_assert_uint_eq(tick(&desk, START_MS + 999, STATUS_OK).rows, 0);
    ck_assert_uint_eq(tick(&desk, START_MS + 1000, STATUS_OK).rows, 1);
    unmake(&desk);
}
END_TEST

START_TEST(a_row_that_is_wanted_comes_at_once) {
    struct desk desk;

    make(&desk, HOUR_MS);
    ck_assert_uint_eq(tick(&desk, START_MS, STATUS_OK).rows, 1);
    desk.version++;
    ck_assert_uint_eq(tick(&desk, START_MS + 1, STATUS_OK).rows, 0);
    time_keeper_want(&desk.keeper);
    ck_assert(time_keeper_is_wanted(&desk.keeper));
    ck_assert_uint_eq(tick(&desk, START_MS + 1, STATUS_OK).rows, 1);
    ck_assert(!time_keeper_is_wanted(&desk.keeper));
    desk.version++;
    ck_assert_uint_eq(tick(&desk, START_MS + 2, STATUS_OK).rows, 0); /* it was wanted once */
    time_keeper_want(&desk.keeper);
    ck_assert_uint_eq(tick(&desk, START_MS + 1, STATUS_OK).rows, 0); /* one a millisecond */
    ck_assert_uint_eq(tick(&desk, START_MS + 2, STATUS_OK).rows, 1); /* and then it comes */
    time_keeper_want(&desk.keeper); /* its own row came behind a commit that it does not show */
    ck_assert_uint_eq(tick(&desk, START_MS + 3, STATUS_OK).rows, 1);
    unmake(&desk);
}
END_TEST

START_TEST(rows_that_are_wanted_too_often_do_not_push_out_the_old_ones) {
    struct desk desk;
    uint32_t rows = 0;

    make(&desk, HOUR_MS);
    for (uint64_t i = 0; i < TIME_ROWS_AT_ONCE_MAX + 100; i++) {
        desk.version++;
        time_keeper_want(&desk.keeper);
        rows += tick(&desk, START_MS + i, STATUS_OK).rows;
    }
    ck_assert_uint_ge(rows, TIME_ROWS_AT_ONCE_MAX);
    ck_assert_uint_lt(rows, TIME_ROWS_AT_ONCE_MAX + 2);
    unmake(&desk);
}
END_TEST

START_TEST(a_long_retention_has_sparser_rows) {
    uint64_t keep_ms = HOUR_MS * 24 * 365;
    uint64_t interval_ms = keep_ms / TIME_ROWS_WANTED;
    struct desk desk;

    make(&desk, keep_ms);
    ck_assert_uint_eq(tick(&desk, START_MS, STATUS_OK).rows, 1);
    desk.version++;
    ck_assert_uint_eq(tick(&desk, START_MS + interval_ms - 1, STATUS_OK).rows, 0);
    ck_assert_uint_eq(tick(&desk, START_MS + interval_ms, STATUS_OK).rows, 1);
    unmake(&desk);
}
END_TEST

START_TEST(rows_go_when_all_retention_is_past_them_but_for_one) {
    struct ticked ticked = {0, 0};
    uint32_t deletes = 0;
    struct desk desk;

    make(&desk, 10000);
    for (uint64_t i = 0; i < 100; i++) {
        desk.version++;
        ticked = tick(&desk, START_MS + 1000 * i, STATUS_OK);
        ck_assert_uint_eq(ticked.rows, 1);
        deletes += ticked.deletes;
    }
    ck_assert_uint_eq(deletes, 100 - 11); /* the last one's own row stands, and ten before */
    unmake(&desk);
}
END_TEST

START_TEST(a_commit_that_failed_is_made_again) {
    struct desk desk;

    make(&desk, HOUR_MS);
    ck_assert_uint_eq(tick(&desk, START_MS, STATUS_NO_SPACE).rows, 1);
    ck_assert_uint_eq(tick(&desk, START_MS + 1000, STATUS_OK).rows, 1);
    ck_assert_uint_eq(desk.keeper.row_count, 0); /* known at the next tick */
    ck_assert_uint_eq(tick(&desk, START_MS + 1001, STATUS_OK).rows, 0);
    ck_assert_uint_eq(desk.keeper.row_count, 1);
    unmake(&desk);
}
END_TEST

START_TEST(when_retention_ends_all_rows_go) {
    struct namespace_row none = {.id = NAMESPACE_DEFAULT};
    uint32_t deletes = 0;
    struct desk desk;

    make(&desk, HOUR_MS);
    for (uint64_t i = 0; i < 100; i++) {
        desk.version++;
        (void)tick(&desk, START_MS + 1000 * i, STATUS_OK);
    }
    namespaces_apply(&desk.namespaces, &none);
    for (uint64_t i = 0; i < 3; i++) {
        struct ticked ticked = tick(&desk, START_MS + 1000 * (100 + i), STATUS_OK);
        ck_assert_uint_eq(ticked.rows, 0);
        deletes += ticked.deletes;
    }
    ck_assert_uint_eq(deletes, 100);
    ck_assert_ptr_null(time_keeper_tick(&desk.keeper, START_MS + HOUR_MS, desk.version + 1));
    unmake(&desk);
}
END_TEST

START_TEST(without_memory_it_is_tried_again) {
    struct desk desk;

    make(&desk, HOUR_MS);
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, true);
        ck_assert_ptr_null(time_keeper_tick(&desk.keeper, START_MS, desk.version));
        memory_fail_never();
    }
    ck_assert_uint_eq(tick(&desk, START_MS, STATUS_OK).rows, 1);
    unmake(&desk);
}
END_TEST

START_TEST(a_row_that_is_not_well_formed_is_refused_at_open) {
    struct desk desk;
    uint8_t key[TIME_KEY_BYTES];
    uint8_t value[1] = {0x80};

    make(&desk, HOUR_MS);
    time_key_store(key, START_MS);
    ck_assert_int_eq(time_keeper_load(&desk.keeper, slice_make(key, sizeof key),
                                      slice_make(value, sizeof value)),
                     STATUS_CORRUPT);
    value[0] = 5;
    ck_assert_int_eq(time_keeper_load(&desk.keeper, slice_make(key, sizeof key),
                                      slice_make(value, sizeof value)),
                     STATUS_OK);
    ck_assert_uint_eq(desk.keeper.row_count, 1);
    ck_assert_uint_eq(desk.index.count, 1);
    unmake(&desk);
}
END_TEST

UNIT_MAIN("time_keeper", without_retention_nothing_is_committed,
          a_row_a_second_while_the_store_changes, a_row_that_is_wanted_comes_at_once,
          rows_that_are_wanted_too_often_do_not_push_out_the_old_ones,
          a_long_retention_has_sparser_rows, rows_go_when_all_retention_is_past_them_but_for_one,
          a_commit_that_failed_is_made_again, when_retention_ends_all_rows_go,
          without_memory_it_is_tried_again, a_row_that_is_not_well_formed_is_refused_at_open)
