/* main.c: kvd, the server: the command line, the configuration, and then server_run.
 *
 * Exit code: 0 when it was stopped and all is synced (or nothing was asked but a text), 2 when the
 * command line or the configuration is wrong, 1 when it could not start or stop well. `check` and
 * `salvage`: 0 all is well, 1 faults or losses, 2 as above, 3 it could not be done. What is wrong
 * is said on standard error, in one line. */
#include "protocol/base/memory.h"
#include "server/log.h"
#include "server/offline.h"
#include "server/options.h"
#include "server/plan.h"
#include "server/process.h"
#include "server/server.h"

#include <stdio.h>

#ifndef KVD_VERSION
#define KVD_VERSION "unknown"
#endif

#define ERROR_LINE_MAX 768

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* of check and salvage: faults were found */
    EXIT_USAGE = 2,
    EXIT_NOT_DONE = 3 /* of check and salvage */
};

static void say(const struct error *error) {
    char line[ERROR_LINE_MAX];

    error_format(error, line, sizeof line);
    fprintf(stderr, "kvd: %s\n", line);
}

static enum status open_log(const struct config *config, struct log **log_out,
                            struct error *error) {
    struct log_options options = {
        .path = config_text(config, CONFIG_LOG_FILE),
        .level = (enum log_level)config_number(config, CONFIG_LOG_LEVEL),
        .format = (enum log_format)config_number(config, CONFIG_LOG_FORMAT),
    };

    return log_open(&options, log_out, error);
}

/* With a loaded configuration, which it destroys. */
static enum exit_code serve(const struct options *options, struct config *config,
                            uint64_t descriptors) {
    struct error error = {.status = STATUS_OK};
    struct server_options server_options = {.config = config,
                                            .input = &options->config,
                                            .ready_file = options->ready_file,
                                            .descriptors = descriptors};
    bool has_log_file = config_text(config, CONFIG_LOG_FILE)[0] != '\0';
    enum status status = open_log(config, &server_options.log, &error);

    if (status != STATUS_OK) {
        config_destroy(config);
        say(&error);
        return EXIT_FAILED;
    }
    log_info(server_options.log, "starting",
             LOG_FIELDS(log_text("version", KVD_VERSION),
                        log_text("dir", config_text(config, CONFIG_STORAGE_DIR))));
    status = server_run(&server_options, &error);
    if (status != STATUS_OK) {
        if (error.status != status) {
            error_set(&error, status, 0, NULL, ERROR_NO_OFFSET, "%s", status_text(status));
        }
        if (has_log_file) { /* else it is the same standard error */
            log_error(server_options.log, "failed", LOG_FIELDS(log_error_detail(&error)));
        }
        say(&error);
    }
    log_close(server_options.log);
    return status == STATUS_OK ? EXIT_DONE : EXIT_FAILED;
}

/* Without serving. With a loaded configuration, which it destroys. */
static enum exit_code work_offline(const struct options *options, struct config *config,
                                   uint64_t descriptors) {
    struct error error = {.status = STATUS_OK};
    struct plan plan;
    bool clean = false;
    enum status status;

    plan_make(config, descriptors, 1, &plan);
    plan.store.read_only = options->action == OPTIONS_CHECK;
    status = options->action == OPTIONS_CHECK
                 ? offline_check(&plan.store, &clean, &error)
                 : offline_salvage(&plan.store, options->new_dir, &clean, &error);
    config_destroy(config);
    if (status != STATUS_OK) {
        if (error.status != status) {
            error_set(&error, status, 0, NULL, ERROR_NO_OFFSET, "%s", status_text(status));
        }
        say(&error);
        return EXIT_NOT_DONE;
    }
    return clean ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code run(const struct options *options, uint64_t descriptors) {
    struct config *config;
    struct error error;

    if (options->help) {
        fputs(options_help(), stdout);
        return EXIT_DONE;
    }
    if (options->version) {
        puts("kvd " KVD_VERSION);
        return EXIT_DONE;
    }
    if (config_load(&options->config, &config, &error) != STATUS_OK) {
        say(&error);
        return EXIT_USAGE;
    }
    if (options->check_config) {
        config_destroy(config);
        puts("the configuration is valid");
        return EXIT_DONE;
    }
    return options->action == OPTIONS_SERVE ? serve(options, config, descriptors)
                                            : work_offline(options, config, descriptors);
}

int main(int argc, char **argv) {
    uint64_t descriptors = process_prepare();
    struct options options = {0};
    struct error error;
    enum exit_code code;

    memory_keep_compact();
    if (options_parse(argc, (const char *const *)argv, &options, &error) != STATUS_OK) {
        say(&error);
        return EXIT_USAGE;
    }
    code = run(&options, descriptors);
    options_deinit(&options);
    return (int)code;
}
