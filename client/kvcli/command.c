/* command.c: the table of commands, and help. See command.h. */
#include "client/kvcli/command.h"

#include "client/kvcli/backup_commands.h"
#include "client/kvcli/cli.h"
#include "client/kvcli/output.h"

#include <stdio.h>

static int (*const handlers[])(struct cli *cli) = {
#define COMMAND_RUN(code, name, ...) command_##name,
    COMMAND_LIST(COMMAND_RUN)
#undef COMMAND_RUN
};

static void print_overview(void) {
    puts("usage: kvcli [OPTION]... COMMAND [ARGUMENT]...\n\ncommands:");
    for (size_t i = 0; i < COMMAND_NONE; i++) {
        const struct command_text *text = command_text((enum command)i);
        char left[64];
        snprintf(left, sizeof left, "%s %s", text->name, text->arguments);
        printf("  %-36s %s\n", left, text->summary);
    }
    puts("\noptions of every command:");
    options_print(COMMAND_NONE);
    puts("\nexit codes: 0 done, 1 not found or condition not met, 2 usage,\n"
         "3 cannot connect or timed out, 4 refused or failed");
}

static void print_json_option(const struct option_text *option) {
    const char letter[2] = {option->letter, '\0'};

    printf("{\"name\":\"--%s\",\"value\":", option->name);
    if (option->value_name) {
        output_json_text(stdout, option->value_name);
    } else {
        fputs("null", stdout);
    }
    printf(",\"letter\":\"%s\",\"every_command\":%s,\"help\":", letter,
           option->everywhere ? "true" : "false");
    output_json_text(stdout, option->help);
    putchar('}');
}

static void print_json_command(enum command command) {
    const struct command_text *text = command_text(command);
    struct option_text option;
    const char *between = "";

    printf("{\"command\":\"%s\",\"arguments\":", text->name);
    output_json_text(stdout, text->arguments);
    fputs(",\"help\":", stdout);
    output_json_text(stdout, text->summary);
    fputs(",\"options\":[", stdout);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options_text(i, command, &option)) {
            fputs(between, stdout);
            print_json_option(&option);
            between = ",";
        }
    }
    puts("]}");
}

static int print_json_help(enum command command) {
    for (size_t i = 0; i < COMMAND_NONE; i++) {
        if (command == COMMAND_NONE || command == (enum command)i) {
            print_json_command((enum command)i);
        }
    }
    return cli_finish_output();
}

static int print_help(enum command command) {
    if (command == COMMAND_NONE) {
        print_overview();
    } else {
        const struct command_text *spec = command_text(command);
        printf("usage: kvcli %s%s%s [OPTION]...\n  %s\n", spec->name, spec->arguments[0] ? " " : "",
               spec->arguments, spec->summary);
        options_print(command);
        puts("options of every command: see 'kvcli help'");
    }
    return cli_finish_output();
}

int command_help(struct cli *cli) {
    enum command command = COMMAND_NONE;

    if (cli->options->argument_count == 1) {
        command = command_find(cli->options->arguments[0]);
        if (command == COMMAND_NONE) {
            return cli_fail(CLI_USAGE, "no command '%s'; see 'kvcli help'",
                            cli->options->arguments[0]);
        }
    }
    return cli->options->json ? print_json_help(command) : print_help(command);
}

static int usage_failure(const struct command_text *spec) {
    return cli_fail(CLI_USAGE, "usage: kvcli %s%s%s [OPTION]...; see 'kvcli help %s'", spec->name,
                    spec->arguments[0] ? " " : "", spec->arguments, spec->name);
}

int command_run(struct cli *cli) {
    const struct options *options = cli->options;
    const struct command_text *spec;

    if (options->version) {
        puts(options->json ? "{\"version\":\"" KVD_VERSION "\"}" : "kvcli " KVD_VERSION);
        return cli_finish_output();
    }
    if (options->help) {
        return options->json ? print_json_help(options->command) : print_help(options->command);
    }
    if (options->command == COMMAND_NONE) {
        return cli_fail(CLI_USAGE, "no command given; see 'kvcli help'");
    }
    spec = command_text(options->command);
    if (options->argument_count < spec->arguments_min ||
        options->argument_count > spec->arguments_max) {
        return usage_failure(spec);
    }
    if (!command_takes_keys(options->command) && options_have_nul(options)) {
        return cli_fail(CLI_USAGE, "'%s' takes no arguments with NUL bytes", spec->name);
    }
    return options->backup && backup_commands_concern(options->command)
               ? backup_commands_run(cli)
               : handlers[options->command](cli);
}
