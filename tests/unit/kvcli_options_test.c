/* kvcli_options_test.c: the command line of kvcli: options, arguments, escapes, refusals. */
#include "client/kvcli/command_list.h"
#include "client/kvcli/options.h"
#include "tests/unit/unit.h"

#include <string.h>

#define WORDS_MAX 16

/* --- fixture: a command line in memory that may be changed --- */

struct line {
    char text[512];
    char *argv[WORDS_MAX];
    int argc;
    struct options options;
    struct error error;
};

/* Cuts "put key" at spaces and parses it. */
static enum status parse(struct line *line, const char *text) {
    char *at = line->text;

    memset(line, 0, sizeof *line);
    ck_assert_uint_lt(strlen(text), sizeof line->text);
    memcpy(line->text, text, strlen(text) + 1);
    line->argv[line->argc++] = (char[]){"kvcli"};
    while (*at) {
        ck_assert_int_lt(line->argc, WORDS_MAX);
        line->argv[line->argc++] = at;
        at += strcspn(at, " ");
        if (*at) {
            *at++ = 0;
        }
    }
    return options_parse(&line->options, line->argc, line->argv, &line->error);
}

static void expect_refused(const char *text, const char *part) {
    struct line line;

    ck_assert_int_eq(parse(&line, text), STATUS_INVALID);
    ck_assert_msg(strstr(line.error.text, part), "'%s' lacks '%s'", line.error.text, part);
}

static void expect_bytes(struct kvd_bytes bytes, const char *text, size_t len) {
    ck_assert_uint_eq(bytes.len, len);
    ck_assert_mem_eq(bytes.ptr, text, len);
}

/* --- what is understood --- */

START_TEST(options_come_before_and_behind_the_command) {
    struct line line;

    ck_assert_int_eq(parse(&line, "--json -s unix:/x put --ttl 10s key --if-absent value"),
                     STATUS_OK);
    ck_assert_int_eq(line.options.command, COMMAND_PUT);
    ck_assert(line.options.json);
    ck_assert(line.options.if_absent);
    ck_assert_str_eq(line.options.server, "unix:/x");
    ck_assert_uint_eq(line.options.ttl_ms, 10000);
    ck_assert_int_eq(line.options.argument_count, 2);
    ck_assert_str_eq(line.options.arguments[0], "key");
    ck_assert_str_eq(line.options.arguments[1], "value");
    ck_assert(OPTIONS_GIVEN(&line.options, ttl_ms));
    ck_assert(!OPTIONS_GIVEN(&line.options, if_version));
}
END_TEST

START_TEST(values_follow_directly_or_after_an_equals_sign) {
    struct line line;

    ck_assert_int_eq(parse(&line, "scan --limit=5 --from=a=b -nspace"), STATUS_OK);
    ck_assert_uint_eq(line.options.limit, 5);
    expect_bytes(line.options.from, "a=b", 3);
    ck_assert_str_eq(line.options.namespace_name, "space");
}
END_TEST

START_TEST(a_dash_is_an_argument_and_two_end_the_options) {
    struct line line;

    ck_assert_int_eq(parse(&line, "put key -"), STATUS_OK);
    ck_assert_str_eq(line.options.arguments[1], "-");
    ck_assert_int_eq(parse(&line, "put -- -key --ttl"), STATUS_OK);
    ck_assert_str_eq(line.options.arguments[0], "-key");
    ck_assert_str_eq(line.options.arguments[1], "--ttl");
}
END_TEST

START_TEST(the_same_name_means_what_the_command_says) {
    struct line line;

    ck_assert_int_eq(parse(&line, "scan --keys"), STATUS_OK);
    ck_assert(line.options.keys_only);
    ck_assert_int_eq(parse(&line, "bench --keys 7 -v 64KiB"), STATUS_OK);
    ck_assert_uint_eq(line.options.key_count, 7);
    ck_assert_uint_eq(line.options.value_bytes, 65536);
    ck_assert_int_eq(parse(&line, "put a -f file"), STATUS_OK);
    ck_assert_str_eq(line.options.file, "file");
    ck_assert_int_eq(parse(&line, "del -f a"), STATUS_OK);
    ck_assert(line.options.force);
}
END_TEST

START_TEST(escapes_are_replaced_wherever_escape_stands) {
    struct line line;
    struct kvd_bytes bytes;

    ck_assert_int_eq(parse(&line, "scan --from a\\x00b -e"), STATUS_OK);
    expect_bytes(line.options.from, "a\0b", 3);
    ck_assert_int_eq(parse(&line, "get \\n\\xff --escape"), STATUS_OK);
    ck_assert_int_eq(options_bytes(&line.options, 0, &bytes, &line.error), STATUS_OK);
    expect_bytes(bytes, "\n\xff", 2);
    ck_assert_int_eq(parse(&line, "get \\n"), STATUS_OK);
    ck_assert_int_eq(options_bytes(&line.options, 0, &bytes, &line.error), STATUS_OK);
    expect_bytes(bytes, "\\n", 2);
}
END_TEST

START_TEST(durability_has_its_words) {
    struct line line;

    ck_assert_int_eq(parse(&line, "put a b -d memory"), STATUS_OK);
    ck_assert_int_eq(line.options.durability, KVD_DURABILITY_MEMORY);
    ck_assert_int_eq(parse(&line, "put a b -d synced"), STATUS_OK);
    ck_assert_int_eq(line.options.durability, KVD_DURABILITY_SYNCED);
}
END_TEST

START_TEST(each_command_is_found_by_its_own_name) {
    for (int command = 0; command < COMMAND_NONE; command++) {
        ck_assert_int_eq(command_find(command_name((enum command)command)), command);
    }
    ck_assert_int_eq(command_find("ge"), COMMAND_NONE);
    ck_assert_int_eq(command_find(""), COMMAND_NONE);
}
END_TEST

/* --- what is refused --- */

START_TEST(wrong_command_lines_are_refused_with_the_reason) {
    expect_refused("frob", "no command 'frob'");
    expect_refused("get a --ttl 5s", "no option --ttl of get");
    expect_refused("get a --jsonx", "--jsonx");
    expect_refused("get a --json=yes", "takes no value");
    expect_refused("put a b --ttl", "--ttl needs a time");
    expect_refused("put a b --ttl 5y", "not '5y'");
    expect_refused("put a b -d fast", "memory, logged or synced");
    expect_refused("scan --limit many", "a whole number");
    expect_refused("get a -jx", "-jx");
    expect_refused("scan -e --from \\q", "backslash");
    expect_refused("--ttl 5s put a b", "--ttl");
}
END_TEST

UNIT_MAIN("kvcli_options", options_come_before_and_behind_the_command,
          values_follow_directly_or_after_an_equals_sign,
          a_dash_is_an_argument_and_two_end_the_options, the_same_name_means_what_the_command_says,
          escapes_are_replaced_wherever_escape_stands, durability_has_its_words,
          each_command_is_found_by_its_own_name, wrong_command_lines_are_refused_with_the_reason)
