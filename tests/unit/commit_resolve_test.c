/* commit_resolve_test.c: what counts as a number. (What additions do is in store_counter_test.c.)
 */
#include "storage/commit_resolve.h"
#include "tests/unit/unit.h"

static void expect_number(const char *text, int64_t expected) {
    int64_t number = 0;

    ck_assert_msg(number_parse(slice_from_text(text), &number), "'%s' is refused", text);
    ck_assert_int_eq(number, expected);
}

static void expect_none(const char *text) {
    int64_t number = 77;

    ck_assert_msg(!number_parse(slice_from_text(text), &number), "'%s' is taken", text);
    ck_assert_int_eq(number, 77);
}

START_TEST(decimal_numbers_are_numbers) {
    expect_number("0", 0);
    expect_number("-0", 0);
    expect_number("7", 7);
    expect_number("-12", -12);
    expect_number("00012", 12);
    expect_number("9223372036854775807", INT64_MAX);
    expect_number("-9223372036854775808", INT64_MIN);
    expect_number("00000000000000000001", 1); /* 20 bytes */
}
END_TEST

START_TEST(nothing_else_is) {
    expect_none("");
    expect_none("-");
    expect_none("--1");
    expect_none("+1");
    expect_none(" 1");
    expect_none("1 ");
    expect_none("1a");
    expect_none("1/");
    expect_none("1:");
    expect_none("9223372036854775808");
    expect_none("-9223372036854775809");
    expect_none("99999999999999999999");
    expect_none("000000000000000000001"); /* 21 bytes */
}
END_TEST

UNIT_MAIN("commit_resolve", decimal_numbers_are_numbers, nothing_else_is)
