/* settings.c: see settings.h. */
#include "server/settings.h"

#include "protocol/base/assert.h"
#include "protocol/base/buffer.h"
#include "protocol/base/memory.h"

#include <string.h>
#include <uv.h>

#define LOGGED_VALUE_MAX 256
#define NAME_BYTES_MAX 256
#define VALUE_BYTES_MAX (256u << 10) /* the longest list, every byte escaped, is below */

struct settings {
    struct config *defaults; /* constant */
    uv_mutex_t mu;           /* of all below */
    struct config *config;
    const struct config_input *input;
    struct log *log;
    settings_changed_cb changed_cb;
    void *changed_arg;
};

enum status settings_create(struct config *config, const struct config_input *input,
                            struct log *log, struct settings **settings_out) {
    const struct config_input nothing = {0};
    struct settings *settings = memory_alloc_zeroed(sizeof *settings);

    if (!settings || config_load(&nothing, &settings->defaults, NULL) != STATUS_OK) {
        memory_free(settings);
        config_destroy(config);
        return STATUS_NO_MEMORY;
    }
    ASSERT(uv_mutex_init(&settings->mu) == 0);
    settings->config = config;
    settings->input = input;
    settings->log = log;
    *settings_out = settings;
    return STATUS_OK;
}

void settings_destroy(struct settings *settings) {
    if (settings) {
        config_destroy(settings->config);
        config_destroy(settings->defaults);
        uv_mutex_destroy(&settings->mu);
        memory_free(settings);
    }
}

void settings_watch(struct settings *settings, settings_changed_cb changed_cb, void *arg) {
    settings->changed_cb = changed_cb;
    settings->changed_arg = arg;
    changed_cb(arg, settings->config);
}

const struct config *settings_config(const struct settings *settings) {
    return settings->config;
}

uint64_t settings_number(struct settings *settings, enum config_key key) {
    uint64_t number;

    uv_mutex_lock(&settings->mu);
    number = config_number(settings->config, key);
    uv_mutex_unlock(&settings->mu);
    return number;
}

/* ---- Asking */

/* Appends the value as a file would say it, ended with NUL. */
static enum status put_value(const struct config *config, enum config_key key,
                             struct buffer *text) {
    size_t bytes = config_write_value(config, key, NULL, 0) + 1;
    uint8_t *start;
    enum status status = buffer_extend(text, bytes, &start);

    if (status == STATUS_OK) {
        (void)config_write_value(config, key, (char *)start, bytes);
    }
    return status;
}

