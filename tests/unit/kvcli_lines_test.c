/* kvcli_lines_test.c: keys and values as TSV and JSON lines, and lines read from a pipe. */
#include "client/kvcli/line_reader.h"
#include "client/kvcli/line_record.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)

/* --- verbs --- */

static char text_of_line[4096];

/* What `write` makes of the entry, without the end of the line. */
static size_t write_line(void (*write)(FILE *, const struct kvd_entry *),
                         const struct kvd_entry *entry) {
    FILE *stream = fmemopen(text_of_line, sizeof text_of_line, "w");
    size_t len;

    ck_assert_ptr_nonnull(stream);
    write(stream, entry);
    len = (size_t)ftell(stream);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert(memchr(text_of_line, '\n', len) == text_of_line + len - 1);
    return len - 1;
}

static void expect_record(const struct line_record *record, const struct kvd_entry *entry) {
    ck_assert(slice_equal(record->key, slice_make(entry->key.ptr, entry->key.len)));
    ck_assert(slice_equal(record->value, slice_make(entry->value.ptr, entry->value.len)));
}

static struct kvd_entry entry_of(const void *key, size_t key_len, const void *value,
                                 size_t value_len) {
    return (struct kvd_entry){.key = kvd_bytes(key, key_len), .value = kvd_bytes(value, value_len)};
}

static void expect_json_refused(const char *text) {
    struct line_parser parser;
    struct line_record record;

    line_parser_init(&parser, LINE_MAX_BYTES);
    ck_assert_msg(line_parse_json(&parser, slice_from_text(text), &record) == STATUS_INVALID,
                  "taken: %s", text);
    ck_assert_uint_gt(strlen(parser.reason), 0);
    line_parser_deinit(&parser);
}

static void expect_json(const char *text, struct slice key, struct slice value) {
    struct line_parser parser;
    struct line_record record;

    line_parser_init(&parser, LINE_MAX_BYTES);
    ck_assert_int_eq(line_parse_json(&parser, slice_from_text(text), &record), STATUS_OK);
    ck_assert(slice_equal(record.key, key));
    ck_assert(slice_equal(record.value, value));
    line_parser_deinit(&parser);
}

static void expect_tsv_refused(const char *text) {
    struct line_parser parser;
    struct line_record record;
    char copy[64];

    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    line_parser_init(&parser, LINE_MAX_BYTES);
    ck_assert_int_eq(line_parse_tsv(&parser, copy, strlen(copy), &record), STATUS_INVALID);
    line_parser_deinit(&parser);
}

/* --- round trips --- */

START_TEST(every_byte_comes_back_from_both_formats) {
    struct line_parser parser;
    struct line_record record;
    uint8_t all[256];
    struct kvd_entry entry = entry_of(all, sizeof all, all, sizeof all);
    size_t len;

    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    line_parser_init(&parser, LINE_MAX_BYTES);
    len = write_line(line_write_json, &entry);
    ck_assert_int_eq(line_parse_json(&parser, slice_make(text_of_line, len), &record), STATUS_OK);
    expect_record(&record, &entry);
    len = write_line(line_write_tsv, &entry);
    ck_assert_int_eq(line_parse_tsv(&parser, text_of_line, len, &record), STATUS_OK);
    expect_record(&record, &entry);
    line_parser_deinit(&parser);
}
END_TEST

START_TEST(text_stays_readable_and_control_bytes_come_back) {
    struct line_parser parser;
    struct line_record record;
    const char value[] = "gr\xC3\xBC\xC3\x9F \"q\" \\ \x01\x7f\0 end";
    struct kvd_entry entry = entry_of("k", 1, value, sizeof value - 1);
    size_t len = write_line(line_write_json, &entry);

    ck_assert(!memmem(text_of_line, len, "base64", 6));
    line_parser_init(&parser, LINE_MAX_BYTES);
    ck_assert_int_eq(line_parse_json(&parser, slice_make(text_of_line, len), &record), STATUS_OK);
    expect_record(&record, &entry);
    line_parser_deinit(&parser);
}
END_TEST

