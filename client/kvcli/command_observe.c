/* command_observe.c: what a server has observed of its work: slowlog, clients, hotkeys. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/table.h"
#include "client/kvcli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_SHOWN 20u /* shown, where nobody says how many */

/* Argument `index` as a number above 0. Returns CLI_DONE, or prints `usage`. */
static int number_of(const struct cli *cli, int index, const char *usage, uint64_t *number_out) {
    if (text_parse_number(cli->options->arguments[index], number_out) != STATUS_OK ||
        *number_out == 0) {
        return cli_fail(CLI_USAGE, "usage: kvcli %s", usage);
    }
    return CLI_DONE;
}

/* The argument of "[N | clear]"; connects. Returns CLI_DONE or prints. */
static int look_of(struct cli *cli, const char *usage, bool *clears_out, uint64_t *limit_out) {
    bool argument = cli->options->argument_count > 0;
    int code = CLI_DONE;

    *clears_out = argument && strcmp(cli->options->arguments[0], "clear") == 0;
    if (argument && !*clears_out) {
        code = number_of(cli, 0, usage, limit_out);
    }
    return code == CLI_DONE ? cli_connect(cli) : code;
}

/* What was asked for has ended with `status`. Returns the exit code. */
static int look_done(const struct cli *cli, bool cleared, enum kvd_status status) {
    if (status == KVD_OK && cleared && cli->options->json) {
        puts("{\"cleared\":true}");
    }
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
}

/* --- slowlog --- */

/* The beginning of a key; "..." tells that it goes on. */
static void print_key(const struct kvd_slow_request *slow) {
    output_escaped(stdout, slow->key);
    fputs(slow->key_len > slow->key.len ? "..." : "", stdout);
}

static void print_slow_json(const struct kvd_slow_request *slow) {
    printf("{\"number\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"command\":", slow->number,
           slow->time_ms);
    output_json_text(stdout, slow->command);
    printf(",\"total_us\":%" PRIu64 ",\"wait_us\":%" PRIu64 ",\"queue_us\":%" PRIu64
           ",\"work_us\":%" PRIu64 ",\"commit_us\":%" PRIu64 ",\"held_us\":%" PRIu64
           ",\"beside\":%" PRIu32 ",\"request_id\":%" PRIu32 ",\"request_bytes\":%" PRIu64
           ",\"key_len\":%" PRIu64 ",",
           slow->total_us, slow->wait_us, slow->queue_us, slow->work_us, slow->commit_us,
           slow->held_us, slow->beside, slow->request_id, slow->request_bytes, slow->key_len);
    output_json_bytes(stdout, "key", slow->key);
    printf(",\"client_id\":%" PRIu64 ",\"peer\":", slow->client_id);
    output_json_text(stdout, slow->peer);
    fputs(",\"name\":", stdout);
    output_json_text(stdout, slow->client_name);
    puts("}");
}

static void print_slow(const struct kvd_slow_request *slow, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        print_slow_json(slow);
        return;
    }
    printf("%" PRIu64 "\t%s\t%" PRIu64 " us\twait %" PRIu64 "\tqueue %" PRIu64 "\twork %" PRIu64
           "\tcommit %" PRIu64 "\theld %" PRIu64 "\t%s %s\t",
           slow->time_ms, slow->command, slow->total_us, slow->wait_us, slow->queue_us,
           slow->work_us, slow->commit_us, slow->held_us, slow->peer, slow->client_name);
    print_key(slow);
    putchar('\n');
}

static void add_slow_row(const struct kvd_slow_request *slow, void *arg) {
    struct table *table = arg;
    char who[320];

    snprintf(who, sizeof who, "%s%s%s", slow->peer, slow->client_name[0] ? " " : "",
             slow->client_name);
    table_time(table, slow->time_ms);
    table_text(table, slow->command);
    table_us(table, slow->total_us);
    table_us(table, slow->wait_us);
    table_us(table, slow->queue_us);
    table_us(table, slow->work_us);
    table_us(table, slow->commit_us);
    table_us(table, slow->held_us);
    table_text(table, who);
    table_key(table, slow->key);
}

