/* config_test.c: defaults, file and command line; what is refused; reloading. */
#include "server/config.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OVERRIDES_MAX 4

/* ---- The fixture: one file, and settings of the command line -----------------------------------
 */

struct scene {
    char path[64];
    struct config_override overrides[OVERRIDES_MAX];
    struct config_input input;
    struct error error;
};

static void write_scene(struct scene *scene, const char *text, size_t len) {
    int fd = open(scene->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static void scene_init(struct scene *scene, const char *file) {
    int fd;

    memset(scene, 0, sizeof *scene);
    snprintf(scene->path, sizeof scene->path, "/tmp/kvd-config-test-XXXXXX");
    fd = mkstemp(scene->path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    scene->input.path = scene->path;
    scene->input.overrides = scene->overrides;
    write_scene(scene, file, strlen(file));
}

static void scene_deinit(struct scene *scene) {
    unlink(scene->path);
}

static void set(struct scene *scene, const char *key, const char *value) {
    ck_assert_uint_lt(scene->input.override_count, OVERRIDES_MAX);
    scene->overrides[scene->input.override_count++] = (struct config_override){key, value, "--set"};
}

static struct config *load(struct scene *scene) {
    struct config *config = NULL;
    enum status status = config_load(&scene->input, &config, &scene->error);

    ck_assert_msg(status == STATUS_OK, "%s: %s", scene->error.path, scene->error.text);
    return config;
}

static void expect_value(const struct config *config, enum config_key key, const char *expected) {
    char text[256];

    ck_assert_uint_eq(config_write_value(config, key, text, sizeof text), strlen(expected));
    ck_assert_str_eq(text, expected);
}

/* The file is refused at LINE:COLUMN (or "" for the whole file) with these words. */
static void expect_file_refused(const char *file, const char *place, const char *reason) {
    struct config *config = NULL;
    struct scene scene;
    char path[128];

    scene_init(&scene, file);
    snprintf(path, sizeof path, "%s%s%s", scene.path, place[0] ? ":" : "", place);
    ck_assert_msg(config_load(&scene.input, &config, &scene.error) == STATUS_INVALID, "%s", file);
    ck_assert_str_eq(scene.error.path, path);
    ck_assert_msg(strstr(scene.error.text, reason), "'%s' does not say '%s'", scene.error.text,
                  reason);
    scene_deinit(&scene);
}

static void expect_setting_refused(const char *key, const char *value, const char *reason) {
    struct config_override override = {key, value, "--set"};
    struct config_input input = {NULL, &override, 1};
    struct config *config = NULL;
    struct error error;

    ck_assert_msg(config_load(&input, &config, &error) == STATUS_INVALID, "%s=%s", key, value);
    ck_assert_str_eq(error.path, "--set");
    ck_assert_msg(strstr(error.text, reason), "'%s' does not say '%s'", error.text, reason);
}

static void expect_setting(const char *key, const char *value, const char *expected) {
    struct config_override override = {key, value, "--set"};
    struct config_input input = {NULL, &override, 1};
    struct config *config = NULL;
    enum config_key id = CONFIG_KEY_COUNT;
    struct error error = {0};

    ck_assert_msg(config_load(&input, &config, &error) == STATUS_OK, "%s", error.text);
    ck_assert(config_key_find(key, &id));
    expect_value(config, id, expected);
    ck_assert_str_eq(config_origin(config, id), "--set");
    config_destroy(config);
}

/* ---- Where values come from --------------------------------------------------------------------
 */

START_TEST(without_anything_there_are_defaults) {
    struct config_input input = {0};
    struct config *config = NULL;
    struct error error;

    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_number(config, CONFIG_MEMORY_LIMIT), 1u << 30);
    ck_assert_uint_eq(config_list_count(config, CONFIG_SERVER_LISTEN), 1);
    ck_assert_str_eq(config_list_item(config, CONFIG_SERVER_LISTEN, 0), "127.0.0.1:7450");
    ck_assert_uint_eq(config_number(config, CONFIG_SERVER_IDLE_TIMEOUT), 300000);
    ck_assert_uint_eq(config_number(config, CONFIG_STORAGE_DURABILITY), CONFIG_DURABILITY_SYNCED);
    ck_assert_uint_eq(config_number(config, CONFIG_STORAGE_COMPRESSION), CONFIG_COMPRESSION_ZSTD);
    ck_assert(config_real(config, CONFIG_STORAGE_MAX_SPACE_RATIO) == 1.5);
    ck_assert_uint_eq(config_number(config, CONFIG_STORAGE_READ_ONLY), 0);
    ck_assert_str_eq(config_text(config, CONFIG_LOG_FILE), "");
    ck_assert_str_eq(config_text(config, CONFIG_LOG_LEVEL), "info");
    ck_assert_str_eq(config_origin(config, CONFIG_LOG_LEVEL), "default");
    config_destroy(config);
}
END_TEST

START_TEST(the_file_wins_over_defaults_and_the_command_line_over_the_file) {
    struct scene scene;
    struct config *config;
    char origin[128];

    scene_init(&scene, "memory_limit = 134217728\n[log]\nlevel = 'debug'\nformat = 'json'\n");
    set(&scene, "log.format", "text");
    config = load(&scene);
    expect_value(config, CONFIG_MEMORY_LIMIT, "\"128MiB\"");
    expect_value(config, CONFIG_LOG_LEVEL, "\"debug\"");
    expect_value(config, CONFIG_LOG_FORMAT, "\"text\"");
    snprintf(origin, sizeof origin, "%s:3", scene.path);
    ck_assert_str_eq(config_origin(config, CONFIG_LOG_LEVEL), origin);
    ck_assert_str_eq(config_origin(config, CONFIG_LOG_FORMAT), "--set");
    ck_assert_str_eq(config_origin(config, CONFIG_STORAGE_DIR), "default");
    config_destroy(config);
    scene_deinit(&scene);
}
END_TEST

START_TEST(dotted_keys_and_tables_in_braces_are_sections_too) {
    struct scene scene;
    struct config *config;

    scene_init(&scene, "server.loops = 3\nlog = {level = 'warn'}\n[storage]\n");
    config = load(&scene);
    expect_value(config, CONFIG_SERVER_LOOPS, "3");
    expect_value(config, CONFIG_LOG_LEVEL, "\"warn\"");
    config_destroy(config);
    scene_deinit(&scene);
}
END_TEST

START_TEST(a_list_of_the_command_line_is_collected_and_replaces_the_file) {
    struct scene scene;
    struct config *config;

    scene_init(&scene, "[server]\nlisten = ['127.0.0.1:1', '127.0.0.1:2']\n");
    set(&scene, "server.listen", "127.0.0.1:3");
    set(&scene, "server.listen", "['unix:/a', \"unix:/b\"]");
    set(&scene, "server.listen", "[::1]:4");
    scene.overrides[2].value = "localhost:4";
    config = load(&scene);
    expect_value(config, CONFIG_SERVER_LISTEN,
                 "[\"127.0.0.1:3\", \"unix:/a\", \"unix:/b\", \"localhost:4\"]");
    config_destroy(config);
    scene_deinit(&scene);
}
END_TEST

START_TEST(settings_may_leave_out_quotes) {
    expect_setting("memory_limit", "64MiB", "\"64MiB\"");
    expect_setting("memory_limit", "67108864", "\"64MiB\"");
    expect_setting("memory_limit", "\"64MiB\"", "\"64MiB\"");
    expect_setting("server.idle_timeout", "0", "\"0\"");
    expect_setting("server.idle_timeout", "1500ms", "\"1500ms\"");
    expect_setting("storage.max_space_ratio", "2", "2");
    expect_setting("storage.max_space_ratio", "1.25", "1.25");
    expect_setting("storage.dir", "/a \"b\"\\", "\"/a \\\"b\\\"\\\\\"");
    expect_setting("storage.dir", "'/quoted'", "\"/quoted\"");
    expect_setting("server.listen", "localhost:1", "[\"localhost:1\"]");
    expect_setting("server.listen", "['[::1]:1']", "[\"[::1]:1\"]");
    expect_setting("server.loops", "0x10", "16");
    expect_setting("log.file", "", "\"\"");
}
END_TEST

START_TEST(a_value_too_long_for_its_room_is_cut_and_measured) {
    struct config_input input = {0};
    struct config *config = NULL;
    struct error error;
    char text[4] = "xxx";

    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_write_value(config, CONFIG_LOG_LEVEL, text, sizeof text), 6);
    ck_assert_str_eq(text, "\"in");
    ck_assert_uint_eq(config_write_value(config, CONFIG_LOG_LEVEL, NULL, 0), 6);
    config_destroy(config);
}
END_TEST

/* ---- What is refused ---------------------------------------------------------------------------
 */

START_TEST(unknown_keys_are_refused_with_the_nearest) {
    expect_file_refused("memory_limt = 1\n", "1:1", "did you mean 'memory_limit'?");
    expect_file_refused("[server]\n  lisen = []\n", "2:3",
                        "unknown key 'server.lisen'; did you mean 'server.listen'?");
    expect_file_refused("listen = []\n", "1:1", "did you mean 'server.listen'?");
    expect_file_refused("[storage]\nlevel = 'info'\n", "2:1", "did you mean 'log.level'?");
    expect_file_refused("[server.tls]\ncert = ''\n", "1:9", "unknown key 'server.tls'");
    expect_file_refused("[frobnication]\nx = 1\n", "1:2", "docs/configuration.md lists all");
    expect_file_refused("'server.loops' = 1\n", "1:1", "unknown key");
    expect_file_refused("\"memory_limit\\u0000\" = 1\n", "1:1", "unknown key");
    expect_file_refused("server = 1\n", "1:1", "'server' is a section, written [server]");
    expect_file_refused("[[server]]\nloops = 1\n", "1:3", "'server' is a section");
    expect_setting_refused("log.levle", "info", "did you mean 'log.level'?");
    expect_setting_refused("", "x", "unknown key ''");
}
END_TEST

START_TEST(a_very_long_key_is_refused) {
    char file[600];

    memset(file, 'k', sizeof file);
    memcpy(file + sizeof file - 6, " = 1\n", 6);
    expect_file_refused(file, "1:1", "unknown key 'kkkk");
}
END_TEST

START_TEST(wrong_types_are_refused) {
    expect_file_refused("memory_limit = 1.5\n", "1:1",
                        "memory_limit is a float; expected a size such as \"64MiB\"");
    expect_file_refused("[server]\nlisten = 'x'\n", "2:1",
                        "server.listen is a string; expected an array of strings");
    expect_file_refused("[server]\nlisten = ['127.0.0.1:1', 2]\n", "2:1", "an item that is an int");
    expect_file_refused("[server]\nloops = '1'\n", "2:1", "is a string; expected a whole number");
    expect_file_refused("[server]\nloops.x = 1\n", "2:1", "is a table; expected a whole number");
    expect_file_refused("[server]\nidle_timeout = 300\n", "2:1", "is 300; expected a duration");
    expect_file_refused("[server]\nidle_timeout = true\n", "2:1", "is a boolean; expected a dur");
    expect_file_refused("[server]\nidle_timeout = 12:00:00\n", "2:1", "is a time; expected a dur");
    expect_file_refused("[log]\nlevel = 3\n", "2:1", "expected one of debug|info|warn|error");
    expect_file_refused("[log]\nfile = 3\n", "2:1", "is an integer; expected a string");
    expect_file_refused("[storage]\nmax_space_ratio = '2'\n", "2:1", "expected a number");
    expect_setting_refused("server.loops", "two", "text stands in quotes");
    expect_setting_refused("server.loops", "", "expected a value");
    expect_setting_refused("server.loops", "1 2", "expected nothing behind the value");
}
END_TEST

START_TEST(a_boolean_is_true_or_false_and_no_word) {
    struct scene scene;
    struct config *config;
    char text[16];

    scene_init(&scene, "[storage]\nread_only = true\n");
    set(&scene, "storage.in_memory", "true");
    config = load(&scene);
    ck_assert_uint_eq(config_number(config, CONFIG_STORAGE_READ_ONLY), 1);
    ck_assert_uint_eq(config_number(config, CONFIG_STORAGE_IN_MEMORY), 1);
    ck_assert_uint_eq(config_write_value(config, CONFIG_STORAGE_READ_ONLY, text, sizeof text), 4);
    ck_assert_str_eq(text, "true");
    config_destroy(config);
    scene_deinit(&scene);
    expect_file_refused("[storage]\nread_only = 'true'\n", "2:1",
                        "is a string; expected true or false");
    expect_file_refused("[storage]\nread_only = 1\n", "2:1", "expected true or false");
}
END_TEST

START_TEST(values_out_of_range_are_refused) {
    expect_setting_refused("memory_limit", "65535KiB", "is 65535KiB; expected 64MiB to 64TiB");
    expect_setting_refused("memory_limit", "65TiB", "expected 64MiB to 64TiB");
    expect_setting_refused("memory_limit", "lots", "is \"lots\"; expected a size");
    expect_setting_refused("memory_limit", "99999999999TiB", "expected a size");
    expect_setting_refused("server.loops", "65", "is 65; expected 0 to 64");
    expect_setting_refused("server.loops", "-1", "is -1; expected 0 to 64");
    expect_setting_refused("server.frame_timeout", "0", "is 0; expected 100ms to 1h");
    expect_setting_refused("server.frame_timeout", "99ms", "is 99ms; expected 100ms to 1h");
    expect_setting_refused("storage.max_space_ratio", "1.09", "is 1.09; expected 1.1 to 10");
    expect_setting_refused("storage.max_space_ratio", "nan", "expected 1.1 to 10");
    expect_setting_refused("storage.dir", "", "has 0 bytes; expected 1 to 4000");
    expect_setting_refused("server.listen", "[]", "has 0 items; expected 1 to 16");
    expect_setting_refused("log.level", "verbose", "is \"verbose\"; expected one of debug|info");
    expect_setting_refused("log.level", "", "expected one of");
    expect_setting_refused("log.level", "debug|info", "expected one of");
    expect_setting_refused("storage.dir", "\"a\\u0000b\"", "holds the character U+0000");
    expect_setting_refused("server.listen", "[\"a\\u0000b\"]", "a string with U+0000");
}
END_TEST

START_TEST(values_at_their_bounds_are_accepted) {
    expect_setting("memory_limit", "64TiB", "\"64TiB\"");
    expect_setting("server.loops", "64", "64");
    expect_setting("server.frame_timeout", "100ms", "\"100ms\"");
    expect_setting("server.frame_timeout", "1h", "\"1h\"");
    expect_setting("storage.max_space_ratio", "1.1", "1.1");
    expect_setting("storage.max_space_ratio", "10", "10");
    expect_setting("storage.value_threshold", "64", "\"64B\"");
}
END_TEST

START_TEST(broken_toml_is_refused_at_its_place) {
    expect_file_refused("[server]\nloops = \n", "2:9", "expected a value");
    expect_file_refused("[log]\nlevel = 'info'\nlevel = 'warn'\n", "3:1", "is given twice");
    expect_file_refused("memory_limit = 1GiB\n", "1:16", "expected a number");
}
END_TEST

START_TEST(more_addresses_than_allowed_are_refused_however_they_come) {
    struct config_override overrides[17];
    struct config_input input = {NULL, overrides, 17};
    struct config *config = NULL;
    struct error error;

    for (size_t i = 0; i < 17; i++) {
        overrides[i] = (struct config_override){"server.listen", "127.0.0.1:0", "--listen"};
    }
    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "has 17 items; expected 1 to 16"));
    input.override_count = 16;
    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    config_destroy(config);
}
END_TEST

