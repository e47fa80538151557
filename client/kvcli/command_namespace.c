/* command_namespace.c: namespaces: set, drop, list. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/table.h"

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

/* --- list, for people --- */

static void add_row(const struct kvd_namespace *space, void *arg) {
    struct table *table = arg;
    const struct kvd_namespace_settings *settings = &space->settings;

    table_text(table, space->name[0] ? space->name : "(default)");
    table_number(table, space->keys);
    table_bytes(table, space->live_bytes);
    table_bytes(table, space->pinned_bytes);
    if (settings->quota_bytes > 0) {
        table_bytes(table, settings->quota_bytes);
    } else {
        table_text(table, "-");
    }
    table_duration(table, settings->keep_ms);
    table_number(table, settings->keep_versions > 1 ? settings->keep_versions : 1);
}

static enum kvd_status list_as_table(struct cli *cli) {
    static const char *const heads[] = {"namespace", ">keys",  ">bytes",   ">pinned",
                                        ">quota",    ">keeps", ">versions"};
    struct table table;
    enum kvd_status status;

    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_namespace_list(cli->db, add_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

static enum kvd_status list_all(struct cli *cli) {
    return table_wanted(cli->options) ? list_as_table(cli)
                                      : kvd_namespace_list(cli->db, print_namespace, cli);
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
        status = list_all(cli);
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
