/* command_operate.c: what an operator asks of a server: explain, why, flush, compact, gc,
 * checkpoint. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/maintain.h"
#include "client/kvcli/output.h"
#include "client/kvcli/read_options.h"
#include "client/kvcli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int command_flush(struct cli *cli) {
    return maintain_run(cli, KVD_FLUSH, NULL);
}

int command_compact(struct cli *cli) {
    return maintain_run(cli, KVD_COMPACT, NULL);
}

int command_gc(struct cli *cli) {
    return maintain_run(cli, KVD_COLLECT, NULL);
}

int command_checkpoint(struct cli *cli) {
    return maintain_run(cli, KVD_CHECKPOINT, cli->options->arguments[0]);
}

/* --- explain --- */

static void print_step(const char *name, const char *text, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        printf("{\"place\":");
        output_json_text(stdout, name);
        printf(",\"text\":");
        output_json_text(stdout, text);
        puts("}");
    } else {
        printf("%-18s %s\n", name, text);
    }
}

int command_explain(struct cli *cli) {
    struct kvd_read_options read;
    struct kvd_bytes key;
    enum kvd_status status;
    int code = cli_key(cli, 0, &key);

    if (code == CLI_DONE) {
        code = read_options_from(cli->options, &read);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_explain(cli->db, key, &read, print_step, cli);
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, key, status);
}

/* --- why space --- */

struct space {
    const struct cli *cli;
    uint64_t sum;
};

static void print_space(const char *kind, const char *holder, uint64_t bytes, void *arg) {
    struct space *space = arg;

    space->sum += bytes;
    if (space->cli->options->json) {
        printf("{\"kind\":");
        output_json_text(stdout, kind);
        printf(",\"holder\":");
        output_json_text(stdout, holder);
        printf(",\"bytes\":%" PRIu64 "}\n", bytes);
    } else if (table_wanted(space->cli->options)) {
        char size[16];
        table_bytes_text(size, sizeof size, bytes);
        printf("%10s  %s%s%s\n", size, kind, holder[0] ? ": " : "", holder);
    } else {
        printf("%15" PRIu64 "  %s%s%s\n", bytes, kind, holder[0] ? ": " : "", holder);
    }
}

static int why_space(struct cli *cli) {
    struct space space = {.cli = cli};
    enum kvd_status status;

    status = kvd_why_space(cli->db, print_space, &space);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    if (table_wanted(cli->options)) {
        char size[16];
        table_bytes_text(size, sizeof size, space.sum);
        printf("%10s  in all\n", size);
    } else if (!cli->options->json) {
        printf("%15" PRIu64 "  in all\n", space.sum);
    }
    return cli_finish_output();
}

/* --- why slow --- */

static void print_reason(const char *kind, const char *text, uint64_t us, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        printf("{\"kind\":");
        output_json_text(stdout, kind);
        printf(",\"text\":");
        output_json_text(stdout, text);
        printf(",\"us\":%" PRIu64 "}\n", us);
    } else if (table_wanted(cli->options)) {
        bool command = strcmp(kind, "command") == 0;
        printf("%s%s\n", command ? "  " : strcmp(kind, "finding") == 0 ? "\n* " : "", text);
    } else {
        printf("%s\t%" PRIu64 "\t%s\n", kind, us, text);
    }
}

static int why_slow(struct cli *cli) {
    enum kvd_status status = kvd_why_slow(cli->db, print_reason, cli);

    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
}

int command_why(struct cli *cli) {
    bool slow = strcmp(cli->options->arguments[0], "slow") == 0;
    int code;

    if (!slow && strcmp(cli->options->arguments[0], "space") != 0) {
        return cli_fail(CLI_USAGE, "usage: kvcli why space | slow");
    }
    code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    return slow ? why_slow(cli) : why_space(cli);
}
