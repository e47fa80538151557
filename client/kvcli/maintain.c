/* maintain.c: see maintain.h. */
#include "client/kvcli/maintain.h"

#include "client/kvcli/output.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS (24u * 3600 * 1000) /* of a large store */

struct report {
    bool json;
    bool any;
    bool faults;
};

static void print_line(const char *name, const char *text, void *arg) {
    struct report *report = arg;

    report->faults = report->faults || (strcmp(name, "faults") == 0 && strcmp(text, "0") != 0);
    if (report->json) {
        printf("{\"name\":");
        output_json_text(stdout, name);
        printf(",\"text\":");
        output_json_text(stdout, text);
        puts("}");
    } else {
        printf("%s\t%s\n", name, text);
    }
    report->any = true;
}

int maintain_run(struct cli *cli, enum kvd_action action, const char *argument) {
    struct report report = {.json = cli->options->json};
    enum kvd_status status;
    int code = cli_connect(cli);

    if (code != CLI_DONE) {
        return code;
    }
    if (!OPTIONS_GIVEN(cli->options, timeout_ms)) {
        kvd_set_timeout(cli->db, TIMEOUT_MS);
    }
    status = kvd_maintain(cli->db, action, argument, print_line, &report);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    if (report.json && !report.any) {
        puts("{}");
    }
    code = cli_finish_output();
    return code == CLI_DONE && action == KVD_VERIFY && report.faults ? CLI_NEGATIVE : code;
}
