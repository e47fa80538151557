/* command_load.c: load: a namespace filled from sorted lines, all of them or none. */
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/transfer.h"
#include "client/kvcli/write_options.h"

#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MS (3600u * 1000) /* the end flushes what the server has in memory */

struct loading {
    struct cli *cli; /* borrowed; connected */
    struct line_items items;
    struct kvd_write_options write;
    struct kvd_server_info info; /* limits */
    struct kvd_load *load;       /* owned */
    struct buffer last;          /* the key before */
    struct progress progress;
};

static int fail_line(struct loading *loading, const char *text) {
    progress_clear(&loading->progress);
    return cli_fail(CLI_FAILED, "%s, line %" PRIu64 ": %s", loading->items.source,
                    loading->items.reader.number, text);
}

/* The server would tell these by the number of the entry, and later. */
static int check_length(struct loading *loading, struct slice value) {
    uint64_t most = loading->info.value_max;

    if (value.len <= most) {
        return CLI_DONE;
    }
    progress_clear(&loading->progress);
    return cli_fail(CLI_FAILED,
                    "%s, line %" PRIu64 ": its value is longer than %" PRIu64
                    " bytes: leave the line out, and put it by itself",
                    loading->items.source, loading->items.reader.number, most);
}

static int check_order(struct loading *loading, struct slice key) {
    if (kvd_load_entries(loading->load) > 0 &&
        slice_compare(key, buffer_slice(&loading->last)) <= 0) {
        return fail_line(loading, "its key is not above the one before: keys must be sorted, as "
                                  "bytes; import takes them in any order");
    }
    buffer_clear(&loading->last);
    return buffer_append(&loading->last, key.ptr, key.len) == STATUS_OK
               ? CLI_DONE
               : fail_line(loading, "out of memory");
}

static int put(struct loading *loading, const struct line_record *record) {
    struct kvd_write_options write = loading->write;
    struct kvd_bytes key = kvd_bytes(record->key.ptr, record->key.len);
    enum kvd_status status;
    int code = check_order(loading, record->key);

    code = code == CLI_DONE ? check_length(loading, record->value) : code;
    if (code != CLI_DONE) {
        return code;
    }
    if (record->expires_at_ms != 0) {
        write.ttl_ms = 0;
        write.expire_at_ms = record->expires_at_ms;
    }
    write.user_flags = record->user_flags;
    status =
        kvd_load_put(loading->load, key, kvd_bytes(record->value.ptr, record->value.len), &write);
    if (status == KVD_OK) {
        return CLI_DONE;
    }
    progress_clear(&loading->progress);
    return cli_fail_call(loading->cli, kvd_bytes(NULL, 0), status);
}

static int put_all(struct loading *loading) {
    struct line_items *items = &loading->items;
    struct line_record record;
    int code = CLI_DONE;

    while (code == CLI_DONE) {
        enum status status = line_items_next(items, &record);
        if (status == STATUS_END) {
            return CLI_DONE;
        }
        if (status == STATUS_OK) {
            code = put(loading, &record);
        } else {
            progress_clear(&loading->progress);
            code = line_items_fail(items, status);
        }
        progress_update(&loading->progress, items->reader.number, items->reader.offset);
    }
    return code;
}

/* Behind the line that says why. */
static int nothing_loaded(int code) {
    return cli_worse(code, cli_fail(CLI_FAILED, "nothing was loaded"));
}

static int commit(struct loading *loading) {
    uint64_t entries = kvd_load_entries(loading->load);
    uint64_t bytes = kvd_load_bytes(loading->load);
    uint64_t version = 0;
    enum kvd_status status = kvd_load_commit(loading->load, &version);

    progress_clear(&loading->progress);
    if (status != KVD_OK) {
        int code = cli_fail_call(loading->cli, kvd_bytes(NULL, 0), status);
        return status == KVD_UNKNOWN ? code : nothing_loaded(code);
    }
    if (loading->cli->options->json) {
        printf("{\"loaded\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"version\":%" PRIu64 "}\n", entries,
               bytes, version);
    } else {
        printf("loaded %" PRIu64 " keys, %" PRIu64 " bytes, as version %" PRIu64 "\n", entries,
               bytes, version);
    }
    return cli_finish_output();
}

static int run(struct loading *loading) {
    struct cli *cli = loading->cli;
    enum kvd_status status;
    int code;

    if (!OPTIONS_GIVEN(cli->options, timeout_ms)) {
        kvd_set_timeout(cli->db, TIMEOUT_MS);
    }
    status = kvd_server_info(cli->db, &loading->info);
    if (status == KVD_OK) {
        status = kvd_load_begin(cli->db, &loading->load);
    }
    if (status != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    progress_init(&loading->progress, 0);
    code = put_all(loading);
    return code == CLI_DONE ? commit(loading) : nothing_loaded(code);
}

int command_load(struct cli *cli) {
    const struct options *options = cli->options;
    struct loading loading = {.cli = cli};
    const char *source = options->arguments[0];
    struct transfer_format format;
    int code = transfer_format_of(options, source, false, &format);

    if (code == CLI_DONE) {
        code = write_options_from(options, &loading.write);
    }
    if (code == CLI_DONE) {
        code = line_items_open(&loading.items, source, format.lines, options->prefix);
    }
    if (code != CLI_DONE) {
        return code;
    }
    buffer_init(&loading.last, SIZE_MAX);
    code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = run(&loading);
    }
    kvd_load_destroy(loading.load);
    buffer_deinit(&loading.last);
    line_items_close(&loading.items);
    return code;
}
