/* command_restore.c: restore. */
#include "client/kvcli/command.h"
#include "client/kvcli/restore_run.h"

#include <inttypes.h>
#include <stdio.h>

static void print_restore(const struct restore_run *run) {
    const struct restore_totals *totals = &run->totals;

    if (run->cli->options->json) {
        printf("{\"version\":%" PRIu64 ",\"namespaces\":%" PRIu64 ",\"keys\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"expired\":%" PRIu64
               ",\"resumed\":%" PRIu64 "}\n",
               run->header.version, run->namespaces, totals->keys, totals->bytes, totals->deleted,
               totals->expired, totals->resumed);
        return;
    }
    printf("version %" PRIu64 ": %" PRIu64 " keys put into %" PRIu64 " namespaces, %" PRIu64
           " bytes",
           run->header.version, totals->keys, run->namespaces, totals->bytes);
    if (totals->deleted) {
        printf("; %" PRIu64 " deleted", totals->deleted);
    }
    if (totals->expired) {
        printf("; %" PRIu64 " had expired", totals->expired);
    }
    if (totals->resumed) {
        printf("; resumed %" PRIu64 " times", totals->resumed);
    }
    putchar('\n');
}

int command_restore(struct cli *cli) {
    const struct options *options = cli->options;
    struct restore_run run = {.cli = cli};
    int code;

    if (options->into && !options->namespace_name) {
        return cli_fail(CLI_USAGE, "--into needs --namespace: which one of the backup");
    }
    code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = restore_run(&run, options->arguments, options->argument_count);
    }
    if (code != CLI_DONE) {
        return code;
    }
    print_restore(&run);
    return cli_finish_output();
}
