/* command_namespace.c: namespaces: set, drop, list. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_namespace(const struct kvd_namespace *space, void *arg) {
    const struct cli *cli = arg;
    const struct kvd_namespace_settings *settings = &space->settings;

    if (cli->options->json) {
        printf("{\"name\":");
        output_json_text(stdout, space->name);
        printf(",\"id\":%" PRIu32 ",\"keys\":%" PRIu64 ",\"live_bytes\":%" PRIu64
               ",\"pinned_bytes\":%" PRIu64 ",\"quota_bytes\":%" PRIu64 ",\"keep_ms\":%" PRIu64
               ",\"keep_versions\":%" PRIu32 "}\n",
               space->id, space->keys, space->live_bytes, space->pinned_bytes,
               settings->quota_bytes, settings->keep_ms, settings->keep_versions);
        return;
    }
    printf("%s\t%" PRIu64 " keys\t%" PRIu64 " bytes\t%" PRIu64 " pinned",
           space->name[0] ? space->name : "(default)", space->keys, space->live_bytes,
           space->pinned_bytes);
    if (settings->quota_bytes > 0) {
        printf("\tquota %" PRIu64, settings->quota_bytes);
    }
    if (settings->keep_ms > 0) {
        printf("\tkeeps %" PRIu64 " ms", settings->keep_ms);
    }
    if (settings->keep_versions > 1) {
        printf("\tkeeps %" PRIu32 " versions", settings->keep_versions);
    }
    putchar('\n');
}

static enum kvd_status set_one(struct cli *cli, const char *name, uint64_t *version_out) {
    const struct options *options = cli->options;
    struct kvd_namespace_settings settings = {.quota_bytes = options->quota,
                                              .keep_ms = options->keep_ms,
                                              .keep_versions = (uint32_t)options->keep_versions};

    return kvd_namespace_set(cli->db, name, &settings, version_out);
}

int command_namespace(struct cli *cli) {
    const struct options *options = cli->options;
    const char *verb = options->arguments[0];
    bool named = options->argument_count == 2;
    bool lists = strcmp(verb, "list") == 0 && !named;
    bool sets = (strcmp(verb, "set") == 0 || strcmp(verb, "create") == 0) && named;
    bool drops = strcmp(verb, "drop") == 0 && named;
    uint64_t version = 0;
    enum kvd_status status;
    int code;

    if (!lists && !sets && !drops) {
        return cli_fail(CLI_USAGE, "usage: kvcli namespace set NAME | drop NAME | list");
    }
    if (options->keep_versions > UINT32_MAX) {
        return cli_fail(CLI_USAGE, "--keep-versions needs a number below 4294967296");
    }
    code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (lists) {
        status = kvd_namespace_list(cli->db, print_namespace, cli);
    } else {
        status = sets ? set_one(cli, options->arguments[1], &version)
                      : kvd_namespace_drop(cli->db, options->arguments[1], &version);
    }
    if (status == KVD_OK && options->json && !lists) {
        printf("{\"version\":%" PRIu64 "}\n", version);
    }
    return status == KVD_OK
               ? cli_finish_output()
               : cli_fail_call(cli, kvd_text(named ? options->arguments[1] : ""), status);
}
