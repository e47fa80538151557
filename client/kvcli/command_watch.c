/* command_watch.c: watch: prints changes as they are committed.
 *
 * What has come is written out before the command waits for more. When the server goes away it is
 * looked for again, and the changes go on where they were. */
#include "client/kvcli/cli.h"
#include "client/kvcli/clock.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE_BYTES (1024u * 1024)
#define WAIT_MS 20000u
#define RETRY_MS_FIRST 100u
#define RETRY_MS_MAX 2000u

/* --- lines --- */

static bool is_part(const struct kvd_watch_change *change) {
    return change->kind == KVD_WATCH_PUT && change->value.len < change->meta.value_len;
}

static const char *name_of(enum kvd_watch_kind kind) {
    switch (kind) {
    case KVD_WATCH_PUT:
        return "put";
    case KVD_WATCH_DELETE:
        return "del";
    case KVD_WATCH_DELETE_RANGE:
        return "delrange";
    case KVD_WATCH_SUPERSEDED:
        return "superseded";
    case KVD_WATCH_GAP:
        return "gap";
    }
    return "?";
}

static void print_gap(const struct kvd_watch_change *change, bool json) {
    printf(json ? "{\"change\":\"gap\",\"from\":%" PRIu64 ",\"to\":%" PRIu64
                  ",\"snapshot\":%" PRIu64 ",\"version\":%" PRIu64 "}\n"
                : "%" PRIu64 "\tgap\tto %" PRIu64 "\tsnapshot %" PRIu64 "\tversion %" PRIu64 "\n",
           change->version, change->gap_to, change->snapshot.id, change->snapshot.version);
}

static void print_json(const struct kvd_watch_change *change) {
    printf("{\"change\":\"%s\",\"time_ms\":%" PRIu64 ",\"last\":%s,", name_of(change->kind),
           change->time_ms, change->last ? "true" : "false");
    if (change->kind == KVD_WATCH_DELETE_RANGE) {
        output_json_bytes(stdout, "from", change->key);
        putchar(',');
        output_json_bytes(stdout, "to", change->to);
    } else {
        output_json_bytes(stdout, "key", change->key);
    }
    if (change->kind == KVD_WATCH_PUT) {
        putchar(',');
        output_json_bytes(stdout, "value", change->value);
    }
    if (is_part(change)) {
        printf(",\"offset\":%" PRIu64, change->value_offset);
    }
    if (change->kind == KVD_WATCH_PUT || change->kind == KVD_WATCH_SUPERSEDED) {
        output_json_meta(stdout, &change->meta);
    } else {
        printf(",\"version\":%" PRIu64, change->version);
    }
    puts("}");
}

static void print_text(const struct kvd_watch_change *change) {
    printf("%" PRIu64 "\t%s\t", change->version, is_part(change) ? "part" : name_of(change->kind));
    output_escaped(stdout, change->key);
    if (is_part(change)) {
        printf("\t%" PRIu64, change->value_offset);
    }
    if (change->kind == KVD_WATCH_PUT) {
        putchar('\t');
        output_escaped(stdout, change->value);
    } else if (change->kind == KVD_WATCH_DELETE_RANGE) {
        putchar('\t');
        output_escaped(stdout, change->to);
    }
    putchar('\n');
}

static void print_change(const struct kvd_watch_change *change, bool json) {
    if (change->kind == KVD_WATCH_GAP) {
        print_gap(change, json);
    } else if (json) {
        print_json(change);
    } else {
        print_text(change);
    }
}

/* --- following --- */

struct follow {
    struct cli *cli;
    struct kvd_watch *watch;
    uint64_t left;     /* changes that --limit still allows */
    bool printed;      /* something is not written out yet */
    uint32_t retry_ms; /* 0: the server is there */
};

static bool may_come_back(enum kvd_status status) {
    return status == KVD_CONNECT || status == KVD_CLOSED || status == KVD_TIMEOUT ||
           status == KVD_SHUTTING_DOWN || status == KVD_UNKNOWN || status == KVD_BUSY;
}

/* Says once that the server is away, and waits a little. */
static void await_server(struct follow *follow) {
    if (follow->retry_ms == 0) {
        fprintf(stderr, "kvcli: %s; going on behind version %" PRIu64 " when it is back\n",
                kvd_error(follow->cli->db), kvd_watch_version(follow->watch));
    }
    follow->retry_ms = follow->retry_ms == 0             ? RETRY_MS_FIRST
                       : follow->retry_ms < RETRY_MS_MAX ? 2 * follow->retry_ms
                                                         : RETRY_MS_MAX;
    clock_sleep_ms(follow->retry_ms);
}

/* One step; false when it is over, with the exit code. */
static bool step(struct follow *follow, int *code_out) {
    const struct options *options = follow->cli->options;
    struct kvd_watch_change change;
    enum kvd_status status =
        kvd_watch_next(follow->watch, follow->printed || options->once ? 0 : WAIT_MS, &change);

    if (status == KVD_OK) {
        print_change(&change, options->json);
        follow->printed = true;
        follow->retry_ms = 0;
        follow->left--;
        *code_out = follow->left > 0 ? CLI_DONE : cli_finish_output();
        return follow->left > 0;
    }
    *code_out = cli_finish_output();
    follow->printed = false;
    if (*code_out != CLI_DONE) {
        return false;
    }
    if (status == KVD_END) {
        follow->retry_ms = 0;
        return !options->once;
    }
    if (!may_come_back(status)) {
        *code_out = cli_fail_call(follow->cli, kvd_bytes(NULL, 0), status);
        return false;
    }
    await_server(follow);
    return true;
}

int command_watch(struct cli *cli) {
    const struct options *options = cli->options;
    struct follow follow = {.cli = cli, .left = options->limit > 0 ? options->limit : UINT64_MAX};
    struct kvd_watch_options watch = {.from_version = options->from_version,
                                      .from_now = !OPTIONS_GIVEN(options, from_version),
                                      .page_bytes = PAGE_BYTES};
    enum kvd_status status;
    int code = options->argument_count > 0 ? cli_bytes(cli, 0, &watch.prefix) : CLI_DONE;

    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_watch_open(cli->db, &watch, &follow.watch);
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    while (step(&follow, &code)) {
    }
    kvd_watch_close(follow.watch);
    return code;
}
