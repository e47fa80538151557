/* command_key.c: commands on named keys: get, put, del, exists, meta, mget. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "client/kvcli/entry_print.h"
#include "client/kvcli/output.h"
#include "client/kvcli/put_value.h"
#include "client/kvcli/read_options.h"
#include "client/kvcli/text.h"
#include "client/kvcli/value_stream.h"
#include "client/kvcli/write_options.h"
#include "protocol/base/memory.h"

#include <inttypes.h>
#include <string.h>

#define RANGE_PIECE_BYTES (1024u * 1024) /* of one request */
#define MGET_KEYS_MAX 256                /* keys of one call; bounds the values in memory */
#define DELETE_KEYS_MAX 4096             /* deletes of one pipeline */

/* --- get --- */

/* Prints bytes [offset, offset + length), in as many requests as it takes. */
static int get_part(struct cli *cli, struct kvd_bytes key, const struct kvd_read_options *read,
                    uint64_t offset, uint64_t length) {
    struct kvd_value value = {0};
    enum kvd_status status = KVD_OK;
    uint64_t first = offset;
    uint64_t got = 1;

    while (status == KVD_OK && length > 0 && got > 0) {
        struct kvd_part part = {.offset = offset,
                                .length = length < RANGE_PIECE_BYTES ? length : RANGE_PIECE_BYTES};
        status = kvd_get_range(cli->db, key, &part, read, &value);
        got = part.length;
        if (status == KVD_OK && (got > 0 || offset == first)) {
            entry_print_part(cli->options, key, offset, kvd_bytes(value.data, (size_t)got));
            offset += got;
            length -= got;
        }
    }
    kvd_value_free(&value);
    return status == KVD_OK ? cli_finish_output() : cli_fail_call(cli, key, status);
}

static int get_whole(struct cli *cli, struct kvd_bytes key, const struct kvd_read_options *read) {
    struct kvd_value value = {0};
    enum kvd_status status = kvd_get(cli->db, key, read, &value);
    int code;

    if (status == KVD_TOO_LARGE && !cli->options->json) {
        code = value_stream_get(cli, key, read);
    } else if (status == KVD_OK) {
        entry_print_value(cli->options, key, kvd_bytes(value.data, (size_t)value.meta.value_len),
                          &value.meta);
        code = cli_finish_output();
    } else {
        code = cli_fail_call(cli, key, status);
    }
    kvd_value_free(&value);
    return code;
}

