/* utf8_test.c: code points to bytes and back. */
#include "server/utf8.h"

#include "tests/unit/unit.h"

START_TEST(every_code_point_is_encoded_and_read_back) {
    for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
        uint8_t bytes[UTF8_BYTES_MAX];
        size_t len = utf8_encode(code_point, bytes);
        uint32_t back = 0;
        if ((code_point >= 0xD800 && code_point <= 0xDFFF) || code_point > 0x10FFFF) {
            ck_assert_uint_eq(len, 0);
            continue;
        }
        ck_assert_uint_eq(utf8_decode(slice_make(bytes, len), &back), len);
        ck_assert_uint_eq(back, code_point);
        ck_assert_uint_eq(utf8_decode(slice_make(bytes, len - 1), &back), 0);
    }
}
END_TEST

START_TEST(lengths_change_at_their_borders) {
    uint8_t bytes[UTF8_BYTES_MAX];

    ck_assert_uint_eq(utf8_encode(0x7F, bytes), 1);
    ck_assert_uint_eq(utf8_encode(0x80, bytes), 2);
    ck_assert_uint_eq(utf8_encode(0x7FF, bytes), 2);
    ck_assert_uint_eq(utf8_encode(0x800, bytes), 3);
    ck_assert_uint_eq(utf8_encode(0xFFFF, bytes), 3);
    ck_assert_uint_eq(utf8_encode(0x10000, bytes), 4);
    ck_assert(memcmp(bytes, "\xF0\x90\x80\x80", 4) == 0);
}
END_TEST

START_TEST(what_is_not_utf8_is_refused) {
    static const char *const texts[] = {
        "\x80",
        "\xBF",
        "\xC3",
        "\xC3(",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    uint32_t code_point;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_uint_eq(utf8_decode(slice_from_text(texts[i]), &code_point), 0);
    }
    ck_assert_uint_eq(utf8_decode(slice_make(NULL, 0), &code_point), 0);
}
END_TEST

UNIT_MAIN("utf8", every_code_point_is_encoded_and_read_back, lengths_change_at_their_borders,
          what_is_not_utf8_is_refused)
