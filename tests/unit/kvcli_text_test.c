/* kvcli_text_test.c: bytes as text and back: escapes, UTF-8, base64, units, words of a line. */
#include "client/kvcli/text.h"
#include "client/kvcli/words.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <string.h>

/* --- verbs --- */

static struct slice bytes_of(const char *text, size_t len) {
    return slice_make(text, len);
}

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

static size_t escape_all(struct slice rest, char *out) {
    size_t len = 0;

    while (rest.len > 0) {
        size_t taken;
        len += text_escape_step(rest, out + len, &taken);
        rest = slice_make(rest.ptr + taken, rest.len - taken);
    }
    out[len] = 0;
    return len;
}

static void expect_escaped(struct slice bytes, const char *text) {
    char out[256];

    escape_all(bytes, out);
    ck_assert_str_eq(out, text);
}

static void expect_unescape_refused(const char *text) {
    char copy[64];
    size_t len;

    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    ck_assert_int_eq(text_unescape(copy, strlen(copy), &len), STATUS_INVALID);
}

static void expect_base64_refused(const char *text) {
    struct buffer buffer;

    buffer_init(&buffer, 64);
    ck_assert_int_eq(text_base64_decode(&buffer, slice_from_text(text)), STATUS_INVALID);
    ck_assert_uint_eq(buffer.len, 0);
    buffer_deinit(&buffer);
}