START_TEST(expiry_and_flags_come_back) {
    struct line_parser parser;
    struct line_record record;
    struct kvd_entry entry = entry_of("k", 1, "", 0);
    size_t len;

    entry.meta.expires_at_ms = UINT64_MAX;
    entry.meta.user_flags = UINT32_MAX;
    len = write_line(line_write_json, &entry);
    line_parser_init(&parser, LINE_MAX_BYTES);
    ck_assert_int_eq(line_parse_json(&parser, slice_make(text_of_line, len), &record), STATUS_OK);
    expect_record(&record, &entry);
    ck_assert_uint_eq(record.expires_at_ms, UINT64_MAX);
    ck_assert_uint_eq(record.user_flags, UINT32_MAX);
    line_parser_deinit(&parser);
}
END_TEST

/* --- JSON of others --- */

START_TEST(json_of_others_is_understood) {
    expect_json(" { \"value\" : \"b\" , \"key\" : \"a\" } ", slice_from_text("a"),
                slice_from_text("b"));
    expect_json("{\"key\":\"\\u00fc\\ud83d\\ude00\\/\\b\",\"value\":\"\",\"more\":true,\"n\":7}",
                slice_from_text("\xC3\xBC\xF0\x9F\x98\x80/\b"), slice_from_text(""));
    expect_json("{\"key_base64\":\"/wA=\",\"value_base64\":\"\"}", slice_make("\xff\0", 2),
                slice_from_text(""));
}
END_TEST

START_TEST(json_that_is_not_well_formed_is_refused) {
    static const char *const texts[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"key\"}",
        "{\"key\":}",
        "{\"key\":\"a\"",
        "{\"key\":\"a\",}",
        "{\"key\":\"a\" \"value\":\"b\"}",
        "{\"key\":\"a\",\"value\":\"b\"} x",
        "{\"key\":\"a\",\"value\":\"\\u12\"}",
        "{\"key\":\"a\",\"value\":\"\\ud800\"}",
        "{\"key\":\"a\",\"value\":\"\\udc00\"}",
        "{\"key\":\"a\",\"value\":\"\\ud800\\u0041\"}",
        "{\"key\":\"a\",\"value\":\"\\q\"}",
        "{\"key\":\"a\",\"value\":\"\xff\"}",
        "{\"key\":\"a\",\"value\":{}}",
        "{\"key\":\"a\",\"value\":-1}",
        "{\"key\":1,\"value\":\"b\"}",
        "{\"key\":\"\",\"value\":\"b\"}",
        "{\"key\":\"a\"}",
        "{\"key\":\"a\",\"key\":\"b\",\"value\":\"\"}",
        "{\"key\":\"a\",\"value\":\"\",\"flags\":4294967296}",
        "{\"key\":\"a\",\"value\":\"\",\"expires_at_ms\":18446744073709551616}",
        "{\"key\":\"a\",\"value_base64\":\"A\"}",
        "{\"key\":\"a\",\"value\":\"a\tb\"}"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect_json_refused(texts[i]);
    }
}
END_TEST

START_TEST(every_cut_of_a_json_line_is_refused) {
    static const char text[] = "{\"key\":\"a\\u00fc\",\"value_base64\":\"/wA=\",\"flags\":12}";
    struct line_parser parser;
    struct line_record record;

    line_parser_init(&parser, LINE_MAX_BYTES);
    for (size_t len = 0; len < sizeof text - 1; len++) {
        ck_assert_int_eq(line_parse_json(&parser, slice_make(text, len), &record), STATUS_INVALID);
    }
    line_parser_deinit(&parser);
}
END_TEST

