/* salvage_window_test.c: rows offered in any order come out by version, in as many passes as the
 * budget needs. */
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/salvage_window.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define ROWS 500u

static uint8_t row_bytes[ROWS][IKEY_NAMESPACE_BYTES + 8];

static struct salvage_row row_of(uint32_t i) {
    struct salvage_row row = {.entry = {.kind = ENTRY_INLINE}, .choice = SALVAGE_SURE};
    char key[9];

    snprintf(key, sizeof key, "key%05u", i);
    row.row = slice_make(row_bytes[i], row_store(row_bytes[i], 1, slice_make(key, 8)));
    row.version = 1 + i * 37u % 100; /* five rows a version */
    row.entry.value = slice_make(row_bytes[i], 8);
    return row;
}

/* Passes until all are out; each row once, ascending by version and then row. Returns the passes.
 */
static uint32_t run(size_t budget) {
    struct salvage_window window;
    struct salvage_row last = {.version = 0};
    uint8_t last_row[sizeof row_bytes[0]];
    enum status status;
    uint32_t passes = 0;
    uint32_t given = 0;

    salvage_window_init(&window, budget);
    do {
        for (uint32_t i = 0; i < ROWS; i++) {
            struct salvage_row row = row_of(i);
            ck_assert_int_eq(salvage_window_offer(&window, &row), STATUS_OK);
        }
        salvage_window_end(&window);
        ck_assert_uint_gt(window.count, 0);
        for (size_t i = 0; i < window.count; i++) {
            struct salvage_row row;
            ck_assert_int_eq(salvage_window_item(&window, i, &row), STATUS_OK);
            ck_assert(row.version > last.version ||
                      (row.version == last.version && slice_compare(row.row, last.row) > 0));
            memcpy(last_row, row.row.ptr, row.row.len);
            last = row;
            last.row = slice_make(last_row, row.row.len);
            ck_assert(slice_equal(row.entry.value, slice_make(last_row, 8)));
            given++;
        }
        passes++;
    } while (salvage_window_next(&window, &status));
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(given, ROWS);
    salvage_window_deinit(&window);
    return passes;
}

START_TEST(one_pass_is_enough_where_all_rows_fit) {
    ck_assert_uint_eq(run(1024 * 1024), 1);
}
END_TEST

START_TEST(a_small_budget_takes_more_passes_and_gives_the_same) {
    ck_assert_uint_gt(run(4096), 2);
    ck_assert_uint_gt(run(700), 15);
    ck_assert_uint_gt(run(1), ROWS / 2);
}
END_TEST

START_TEST(without_rows_there_is_no_pass_more) {
    struct salvage_window window;
    enum status status;

    salvage_window_init(&window, 1000);
    salvage_window_end(&window);
    ck_assert_uint_eq(window.count, 0);
    ck_assert(!salvage_window_next(&window, &status));
    ck_assert_int_eq(status, STATUS_OK);
    salvage_window_deinit(&window);
}
END_TEST

START_TEST(an_allocation_that_fails_is_said) {
    for (uint64_t n = 0; n < 6; n++) {
        struct salvage_window window;
        enum status status = STATUS_OK;

        salvage_window_init(&window, 400);
        memory_fail_after(n, true);
        for (uint32_t i = 0; i < ROWS && status == STATUS_OK; i++) {
            struct salvage_row row = row_of(i);
            status = salvage_window_offer(&window, &row);
        }
        memory_fail_never();
        ck_assert_int_eq(status, STATUS_NO_MEMORY);
        salvage_window_deinit(&window);
    }
}
END_TEST

UNIT_MAIN("salvage window", one_pass_is_enough_where_all_rows_fit,
          a_small_budget_takes_more_passes_and_gives_the_same, without_rows_there_is_no_pass_more,
          an_allocation_that_fails_is_said)
