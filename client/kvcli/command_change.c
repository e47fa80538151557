/* command_change.c: commands that change what is there: add, append, touch, persist, ttl, delrange.
 */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/put_value.h"
#include "client/kvcli/read_options.h"
#include "client/kvcli/text.h"
#include "client/kvcli/write_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* Key, options of the write and a connection: what all of these begin with. */
static int begin(struct cli *cli, struct kvd_bytes *key_out, struct kvd_write_options *write_out) {
    int code = cli_key(cli, 0, key_out);

    if (code == CLI_DONE) {
        code = write_options_from(cli->options, write_out);
    }
    return code == CLI_DONE ? cli_connect(cli) : code;
}

static int print_version(const struct cli *cli, uint64_t version) {
    if (cli->options->json) {
        printf("{\"version\":%" PRIu64 "}\n", version);
    }
    return cli_finish_output();
}

/* --- add --- */

static int amount_from(const struct options *options, int64_t *amount_out) {
    const char *text = options->argument_count == 2 ? options->arguments[1] : "1";
    char *end;

    errno = 0;
    *amount_out = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end) {
        return cli_fail(CLI_USAGE,
                        "'%s' is no whole number of 64 bits (write -- before one below "
                        "0: kvcli add KEY -- -5)",
                        text);
    }
    return CLI_DONE;
}

int command_add(struct cli *cli) {
    struct kvd_write_options write;
    struct kvd_bytes key;
    int64_t amount = 0;
    int64_t sum = 0;
    uint64_t version = 0;
    enum kvd_status status;
    int code = amount_from(cli->options, &amount);

    if (code == CLI_DONE) {
        code = begin(cli, &key, &write);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_add(cli->db, key, amount, &write, &sum, &version);
    if (status != KVD_OK) {
        return cli_fail_call(cli, key, status);
    }
    if (cli->options->json) {
        printf("{\"sum\":%" PRId64 ",\"version\":%" PRIu64 "}\n", sum, version);
    } else {
        printf("%" PRId64 "\n", sum);
    }
    return cli_finish_output();
}

/* --- append --- */

int command_append(struct cli *cli) {
    struct kvd_write_options write;
    struct buffer buffer = {0};
    struct kvd_bytes key;
    struct kvd_bytes bytes;
    uint64_t length = 0;
    uint64_t version = 0;
    int code = put_value_check(cli);

    if (code == CLI_DONE) {
        code = begin(cli, &key, &write);
    }
    if (code == CLI_DONE) {
        code = put_value_find(cli, &buffer, &bytes);
    }
    if (code == CLI_DONE) {
        enum kvd_status status = kvd_append(cli->db, key, bytes, &write, &length, &version);
        code = status == KVD_OK ? CLI_DONE : cli_fail_call(cli, key, status);
    }
    if (code == CLI_DONE) {
        printf(cli->options->json ? "{\"length\":%" PRIu64 ",\"version\":%" PRIu64 "}\n"
                                  : "%" PRIu64 "\n",
               length, version);
        code = cli_finish_output();
    }
    buffer_deinit(&buffer);
    return code;
}

/* --- expiry --- */

int command_touch(struct cli *cli) {
    struct kvd_write_options write;
    struct kvd_bytes key;
    uint64_t version = 0;
    enum kvd_status status;
    int code = OPTIONS_GIVEN(cli->options, ttl_ms)
                   ? CLI_DONE
                   : cli_fail(CLI_USAGE, "give the new expiry with --ttl TIME");

    if (code == CLI_DONE) {
        code = begin(cli, &key, &write);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_touch(cli->db, key, &write, &version);
    return status == KVD_OK ? print_version(cli, version) : cli_fail_call(cli, key, status);
}

int command_persist(struct cli *cli) {
    struct kvd_write_options write;
    struct kvd_bytes key;
    uint64_t version = 0;
    enum kvd_status status;
    int code = begin(cli, &key, &write);

    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_persist(cli->db, key, &write, &version);
    return status == KVD_OK ? print_version(cli, version) : cli_fail_call(cli, key, status);
}

static int64_t left_ms(const struct kvd_meta *meta) {
    struct timespec now;
    int64_t now_ms;

    if (meta->expires_at_ms == 0) {
        return -1;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return (int64_t)meta->expires_at_ms > now_ms ? (int64_t)meta->expires_at_ms - now_ms : 0;
}

int command_ttl(struct cli *cli) {
    struct kvd_read_options read;
    struct kvd_bytes key;
    struct kvd_meta meta;
    enum kvd_status status;
    int code = cli_key(cli, 0, &key);

    if (code == CLI_DONE) {
        code = read_options_from(cli->options, &read);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_meta(cli->db, key, &read, &meta);
    if (status != KVD_OK) {
        return cli_fail_call(cli, key, status);
    }
    if (cli->options->json) {
        printf("{\"ttl_ms\":%" PRId64 ",\"expires_at_ms\":%" PRIu64 "}\n", left_ms(&meta),
               meta.expires_at_ms);
    } else {
        printf("%" PRId64 "\n", left_ms(&meta));
    }
    return cli_finish_output();
}

/* --- delrange --- */

static int check_range(const struct options *options) {
    bool bounds = OPTIONS_GIVEN(options, from) || OPTIONS_GIVEN(options, to);
    bool prefix = options->argument_count == 1;

    if (bounds + prefix + options->all != 1) {
        return cli_fail(CLI_USAGE, "give a PREFIX, or --from and --to, or --all for every key of "
                                   "the namespace");
    }
    return CLI_DONE;
}

int command_delrange(struct cli *cli) {
    const struct options *options = cli->options;
    struct kvd_write_options write = {.durability = options->durability,
                                      .transaction = options->transaction};
    struct kvd_bytes prefix = kvd_bytes(NULL, 0);
    uint64_t version = 0;
    enum kvd_status status;
    int code = check_range(options);

    if (code == CLI_DONE && options->argument_count == 1) {
        code = cli_key(cli, 0, &prefix);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    status = prefix.len > 0
                 ? kvd_delete_prefix(cli->db, prefix, &write, &version)
                 : kvd_delete_range(cli->db, options->from, options->to, &write, &version);
    return status == KVD_OK ? print_version(cli, version) : cli_fail_call(cli, prefix, status);
}
