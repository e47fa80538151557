/* command_scan.c: commands on ranges of keys: scan, count. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/read_options.h"

#include <inttypes.h>

/* The range that arguments and options name. */
static int range_from(const struct cli *cli, struct kvd_scan_options *scan_out) {
    const struct options *options = cli->options;
    struct kvd_read_options read = {0};
    int code = read_options_from(options, &read);

    *scan_out = (struct kvd_scan_options){
        .at = read.at,
        .from = options->from,
        .to = options->to,
        .limit = options->limit,
        .reverse = options->reverse,
        .keys_only = options->keys_only,
        .verify = options->verify,
    };
    if (code != CLI_DONE || options->argument_count == 0) {
        return code;
    }
    if (OPTIONS_GIVEN(options, from) || OPTIONS_GIVEN(options, to)) {
        return cli_fail(CLI_USAGE, "give a PREFIX, or --from and --to, not both");
    }
    return cli_bytes(cli, 0, &scan_out->prefix);
}

static void print_entry(const struct cli *cli, const struct kvd_entry *entry) {
    bool values = !cli->options->keys_only;

    if (cli->options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", entry->key);
        if (values) {
            putchar(',');
            output_json_bytes(stdout, "value", entry->value);
        }
        output_json_meta(stdout, &entry->meta);
        puts("}");
        return;
    }
    output_escaped(stdout, entry->key);
    if (values) {
        putchar('\t');
        output_escaped(stdout, entry->value);
    }
    putchar('\n');
}

int command_scan(struct cli *cli) {
    struct kvd_scan_options range;
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;
    enum kvd_status status;
    int failed = CLI_DONE;
    int code = range_from(cli, &range);

    if (code == CLI_DONE && OPTIONS_GIVEN(cli->options, limit) && range.limit == 0) {
        return CLI_DONE; /* for the library, 0 is no limit */
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_scan_open(cli->db, &range, &scan);
    while (status == KVD_OK && (status = kvd_scan_next(scan, &entry)) == KVD_OK &&
           !ferror(stdout)) {
        if (entry.value_left_out) {
            failed = cli_fail_left_out(&entry);
        } else {
            print_entry(cli, &entry);
        }
    }
    code = status == KVD_END || status == KVD_OK ? cli_finish_output()
                                                 : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    kvd_scan_close(scan);
    return cli_worse(code, failed);
}

int command_count(struct cli *cli) {
    struct kvd_scan_options range;
    uint64_t count = 0;
    enum kvd_status status;
    int code = range_from(cli, &range);

    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_count(cli->db, &range, &count);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    printf(cli->options->json ? "{\"count\":%" PRIu64 "}\n" : "%" PRIu64 "\n", count);
    return cli_finish_output();
}
