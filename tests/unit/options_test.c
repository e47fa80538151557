/* options_test.c: the command line of kvd. */
#include "server/options.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ARGUMENTS_MAX 32

/* Arguments behind "kvd", ended by NULL. */
struct line {
    const char *argv[ARGUMENTS_MAX];
    int argc;
};

static struct line line_of(const char *const *arguments) {
    struct line line = {.argv = {"kvd"}, .argc = 1};

    while (*arguments) {
        line.argv[line.argc++] = *arguments++;
    }
    return line;
}

#define LINE(...) line_of((const char *const[]){__VA_ARGS__, NULL})

static struct options accept(struct line line) {
    struct options options = {0};
    struct error error = {0};
    /* the arguments themselves are literals, so only the array goes */
    enum status status = options_parse(line.argc, line.argv, &options, &error);

    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return options;
}

static void refuse(struct line line, const char *reason) {
    struct options options;
    struct error error = {0};
    enum status status = options_parse(line.argc, line.argv, &options, &error);

    ck_assert_int_eq(status, STATUS_INVALID);
    ck_assert_msg(strstr(error.text, reason), "'%s' does not say '%s'", error.text, reason);
}

static void expect_override(const struct options *options, size_t index, const char *key,
                            const char *value, const char *origin) {
    const struct config_override *override = &options->config.overrides[index];

    ck_assert_uint_lt(index, options->config.override_count);
    ck_assert_str_eq(override->key, key);
    ck_assert_str_eq(override->value, value);
    ck_assert_str_eq(override->origin, origin);
}

START_TEST(no_options_mean_no_file_and_no_overrides) {
    struct options options = accept(LINE(NULL));

    ck_assert_ptr_null(options.config.path);
    ck_assert_ptr_null(options.ready_file);
    ck_assert_uint_eq(options.config.override_count, 0);
    ck_assert(!options.check_config && !options.version && !options.help);
    options_deinit(&options);
}
END_TEST

START_TEST(all_options_are_read_in_both_spellings) {
    for (int spelling = 0; spelling < 2; spelling++) {
        struct options options =
            spelling == 0
                ? accept(LINE("--config", "a.toml", "--dir", "/d", "--listen", "127.0.0.1:0",
                              "--listen", "unix:/s", "--set", "log.level=debug", "--ready-file",
                              "/r", "--check-config", "--version", "--help"))
                : accept(LINE("--config=a.toml", "--dir=/d", "--listen=127.0.0.1:0",
                              "--listen=unix:/s", "--set=log.level=debug", "--ready-file=/r",
                              "--check-config", "--version", "--help"));
        ck_assert_str_eq(options.config.path, "a.toml");
        ck_assert_str_eq(options.ready_file, "/r");
        ck_assert(options.check_config && options.version && options.help);
        ck_assert_uint_eq(options.config.override_count, 4);
        expect_override(&options, 0, "storage.dir", "/d", "--dir");
        expect_override(&options, 1, "server.listen", "127.0.0.1:0", "--listen");
        expect_override(&options, 2, "server.listen", "unix:/s", "--listen");
        expect_override(&options, 3, "log.level", "debug", "--set");
        options_deinit(&options);
    }
}
END_TEST

START_TEST(a_setting_is_split_at_its_first_equals_sign) {
    struct options options = accept(LINE("--set", "storage.dir=/a=b", "--set=log.file=", "--set",
                                         "server.listen=[\"[::1]:1\"]"));

    expect_override(&options, 0, "storage.dir", "/a=b", "--set");
    expect_override(&options, 1, "log.file", "", "--set");
    expect_override(&options, 2, "server.listen", "[\"[::1]:1\"]", "--set");
    options_deinit(&options);
}
END_TEST

