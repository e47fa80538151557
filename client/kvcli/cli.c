/* cli.c: connection, exit codes, error lines. See cli.h. */
#include "client/kvcli/cli.h"

#include "client/kvcli/output.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLI_SERVER_DEFAULT "127.0.0.1:7450"
#define CLI_SUBJECT_BYTES_MAX 120u /* of a key in an error line */

const char *cli_address(const struct options *options) {
    const char *address = options->server ? options->server : getenv("KVD_SERVER");
    return address && address[0] ? address : CLI_SERVER_DEFAULT;
}

int cli_fail(enum cli_exit code, const char *format, ...) {
    va_list arguments;

    fflush(stdout);
    fputs("kvcli: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return (int)code;
}

enum cli_exit cli_exit_of(enum kvd_status status) {
    switch (status) {
    case KVD_OK:
        return CLI_DONE;
    case KVD_NOT_FOUND:
    case KVD_EXISTS:
    case KVD_ABSENT:
    case KVD_VERSION_MISMATCH:
        return CLI_NEGATIVE;
    case KVD_CONNECT:
    case KVD_TIMEOUT:
    case KVD_CLOSED:
        return CLI_NO_SERVER;
    default:
        return CLI_FAILED;
    }
}

/* What the user can do about it; "" if the error's own line is enough. */
static const char *advice(enum kvd_status status) {
    switch (status) {
    case KVD_CONNECT:
        return "; is kvd running there? (--server, KVD_SERVER)";
    case KVD_TIMEOUT:
        return "; try again, or with a longer --timeout";
    case KVD_UNKNOWN:
        return "; it may or may not have taken effect: read to find out";
    case KVD_BUSY:
    case KVD_CLOSED:
    case KVD_SHUTTING_DOWN:
        return "; try again";
    case KVD_NO_SPACE:
        return "; delete keys or give the server more space";
    case KVD_LOG_FAILED:
        return "; restart the server when its disk is sound";
    case KVD_CORRUPT:
        return "; the server's log names the file";
    default:
        return "";
    }
}

int cli_fail_status(struct kvd_bytes subject, enum kvd_status status, const char *error) {
    const char *text = error && error[0] ? error : kvd_status_text(status);
    bool cut = subject.len > CLI_SUBJECT_BYTES_MAX;

    fflush(stdout);
    fputs("kvcli: ", stderr);
    if (subject.len > 0) {
        output_escaped(stderr, kvd_bytes(subject.ptr, cut ? CLI_SUBJECT_BYTES_MAX : subject.len));
        fputs(cut ? "...: " : ": ", stderr);
    }
    fprintf(stderr, "%s%s\n", text, advice(status));
    return (int)cli_exit_of(status);
}

int cli_fail_call(const struct cli *cli, struct kvd_bytes subject, enum kvd_status status) {
    return cli_fail_status(subject, status, kvd_error(cli->db));
}

int cli_fail_left_out(const struct kvd_entry *entry) {
    char text[128];

    snprintf(text, sizeof text, "the value of %llu bytes is too long here; read it by `kvcli get`",
             (unsigned long long)entry->meta.value_len);
    (void)cli_fail_status(entry->key, KVD_TOO_LARGE, text);
    return CLI_FAILED;
}

/* An import repeats its writes itself, by windows. */
static uint32_t repeat_ms(const struct options *options) {
    if (options->command == COMMAND_IMPORT) {
        return 0;
    }
    return options->retry_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)options->retry_ms;
}

enum kvd_status cli_open(struct cli *cli) {
    const struct options *options = cli->options;
    struct kvd_connect_options connect = {
        .client_name = "kvcli",
        .namespace_name = options->namespace_name,
        .durability = options->durability,
        .timeout_ms = options->timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)options->timeout_ms,
        .retry_ms = repeat_ms(options),
    };

    return kvd_connect(cli_address(options), &connect, &cli->db);
}

int cli_connect(struct cli *cli) {
    enum kvd_status status;
    int code = CLI_DONE;

    if (cli->db) {
        return CLI_DONE;
    }
    if (repeat_ms(cli->options) > KVD_RETRY_MS_MAX) {
        return cli_fail(CLI_USAGE, "--retry is at most 5m: the server does not remember longer "
                                   "what a write was answered");
    }
    status = cli_open(cli);
    if (status == KVD_CONNECT && repeat_ms(cli->options) > 0) {
        return code; /* the write tries again */
    }
    if (status != KVD_OK) {
        code = cli_fail_call(cli, kvd_bytes(NULL, 0), status);
    }
    return status == KVD_INVALID ? CLI_USAGE : code; /* an address that is none */
}

void cli_deinit(struct cli *cli) {
    kvd_close(cli->db);
    cli->db = NULL;
}

int cli_bytes(const struct cli *cli, int index, struct kvd_bytes *bytes_out) {
    struct error error;

    return options_bytes(cli->options, index, bytes_out, &error) == STATUS_OK
               ? CLI_DONE
               : cli_fail(CLI_USAGE, "%s", error.text);
}

int cli_key(const struct cli *cli, int index, struct kvd_bytes *key_out) {
    int code = cli_bytes(cli, index, key_out);

    if (code == CLI_DONE && key_out->len == 0) {
        return cli_fail(CLI_USAGE, "the key is empty; keys have at least one byte");
    }
    return code;
}

int cli_keys(const struct cli *cli, struct kvd_bytes **keys_out) {
    int count = cli->options->argument_count;
    struct kvd_bytes *keys = memory_alloc_array((size_t)count, sizeof *keys);
    int code = CLI_DONE;

    *keys_out = NULL;
    if (!keys) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    for (int i = 0; i < count && code == CLI_DONE; i++) {
        code = cli_key(cli, i, &keys[i]);
    }
    if (code != CLI_DONE) {
        memory_free(keys);
        return code;
    }
    *keys_out = keys;
    return CLI_DONE;
}

int cli_finish_output(void) {
    char reason[128];

    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return CLI_DONE;
    }
    return cli_fail(CLI_FAILED, "cannot write the output: %s",
                    strerror_r(errno, reason, sizeof reason));
}

int cli_worse(int a, int b) {
    return b > a ? b : a;
}
