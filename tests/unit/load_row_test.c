/* load_row_test.c: the row of a bulk load: read again as it was written, and nothing else is. */
#include "storage/load_row.h"
#include "tests/unit/unit.h"

START_TEST(what_is_written_is_read_again) {
    static const struct load_row rows[] = {{LOAD_NONE, 0, 0},
                                           {LOAD_BEGUN, 1, LOAD_VERSIONS_ASIDE},
                                           {LOAD_ENDED, UINT32_MAX, UINT64_MAX}};
    uint8_t value[LOAD_ROW_BYTES_MAX];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct load_row read;
        size_t len = load_row_store(value, &rows[i]);
        ck_assert_uint_le(len, sizeof value);
        ck_assert_int_eq(load_row_parse(slice_make(value, len), &read), STATUS_OK);
        ck_assert_int_eq(read.state, rows[i].state);
        ck_assert_uint_eq(read.namespace_id, rows[i].namespace_id);
        ck_assert_uint_eq(read.version, rows[i].version);
    }
}
END_TEST

START_TEST(nothing_else_is_taken_for_it) {
    struct load_row row = {LOAD_ENDED, 300, UINT64_C(1) << 40};
    uint8_t value[LOAD_ROW_BYTES_MAX + 1] = {0};
    size_t len = load_row_store(value, &row);

    for (size_t cut = 0; cut < len; cut++) {
        ck_assert_int_eq(load_row_parse(slice_make(value, cut), &row), STATUS_CORRUPT);
    }
    ck_assert_int_eq(load_row_parse(slice_make(value, len + 1), &row), STATUS_CORRUPT);
    value[0] = LOAD_ENDED + 1;
    ck_assert_int_eq(load_row_parse(slice_make(value, len), &row), STATUS_CORRUPT);
    ck_assert(load_row_is_key(slice_from_text("load")));
    ck_assert(!load_row_is_key(slice_from_text("loads")));
    ck_assert(!load_row_is_key(slice_from_text("")));
}
END_TEST

UNIT_MAIN("load_row", what_is_written_is_read_again, nothing_else_is_taken_for_it)
