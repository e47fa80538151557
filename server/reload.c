/* reload.c: see reload.h. */
#include "server/reload.h"

#define VALUE_TEXT_MAX 256

static void log_change(struct log *log, const struct config *config, enum config_key key,
                       bool in_effect) {
    char value[VALUE_TEXT_MAX];

    (void)config_write_value(config, key, value, sizeof value);
    if (in_effect) {
        log_info(log, "configuration changed",
                 LOG_FIELDS(log_text("key", config_key_info(key)->name), log_text("value", value),
                            log_text("origin", config_origin(config, key))));
    } else {
        log_warn(
            log, "configuration change needs a restart",
            LOG_FIELDS(log_text("key", config_key_info(key)->name), log_text("in_effect", value)));
    }
}

static void read_again(struct config **config, const struct config_input *input, struct log *log) {
    struct config *changed;
    struct config_changes changes;
    struct error error;

    if (config_reload(*config, input, &changed, &changes, &error) != STATUS_OK) {
        log_error(log, "configuration not reloaded", LOG_FIELDS(log_error_detail(&error)));
        return;
    }
    config_destroy(*config);
    *config = changed;
    for (enum config_key key = 0; key < CONFIG_KEY_COUNT; key++) {
        if (changes.changed[key] || changes.needs_restart[key]) {
            log_change(log, changed, key, changes.changed[key]);
        }
    }
}

void reload_config(struct config **config, const struct config_input *input, struct log *log) {
    struct error error;

    read_again(config, input, log);
    if (log_reopen(log, config_text(*config, CONFIG_LOG_FILE), &error) != STATUS_OK) {
        log_error(log, "log not opened again", LOG_FIELDS(log_error_detail(&error)));
    }
    log_set_level(log, (enum log_level)config_number(*config, CONFIG_LOG_LEVEL));
    log_set_format(log, (enum log_format)config_number(*config, CONFIG_LOG_FORMAT));
    log_info(log, "log opened again", LOG_NO_FIELDS);
}
