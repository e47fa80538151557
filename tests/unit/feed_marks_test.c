/* feed_marks_test.c: where versions stand in the log: found again, thinned out, forgotten. */
#include "storage/feed_marks.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#define MIB FEED_MARK_BYTES

static void note(struct feed_marks *marks, uint64_t segment, uint64_t offset, uint64_t version) {
    struct feed_mark mark = {segment, offset, version, offset == 128 ? 0 : version + 1};
    feed_marks_note(marks, &mark);
}

/* The offset of what is found; 0: nothing. */
static uint64_t find(struct feed_marks *marks, uint64_t segment, uint64_t version) {
    struct feed_mark mark;
    return feed_marks_find(marks, segment, version, &mark) ? mark.offset : 0;
}

START_TEST(the_furthest_mark_that_leaves_nothing_out_is_found) {
    struct feed_marks marks;

    feed_marks_init(&marks);
    ck_assert_uint_eq(find(&marks, 1, 5), 0);
    note(&marks, 7, 128, 10);
    note(&marks, 7, 3 * MIB, 30);
    note(&marks, 7, 2 * MIB, 20); /* in any order */
    note(&marks, 9, 128, 40);
    ck_assert_uint_eq(find(&marks, 7, 9), 0);
    ck_assert_uint_eq(find(&marks, 7, 10), 128);
    ck_assert_uint_eq(find(&marks, 7, 19), 128);
    ck_assert_uint_eq(find(&marks, 7, 20), 2 * MIB);
    ck_assert_uint_eq(find(&marks, 7, 1000), 3 * MIB);
    ck_assert_uint_eq(find(&marks, 8, 1000), 0);
    ck_assert_uint_eq(find(&marks, 9, 1000), 128);
    feed_marks_deinit(&marks);
}
END_TEST

START_TEST(marks_that_stand_close_are_left_out_but_for_ends_of_pages) {
    struct feed_mark page = {7, 5000, 12, 13};
    struct feed_marks marks;

    feed_marks_init(&marks);
    note(&marks, 7, 128, 10);
    note(&marks, 7, 4000, 11);
    ck_assert_uint_eq(find(&marks, 7, 15), 128);
    feed_marks_note_page(&marks, &page);
    ck_assert_uint_eq(find(&marks, 7, 15), 5000);
    ck_assert_uint_eq(find(&marks, 7, 11), 128);
    for (uint32_t i = 0; i < FEED_RECENT_MAX; i++) {
        page.segment = 8;
        feed_marks_note_page(&marks, &page);
    }
    ck_assert_uint_eq(find(&marks, 7, 15), 128);
    feed_marks_deinit(&marks);
}
END_TEST

START_TEST(when_there_are_too_many_they_are_thinned_out_and_starts_stay) {
    struct feed_mark start;
    struct feed_marks marks;

    feed_marks_init(&marks);
    for (uint64_t segment = 1; segment <= 100; segment++) {
        note(&marks, segment, 128, segment * 1000);
        for (uint64_t i = 1; i < 100; i++) {
            note(&marks, segment, i * MIB + 128, segment * 1000 + i);
        }
    }
    for (uint64_t segment = 1; segment <= 100; segment++) {
        ck_assert(feed_marks_start(&marks, segment, &start));
        ck_assert_uint_eq(start.version, segment * 1000);
        ck_assert_uint_ge(find(&marks, segment, segment * 1000 + 99), 128);
    }
    ck_assert_uint_eq(find(&marks, 100, 100099), 99 * MIB + 128);
    feed_marks_deinit(&marks);
}
END_TEST

START_TEST(segments_that_are_gone_are_forgotten) {
    struct feed_mark start;
    struct feed_marks marks;

    feed_marks_init(&marks);
    feed_marks_drop_below(&marks, 5);
    note(&marks, 7, 128, 10);
    note(&marks, 7, 2 * MIB, 20);
    note(&marks, 9, 128, 40);
    feed_marks_drop_below(&marks, 9);
    ck_assert(!feed_marks_start(&marks, 7, &start));
    ck_assert_uint_eq(find(&marks, 7, 100), 0);
    ck_assert_uint_eq(find(&marks, 9, 100), 128);
    feed_marks_deinit(&marks);
}
END_TEST

START_TEST(without_memory_a_note_is_lost_and_nothing_else) {
    struct feed_marks marks;

    feed_marks_init(&marks);
    memory_fail_after(0, false);
    note(&marks, 7, 128, 10);
    memory_fail_never();
    ck_assert_uint_eq(find(&marks, 7, 10), 0);
    note(&marks, 7, 128, 10);
    ck_assert_uint_eq(find(&marks, 7, 10), 128);
    feed_marks_deinit(&marks);
}
END_TEST

UNIT_MAIN("feed_marks", the_furthest_mark_that_leaves_nothing_out_is_found,
          marks_that_stand_close_are_left_out_but_for_ends_of_pages,
          when_there_are_too_many_they_are_thinned_out_and_starts_stay,
          segments_that_are_gone_are_forgotten, without_memory_a_note_is_lost_and_nothing_else)