START_TEST(json_says_when_memory_ends) {
    static const char text[] = "{\"key\":\"a\",\"value\":\"b\"}";
    struct line_record record;

    for (uint64_t countdown = 0;; countdown++) {
        struct line_parser parser;
        enum status status;
        line_parser_init(&parser, LINE_MAX_BYTES);
        memory_fail_after(countdown, true);
        status = line_parse_json(&parser, slice_from_text(text), &record);
        memory_fail_never();
        line_parser_deinit(&parser);
        if (status == STATUS_OK) {
            ck_assert_uint_gt(countdown, 0);
            break;
        }
        ck_assert_int_eq(status, STATUS_NO_MEMORY);
    }
}
END_TEST

START_TEST(tsv_that_is_not_well_formed_is_refused) {
    expect_tsv_refused("no tab");
    expect_tsv_refused("");
    expect_tsv_refused("\tempty key");
    expect_tsv_refused("a\tb\tc");
    expect_tsv_refused("a\\q\tb");
    expect_tsv_refused("a\tb\\");
}
END_TEST

/* --- lines of a pipe --- */

struct pipe_of_lines {
    struct line_reader reader;
    int ends[2];
};

static void open_pipe(struct pipe_of_lines *lines, const char *text, size_t line_bytes_max) {
    ck_assert_int_eq(pipe(lines->ends), 0);
    ck_assert_int_eq(write(lines->ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(lines->ends[1]);
    line_reader_init(&lines->reader, lines->ends[0], line_bytes_max);
}

static void close_pipe(struct pipe_of_lines *lines) {
    line_reader_deinit(&lines->reader);
    close(lines->ends[0]);
}

static void expect_line(struct pipe_of_lines *lines, const char *text) {
    char *line;
    size_t len;

    ck_assert_int_eq(line_reader_next(&lines->reader, &line, &len), STATUS_OK);
    ck_assert(slice_equal(slice_make(line, len), slice_from_text(text)));
}

START_TEST(a_last_line_without_an_end_counts) {
    struct pipe_of_lines lines;
    char *line;
    size_t len;

    open_pipe(&lines, "one\n\nthree", 100);
    expect_line(&lines, "one");
    expect_line(&lines, "");
    expect_line(&lines, "three");
    ck_assert_uint_eq(lines.reader.number, 3);
    ck_assert_int_eq(line_reader_next(&lines.reader, &line, &len), STATUS_END);
    close_pipe(&lines);
}
END_TEST

START_TEST(a_line_longer_than_the_limit_is_refused) {
    struct pipe_of_lines lines;
    char *line;
    size_t len;

    open_pipe(&lines, "12345678\n", 8);
    ck_assert_int_eq(line_reader_next(&lines.reader, &line, &len), STATUS_TOO_LARGE);
    close_pipe(&lines);
    open_pipe(&lines, "1234567\n", 8);
    expect_line(&lines, "1234567");
    close_pipe(&lines);
}
END_TEST

START_TEST(a_line_reader_says_when_memory_ends_or_reading_fails) {
    struct pipe_of_lines lines;
    struct line_reader reader;
    char *line;
    size_t len;

    open_pipe(&lines, "line\n", 100);
    memory_fail_after(0, true);
    ck_assert_int_eq(line_reader_next(&lines.reader, &line, &len), STATUS_NO_MEMORY);
    memory_fail_never();
    expect_line(&lines, "line");
    close_pipe(&lines);
    line_reader_init(&reader, -1, 100);
    ck_assert_int_eq(line_reader_next(&reader, &line, &len), STATUS_IO);
    line_reader_deinit(&reader);
}
END_TEST

UNIT_MAIN("kvcli_lines", every_byte_comes_back_from_both_formats,
          text_stays_readable_and_control_bytes_come_back, expiry_and_flags_come_back,
          json_of_others_is_understood, json_that_is_not_well_formed_is_refused,
          every_cut_of_a_json_line_is_refused, json_says_when_memory_ends,
          tsv_that_is_not_well_formed_is_refused, a_last_line_without_an_end_counts,
          a_line_longer_than_the_limit_is_refused,
          a_line_reader_says_when_memory_ends_or_reading_fails)
