/* main.c: kvcli, the command-line tool of kvd. The commands are in command_*.c. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/shell.h"

int main(int argc, char **argv) {
    struct options options;
    struct error error;
    struct cli cli = {.options = &options};
    int code;

    if (options_parse(&options, argc, argv, &error) != STATUS_OK) {
        return cli_fail(CLI_USAGE, "%s", error.text);
    }
    if (options.command == COMMAND_NONE && !options.help && !options.version && !options.backup &&
        shell_wanted()) {
        return shell_run(&options);
    }
    code = command_run(&cli);
    cli_deinit(&cli);
    return code;
}
