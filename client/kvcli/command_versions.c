/* command_versions.c: commands on the past: history, diff, rewind, snapshot. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/read_options.h"
#include "client/kvcli/table.h"
#include "client/kvcli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SNAPSHOT_LIFETIME_MS (UINT64_C(3600) * 1000)

/* --- history --- */

static void print_version(const struct kvd_version *version, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        printf("{\"deleted\":%s,\"time_ms\":%" PRIu64, version->deleted ? "true" : "false",
               version->time_ms);
        if (version->deleted) {
            printf(",\"version\":%" PRIu64, version->version);
        } else {
            output_json_meta(stdout, &version->meta);
        }
        puts("}");
    } else if (version->deleted) {
        printf("%" PRIu64 "\t%" PRIu64 "\tdeleted\n", version->version, version->time_ms);
    } else {
        printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 " bytes\n", version->version, version->time_ms,
               version->meta.value_len);
    }
}

static void add_version_row(const struct kvd_version *version, void *arg) {
    struct table *table = arg;

    table_number(table, version->version);
    table_time(table, version->time_ms);
    if (version->deleted) {
        table_text(table, "deleted");
        table_text(table, "-");
    } else {
        table_bytes(table, version->meta.value_len);
        table_time(table, version->meta.expires_at_ms);
    }
}

