/* kvcli_shell_test.c: what may follow in a line being typed: completions, quotes, hints, lines. */
#include "client/kvcli/options.h"
#include "client/kvcli/shell_complete.h"
#include "client/kvcli/words.h"
#include "tests/unit/unit.h"

#include <string.h>

/* --- verbs --- */

static void add_key(void *arg, struct slice prefix, struct completions *out) {
    for (const char *const *key = arg; *key; key++) {
        completions_add(out, prefix, slice_from_text(*key));
    }
}

static const char *const no_keys[] = {NULL};

/* Types `line` and Tab: what stands there then. */
static void expect_completed(const char *const *keys, const char *line, const char *expected) {
    struct completions found;
    struct buffer text;

    completions_init(&found);
    buffer_init(&text, 4096);
    shell_complete(slice_from_text(line), add_key, (void *)(uintptr_t)keys, &found);
    ck_assert_int_eq(buffer_append(&text, line, found.count ? found.begin : strlen(line)),
                     STATUS_OK);
    if (found.count > 0) {
        ck_assert_int_eq(shell_complete_text(&found, &text), STATUS_OK);
    }
    ck_assert_int_eq(buffer_append_u8(&text, 0), STATUS_OK);
    ck_assert_str_eq((const char *)text.data, expected);
    buffer_deinit(&text);
    completions_deinit(&found);
}

static size_t count_completions(const char *line) {
    struct completions found;
    size_t count;

    completions_init(&found);
    shell_complete(slice_from_text(line), NULL, NULL, &found);
    count = found.count;
    completions_deinit(&found);
    return count;
}

static void expect_hint(const char *line, const char *expected) {
    struct buffer hint;

    buffer_init(&hint, 4096);
    ck_assert_int_eq(shell_hint(slice_from_text(line), &hint), STATUS_OK);
    ck_assert_int_eq(buffer_append_u8(&hint, 0), STATUS_OK);
    ck_assert_str_eq((const char *)hint.data, expected);
    buffer_deinit(&hint);
}

/* --- completions --- */

START_TEST(commands_complete_at_the_start_of_a_line) {
    expect_completed(no_keys, "sn", "snapshot ");
    expect_completed(no_keys, "ex", "ex");
    expect_completed(no_keys, "help sna", "help snapshot ");
    ck_assert_uint_eq(count_completions(""), COMMAND_NONE + 3); /* and use, exit, quit */
    ck_assert_uint_eq(count_completions("nonsense"), 0);
}
END_TEST

START_TEST(options_complete_for_the_commands_that_take_them) {
    expect_completed(no_keys, "put k v --if-a", "put k v --if-absent ");
    expect_completed(no_keys, "put k v --durability s", "put k v --durability synced ");
    expect_completed(no_keys, "get --if-a", "get --if-a");
    ck_assert_uint_gt(count_completions("scan --"), 8);
}
END_TEST

START_TEST(sub_commands_complete) {
    expect_completed(no_keys, "snapshot o", "snapshot open ");
    expect_completed(no_keys, "namespace d", "namespace drop ");
    expect_completed(no_keys, "why sp", "why space ");
    ck_assert_uint_eq(count_completions("snapshot "), 3);
}
END_TEST

START_TEST(keys_complete_and_are_quoted_where_they_must_be) {
    const char *const keys[] = {"user/1", "user/2", "a b", "say \"hi\"", "tab\t", "it's", NULL};

    expect_completed(keys, "get us", "get user/");
    expect_completed(keys, "get user/1", "get user/1 ");
    expect_completed(keys, "get a", "get \"a b\" ");
    expect_completed(keys, "get 'a ", "get \"a b\" ");
    expect_completed(keys, "get say", "get \"say \\\"hi\\\"\" ");
    expect_completed(keys, "get ta", "get \"tab\\t\" ");
    expect_completed(keys, "get i", "get \"it's\" ");
    expect_completed(keys, "scan --from a", "scan --from \"a b\" ");
    expect_completed(keys, "scan --limit u", "scan --limit u");
}
END_TEST

START_TEST(what_several_completions_share_is_put_in_and_left_open) {
    const char *const keys[] = {"my key 1", "my key 2", NULL};

    expect_completed(keys, "get m", "get \"my key ");
    expect_completed(keys, "get \"my key ", "get \"my key ");
    expect_completed(keys, "get \"my key 2", "get \"my key 2\" ");
}
END_TEST

START_TEST(only_the_last_pasted_line_is_completed) {
    expect_completed(no_keys, "put a 1\nsn", "put a 1\nsnapshot ");
    expect_completed(no_keys, "put a '1\n2' --if-p", "put a '1\n2' --if-present ");
}
END_TEST

START_TEST(more_completions_than_there_is_room_for_are_told_and_never_taken_for_one) {
    struct completions found;

    completions_init(&found);
    for (int i = 0; i < COMPLETIONS_MAX; i++) {
        ck_assert(completions_add(&found, slice_from_text("k"), slice_from_text("key")));
    }
    ck_assert(!completions_add(&found, slice_from_text("k"), slice_from_text("key")));
    ck_assert(found.more);
    ck_assert_uint_eq(found.count, COMPLETIONS_MAX);
    completions_deinit(&found);
}
END_TEST

/* --- quotes --- */

