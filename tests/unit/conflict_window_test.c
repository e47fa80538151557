/* conflict_window_test.c: which memtables stay for whom, and what falls out of the window. */
#include "storage/conflict_window.h"
#include "storage/ikey.h"
#include "tests/unit/unit.h"

#define NEVER UINT64_MAX

struct fixture {
    struct watermarks marks;
    struct conflict_window window;
    uint64_t version; /* of the last commit */
};

static void window_with(struct fixture *fixture, uint64_t bytes_max) {
    *fixture = (struct fixture){.version = 100};
    watermarks_init(&fixture->marks, 100);
    conflict_window_init(&fixture->window, &fixture->marks, bytes_max);
}

static void finish(struct fixture *fixture) {
    conflict_window_deinit(&fixture->window);
    watermarks_deinit(&fixture->marks);
}

/* A memtable with `count` commits of one row each, all visible. */
static struct memtable *commits(struct fixture *fixture, uint32_t count) {
    struct entry entry = {.kind = ENTRY_TOMBSTONE};
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];
    size_t row_len = row_store(row, 1, slice_from_text("k"));
    struct memtable *memtable;

    ck_assert_int_eq(memtable_create(4096, &memtable), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = memtable_node_bytes(row_len, entry_bytes(&entry));
        ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
        memtable_insert(memtable, slice_make(row, row_len), ++fixture->version, &entry);
    }
    watermarks_raise_visible(&fixture->marks, fixture->version);
    return memtable;
}

/* Flushed at `now_ms`; only the window can hold it now. */
static void retire(struct fixture *fixture, uint32_t count, uint64_t now_ms) {
    struct memtable *memtable = commits(fixture, count);

    conflict_window_retire(&fixture->window, memtable, now_ms);
    memtable_unref(memtable);
}

static uint32_t retained(struct fixture *fixture) {
    struct conflict_window_stats stats;

    conflict_window_read_stats(&fixture->window, &stats);
    ck_assert((stats.memtables == 0) == (stats.bytes == 0));
    return (uint32_t)stats.memtables;
}

/* How many memtables are newer than a version; UINT32_MAX: too old. */
static uint32_t newer_than(struct fixture *fixture, uint64_t version) {
    struct memtable *memtables[WINDOW_MEMTABLES_MAX];
    uint32_t count = 0;

    if (conflict_window_take(&fixture->window, version, memtables, &count) != STATUS_OK) {
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_gt(memtable_version_max(memtables[i]), version);
        memtable_unref(memtables[i]);
    }
    return count;
}

START_TEST(nothing_is_kept_while_no_transaction_is_open) {
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    retire(&fixture, 3, 0);
    ck_assert_uint_eq(retained(&fixture), 0);
    ck_assert_uint_eq(newer_than(&fixture, 102), UINT32_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 103), 0);
    finish(&fixture);
}
END_TEST

START_TEST(what_is_newer_than_an_open_one_stays_until_it_leaves) {
    struct window_ticket ticket;
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    conflict_window_enter(&fixture.window, &ticket, NEVER);
    retire(&fixture, 3, 0);
    retire(&fixture, 2, 0);
    ck_assert_uint_eq(retained(&fixture), 2);
    ck_assert_uint_eq(newer_than(&fixture, 100), 2);
    ck_assert_uint_eq(newer_than(&fixture, 103), 1);
    ck_assert_uint_eq(newer_than(&fixture, 105), 0);
    conflict_window_leave(&fixture.window, &ticket);
    ck_assert_uint_eq(retained(&fixture), 0);
    conflict_window_leave(&fixture.window, &ticket); /* again: nothing */
    finish(&fixture);
}
END_TEST

START_TEST(the_oldest_decides_whatever_the_order_of_leaving) {
    struct window_ticket tickets[3];
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    for (int i = 0; i < 3; i++) {
        conflict_window_enter(&fixture.window, &tickets[i], NEVER);
        retire(&fixture, 1, 0);
    }
    ck_assert_uint_eq(retained(&fixture), 3);
    conflict_window_leave(&fixture.window, &tickets[1]);
    ck_assert_uint_eq(retained(&fixture), 3);
    conflict_window_leave(&fixture.window, &tickets[0]);
    ck_assert_uint_eq(retained(&fixture), 1);
    conflict_window_leave(&fixture.window, &tickets[2]);
    ck_assert_uint_eq(retained(&fixture), 0);
    finish(&fixture);
}
END_TEST