/* ---- Validation --------------------------------------------------------------------------------
 */

START_TEST(an_address_that_others_can_reach_is_refused) {
    const char *reason = "can be reached from other machines, and kvd has no authentication yet";

    expect_setting_refused("server.listen", "0.0.0.0:7450", reason);
    expect_setting_refused("server.listen", "['[::]:7450']", reason);
    expect_setting_refused("server.listen", "192.168.1.1:7450", reason);
    expect_setting_refused("server.listen", "['[::ffff:10.0.0.1]:1']", reason);
    expect_setting_refused("server.listen", "['127.0.0.1:1', '10.0.0.1:2']", reason);
    expect_setting("server.listen", "127.9.8.7:0", "[\"127.9.8.7:0\"]");
}
END_TEST

START_TEST(an_address_that_is_none_or_stands_twice_is_refused) {
    expect_setting_refused("server.listen", "127.0.0.1", "expected HOST:PORT");
    expect_setting_refused("server.listen", "", "expected HOST:PORT");
    expect_setting_refused("server.listen", "['unix:/a', 'unix:/a']", "'unix:/a' is given twice");
    expect_setting_refused("server.listen", "['127.0.0.1:1', 'localhost:1']", "is given twice");
    expect_setting_refused("server.listen", "['[::1]:1', '[0:0::1]:1']", "is given twice");
    expect_setting("server.listen", "['127.0.0.1:0', '127.0.0.1:0']",
                   "[\"127.0.0.1:0\", \"127.0.0.1:0\"]");
}
END_TEST