START_TEST(overrides_reach_the_configuration) {
    struct options options = accept(LINE("--listen", "127.0.0.1:0", "--listen=unix:/tmp/s", "--dir",
                                         "/d", "--set", "server.loops=3"));
    struct config *config = NULL;
    struct error error;

    ck_assert_int_eq(config_load(&options.config, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_list_count(config, CONFIG_SERVER_LISTEN), 2);
    ck_assert_str_eq(config_list_item(config, CONFIG_SERVER_LISTEN, 1), "unix:/tmp/s");
    ck_assert_str_eq(config_text(config, CONFIG_STORAGE_DIR), "/d");
    ck_assert_str_eq(config_origin(config, CONFIG_STORAGE_DIR), "--dir");
    ck_assert_uint_eq(config_number(config, CONFIG_SERVER_LOOPS), 3);
    config_destroy(config);
    options_deinit(&options);
}
END_TEST

START_TEST(check_and_salvage_name_their_folders) {
    struct options options = accept(LINE("check", "data", "--set", "memory_limit=1GiB"));

    ck_assert_int_eq(options.action, OPTIONS_CHECK);
    expect_override(&options, 0, "storage.dir", "data", "check");
    options_deinit(&options);
    options = accept(LINE("salvage", "old", "--config", "x", "new"));
    ck_assert_int_eq(options.action, OPTIONS_SALVAGE);
    expect_override(&options, 0, "storage.dir", "old", "salvage");
    ck_assert_str_eq(options.new_dir, "new");
    options_deinit(&options);
    options = accept(LINE("check", "--help"));
    ck_assert(options.help);
    options_deinit(&options);
    refuse(LINE("check"), "check wants a folder");
    refuse(LINE("salvage", "old"), "salvage wants two folders");
    refuse(LINE("check", "a", "b"), "'b' is one folder too many");
    refuse(LINE("salvage", "a", "b", "c"), "'c' is one folder too many");
    refuse(LINE("check", "a", "--dir", "b"), "--dir is given twice");
    refuse(LINE("--dir", "a", "check"), "'check' is not an option");
}
END_TEST

START_TEST(unknown_options_are_refused_with_the_nearest_one) {
    refuse(LINE("--confg", "x"), "unknown option '--confg'; did you mean '--config'?");
    refuse(LINE("--lisetn=x"), "did you mean '--listen'?");
    refuse(LINE("-dir", "x"), "did you mean '--dir'?");
    refuse(LINE("--check-confg"), "did you mean '--check-config'?");
    refuse(LINE("--frobnicate-everything"), "unknown option '--frobnicate-everything'; see kvd");
    refuse(LINE("serve"), "'serve' is not an option");
    refuse(LINE(""), "'' is not an option");
    refuse(LINE("--"), "unknown option '--'");
}
END_TEST

START_TEST(missing_empty_and_needless_values_are_refused) {
    refuse(LINE("--config"), "--config wants a value: FILE");
    refuse(LINE("--listen"), "--listen wants a value: HOST:PORT or unix:PATH");
    refuse(LINE("--dir", "--check-config"), "--dir wants a value: DIR");
    refuse(LINE("--dir="), "--dir is empty; expected DIR");
    refuse(LINE("--dir", ""), "--dir is empty");
    refuse(LINE("--version=1"), "--version takes no value");
    refuse(LINE("--help=x"), "--help takes no value");
}
END_TEST

START_TEST(what_may_stand_once_is_refused_twice) {
    refuse(LINE("--config", "a", "--config", "b"), "--config is given twice");
    refuse(LINE("--dir", "a", "--dir=b"), "--dir is given twice");
    refuse(LINE("--help", "--help"), "--help is given twice");
}
END_TEST

START_TEST(a_setting_without_key_or_sign_is_refused) {
    refuse(LINE("--set", "log.level"), "expected SECTION.KEY=VALUE");
    refuse(LINE("--set", "=x"), "expected SECTION.KEY=VALUE");
}
END_TEST

START_TEST(very_long_arguments_are_refused_and_named_in_part) {
    char argument[5000];

    memset(argument, 'x', sizeof argument - 1);
    argument[sizeof argument - 1] = '\0';
    memcpy(argument, "--", 2);
    refuse(LINE(argument), "unknown option '--xxxx");
    refuse(LINE(argument + 2), "is not an option");
}
END_TEST

START_TEST(any_allocation_may_fail) {
    struct line line = LINE("--dir", "/d", "--set", "log.level=debug");
    struct options options;
    struct error error;

    for (uint64_t passed = 0; passed < 2; passed++) {
        memory_fail_after(passed, false);
        ck_assert_int_eq(options_parse(line.argc, line.argv, &options, &error), STATUS_NO_MEMORY);
        memory_fail_never();
    }
    ck_assert_int_eq(options_parse(line.argc, line.argv, &options, &error), STATUS_OK);
    options_deinit(&options);
}
END_TEST

START_TEST(the_help_names_every_option) {
    static const char *const names[] = {"--config FILE",
                                        "--dir DIR",
                                        "--listen HOST:PORT",
                                        "--listen unix:PATH",
                                        "--set SECTION.KEY=VALUE",
                                        "--ready-file FILE",
                                        "--check-config",
                                        "--version",
                                        "--help"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_ptr_nonnull(strstr(options_help(), names[i]));
    }
}
END_TEST

START_TEST(a_zeroed_struct_may_be_released) {
    struct options options = {0};

    options_deinit(&options);
}
END_TEST

UNIT_MAIN("options", no_options_mean_no_file_and_no_overrides,
          all_options_are_read_in_both_spellings, a_setting_is_split_at_its_first_equals_sign,
          overrides_reach_the_configuration, check_and_salvage_name_their_folders,
          unknown_options_are_refused_with_the_nearest_one,
          missing_empty_and_needless_values_are_refused, what_may_stand_once_is_refused_twice,
          a_setting_without_key_or_sign_is_refused,
          very_long_arguments_are_refused_and_named_in_part, any_allocation_may_fail,
          the_help_names_every_option, a_zeroed_struct_may_be_released)
