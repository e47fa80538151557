/* time_index_test.c: marks of times and versions: asked, thinned out, without memory, on disk. */
#include "storage/time_index.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/random.h"

#include <string.h>

#define START_MS UINT64_C(1700000000000)

static void make(struct time_index *index) {
    enum status status = time_index_init(index);
    ck_assert_int_eq(status, STATUS_OK);
}

START_TEST(without_marks_nothing_is_known) {
    struct time_index index;
    struct time_mark mark;

    make(&index);
    ck_assert(!time_index_until(&index, UINT64_MAX, &mark));
    ck_assert(!time_index_from(&index, 0, &mark));
    ck_assert(!time_index_showing(&index, 1, &mark, NULL));
    time_index_deinit(&index);
}
END_TEST

START_TEST(a_time_is_answered_by_the_mark_before_it) {
    struct time_index index;
    struct time_mark mark;

    make(&index);
    time_index_note(&index, 100, 5);
    time_index_note(&index, 200, 9);
    ck_assert(!time_index_until(&index, 99, &mark));
    ck_assert(time_index_until(&index, 100, &mark));
    ck_assert_uint_eq(mark.version, 5);
    ck_assert(time_index_until(&index, 199, &mark));
    ck_assert_uint_eq(mark.version, 5);
    ck_assert(time_index_until(&index, 200, &mark));
    ck_assert_uint_eq(mark.version, 9);
    ck_assert(time_index_from(&index, 101, &mark));
    ck_assert_uint_eq(mark.version, 9);
    ck_assert(time_index_from(&index, 200, &mark));
    ck_assert_uint_eq(mark.version, 9);
    ck_assert(!time_index_from(&index, 201, &mark));
    time_index_deinit(&index);
}
END_TEST

START_TEST(a_version_is_answered_by_the_first_mark_that_shows_it) {
    struct time_index index;
    struct time_mark mark;
    bool exact;

    make(&index);
    time_index_note(&index, 100, 5);
    time_index_note(&index, 200, 9);
    ck_assert(time_index_showing(&index, 5, &mark, &exact));
    ck_assert_uint_eq(mark.ms, 100);
    ck_assert(!exact); /* it may be much older */
    ck_assert(time_index_showing(&index, 6, &mark, &exact));
    ck_assert_uint_eq(mark.ms, 200);
    ck_assert(exact);
    ck_assert(!time_index_showing(&index, 10, &mark, &exact));
    time_index_deinit(&index);
}
END_TEST

START_TEST(what_comes_in_the_same_millisecond_is_one_mark) {
    struct time_index index;
    struct time_mark mark;

    make(&index);
    time_index_note(&index, 100, 5);
    time_index_note(&index, 100, 7);
    time_index_note(&index, 99, 8); /* a clock that is a little behind */
    time_index_note(&index, 150, 8);
    ck_assert_uint_eq(index.count, 1);
    ck_assert(time_index_until(&index, 100, &mark));
    ck_assert_uint_eq(mark.version, 8);
    time_index_deinit(&index);
}
END_TEST

/* Compares with a list of all marks: an answer may be older, but never newer, and of the newest
 * quarter it is exact. */
START_TEST(thinned_out_answers_get_older_never_newer) {
    static uint64_t times[4 * TIME_MARKS_MAX];
    struct random random = random_make(7);
    struct time_index index;
    struct time_mark mark;
    uint64_t ms = START_MS;
    size_t count = sizeof times / sizeof times[0];

    make(&index);
    for (size_t i = 0; i < count; i++) {
        ms += 1 + random_below(&random, 20);
        times[i] = ms;
        time_index_note(&index, ms, i + 1);
        ck_assert_uint_le(index.count, TIME_MARKS_MAX);
    }
    ck_assert(time_index_until(&index, times[0], &mark)); /* how far back it goes is not lost */
    for (size_t i = 0; i < count; i += 1 + random_below(&random, 64)) {
        ck_assert(time_index_until(&index, times[i], &mark));
        ck_assert_uint_le(mark.version, i + 1);
        ck_assert_uint_eq(mark.ms, times[mark.version - 1]);
        if (i > count - TIME_MARKS_MAX / 4) {
            ck_assert_uint_eq(mark.version, i + 1);
        }
    }
    time_index_deinit(&index);
}
END_TEST

START_TEST(without_memory_marks_get_thinner) {
    struct time_index index;
    struct time_mark mark;

    memory_fail_after(0, true);
    ck_assert_int_eq(time_index_init(&index), STATUS_NO_MEMORY);
    memory_fail_never();
    make(&index);
    memory_fail_after(0, true);
    for (uint64_t i = 1; i <= 1000; i++) {
        time_index_note(&index, START_MS + 400 * i, i);
    }
    memory_fail_never();
    ck_assert_uint_le(index.count, 64);
    ck_assert(time_index_until(&index, UINT64_MAX, &mark));
    ck_assert_uint_eq(mark.version, 1000);
    time_index_deinit(&index);
}
END_TEST

START_TEST(a_row_is_read_back_and_anything_else_is_refused) {
    uint8_t key[TIME_KEY_BYTES];
    uint8_t value[VARINT64_BYTES_MAX + 1] = {0};
    size_t len = varint_store(value, 123456);
    struct slice row = slice_make(key, sizeof key);
    struct time_mark mark;

    time_key_store(key, START_MS);
    ck_assert_int_eq(time_row_load(row, slice_make(value, len), &mark), STATUS_OK);
    ck_assert_uint_eq(mark.ms, START_MS);
    ck_assert_uint_eq(mark.version, 123456);
    ck_assert_int_eq(time_row_load(row, slice_make(value, len - 1), &mark), STATUS_CORRUPT);
    ck_assert_int_eq(time_row_load(row, slice_make(value, len + 1), &mark), STATUS_CORRUPT);
    row.len--;
    ck_assert_int_eq(time_row_load(row, slice_make(value, len), &mark), STATUS_CORRUPT);
    key[0] = 'x';
    row.len++;
    ck_assert_int_eq(time_row_load(row, slice_make(value, len), &mark), STATUS_CORRUPT);
}
END_TEST

UNIT_MAIN("time_index", without_marks_nothing_is_known, a_time_is_answered_by_the_mark_before_it,
          a_version_is_answered_by_the_first_mark_that_shows_it,
          what_comes_in_the_same_millisecond_is_one_mark, thinned_out_answers_get_older_never_newer,
          without_memory_marks_get_thinner, a_row_is_read_back_and_anything_else_is_refused)
