/* put_value.c: see put_value.h. */
#include "client/kvcli/put_value.h"

#include "client/kvcli/read_file.h"
#include "client/kvcli/value_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VALUE_BYTES_CEILING ((size_t)1 << 30) /* when the server tells no limit */

/* A file that is read from. */
struct source {
    const char *name; /* for error lines */
    int fd;
    bool opened;
};

static bool is_argument(const struct options *options) {
    return options->argument_count == 2 && strcmp(options->arguments[1], "-") != 0;
}

int put_value_check(const struct cli *cli) {
    const struct options *options = cli->options;

    if ((options->argument_count == 2) == (options->file != NULL)) {
        return cli_fail(CLI_USAGE, "give the value as an argument, as - for standard input, or "
                                   "with --file FILE");
    }
    return CLI_DONE;
}

static int source_open(const struct options *options, struct source *source) {
    char reason[128];

    *source = (struct source){.name = "standard input", .fd = STDIN_FILENO};
    if (options->file) {
        source->name = options->file;
        source->fd = open(options->file, O_RDONLY | O_CLOEXEC);
        source->opened = source->fd >= 0;
    }
    return source->fd >= 0 ? CLI_DONE
                           : cli_fail(CLI_FAILED, "cannot read %s: %s", source->name,
                                      strerror_r(errno, reason, sizeof reason));
}

static void source_close(struct source *source) {
    if (source->opened) {
        close(source->fd);
    }
}

/* Reads the whole source, or one byte more than the longest value (*long_out is set then). */
static int read_source(struct cli *cli, const struct source *source, struct buffer *buffer,
                       bool *long_out) {
    struct kvd_server_info info;
    enum kvd_status connected = kvd_server_info(cli->db, &info);
    enum status status;
    char reason[128];

    if (connected != KVD_OK) {
        return cli_fail_call(cli, kvd_bytes(NULL, 0), connected);
    }
    buffer_init(buffer, (info.value_max ? (size_t)info.value_max : VALUE_BYTES_CEILING) + 1);
    status = read_file_fill(source->fd, buffer);
    if (status != STATUS_OK && status != STATUS_END) {
        return cli_fail(CLI_FAILED, "cannot read %s: %s", source->name,
                        status == STATUS_IO ? strerror_r(errno, reason, sizeof reason)
                                            : status_text(status));
    }
    *long_out = buffer->len == buffer->cap;
    return CLI_DONE;
}

int put_value_find(struct cli *cli, struct buffer *buffer, struct kvd_bytes *value_out) {
    bool is_long = false;
    struct source source;
    int code;

    if (is_argument(cli->options)) {
        return cli_bytes(cli, 1, value_out);
    }
    code = source_open(cli->options, &source);
    if (code == CLI_DONE) {
        code = read_source(cli, &source, buffer, &is_long);
        source_close(&source);
    }
    if (code == CLI_DONE && is_long) {
        code = cli_fail(CLI_FAILED, "%s is longer than the server's value_max, %zu bytes",
                        source.name, buffer->cap - 1);
    }
    *value_out = kvd_bytes(buffer->data, buffer->len);
    return code;
}

static int put_argument(struct cli *cli, struct kvd_bytes key,
                        const struct kvd_write_options *write, uint64_t *version_out) {
    struct kvd_bytes value;
    enum kvd_status status;
    int code = cli_bytes(cli, 1, &value);

    if (code != CLI_DONE) {
        return code;
    }
    status = kvd_put(cli->db, key, value, write, version_out);
    return status == KVD_OK ? CLI_DONE : cli_fail_call(cli, key, status);
}

/* Puts what was read of the source; with what it still has, if that is not all. */
static int put_source(struct cli *cli, struct kvd_bytes key, const struct value_source *source,
                      bool is_long, const struct kvd_write_options *write, uint64_t *version_out) {
    enum kvd_status status;

    if (is_long && write->transaction != 0) {
        return cli_fail(CLI_FAILED, "the value is too long to be part of a transaction");
    }
    status = is_long ? value_stream_put(cli, key, source, write, version_out)
                     : kvd_put(cli->db, key, source->head, write, version_out);

    if (status == KVD_CANCELLED) {
        return CLI_FAILED; /* and printed */
    }
    return status == KVD_OK ? CLI_DONE : cli_fail_call(cli, key, status);
}

int put_value_store(struct cli *cli, struct kvd_bytes key, const struct kvd_write_options *write,
                    uint64_t *version_out) {
    struct buffer buffer = {0};
    bool is_long = false;
    struct source source;
    int code;

    if (is_argument(cli->options)) {
        return put_argument(cli, key, write, version_out);
    }
    code = source_open(cli->options, &source);
    if (code != CLI_DONE) {
        return code;
    }
    code = read_source(cli, &source, &buffer, &is_long);
    if (code == CLI_DONE) {
        struct value_source value = {kvd_bytes(buffer.data, buffer.len), source.fd, source.name};
        code = put_source(cli, key, &value, is_long, write, version_out);
    }
    source_close(&source);
    buffer_deinit(&buffer);
    return code;
}
