/* units_test.c: sizes and durations, read and written. */
#include "server/units.h"

#include "tests/unit/unit.h"

struct unit_case {
    const char *text;
    enum status status;
    uint64_t number;
};

typedef enum status (*parse_fn)(struct slice text, uint64_t *number_out);

static void expect_parsed(parse_fn parse, const struct unit_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 12345;
        enum status status = parse(slice_from_text(cases[i].text), &number);
        ck_assert_msg(status == cases[i].status, "'%s' gave %s", cases[i].text,
                      status_name(status));
        ck_assert_uint_eq(number, status == STATUS_OK ? cases[i].number : 12345);
    }
}

#define COUNT(cases) (sizeof(cases) / sizeof(cases)[0])

START_TEST(sizes_are_read) {
    static const struct unit_case cases[] = {
        {"0", STATUS_OK, 0},
        {"1", STATUS_OK, 1},
        {"4096", STATUS_OK, 4096},
        {"0B", STATUS_OK, 0},
        {"512B", STATUS_OK, 512},
        {"64KiB", STATUS_OK, 65536},
        {"64MiB", STATUS_OK, 64ull << 20},
        {"3GiB", STATUS_OK, 3ull << 30},
        {"2TiB", STATUS_OK, 2ull << 40},
        {"18446744073709551615", STATUS_OK, UINT64_MAX},
        {"16777215TiB", STATUS_OK, 16777215ull << 40},
    };
    expect_parsed(units_parse_size, cases, COUNT(cases));
}
END_TEST

START_TEST(what_is_no_size_is_refused) {
    static const struct unit_case cases[] = {
        {"", STATUS_INVALID, 0},
        {"MiB", STATUS_INVALID, 0},
        {"1 MiB", STATUS_INVALID, 0},
        {" 1", STATUS_INVALID, 0},
        {"1 ", STATUS_INVALID, 0},
        {"-1", STATUS_INVALID, 0},
        {"+1", STATUS_INVALID, 0},
        {"1.5GiB", STATUS_INVALID, 0},
        {"1mib", STATUS_INVALID, 0},
        {"1MB", STATUS_INVALID, 0},
        {"1M", STATUS_INVALID, 0},
        {"1MiBs", STATUS_INVALID, 0},
        {"1Mi", STATUS_INVALID, 0},
        {"1s", STATUS_INVALID, 0},
        {"0x10", STATUS_INVALID, 0},
        {"18446744073709551616", STATUS_TOO_LARGE, 0},
        {"16777216TiB", STATUS_TOO_LARGE, 0},
        {"99999999999999999999999", STATUS_TOO_LARGE, 0},
    };
    expect_parsed(units_parse_size, cases, COUNT(cases));
}
END_TEST

START_TEST(durations_are_read) {
    static const struct unit_case cases[] = {
        {"0", STATUS_OK, 0},          {"0s", STATUS_OK, 0},      {"500ms", STATUS_OK, 500},
        {"30s", STATUS_OK, 30000},    {"5m", STATUS_OK, 300000}, {"2h", STATUS_OK, 7200000},
        {"7d", STATUS_OK, 604800000},
    };
    expect_parsed(units_parse_duration, cases, COUNT(cases));
}
END_TEST

START_TEST(what_is_no_duration_is_refused) {
    static const struct unit_case cases[] = {
        {"", STATUS_INVALID, 0},
        {"1", STATUS_INVALID, 0},
        {"500", STATUS_INVALID, 0},
        {"s", STATUS_INVALID, 0},
        {"1.5s", STATUS_INVALID, 0},
        {"-1s", STATUS_INVALID, 0},
        {"1min", STATUS_INVALID, 0},
        {"1S", STATUS_INVALID, 0},
        {"1h30m", STATUS_INVALID, 0},
        {"1KiB", STATUS_INVALID, 0},
        {"213503982335d", STATUS_TOO_LARGE, 0},
    };
    expect_parsed(units_parse_duration, cases, COUNT(cases));
}
END_TEST

START_TEST(a_byte_that_is_not_text_is_refused) {
    uint64_t number;

    ck_assert_int_eq(units_parse_size(slice_make("1\0", 2), &number), STATUS_INVALID);
    ck_assert_int_eq(units_parse_size(slice_make("1\xFF", 2), &number), STATUS_INVALID);
    ck_assert_int_eq(units_parse_size(slice_make(NULL, 0), &number), STATUS_INVALID);
}
END_TEST

static void expect_size_text(uint64_t bytes, const char *expected) {
    char text[UNITS_TEXT_MAX];
    uint64_t back;

    ck_assert_uint_eq(units_write_size(bytes, text), strlen(expected));
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(units_parse_size(slice_from_text(text), &back), STATUS_OK);
    ck_assert_uint_eq(back, bytes);
}

static void expect_duration_text(uint64_t ms, const char *expected) {
    char text[UNITS_TEXT_MAX];
    uint64_t back;

    ck_assert_uint_eq(units_write_duration(ms, text), strlen(expected));
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(units_parse_duration(slice_from_text(text), &back), STATUS_OK);
    ck_assert_uint_eq(back, ms);
}

START_TEST(written_in_the_largest_exact_unit_and_read_back) {
    expect_size_text(0, "0");
    expect_size_text(1, "1B");
    expect_size_text(1023, "1023B");
    expect_size_text(1024, "1KiB");
    expect_size_text(1025, "1025B");
    expect_size_text(1536ull << 20, "1536MiB");
    expect_size_text(1ull << 30, "1GiB");
    expect_size_text(UINT64_MAX, "18446744073709551615B");
    expect_duration_text(0, "0");
    expect_duration_text(1, "1ms");
    expect_duration_text(1500, "1500ms");
    expect_duration_text(300000, "5m");
    expect_duration_text(90000, "90s");
    expect_duration_text(86400000, "1d");
}
END_TEST

UNIT_MAIN("units", sizes_are_read, what_is_no_size_is_refused, durations_are_read,
          what_is_no_duration_is_refused, a_byte_that_is_not_text_is_refused,
          written_in_the_largest_exact_unit_and_read_back)