static void expect_words(const char *line, size_t count, const char *const *words) {
    struct slice found[4];
    char copy[128];
    const char *reason = "";
    size_t found_count = 0;

    strncpy(copy, line, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    ck_assert_int_eq(words_split(copy, strlen(copy), found, 4, &found_count, &reason), STATUS_OK);
    ck_assert_uint_eq(found_count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(slice_equal(found[i], slice_from_text(words[i])));
    }
}

static void expect_words_refused(const char *line) {
    struct slice found[2];
    char copy[128];
    const char *reason = "";
    size_t count = 77;

    strncpy(copy, line, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    ck_assert_int_eq(words_split(copy, strlen(copy), found, 2, &count, &reason), STATUS_INVALID);
    ck_assert_uint_gt(strlen(reason), 0);
    ck_assert_uint_eq(count, 77);
}

/* --- escapes --- */

START_TEST(escaping_leaves_plain_text_and_utf8_alone) {
    expect_escaped(BYTES("plain text"), "plain text");
    expect_escaped(BYTES("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80"),
                   "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80");
    expect_escaped(BYTES(""), "");
}
END_TEST

START_TEST(escaping_hides_control_bytes_and_what_is_not_utf8) {
    expect_escaped(BYTES("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
    expect_escaped(BYTES("\0\x1b\x7f"), "\\x00\\x1b\\x7f");
    expect_escaped(BYTES("\xff\xC3"), "\\xff\\xc3");
    expect_escaped(BYTES("\xC0\xAF"), "\\xc0\\xaf");          /* overlong */
    expect_escaped(BYTES("\xED\xA0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
}
END_TEST

START_TEST(every_pair_of_bytes_comes_back_from_its_escapes) {
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[2] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        char text[16];
        size_t len = escape_all(slice_make(bytes, 2), text);
        size_t back;
        ck_assert(!memchr(text, '\n', len) && !memchr(text, '\t', len));
        ck_assert_int_eq(text_unescape(text, len, &back), STATUS_OK);
        ck_assert_uint_eq(back, 2);
        ck_assert_mem_eq(text, bytes, 2);
    }
}
END_TEST

START_TEST(unknown_and_cut_escapes_are_refused) {
    expect_unescape_refused("\\");
    expect_unescape_refused("\\q");
    expect_unescape_refused("\\x");
    expect_unescape_refused("\\x1");
    expect_unescape_refused("\\xg1");
    expect_unescape_refused("abc\\");
}
END_TEST

START_TEST(escapes_of_c_are_understood) {
    char text[] = "\\a\\b\\f\\n\\r\\t\\v\\0\\\\\\\"\\'\\x41\\xfF";
    size_t len;

    ck_assert_int_eq(text_unescape(text, strlen(text), &len), STATUS_OK);
    ck_assert_uint_eq(len, 13);
    ck_assert_mem_eq(text, "\a\b\f\n\r\t\v\0\\\"'A\xff", 13);
}
END_TEST

/* --- base64 --- */

START_TEST(base64_of_every_short_length_comes_back) {
    const uint8_t bytes[] = {0xFF, 0x00, 0x10, 0x7E, 0x80, 0xC3};
    struct buffer buffer;
    char text[16];

    buffer_init(&buffer, 64);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        size_t text_len = 0;
        for (size_t at = 0; at < len; at += 3, text_len += 4) {
            text_base64_step(bytes + at, len - at < 3 ? len - at : 3, text + text_len);
        }
        buffer_clear(&buffer);
        ck_assert_int_eq(text_base64_decode(&buffer, slice_make(text, text_len)), STATUS_OK);
        ck_assert(slice_equal(buffer_slice(&buffer), slice_make(bytes, len)));
    }
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(base64_that_is_not_well_formed_is_refused_and_appends_nothing) {
    expect_base64_refused("A");
    expect_base64_refused("AAA");
    expect_base64_refused("AA==AAAA");
    expect_base64_refused("A===");
    expect_base64_refused("AA*A");
    expect_base64_refused("AAAAAB=="); /* bits behind the last byte */
    expect_base64_refused("====");
}
END_TEST

START_TEST(base64_says_when_memory_ends) {
    struct buffer buffer;

    buffer_init(&buffer, 64);
    memory_fail_after(0, true);
    ck_assert_int_eq(text_base64_decode(&buffer, BYTES("AAAA")), STATUS_NO_MEMORY);
    memory_fail_never();
    buffer_deinit(&buffer);
}
END_TEST

/* --- units --- */

START_TEST(durations_and_sizes_have_units) {
    uint64_t value;

    ck_assert_int_eq(text_parse_duration_ms("500ms", &value), STATUS_OK);
    ck_assert_uint_eq(value, 500);
    ck_assert_int_eq(text_parse_duration_ms("10s", &value), STATUS_OK);
    ck_assert_uint_eq(value, 10000);
    ck_assert_int_eq(text_parse_duration_ms("7d", &value), STATUS_OK);
    ck_assert_uint_eq(value, 604800000);
    ck_assert_int_eq(text_parse_size("64KiB", &value), STATUS_OK);
    ck_assert_uint_eq(value, 65536);
    ck_assert_int_eq(text_parse_number("18446744073709551615", &value), STATUS_OK);
    ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(numbers_that_are_none_or_too_large_are_refused) {
    uint64_t value = 5;

    ck_assert_int_eq(text_parse_number("", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_number("-1", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_number("1x", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_number("18446744073709551616", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_duration_ms("10y", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_duration_ms("18446744073709551615d", &value), STATUS_INVALID);
    ck_assert_int_eq(text_parse_size("ms", &value), STATUS_INVALID);
}
END_TEST

/* --- words --- */

START_TEST(words_are_cut_at_spaces_outside_quotes) {
    expect_words("put a b", 3, (const char *const[]){"put", "a", "b"});
    expect_words("  put\t'a b'  \"c d\"  ", 3, (const char *const[]){"put", "a b", "c d"});
    expect_words("a'b c'\"d\"e", 1, (const char *const[]){"ab cde"});
    expect_words("put k ''", 3, (const char *const[]){"put", "k", ""});
    expect_words("", 0, NULL);
    expect_words("   ", 0, NULL);
}
END_TEST

START_TEST(quotes_decide_what_a_backslash_means) {
    expect_words("'a\\n' \"a\\n\" a\\ b \"\\\"\"", 4,
                 (const char *const[]){"a\\n", "a\n", "a b", "\""});
}
END_TEST

START_TEST(comments_begin_at_the_start_of_a_word) {
    expect_words("del a # and no more", 2, (const char *const[]){"del", "a"});
    expect_words("# all", 0, NULL);
    expect_words("del a#b", 2, (const char *const[]){"del", "a#b"});
}
END_TEST

START_TEST(lines_that_cannot_be_cut_say_why) {
    expect_words_refused("put 'a");
    expect_words_refused("put \"a");
    expect_words_refused("put \"a\\\"");
    expect_words_refused("put \\q");
    expect_words_refused("one two three");
}
END_TEST

UNIT_MAIN("kvcli_text", escaping_leaves_plain_text_and_utf8_alone,
          escaping_hides_control_bytes_and_what_is_not_utf8,
          every_pair_of_bytes_comes_back_from_its_escapes, unknown_and_cut_escapes_are_refused,
          escapes_of_c_are_understood, base64_of_every_short_length_comes_back,
          base64_that_is_not_well_formed_is_refused_and_appends_nothing,
          base64_says_when_memory_ends, durations_and_sizes_have_units,
          numbers_that_are_none_or_too_large_are_refused, words_are_cut_at_spaces_outside_quotes,
          quotes_decide_what_a_backslash_means, comments_begin_at_the_start_of_a_word,
          lines_that_cannot_be_cut_say_why)
