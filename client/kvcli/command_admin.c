/* command_admin.c: commands on the server itself: stats, ping. */
#include "client/kvcli/cli.h"
#include "client/kvcli/clock.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/table.h"

struct stat_printer {
    struct table *table; /* NULL: lines or JSON */
    bool json;
    bool any;
};

static void print_stat(const char *name, const char *value, void *arg) {
    struct stat_printer *printer = arg;

    if (printer->table) {
        table_text(printer->table, name);
        table_text(printer->table, value);
    } else if (!printer->json) {
        printf("%s\t%s\n", name, value);
    } else {
        putchar(printer->any ? ',' : '{');
        output_json_text(stdout, name);
        putchar(':');
        output_json_text(stdout, value);
    }
    printer->any = true;
}

static int print_stats(struct cli *cli, struct table *table) {
    const char *section = cli->options->argument_count ? cli->options->arguments[0] : NULL;
    bool for_people = table_wanted(cli->options);
    struct stat_printer printer = {.json = cli->options->json, .table = for_people ? table : NULL};
    enum kvd_status status;

    status = kvd_stats(cli->db, section, print_stat, &printer);
    if (section && (status == KVD_NOT_FOUND || (status == KVD_OK && !printer.any))) {
        return cli_fail(CLI_NEGATIVE, "no section '%s'; see 'kvcli stats'", section);
    }
    if (status != KVD_OK) {
        return cli_fail_call(cli, section ? kvd_text(section) : kvd_bytes(NULL, 0), status);
    }
    if (printer.json) {
        puts(printer.any ? "}" : "{}");
    }
    return for_people ? table_print(table) : CLI_DONE;
}

int command_stats(struct cli *cli) {
    static const char *const heads[] = {"name", ">value"};
    struct table table;
    int code = cli_connect(cli);

    if (code != CLI_DONE) {
        return code;
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    code = print_stats(cli, &table);
    table_deinit(&table);
    return cli_worse(code, cli_finish_output());
}

int command_ping(struct cli *cli) {
    uint64_t start_ns;
    double ms;
    enum kvd_status status;
    int code = cli_connect(cli);

    if (code != CLI_DONE) {
        return code;
    }
    start_ns = clock_now_ns();
    status = kvd_ping(cli->db);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    ms = (double)(clock_now_ns() - start_ns) / 1e6;
    printf(cli->options->json ? "{\"ms\":%.3f}\n" : "answered in %.3f ms\n", ms);
    return cli_finish_output();
}
