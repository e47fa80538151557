/* watermarks_test.c: how far the log has come, and who is told when. */
#include "storage/watermarks.h"
#include "tests/unit/unit.h"

struct told {
    struct store_waiter waiter; /* first */
    uint32_t calls;
    uint32_t order;
    enum status status;
    uint32_t *counter;
};

static void done_cb(struct store_waiter *waiter, enum status status) {
    struct told *told = (struct told *)waiter;

    told->calls++;
    told->status = status;
    told->order = ++*told->counter;
}

static void wait_for(struct watermarks *marks, struct told *told, uint32_t *counter,
                     uint64_t written, uint64_t durable) {
    *told = (struct told){.waiter = {.hold = {written, durable}, .done_cb = done_cb},
                          .counter = counter};
    watermarks_wait(marks, &told->waiter);
}

static void come_to(struct watermarks *marks, uint64_t version) {
    watermarks_raise_visible(marks, version);
    watermarks_raise_written(marks, version);
}

START_TEST(what_is_reached_is_told_at_once) {
    struct watermarks marks;
    struct told told;
    uint32_t counter = 0;

    watermarks_init(&marks, 5);
    wait_for(&marks, &told, &counter, 5, 5);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert_int_eq(told.status, STATUS_OK);
    wait_for(&marks, &told, &counter, 0, 0);
    ck_assert_uint_eq(told.calls, 1);
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(each_waits_for_its_own_mark_and_is_told_once) {
    struct watermarks marks;
    struct told written;
    struct told durable;
    struct told later;
    uint32_t counter = 0;

    watermarks_init(&marks, 5);
    wait_for(&marks, &later, &counter, 8, 0);
    wait_for(&marks, &durable, &counter, 0, 6);
    wait_for(&marks, &written, &counter, 6, 0);
    ck_assert_uint_eq(counter, 0);
    come_to(&marks, 7);
    ck_assert_uint_eq(written.calls, 1);
    ck_assert_uint_eq(durable.calls, 0);
    watermarks_raise_durable(&marks, 6);
    ck_assert_uint_eq(durable.calls, 1);
    ck_assert_uint_eq(later.calls, 0);
    come_to(&marks, 8);
    watermarks_raise_durable(&marks, 8);
    ck_assert_uint_eq(written.calls + durable.calls + later.calls, 3);
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(those_who_waited_longest_are_told_first) {
    struct watermarks marks;
    struct told told[10];
    uint32_t counter = 0;

    watermarks_init(&marks, 0);
    for (uint32_t i = 0; i < 10; i++) {
        wait_for(&marks, &told[i], &counter, 1, 0);
    }
    come_to(&marks, 1);
    for (uint32_t i = 0; i < 10; i++) {
        ck_assert_uint_eq(told[i].order, i + 1);
    }
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(after_a_failure_only_what_is_not_reached_is_unknown) {
    struct watermarks marks;
    struct told waiting;
    struct told reached;
    struct told late;
    uint32_t counter = 0;

    watermarks_init(&marks, 5);
    come_to(&marks, 7);
    wait_for(&marks, &waiting, &counter, 0, 7);
    watermarks_fail(&marks);
    ck_assert_int_eq(waiting.status, STATUS_UNKNOWN);
    wait_for(&marks, &reached, &counter, 7, 5);
    ck_assert_int_eq(reached.status, STATUS_OK);
    wait_for(&marks, &late, &counter, 0, 6);
    ck_assert_int_eq(late.status, STATUS_UNKNOWN);
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(a_wait_that_was_ended_is_not_told) {
    struct watermarks marks;
    struct told first;
    struct told second;
    uint32_t counter = 0;

    watermarks_init(&marks, 5);
    come_to(&marks, 7);
    wait_for(&marks, &first, &counter, 0, 7);
    wait_for(&marks, &second, &counter, 0, 7);
    ck_assert(watermarks_cancel(&marks, &first.waiter));
    ck_assert(!watermarks_cancel(&marks, &first.waiter));
    watermarks_raise_durable(&marks, 7);
    ck_assert_uint_eq(counter, 1);
    ck_assert_int_eq(second.status, STATUS_OK);
    ck_assert(!watermarks_cancel(&marks, &second.waiter));
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(an_older_durable_mark_is_ignored) {
    struct watermarks marks;

    watermarks_init(&marks, 5);
    come_to(&marks, 9);
    watermarks_raise_durable(&marks, 8);
    watermarks_raise_durable(&marks, 6);
    ck_assert_uint_eq(watermarks_durable(&marks), 8);
    watermarks_deinit(&marks);
}
END_TEST

START_TEST(a_read_waits_for_the_class_of_what_it_saw) {
    struct watermarks marks;
    struct store_hold hold = {0, 0};

    watermarks_init(&marks, 5);
    watermarks_raise_visible(&marks, 9);
    watermarks_hold_entry(&marks, STORE_MEMORY, 9, &hold);
    ck_assert_uint_eq(hold.written_version + hold.durable_version, 0);
    watermarks_hold_entry(&marks, STORE_SYNCED, 5, &hold); /* durable already */
    ck_assert_uint_eq(hold.durable_version, 0);
    watermarks_hold_entry(&marks, STORE_LOGGED, 8, &hold);
    watermarks_hold_entry(&marks, STORE_SYNCED, 7, &hold);
    watermarks_hold_entry(&marks, STORE_SYNCED, 6, &hold); /* does not lower it */
    ck_assert_uint_eq(hold.written_version, 8);
    ck_assert_uint_eq(hold.durable_version, 7);
    ck_assert(!watermarks_passed(&marks, &hold));
    watermarks_raise_written(&marks, 9);
    watermarks_raise_durable(&marks, 9);
    ck_assert(watermarks_passed(&marks, &hold));
    watermarks_deinit(&marks);
}
END_TEST

UNIT_MAIN("watermarks", what_is_reached_is_told_at_once,
          each_waits_for_its_own_mark_and_is_told_once, those_who_waited_longest_are_told_first,
          after_a_failure_only_what_is_not_reached_is_unknown, a_wait_that_was_ended_is_not_told,
          an_older_durable_mark_is_ignored, a_read_waits_for_the_class_of_what_it_saw)