START_TEST(derived_values_follow_the_machine) {
    struct config_input input = {0};
    struct config_override few = {"server.loops", "5", "--set"};
    struct config_override small = {"memory_limit", "64MiB", "--set"};
    struct config *config = NULL;
    struct error error;

    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_loop_count(config, 0), 1);
    ck_assert_uint_eq(config_loop_count(config, 1), 1);
    ck_assert_uint_eq(config_loop_count(config, 2), 1);
    ck_assert_uint_eq(config_loop_count(config, 4), 3);
    ck_assert_uint_eq(config_loop_count(config, 9), 8);
    ck_assert_uint_eq(config_loop_count(config, 64), 8);
    ck_assert_uint_eq(config_output_limit_bytes(config), 32u << 20);
    config_destroy(config);
    input = (struct config_input){NULL, &few, 1};
    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_loop_count(config, 64), 5);
    config_destroy(config);
    input.overrides = &small;
    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_uint_eq(config_output_limit_bytes(config), 16u << 20);
    config_destroy(config);
}
END_TEST

/* ---- The file itself ---------------------------------------------------------------------------
 */

static enum status load_status(const char *path, struct error *error) {
    struct config_input input = {.path = path};
    struct config *config = NULL;
    enum status status = config_load(&input, &config, error);

    if (status == STATUS_OK) {
        config_destroy(config);
    }
    return status;
}

