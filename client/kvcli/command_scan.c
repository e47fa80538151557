/* command_scan.c: commands on ranges of keys: scan, count. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/entry_print.h"
#include "client/kvcli/output.h"
#include "client/kvcli/read_options.h"

#include <inttypes.h>

int command_scan(struct cli *cli) {
    struct kvd_scan_options range;
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;
    enum kvd_status status;
    int failed = CLI_DONE;
    int code = read_options_range(cli, &range);

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
            entry_print_scanned(cli->options, &entry);
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
    int code = read_options_range(cli, &range);

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
    entry_print_count(cli->options, count);
    return cli_finish_output();
}