static enum kvd_status list_slow(struct cli *cli, uint64_t limit) {
    static const char *const heads[] = {"time",  ">command", ">total", ">wait",  ">queue",
                                        ">work", ">commit",  ">held",  "client", "key"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_slowlog(cli->db, limit, print_slow, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_slowlog(cli->db, limit, add_slow_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

int command_slowlog(struct cli *cli) {
    uint64_t limit = ENTRIES_SHOWN;
    bool clears;
    enum kvd_status status;
    int code = look_of(cli, "slowlog [N | clear]", &clears, &limit);

    if (code != CLI_DONE) {
        return code;
    }
    status = clears ? kvd_slowlog_clear(cli->db) : list_slow(cli, limit);
    return look_done(cli, clears, status);
}

/* --- clients --- */

static void print_client_json(const struct kvd_client *client) {
    printf("{\"id\":%" PRIu64 ",\"peer\":", client->id);
    output_json_text(stdout, client->peer);
    fputs(",\"name\":", stdout);
    output_json_text(stdout, client->name);
    printf(",\"age_ms\":%" PRIu64 ",\"idle_ms\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"in_flight\":%" PRIu32 ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
           ",\"queued_bytes\":%" PRIu64 ",\"memory_bytes\":%" PRIu64 ",\"snapshots\":%" PRIu32
           ",\"loop\":%" PRIu32 "}\n",
           client->age_ms, client->idle_ms, client->requests, client->in_flight, client->bytes_in,
           client->bytes_out, client->queued_bytes, client->memory_bytes, client->snapshots,
           client->loop);
}

static void print_client(const struct kvd_client *client, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        print_client_json(client);
        return;
    }
    printf("%" PRIu64 "\t%s\t%s\tage %" PRIu64 " ms\tidle %" PRIu64 " ms\t%" PRIu64
           " requests\t%" PRIu32 " in flight\t%" PRIu64 " in\t%" PRIu64 " out\t%" PRIu64
           " queued\t%" PRIu64 " memory\t%" PRIu32 " snapshots\n",
           client->id, client->peer, client->name[0] ? client->name : "-", client->age_ms,
           client->idle_ms, client->requests, client->in_flight, client->bytes_in,
           client->bytes_out, client->queued_bytes, client->memory_bytes, client->snapshots);
}

static void add_client_row(const struct kvd_client *client, void *arg) {
    struct table *table = arg;

    table_number(table, client->id);
    table_text(table, client->peer);
    table_text(table, client->name[0] ? client->name : "-");
    table_duration(table, client->age_ms);
    table_duration(table, client->idle_ms);
    table_number(table, client->requests);
    table_number(table, client->in_flight);
    table_bytes(table, client->bytes_in);
    table_bytes(table, client->bytes_out);
    table_bytes(table, client->queued_bytes);
}

static enum kvd_status list_clients(struct cli *cli) {
    static const char *const heads[] = {">id",       "peer",       "name", ">age", ">idle",
                                        ">requests", ">in flight", ">in",  ">out", ">queued"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_clients(cli->db, print_client, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_clients(cli->db, add_client_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

int command_clients(struct cli *cli) {
    static const char usage[] = "clients [kill ID]";
    int count = cli->options->argument_count;
    uint64_t id = 0;
    enum kvd_status status;
    int code = CLI_DONE;

    if (count == 1 || (count == 2 && strcmp(cli->options->arguments[0], "kill") != 0)) {
        code = cli_fail(CLI_USAGE, "usage: kvcli %s", usage);
    } else if (count == 2) {
        code = number_of(cli, 1, usage, &id);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = count == 2 ? kvd_client_close(cli->db, id) : list_clients(cli);
    if (status == KVD_OK && count == 2 && cli->options->json) {
        printf("{\"closed\":%" PRIu64 "}\n", id);
    }
    return status == KVD_OK
               ? cli_finish_output()
               : cli_fail_call(cli, kvd_text(count == 2 ? cli->options->arguments[1] : ""), status);
}

/* --- hotkeys --- */

static double rate_of(const struct kvd_hot_key *hot) {
    return hot->reads_per_second + hot->writes_per_second;
}

static unsigned read_percent(const struct kvd_hot_key *hot) {
    return rate_of(hot) > 0 ? (unsigned)(hot->reads_per_second * 100 / rate_of(hot) + 0.5) : 0;
}

static void print_hot_key(const struct kvd_hot_key *hot, void *arg) {
    const struct cli *cli = arg;

    if (cli->options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", hot->key);
        printf(",\"key_len\":%" PRIu64 ",", hot->key_len);
        output_json_bytes(stdout, "namespace", hot->space);
        printf(",\"per_second\":%.3f,\"reads_per_second\":%.3f,\"writes_per_second\":%.3f}\n",
               rate_of(hot), hot->reads_per_second, hot->writes_per_second);
        return;
    }
    output_escaped(stdout, hot->key);
    printf("%s\t%.1f/s\t%u%% reads\t", hot->key_len > hot->key.len ? "..." : "", rate_of(hot),
           read_percent(hot));
    output_escaped(stdout, hot->space);
    putchar('\n');
}

static void add_hot_key_row(const struct kvd_hot_key *hot, void *arg) {
    struct table *table = arg;
    char text[32];

    snprintf(text, sizeof text, "%.*f", rate_of(hot) < 100 ? 1 : 0, rate_of(hot));
    table_text(table, text);
    snprintf(text, sizeof text, "%u%%", read_percent(hot));
    table_text(table, text);
    snprintf(text, sizeof text, "%u%%", rate_of(hot) > 0 ? 100 - read_percent(hot) : 0);
    table_text(table, text);
    if (hot->space.len > 0) {
        table_key(table, hot->space);
    } else {
        table_text(table, "(default)");
    }
    table_key(table, hot->key);
}

static enum kvd_status list_hot_keys(struct cli *cli, uint64_t limit) {
    static const char *const heads[] = {">per second", ">reads", ">writes", "namespace", "key"};
    struct table table;
    enum kvd_status status;

    if (!table_wanted(cli->options)) {
        return kvd_hotkeys(cli->db, limit, print_hot_key, cli);
    }
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    status = kvd_hotkeys(cli->db, limit, add_hot_key_row, &table);
    if (status == KVD_OK && table_print(&table) != CLI_DONE) {
        status = KVD_NO_MEMORY;
    }
    table_deinit(&table);
    return status;
}

int command_hotkeys(struct cli *cli) {
    uint64_t limit = ENTRIES_SHOWN;
    bool clears;
    enum kvd_status status;
    int code = look_of(cli, "hotkeys [N | clear]", &clears, &limit);

    if (code != CLI_DONE) {
        return code;
    }
    status = clears ? kvd_hotkeys_clear(cli->db) : list_hot_keys(cli, limit);
    return look_done(cli, clears, status);
}