START_TEST(above_the_budget_the_oldest_goes_and_the_floor_rises) {
    struct window_ticket ticket;
    struct memtable *probe;
    struct fixture fixture;
    size_t bytes;

    window_with(&fixture, 0);
    probe = commits(&fixture, 1);
    bytes = memtable_bytes(probe);
    memtable_unref(probe);
    fixture.window.bytes_max = 2 * bytes;
    conflict_window_enter(&fixture.window, &ticket, NEVER); /* at 101 */
    retire(&fixture, 1, 0);
    retire(&fixture, 1, 0);
    ck_assert_uint_eq(newer_than(&fixture, 101), 2);
    retire(&fixture, 1, 0);
    ck_assert_uint_eq(retained(&fixture), 2);
    ck_assert_uint_eq(newer_than(&fixture, 101), UINT32_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 102), 2);
    ck_assert_uint_eq(fixture.window.cuts, 1);
    retire(&fixture, 50, 0); /* alone too large */
    ck_assert_uint_eq(retained(&fixture), 0);
    ck_assert_uint_eq(newer_than(&fixture, 153), UINT32_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 154), 0);
    conflict_window_leave(&fixture.window, &ticket);
    finish(&fixture);
}
END_TEST

START_TEST(there_are_never_more_than_a_judge_has_room_for) {
    struct window_ticket ticket;
    struct fixture fixture;

    window_with(&fixture, UINT64_MAX / 2);
    conflict_window_enter(&fixture.window, &ticket, NEVER);
    for (uint32_t i = 0; i < WINDOW_MEMTABLES_MAX + 1; i++) {
        retire(&fixture, 1, 0);
    }
    ck_assert_uint_eq(retained(&fixture), WINDOW_MEMTABLES_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 100), UINT32_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 101), WINDOW_MEMTABLES_MAX);
    conflict_window_leave(&fixture.window, &ticket);
    finish(&fixture);
}
END_TEST

START_TEST(one_past_its_deadline_keeps_nothing) {
    struct window_ticket old;
    struct window_ticket young;
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    conflict_window_enter(&fixture.window, &old, 1000);
    retire(&fixture, 1, 999);
    ck_assert_uint_eq(retained(&fixture), 1);
    conflict_window_enter(&fixture.window, &young, NEVER);
    retire(&fixture, 1, 1000);
    ck_assert_uint_eq(retained(&fixture), 1); /* the young one's */
    ck_assert_uint_eq(newer_than(&fixture, 100), UINT32_MAX);
    ck_assert_uint_eq(newer_than(&fixture, 101), 1);
    ck_assert_uint_eq(fixture.window.cuts, 0);
    conflict_window_leave(&fixture.window, &young);
    conflict_window_leave(&fixture.window, &old);
    finish(&fixture);
}
END_TEST

START_TEST(entering_in_the_past_is_refused_below_the_floor) {
    struct window_ticket now;
    struct window_ticket past;
    struct window_ticket refused = {0};
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    retire(&fixture, 2, 0); /* the floor is 102 */
    conflict_window_enter(&fixture.window, &now, NEVER);
    retire(&fixture, 3, 0);
    ck_assert_int_eq(conflict_window_enter_at(&fixture.window, &past, 102, NEVER), STATUS_OK);
    ck_assert_int_eq(conflict_window_enter_at(&fixture.window, &refused, 101, NEVER),
                     STATUS_TXN_TOO_OLD);
    conflict_window_leave(&fixture.window, &refused);
    conflict_window_leave(&fixture.window, &now);
    ck_assert_uint_eq(newer_than(&fixture, 102), 1);
    conflict_window_leave(&fixture.window, &past);
    finish(&fixture);
}
END_TEST

START_TEST(a_flush_that_is_tried_again_hands_over_once) {
    struct window_ticket ticket;
    struct memtable *memtable;
    struct fixture fixture;

    window_with(&fixture, 1 << 20);
    conflict_window_enter(&fixture.window, &ticket, NEVER);
    memtable = commits(&fixture, 1);
    conflict_window_retire(&fixture.window, memtable, 0);
    conflict_window_retire(&fixture.window, memtable, 0);
    ck_assert_uint_eq(retained(&fixture), 1);
    memtable_unref(memtable);
    conflict_window_leave(&fixture.window, &ticket);
    finish(&fixture);
}
END_TEST

UNIT_MAIN("conflict_window", nothing_is_kept_while_no_transaction_is_open,
          what_is_newer_than_an_open_one_stays_until_it_leaves,
          the_oldest_decides_whatever_the_order_of_leaving,
          above_the_budget_the_oldest_goes_and_the_floor_rises,
          there_are_never_more_than_a_judge_has_room_for, one_past_its_deadline_keeps_nothing,
          entering_in_the_past_is_refused_below_the_floor,
          a_flush_that_is_tried_again_hands_over_once)
