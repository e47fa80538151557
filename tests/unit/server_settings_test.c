/* server_settings_test.c: the configuration of a running server, asked, changed, and read again. */
#include "server/settings.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scene {
    char path[64];
    struct config_override overrides[1];
    struct config_input input;
    struct settings *settings;
    struct log *log;
    struct error error;
    uint32_t changes; /* told, the first one included */
    uint64_t idle_ms; /* as told last */
    char listed[4096];
};

static void write_file(struct scene *scene, const char *text) {
    FILE *file = fopen(scene->path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void changed(void *arg, const struct config *config) {
    struct scene *scene = arg;

    scene->changes++;
    scene->idle_ms = config_number(config, CONFIG_SERVER_IDLE_TIMEOUT);
}

/* With a file, and log.level=warn on the command line. */
static void open_scene(struct scene *scene, const char *file) {
    struct log_options options = {.path = "/dev/null"};
    struct config *config;

    *scene = (struct scene){.path = "/tmp/kvd-settings-test-XXXXXX"};
    ck_assert_int_ge(close(mkstemp(scene->path)), 0);
    write_file(scene, file);
    scene->overrides[0] = (struct config_override){"log.level", "warn", "--set"};
    scene->input = (struct config_input){scene->path, scene->overrides, 1};
    ck_assert_int_eq(config_load(&scene->input, &config, &scene->error), STATUS_OK);
    ck_assert_int_eq(log_open(&options, &scene->log, &scene->error), STATUS_OK);
    ck_assert_int_eq(settings_create(config, &scene->input, scene->log, &scene->settings),
                     STATUS_OK);
    settings_watch(scene->settings, changed, scene);
}

static void close_scene(struct scene *scene) {
    settings_destroy(scene->settings);
    log_close(scene->log);
    unlink(scene->path);
}

static enum status set(struct scene *scene, const char *name, const char *value) {
    return settings_set(scene->settings, slice_from_text(name), slice_from_text(value),
                        &scene->error);
}

static enum status list_cb(void *arg, const struct setting *setting) {
    struct scene *scene = arg;
    size_t len = strlen(scene->listed);
    const char *source = setting->source;

    if (strncmp(source, scene->path, strlen(scene->path)) == 0) {
        source += strlen(scene->path);
    }
    snprintf(scene->listed + len, sizeof scene->listed - len, "%s %s %s %s %s\n", setting->name,
             setting->value, setting->default_value, source,
             setting->online ? "online" : "restart");
    return STATUS_OK;
}

static const char *list(struct scene *scene, const char *prefix) {
    scene->listed[0] = '\0';
    ck_assert_int_eq(settings_each(scene->settings, slice_from_text(prefix), list_cb, scene),
                     STATUS_OK);
    return scene->listed;
}

START_TEST(a_key_tells_its_value_default_and_where_it_was_said) {
    struct scene scene;

    open_scene(&scene, "memory_limit = \"128MiB\"\n[server]\nidle_timeout = \"1m\"\n");
    ck_assert_str_eq(list(&scene, "memory_limit"), "memory_limit \"128MiB\" \"1GiB\" :1 restart\n");
    ck_assert_str_eq(list(&scene, "server.idle_timeout"),
                     "server.idle_timeout \"1m\" \"5m\" :3 online\n");
    ck_assert_str_eq(list(&scene, "log.level"), "log.level \"warn\" \"info\" --set online\n");
    ck_assert_str_eq(list(&scene, "server.listen"), "server.listen [\"127.0.0.1:7450\"] "
                                                    "[\"127.0.0.1:7450\"] default restart\n");
    ck_assert_int_eq(scene.changes, 1);
    close_scene(&scene);
}
END_TEST

static enum status count_cb(void *arg, const struct setting *setting) {
    uint32_t *count = arg;

    (void)setting;
    (*count)++;
    return *count == 3 ? STATUS_TOO_LARGE : STATUS_OK;
}

START_TEST(a_prefix_chooses_and_a_callback_may_end) {
    struct scene scene;
    uint32_t count = 0;

    open_scene(&scene, "");
    ck_assert_ptr_nonnull(strstr(list(&scene, "log."), "log.file"));
    ck_assert_ptr_null(strstr(scene.listed, "slow_log"));
    ck_assert_ptr_nonnull(strstr(list(&scene, ""), "metrics.listen"));
    ck_assert_int_eq(settings_each(scene.settings, slice_from_text("log.x"), list_cb, &scene),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(settings_each(scene.settings, slice_from_text(""), count_cb, &count),
                     STATUS_TOO_LARGE);
    ck_assert_uint_eq(count, 3);
    close_scene(&scene);
}
END_TEST

START_TEST(a_key_that_is_set_is_told_and_shown_so) {
    struct scene scene;

    open_scene(&scene, "");
    ck_assert_int_eq(set(&scene, "server.idle_timeout", "7s"), STATUS_OK);
    ck_assert_uint_eq(scene.idle_ms, 7000);
    ck_assert_uint_eq(scene.changes, 2);
    ck_assert_uint_eq(settings_number(scene.settings, CONFIG_SERVER_IDLE_TIMEOUT), 7000);
    ck_assert_str_eq(list(&scene, "server.idle_timeout"),
                     "server.idle_timeout \"7s\" \"5m\" set online online\n");
    ck_assert_int_eq(set(&scene, "storage.durability", "\"memory\""), STATUS_OK);
    ck_assert_str_eq(list(&scene, "storage.durability"),
                     "storage.durability \"memory\" \"synced\" set online online\n");
    ck_assert_uint_eq(scene.idle_ms, 7000);
    close_scene(&scene);
}
END_TEST

static void refused(struct scene *scene, const char *name, const char *value, const char *reason) {
    ck_assert_int_eq(set(scene, name, value), STATUS_INVALID);
    ck_assert_msg(strstr(scene->error.text, reason), "%s", scene->error.text);
    ck_assert_uint_eq(scene->changes, 1);
}

START_TEST(what_cannot_be_is_refused_with_its_reason_and_changes_nothing) {
    struct scene scene;
    char name[300];

    open_scene(&scene, "");
    refused(&scene, "memory_limit", "2GiB", "memory_limit needs a restart");
    refused(&scene, "server.idle_timout", "7s", "did you mean 'server.idle_timeout'");
    refused(&scene, "server.idle_timeout", "7", "expected a duration");
    refused(&scene, "server.idle_timeout", "", "expected a duration");
    refused(&scene, "server.frame_timeout", "1ms", "expected 100ms to 1h");
    refused(&scene, "log.level", "loud", "log.level");
    refused(&scene, "", "7s", "");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refused(&scene, name, "7s", "");
    ck_assert_int_eq(settings_set(scene.settings, slice_from_text("log.level"),
                                  slice_make("info\0x", 6), &scene.error),
                     STATUS_INVALID);
    ck_assert_str_eq(list(&scene, "server.idle_timeout"),
                     "server.idle_timeout \"5m\" \"5m\" default online\n");
    close_scene(&scene);
}
END_TEST

START_TEST(a_reload_puts_back_what_was_set) {
    struct scene scene;

    open_scene(&scene, "[server]\nidle_timeout = \"9s\"\n");
    ck_assert_int_eq(set(&scene, "server.idle_timeout", "7s"), STATUS_OK);
    ck_assert_int_eq(set(&scene, "log.level", "debug"), STATUS_OK);
    settings_reload(scene.settings);
    ck_assert_uint_eq(scene.idle_ms, 9000);
    ck_assert_str_eq(list(&scene, "server.idle_timeout"),
                     "server.idle_timeout \"9s\" \"5m\" :2 online\n");
    ck_assert_str_eq(list(&scene, "log.level"), "log.level \"warn\" \"info\" --set online\n");
    close_scene(&scene);
}
END_TEST

START_TEST(a_reload_of_a_broken_file_leaves_what_was_set) {
    struct scene scene;

    open_scene(&scene, "");
    ck_assert_int_eq(set(&scene, "server.idle_timeout", "7s"), STATUS_OK);
    write_file(&scene, "nonsense = 1\n");
    settings_reload(scene.settings);
    ck_assert_uint_eq(settings_number(scene.settings, CONFIG_SERVER_IDLE_TIMEOUT), 7000);
    close_scene(&scene);
}
END_TEST

START_TEST(a_log_file_that_cannot_be_opened_is_refused) {
    struct log_options options = {.path = "", .level = LOG_LEVEL_ERROR};
    struct config_input input = {0};
    struct settings *settings;
    struct config *config;
    struct error error;
    struct log *log;

    ck_assert_int_eq(log_open(&options, &log, &error), STATUS_OK);
    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    ck_assert_int_eq(settings_create(config, &input, log, &settings), STATUS_OK);
    ck_assert_int_ne(settings_set(settings, slice_from_text("log.file"),
                                  slice_from_text("/nowhere/at/all"), &error),
                     STATUS_OK);
    ck_assert_str_eq(config_text(settings_config(settings), CONFIG_LOG_FILE), "");
    settings_destroy(settings);
    log_close(log);
}
END_TEST

START_TEST(any_allocation_may_fail_and_nothing_has_changed) {
    struct scene scene;
    enum status status = STATUS_NO_MEMORY;
    uint64_t allowed = 0;

    open_scene(&scene, "");
    for (; status == STATUS_NO_MEMORY && allowed < 1000; allowed++) {
        ck_assert_uint_eq(settings_number(scene.settings, CONFIG_SERVER_IDLE_TIMEOUT), 300000);
        memory_fail_after(allowed, true);
        status = set(&scene, "server.idle_timeout", "7s");
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(allowed, 3);
    memory_fail_after(0, true);
    ck_assert_int_eq(settings_each(scene.settings, slice_from_text(""), list_cb, &scene),
                     STATUS_NO_MEMORY);
    memory_fail_never();
    close_scene(&scene);
}
END_TEST

static void *set_often(void *arg) {
    struct scene *scene = arg;
    struct error error;

    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(settings_set(scene->settings, slice_from_text("server.idle_timeout"),
                                      slice_from_text(i % 2 ? "7s" : "8s"), &error),
                         STATUS_OK);
    }
    return NULL;
}

START_TEST(many_threads_may_set_ask_and_reload) {
    struct scene scene;
    pthread_t setter;
    uint32_t count = 0;

    open_scene(&scene, "");
    ck_assert_int_eq(pthread_create(&setter, NULL, set_often, &scene), 0);
    for (int i = 0; i < 50; i++) {
        uint64_t idle_ms = settings_number(scene.settings, CONFIG_SERVER_IDLE_TIMEOUT);
        ck_assert(idle_ms == 300000 || idle_ms == 7000 || idle_ms == 8000);
        count = 0;
        ck_assert_int_eq(
            settings_each(scene.settings, slice_from_text("server.i"), count_cb, &count),
            STATUS_OK);
        settings_reload(scene.settings);
    }
    ck_assert_int_eq(pthread_join(setter, NULL), 0);
    close_scene(&scene);
}
END_TEST

UNIT_MAIN("server_settings", a_key_tells_its_value_default_and_where_it_was_said,
          a_prefix_chooses_and_a_callback_may_end, a_key_that_is_set_is_told_and_shown_so,
          what_cannot_be_is_refused_with_its_reason_and_changes_nothing,
          a_reload_puts_back_what_was_set, a_reload_of_a_broken_file_leaves_what_was_set,
          a_log_file_that_cannot_be_opened_is_refused,
          any_allocation_may_fail_and_nothing_has_changed, many_threads_may_set_ask_and_reload)