START_TEST(a_file_that_cannot_be_read_is_refused) {
    struct error error;
    char fifo[] = "/tmp/kvd-config-test-XXXXXX";

    ck_assert_int_eq(load_status("/nonexistent/kvd.toml", &error), STATUS_NOT_FOUND);
    ck_assert_str_eq(error.path, "/nonexistent/kvd.toml");
    ck_assert_int_eq(load_status("/tmp", &error), STATUS_INVALID);
    ck_assert_int_eq(load_status("/dev/zero", &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(mkdtemp(fifo));
    ck_assert_int_eq(rmdir(fifo), 0);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(load_status(fifo, &error), STATUS_INVALID);
    unlink(fifo);
}
END_TEST

START_TEST(a_file_of_the_greatest_size_is_read_and_a_larger_one_refused) {
    char *text = memory_alloc(CONFIG_FILE_BYTES_MAX + 1);
    struct scene scene;

    scene_init(&scene, "");
    memset(text, '\n', CONFIG_FILE_BYTES_MAX + 1);
    write_scene(&scene, text, CONFIG_FILE_BYTES_MAX);
    ck_assert_int_eq(load_status(scene.path, &scene.error), STATUS_OK);
    write_scene(&scene, text, CONFIG_FILE_BYTES_MAX + 1);
    ck_assert_int_eq(load_status(scene.path, &scene.error), STATUS_TOO_LARGE);
    memory_free(text);
    scene_deinit(&scene);
}
END_TEST

/* ---- Reloading ---------------------------------------------------------------------------------
 */

START_TEST(a_reload_changes_what_it_can_and_names_the_rest) {
    const char *after = "[server]\nloops = 2\nidle_timeout = '1s'\nlisten = ['127.0.0.1:9']\n"
                        "[log]\nlevel = 'warn'\n";
    struct config_changes changes;
    struct config *config = NULL;
    struct config *old;
    struct scene scene;

    scene_init(&scene, "[log]\nlevel = 'debug'\n[server]\nidle_timeout = '1s'\n");
    old = load(&scene);
    write_scene(&scene, after, strlen(after));
    ck_assert_int_eq(config_reload(old, &scene.input, &config, &changes, &scene.error), STATUS_OK);
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        ck_assert_int_eq(changes.changed[key], key == CONFIG_LOG_LEVEL);
        ck_assert_int_eq(changes.needs_restart[key],
                         key == CONFIG_SERVER_LOOPS || key == CONFIG_SERVER_LISTEN);
    }
    expect_value(config, CONFIG_LOG_LEVEL, "\"warn\"");
    expect_value(config, CONFIG_SERVER_LOOPS, "0");
    expect_value(config, CONFIG_SERVER_LISTEN, "[\"127.0.0.1:7450\"]");
    ck_assert_str_eq(config_origin(config, CONFIG_SERVER_LOOPS), "default");
    expect_value(old, CONFIG_LOG_LEVEL, "\"debug\"");
    config_destroy(old);
    config_destroy(config);
    scene_deinit(&scene);
}
END_TEST

START_TEST(a_reload_of_something_bad_changes_nothing) {
    struct config_changes changes;
    struct config *config = NULL;
    struct config *old;
    struct scene scene;

    scene_init(&scene, "[log]\nlevel = 'debug'\n");
    old = load(&scene);
    write_scene(&scene, "[log]\nlevel = 'loud'\n", 21);
    ck_assert_int_eq(config_reload(old, &scene.input, &config, &changes, &scene.error),
                     STATUS_INVALID);
    ck_assert_ptr_null(config);
    expect_value(old, CONFIG_LOG_LEVEL, "\"debug\"");
    config_destroy(old);
    scene_deinit(&scene);
}
END_TEST

START_TEST(the_command_line_wins_over_a_reload_too) {
    struct config_changes changes;
    struct config *config = NULL;
    struct config *old;
    struct scene scene;

    scene_init(&scene, "");
    set(&scene, "log.level", "error");
    old = load(&scene);
    write_scene(&scene, "log.level = 'debug'\n", 20);
    ck_assert_int_eq(config_reload(old, &scene.input, &config, &changes, &scene.error), STATUS_OK);
    ck_assert(!changes.changed[CONFIG_LOG_LEVEL]);
    expect_value(config, CONFIG_LOG_LEVEL, "\"error\"");
    config_destroy(old);
    config_destroy(config);
    scene_deinit(&scene);
}
END_TEST

/* ---- Failures of memory ------------------------------------------------------------------------
 */

START_TEST(any_allocation_may_fail) {
    struct config_changes changes;
    struct config *config = NULL;
    struct config *reloaded = NULL;
    struct scene scene;
    enum status status = STATUS_NO_MEMORY;
    uint64_t passed;

    scene_init(&scene, "[server]\nlisten = ['127.0.0.1:1', 'unix:/x']\n[log]\nfile = 'y'\n");
    set(&scene, "server.listen", "unix:/a");
    set(&scene, "server.listen", "unix:/b");
    for (passed = 0; status == STATUS_NO_MEMORY; passed++) {
        memory_fail_after(passed, false);
        status = config_load(&scene.input, &config, &scene.error);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(passed, 20);
    scene.input.override_count = 0; /* so that the lists differ and the old one is copied */
    status = STATUS_NO_MEMORY;
    for (passed = 0; status == STATUS_NO_MEMORY; passed++) {
        memory_fail_after(passed, false);
        status = config_reload(config, &scene.input, &reloaded, &changes, &scene.error);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    expect_value(reloaded, CONFIG_SERVER_LISTEN, "[\"unix:/a\", \"unix:/b\"]");
    config_destroy(config);
    config_destroy(reloaded);
    scene_deinit(&scene);
}
END_TEST

UNIT_MAIN(
    "config", without_anything_there_are_defaults,
    the_file_wins_over_defaults_and_the_command_line_over_the_file,
    dotted_keys_and_tables_in_braces_are_sections_too,
    a_list_of_the_command_line_is_collected_and_replaces_the_file, settings_may_leave_out_quotes,
    a_value_too_long_for_its_room_is_cut_and_measured, unknown_keys_are_refused_with_the_nearest,
    a_very_long_key_is_refused, wrong_types_are_refused, a_boolean_is_true_or_false_and_no_word,
    values_out_of_range_are_refused, values_at_their_bounds_are_accepted,
    broken_toml_is_refused_at_its_place, more_addresses_than_allowed_are_refused_however_they_come,
    an_address_that_others_can_reach_is_refused, an_address_that_is_none_or_stands_twice_is_refused,
    derived_values_follow_the_machine, a_file_that_cannot_be_read_is_refused,
    a_file_of_the_greatest_size_is_read_and_a_larger_one_refused,
    a_reload_changes_what_it_can_and_names_the_rest, a_reload_of_something_bad_changes_nothing,
    the_command_line_wins_over_a_reload_too, any_allocation_may_fail)