int command_get(struct cli *cli) {
    struct kvd_read_options read;
    uint64_t offset = 0;
    uint64_t length = 0;
    struct kvd_bytes key;
    int code = cli_key(cli, 0, &key);

    if (code == CLI_DONE) {
        code = read_options_from(cli->options, &read);
    }
    if (code == CLI_DONE && cli->options->range) {
        code = entry_parse_range(cli->options->range, &offset, &length);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    return cli->options->range ? get_part(cli, key, &read, offset, length)
                               : get_whole(cli, key, &read);
}

/* --- put --- */

int command_put(struct cli *cli) {
    struct kvd_write_options write;
    struct kvd_bytes key;
    uint64_t version = 0;
    int code = cli_key(cli, 0, &key);

    if (code == CLI_DONE) {
        code = put_value_check(cli);
    }
    if (code == CLI_DONE) {
        code = write_options_from(cli->options, &write);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = put_value_store(cli, key, &write, &version);
    }
    if (code == CLI_DONE && cli->options->json) {
        printf("{\"version\":%" PRIu64 "}\n", version);
    }
    return code == CLI_DONE ? cli_finish_output() : code;
}

/* --- del --- */

static void print_deleted(struct kvd_bytes key, bool deleted) {
    putchar('{');
    output_json_bytes(stdout, "key", key);
    printf(",\"deleted\":%s}\n", deleted ? "true" : "false");
}

static enum kvd_condition delete_condition(const struct options *options) {
    if (OPTIONS_GIVEN(options, if_version)) {
        return KVD_IF_VERSION;
    }
    return options->force ? KVD_IF_ANY : KVD_IF_PRESENT;
}

static int report_deleted(const struct cli *cli, const struct kvd_bytes *key,
                          const struct kvd_result *result) {
    bool absent = cli_exit_of(result->status) == CLI_NEGATIVE;

    if (cli->options->json && (result->status == KVD_OK || absent)) {
        print_deleted(*key, !absent);
    }
    return result->status == KVD_OK ? CLI_DONE
                                    : cli_fail_status(*key, result->status, result->error);
}

/* Deletes `count` keys in one pipeline. */
static int delete_some(struct cli *cli, const struct kvd_bytes *keys, size_t count,
                       const struct kvd_write_options *write) {
    struct kvd_result result;
    size_t queued = 0;
    int code = CLI_DONE;

    for (; queued < count && code == CLI_DONE; queued++) {
        enum kvd_status status = kvd_pipeline_delete(cli->db, keys[queued], write);
        if (status != KVD_OK) {
            code = cli_fail_call(cli, keys[queued], status);
        }
    }
    while (kvd_pipeline_next(cli->db, &result) == KVD_OK) {
        code = cli_worse(code, report_deleted(cli, &keys[result.index], &result));
    }
    return code;
}

int command_del(struct cli *cli) {
    struct kvd_write_options write = {.condition = delete_condition(cli->options),
                                      .version = cli->options->if_version,
                                      .durability = cli->options->durability,
                                      .transaction = cli->options->transaction};
    size_t count = (size_t)cli->options->argument_count;
    struct kvd_bytes *keys;
    int code = cli_keys(cli, &keys);

    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    for (size_t at = 0; at < count && code <= CLI_NEGATIVE; at += DELETE_KEYS_MAX) {
        size_t some = count - at < DELETE_KEYS_MAX ? count - at : DELETE_KEYS_MAX;
        code = cli_worse(code, delete_some(cli, keys + at, some, &write));
    }
    memory_free(keys);
    return code == CLI_DONE ? cli_finish_output() : code;
}

/* --- exists, meta --- */

int command_exists(struct cli *cli) {
    struct kvd_read_options read;
    struct kvd_bytes key;
    uint64_t version = 0;
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
    status = kvd_exists(cli->db, key, &read, &version);
    if (status != KVD_OK && status != KVD_NOT_FOUND) {
        return cli_fail_call(cli, key, status);
    }
    entry_print_exists(cli->options, key, status == KVD_OK, version);
    code = cli_finish_output();
    return code == CLI_DONE ? (int)cli_exit_of(status) : code;
}

int command_meta(struct cli *cli) {
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
    entry_print_meta(cli->options, key, &meta);
    return cli_finish_output();
}

/* --- mget --- */

static int mget_some(struct cli *cli, const struct kvd_bytes *keys, size_t count,
                     const struct kvd_read_options *read, struct kvd_value *values) {
    enum kvd_status status = kvd_mget(cli->db, keys, count, read, values);
    int code = CLI_DONE;

    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    for (size_t i = 0; i < count; i++) {
        code = cli_worse(code, entry_print_answer(cli->options, keys[i], &values[i]));
    }
    return code;
}

int command_mget(struct cli *cli) {
    struct kvd_value values[MGET_KEYS_MAX] = {0};
    size_t count = (size_t)cli->options->argument_count;
    struct kvd_read_options read;
    struct kvd_bytes *keys;
    int code = cli_keys(cli, &keys);

    if (code == CLI_DONE) {
        code = read_options_from(cli->options, &read);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    for (size_t at = 0; at < count && code <= CLI_NEGATIVE; at += MGET_KEYS_MAX) {
        size_t some = count - at < MGET_KEYS_MAX ? count - at : MGET_KEYS_MAX;
        code = cli_worse(code, mget_some(cli, keys + at, some, &read, values));
    }
    for (size_t i = 0; i < MGET_KEYS_MAX; i++) {
        kvd_value_free(&values[i]);
    }
    memory_free(keys);
    return code == CLI_DONE ? cli_finish_output() : code;
}
