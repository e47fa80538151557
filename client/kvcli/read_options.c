/* read_options.c: see read_options.h. */
#include "client/kvcli/read_options.h"

#include "client/kvcli/cli.h"
#include "client/kvcli/text.h"

#include <string.h>

int read_options_from(const struct options *options, struct kvd_read_options *read_out) {
    int states = OPTIONS_GIVEN(options, at) + OPTIONS_GIVEN(options, at_time) +
                 OPTIONS_GIVEN(options, snapshot);

    if (states > 1) {
        return cli_fail(CLI_USAGE, "give one of --at, --at-time and --snapshot");
    }
    if (states == 1 && options->at == 0 && options->at_time == 0 && options->snapshot == 0) {
        return cli_fail(CLI_USAGE, "versions, times and snapshots begin at 1");
    }
    *read_out = (struct kvd_read_options){
        .verify = options->verify,
        .at = {.snapshot = options->snapshot,
               .version = options->at,
               .time_ms = options->at_time,
               .transaction = states == 0 ? options->transaction : 0},
    };
    return CLI_DONE;
}

int read_options_state(const char *word, struct kvd_state *state_out) {
    struct kvd_state state = {0};
    enum status status = STATUS_OK;
    bool now = strcmp(word, "now") == 0;

    if (strncmp(word, "time:", 5) == 0) {
        status = text_parse_number(word + 5, &state.time_ms);
    } else if (strncmp(word, "snapshot:", 9) == 0) {
        status = text_parse_number(word + 9, &state.snapshot);
    } else if (!now) {
        status = text_parse_number(word, &state.version);
    }
    if (status != STATUS_OK ||
        (!now && state.time_ms == 0 && state.snapshot == 0 && state.version == 0)) {
        return cli_fail(CLI_USAGE, "'%s' is no version, time:MS, snapshot:ID or now", word);
    }
    *state_out = state;
    return CLI_DONE;
}

int read_options_range(const struct cli *cli, struct kvd_scan_options *scan_out) {
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
