/* command_config.c: the configuration of a running server: config get, config set. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/table.h"

#include <stdio.h>
#include <string.h>

static void print_json(const struct kvd_setting *setting) {
    fputs("{\"name\":", stdout);
    output_json_text(stdout, setting->name);
    fputs(",\"value\":", stdout);
    output_json_text(stdout, setting->value);
    fputs(",\"default\":", stdout);
    output_json_text(stdout, setting->default_value);
    fputs(",\"source\":", stdout);
    output_json_text(stdout, setting->source);
    printf(",\"online\":%s}\n", setting->online ? "true" : "false");
}

static const char *change_of(const struct kvd_setting *setting) {
    return setting->online ? "online" : "restart";
}

static void print_setting(const struct kvd_setting *setting, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        print_json(setting);
    } else {
        printf("%s\t%s\t%s\t%s\t%s\n", setting->name, setting->value, setting->default_value,
               setting->source, change_of(setting));
    }
}

static void add_row(const struct kvd_setting *setting, void *arg) {
    struct table *table = arg;

    table_text(table, setting->name);
    table_text(table, setting->value);
    table_text(table, setting->default_value);
    table_text(table, setting->source);
    table_text(table, change_of(setting));
}

static enum kvd_status get(struct cli *cli, const char *prefix) {
    static const char *const heads[] = {"key", "value", "default", "source", "change"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_config_get(cli->db, prefix, print_setting, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_config_get(cli->db, prefix, add_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

/* The key alone, with what it is now. */
struct only {
    struct cli *cli;
    const char *name;
};

static void print_only(const struct kvd_setting *setting, void *arg) {
    const struct only *only = arg;

    if (strcmp(setting->name, only->name) == 0) {
        print_json(setting);
    }
}

static enum kvd_status set(struct cli *cli, const char *name, const char *value) {
    struct only only = {cli, name};
    enum kvd_status status = kvd_config_set(cli->db, name, value);

    return status == KVD_OK && cli->options->json ? kvd_config_get(cli->db, name, print_only, &only)
                                                  : status;
}

int command_config(struct cli *cli) {
    const struct options *options = cli->options;
    const char *verb = options->arguments[0];
    const char *name = options->argument_count > 1 ? options->arguments[1] : "";
    bool gets = strcmp(verb, "get") == 0 && options->argument_count <= 2;
    bool sets = strcmp(verb, "set") == 0 && options->argument_count == 3;
    enum kvd_status status;
    int code;

    if (!gets && !sets) {
        return cli_fail(CLI_USAGE, "usage: kvcli config get [PREFIX] | set NAME VALUE");
    }
    code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    status = gets ? get(cli, name) : set(cli, name, options->arguments[2]);
    if (status == KVD_NOT_FOUND && gets) {
        return cli_fail(CLI_NEGATIVE, "no key begins with '%s'; see 'kvcli config get'", name);
    }
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, kvd_text(name), status);
}