/* Calls back for one key; its texts are written to *text. */
static enum status tell(const struct settings *settings, enum config_key key, struct buffer *text,
                        setting_cb each_cb, void *arg) {
    size_t default_at;
    struct setting setting;
    enum status status;

    buffer_clear(text);
    status = put_value(settings->config, key, text);
    default_at = text->len;
    if (status == STATUS_OK) {
        status = put_value(settings->defaults, key, text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    setting = (struct setting){.name = config_key_info(key)->name,
                               .value = (const char *)text->data,
                               .default_value = (const char *)text->data + default_at,
                               .source = config_origin(settings->config, key),
                               .online = config_key_info(key)->reloadable};
    return each_cb(arg, &setting);
}

enum status settings_each(struct settings *settings, struct slice prefix, setting_cb each_cb,
                          void *arg) {
    struct buffer text;
    enum status status = STATUS_OK;
    bool found = false;

    buffer_init(&text, VALUE_BYTES_MAX);
    uv_mutex_lock(&settings->mu);
    for (enum config_key key = 0; status == STATUS_OK && key < CONFIG_KEY_COUNT; key++) {
        if (slice_has_prefix(slice_from_text(config_key_info(key)->name), prefix)) {
            found = true;
            status = tell(settings, key, &text, each_cb, arg);
        }
    }
    uv_mutex_unlock(&settings->mu);
    buffer_deinit(&text);
    return status == STATUS_OK && !found ? STATUS_NOT_FOUND : status;
}

/* ---- Changing; all with the lock */

static void log_change(const struct settings *settings, enum config_key key, bool in_effect) {
    const struct config *config = settings->config;
    char value[LOGGED_VALUE_MAX];

    (void)config_write_value(config, key, value, sizeof value);
    if (in_effect) {
        log_info(settings->log, "configuration changed",
                 LOG_FIELDS(log_text("key", config_key_info(key)->name), log_text("value", value),
                            log_text("origin", config_origin(config, key))));
    } else {
        log_warn(
            settings->log, "configuration change needs a restart",
            LOG_FIELDS(log_text("key", config_key_info(key)->name), log_text("in_effect", value)));
    }
}

/* Everything that follows the configuration, but for the file of the log. */
static void follow(struct settings *settings) {
    const struct config *config = settings->config;

    log_set_level(settings->log, (enum log_level)config_number(config, CONFIG_LOG_LEVEL));
    log_set_format(settings->log, (enum log_format)config_number(config, CONFIG_LOG_FORMAT));
    if (settings->changed_cb) {
        settings->changed_cb(settings->changed_arg, config);
    }
}

static void take(struct settings *settings, struct config *config) {
    config_destroy(settings->config);
    settings->config = config;
}

static enum status set(struct settings *settings, const char *name, const char *value,
                       struct error *error) {
    const struct config_override change = {name, value, SETTINGS_SOURCE_SET};
    struct config *config = NULL;
    enum config_key key;
    enum status status = config_set(settings->config, &change, &config, &key, error);

    if (status == STATUS_OK && key == CONFIG_LOG_FILE) {
        status = log_reopen(settings->log, config_text(config, CONFIG_LOG_FILE), error);
    }
    if (status != STATUS_OK) {
        config_destroy(config);
        return status;
    }
    take(settings, config);
    log_change(settings, key, true); /* before a level that might hide it */
    follow(settings);
    return STATUS_OK;
}

enum status settings_set(struct settings *settings, struct slice name, struct slice value,
                         struct error *error) {
    char name_text[NAME_BYTES_MAX] = "";
    char *value_text = memory_alloc(value.len + 1);
    enum status status;

    if (!value_text) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                         "set the configuration");
    }
    if (value.len > 0) {
        memcpy(value_text, value.ptr, value.len);
    }
    value_text[value.len] = '\0';
    if (name.len > 0 && name.len < sizeof name_text) { /* a longer one is none that there is */
        memcpy(name_text, name.ptr, name.len);
    }
    if (strlen(value_text) != value.len || strlen(name_text) != name.len) {
        status = error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                           "a name or value has a NUL, or the name is none");
    } else {
        uv_mutex_lock(&settings->mu);
        status = set(settings, name_text, value_text, error);
        uv_mutex_unlock(&settings->mu);
    }
    memory_free(value_text);
    return status;
}

static void read_again(struct settings *settings) {
    struct config *config;
    struct config_changes changes;
    struct error error;

    if (config_reload(settings->config, settings->input, &config, &changes, &error) != STATUS_OK) {
        log_error(settings->log, "configuration not reloaded",
                  LOG_FIELDS(log_error_detail(&error)));
        return;
    }
    take(settings, config);
    for (enum config_key key = 0; key < CONFIG_KEY_COUNT; key++) {
        if (changes.changed[key] || changes.needs_restart[key]) {
            log_change(settings, key, changes.changed[key]);
        }
    }
}

void settings_reload(struct settings *settings) {
    struct error error;

    uv_mutex_lock(&settings->mu);
    read_again(settings);
    if (log_reopen(settings->log, config_text(settings->config, CONFIG_LOG_FILE), &error) !=
        STATUS_OK) {
        log_error(settings->log, "log not opened again", LOG_FIELDS(log_error_detail(&error)));
    }
    follow(settings);
    log_info(settings->log, "log opened again", LOG_NO_FIELDS);
    uv_mutex_unlock(&settings->mu);
}