static enum kvd_status list_history(struct cli *cli, struct kvd_bytes key,
                                    const struct kvd_history_options *history) {
    static const char *const heads[] = {">version", "committed", ">length", "expires"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_history(cli->db, key, history, print_version, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_history(cli->db, key, history, add_version_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

int command_history(struct cli *cli) {
    const struct options *options = cli->options;
    struct kvd_history_options history;
    struct kvd_bytes key;
    enum kvd_status status;
    int code = cli_key(cli, 0, &key);

    if (code == CLI_DONE && options->limit > UINT32_MAX) {
        code = cli_fail(CLI_USAGE, "--limit needs a number below 4294967296");
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    history =
        (struct kvd_history_options){.before = options->before, .limit = (uint32_t)options->limit};
    status = list_history(cli, key, &history);
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, key, status);
}

/* --- diff --- */

static void print_change(const struct kvd_change *change, void *arg) {
    static const char *const names[] = {"", "added", "changed", "removed"};
    static const char signs[] = " +~-";
    const struct cli *cli = arg;
    const char *name = change->kind <= KVD_CHANGE_REMOVED ? names[change->kind] : "";

    if (cli->options->json) {
        printf("{\"change\":\"%s\",", name);
        output_json_bytes(stdout, "key", change->key);
        printf(",\"before\":%" PRIu64 ",\"after\":%" PRIu64 "}\n", change->before.version,
               change->after.version);
        return;
    }
    printf("%c ", change->kind <= KVD_CHANGE_REMOVED ? signs[change->kind] : '?');
    output_escaped(stdout, change->key);
    putchar('\n');
}

int command_diff(struct cli *cli) {
    struct kvd_scan_options range = {0};
    struct kvd_state from = {0};
    struct kvd_state to = {0};
    enum kvd_status status;
    int code = cli_bytes(cli, 0, &range.prefix);

    if (code == CLI_DONE) {
        code = read_options_state(cli->options->arguments[1], &from);
    }
    if (code == CLI_DONE && cli->options->argument_count == 3) {
        code = read_options_state(cli->options->arguments[2], &to);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_diff(cli->db, &from, &to, &range, print_change, cli);
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
}

/* --- rewind --- */

int command_rewind(struct cli *cli) {
    struct kvd_write_options write = {.durability = cli->options->durability};
    struct kvd_scan_options range = {0};
    struct kvd_read_options read = {0};
    uint64_t changed = 0;
    uint64_t version = 0;
    enum kvd_status status;
    int code = cli_bytes(cli, 0, &range.prefix);

    if (code == CLI_DONE) {
        code = read_options_from(cli->options, &read);
    }
    if (code == CLI_DONE && read.at.version == 0 && read.at.time_ms == 0 && read.at.snapshot == 0) {
        code = cli_fail(CLI_USAGE, "say to where: --at VERSION, --at-time MS or --snapshot ID");
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_rewind(cli->db, &read.at, &range, &write, &changed, &version);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    printf(cli->options->json ? "{\"changed\":%" PRIu64 ",\"version\":%" PRIu64 "}\n"
                              : "%" PRIu64 " keys put back, version %" PRIu64 "\n",
           changed, version);
    return cli_finish_output();
}

/* --- snapshot --- */

static void print_snapshot(const struct kvd_snapshot *snapshot, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        printf("{\"id\":%" PRIu64 ",\"version\":%" PRIu64 ",\"time_ms\":%" PRIu64
               ",\"opened_ms\":%" PRIu64 ",\"deadline_ms\":%" PRIu64 ",\"owner\":",
               snapshot->id, snapshot->version, snapshot->time_ms, snapshot->opened_ms,
               snapshot->deadline_ms);
        output_json_text(stdout, snapshot->owner);
        puts("}");
        return;
    }
    printf("%" PRIu64 "\tversion %" PRIu64 "\tuntil %" PRIu64 "\t%s\n", snapshot->id,
           snapshot->version, snapshot->deadline_ms, snapshot->owner);
}

static void add_snapshot_row(const struct kvd_snapshot *snapshot, void *arg) {
    struct table *table = arg;

    table_number(table, snapshot->id);
    table_number(table, snapshot->version);
    table_time(table, snapshot->opened_ms);
    table_time(table, snapshot->deadline_ms);
    table_text(table, snapshot->owner);
}

static enum kvd_status list_snapshots(struct cli *cli) {
    static const char *const heads[] = {">snapshot", ">version", "opened", "until", "owner"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_snapshot_list(cli->db, print_snapshot, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_snapshot_list(cli->db, add_snapshot_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

static enum kvd_status open_one(struct cli *cli) {
    const struct options *options = cli->options;
    struct kvd_snapshot snapshot;
    uint64_t lifetime_ms =
        OPTIONS_GIVEN(options, lifetime_ms) ? options->lifetime_ms : SNAPSHOT_LIFETIME_MS;
    enum kvd_status status = kvd_snapshot_open(cli->db, lifetime_ms, &snapshot);

    if (status == KVD_OK && options->json) {
        print_snapshot(&snapshot, cli);
    } else if (status == KVD_OK) {
        printf("%" PRIu64 "\n", snapshot.id);
    }
    return status;
}

static enum kvd_status close_one(struct cli *cli, uint64_t id) {
    enum kvd_status status = kvd_snapshot_close(cli->db, id);

    if (status == KVD_OK && cli->options->json) {
        printf("{\"closed\":%" PRIu64 "}\n", id);
    }
    return status;
}

int command_snapshot(struct cli *cli) {
    const struct options *options = cli->options;
    const char *verb = options->arguments[0];
    bool opens = strcmp(verb, "open") == 0 && options->argument_count == 1;
    bool lists = strcmp(verb, "list") == 0 && options->argument_count == 1;
    bool closes = strcmp(verb, "close") == 0 && options->argument_count == 2;
    uint64_t id = 0;
    enum kvd_status status;
    int code = CLI_DONE;

    if (!opens && !lists && !closes) {
        return cli_fail(CLI_USAGE, "usage: kvcli snapshot open | close ID | list");
    }
    if (closes && text_parse_number(options->arguments[1], &id) != STATUS_OK) {
        return cli_fail(CLI_USAGE, "'%s' is no snapshot; see 'kvcli snapshot list'",
                        options->arguments[1]);
    }
    if (opens && OPTIONS_GIVEN(options, lifetime_ms) && options->lifetime_ms == 0) {
        return cli_fail(CLI_USAGE, "--lifetime needs a time above 0");
    }
    code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (opens) {
        status = open_one(cli);
    } else {
        status = closes ? close_one(cli, id) : list_snapshots(cli);
    }
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
}
