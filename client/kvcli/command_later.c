/* command_later.c: commands that are not written yet and say so. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"

static int not_yet(const struct cli *cli) {
    return cli_fail(CLI_USAGE, "%s is not available yet", command_name(cli->options->command));
}

int command_batch(struct cli *cli) {
    return not_yet(cli);
}

int command_import(struct cli *cli) {
    return not_yet(cli);
}

int command_export(struct cli *cli) {
    return not_yet(cli);
}

int command_verify(struct cli *cli) {
    return not_yet(cli);
}