START_TEST(quoted_words_are_read_back_as_the_same_bytes) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char word[3] = {(char)byte, 'x', (char)byte};
        struct buffer text;
        struct slice found[2];
        const char *reason;
        size_t count;
        buffer_init(&text, 64);
        ck_assert_int_eq(shell_quote(&text, slice_make(word, 3), true), STATUS_OK);
        ck_assert_int_eq(words_split((char *)text.data, text.len, found, 2, &count, &reason),
                         STATUS_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert(slice_equal(found[0], slice_make(word, 3)));
        buffer_deinit(&text);
    }
}
END_TEST

START_TEST(an_empty_word_is_quoted) {
    struct buffer text;

    buffer_init(&text, 64);
    ck_assert_int_eq(shell_quote(&text, slice_make("", 0), true), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&text), slice_from_text("\"\"")));
    buffer_deinit(&text);
}
END_TEST

/* --- hints --- */

START_TEST(a_hint_tells_the_arguments_that_are_still_to_come) {
    expect_hint("put", " KEY [VALUE | -]");
    expect_hint("put ", "KEY [VALUE | -]");
    expect_hint("put key", " [VALUE | -]");
    expect_hint("put --if-absent key ", "[VALUE | -]");
    expect_hint("put key value", "");
    expect_hint("mget a b c ", "KEY...");
    expect_hint("snapshot ", "open | close ID | list");
    expect_hint("snapshot open ", "");
    expect_hint("nonsense ", "");
    expect_hint("", "");
    expect_hint("put 'a", " [VALUE | -]");
}
END_TEST

/* --- lines and words --- */

START_TEST(a_line_ends_at_a_line_end_outside_quotes) {
    ck_assert_uint_eq(words_line_end(slice_from_text("a b\nc")), 3);
    ck_assert_uint_eq(words_line_end(slice_from_text("'a\nb'\nc")), 5);
    ck_assert_uint_eq(words_line_end(slice_from_text("\"a\\\"\n\"\nc")), 6);
    ck_assert_uint_eq(words_line_end(slice_from_text("'a\\'\nb")), 4);
    ck_assert_uint_eq(words_line_end(slice_from_text("# don't\nb")), 7);
    ck_assert_uint_eq(words_line_end(slice_from_text("a#'\n'\nb")), 5);
    ck_assert_uint_eq(words_line_end(slice_from_text("'open\n")), 6);
    ck_assert_uint_eq(words_line_end(slice_from_text("")), 0);
}
END_TEST

START_TEST(words_of_any_bytes_reach_keys_whole_and_are_refused_elsewhere) {
    struct slice words[] = {slice_make("kvcli", 5), slice_make("scan", 4), slice_make("a\0b", 3),
                            slice_make("--from=c\0d", 10)};
    char *argv[5];
    struct options options;
    struct kvd_bytes key;
    struct error error;

    for (size_t i = 0; i < 4; i++) {
        argv[i] = (char *)(uintptr_t)words[i].ptr;
    }
    argv[4] = NULL;
    ck_assert_int_eq(options_parse_words(&options, words, 4, argv, &error), STATUS_OK);
    ck_assert_int_eq(options_bytes(&options, 0, &key, &error), STATUS_OK);
    ck_assert_mem_eq(key.ptr, "a\0b", 3);
    ck_assert_uint_eq(key.len, 3);
    ck_assert_uint_eq(options.from.len, 3);
    ck_assert(options_have_nul(&options));
    words[2] = slice_make("-na\0b", 5);
    argv[1] = (char *)(uintptr_t)words[1].ptr;
    argv[2] = (char *)(uintptr_t)words[2].ptr;
    argv[3] = (char *)(uintptr_t)words[3].ptr;
    argv[0] = (char *)(uintptr_t)words[0].ptr;
    ck_assert_int_eq(options_parse_words(&options, words, 4, argv, &error), STATUS_INVALID);
}
END_TEST

START_TEST(options_for_every_line_give_way_to_those_of_the_line) {
    char *base_argv[] = {"kvcli", "-s", "one:1", "-n", "space", "--json", NULL};
    char *argv[] = {"kvcli", "get", "k", "-n", "other", NULL};
    struct options base;
    struct options options;
    struct error error;

    ck_assert_int_eq(options_parse(&base, 6, base_argv, &error), STATUS_OK);
    ck_assert_int_eq(options_parse(&options, 5, argv, &error), STATUS_OK);
    options_inherit(&options, &base);
    ck_assert_str_eq(options.server, "one:1");
    ck_assert_str_eq(options.namespace_name, "other");
    ck_assert(options.json);
}
END_TEST

UNIT_MAIN("kvcli_shell", commands_complete_at_the_start_of_a_line,
          options_complete_for_the_commands_that_take_them, sub_commands_complete,
          keys_complete_and_are_quoted_where_they_must_be,
          what_several_completions_share_is_put_in_and_left_open,
          only_the_last_pasted_line_is_completed,
          more_completions_than_there_is_room_for_are_told_and_never_taken_for_one,
          quoted_words_are_read_back_as_the_same_bytes, an_empty_word_is_quoted,
          a_hint_tells_the_arguments_that_are_still_to_come,
          a_line_ends_at_a_line_end_outside_quotes,
          words_of_any_bytes_reach_keys_whole_and_are_refused_elsewhere,
          options_for_every_line_give_way_to_those_of_the_line)
