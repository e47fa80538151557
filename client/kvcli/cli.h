/* cli.h: what every command works with: the options, the connection, exit codes, error lines.
 *
 * A failure is one line on standard error, beginning with "kvcli: "; the functions that print one
 * return the exit code, so that a handler ends with `return cli_fail(...)`. One thread. */
#ifndef KVCLI_CLI_H
#define KVCLI_CLI_H

#include "client/kvcli/options.h"
#include "kvd/kvd.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_NEGATIVE = 1, /* not found, or a condition not met */
    CLI_USAGE = 2,
    CLI_NO_SERVER = 3, /* cannot connect, connection lost or timed out */
    CLI_FAILED = 4,    /* refused, failed, or the outcome is unknown */
};

struct cli {
    const struct options *options; /* borrowed */
    struct kvd *db;                /* owned; NULL until cli_connect */
};

/* The address that options and environment name. */
const char *cli_address(const struct options *options);

/* Connects, unless there is a connection. Returns CLI_DONE, or prints and returns another code. */
int cli_connect(struct cli *cli);

/* Connects, and prints nothing; the connection may be used, and tries again, if it failed. */
enum kvd_status cli_open(struct cli *cli);
void cli_deinit(struct cli *cli);

/* The exit code that belongs to a status. */
enum cli_exit cli_exit_of(enum kvd_status status);

/* Prints "kvcli: ..." and returns `code`. */
int cli_fail(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints what went wrong with `subject` (a key; may be empty) and what to do; returns the exit
 * code. `error` is the library's line. */
int cli_fail_status(struct kvd_bytes subject, enum kvd_status status, const char *error);

/* The same with the connection's own error. */
int cli_fail_call(const struct cli *cli, struct kvd_bytes subject, enum kvd_status status);

/* For an entry of a scan whose value is too long for a line. Returns CLI_FAILED. */
int cli_fail_left_out(const struct kvd_entry *entry);

/* Argument `index` as bytes (once: escapes are replaced in place); it must not be empty when it is
 * a key. Returns CLI_DONE or prints. */
int cli_key(const struct cli *cli, int index, struct kvd_bytes *key_out);
int cli_bytes(const struct cli *cli, int index, struct kvd_bytes *bytes_out);

/* All arguments as keys, in an array that the caller frees (NULL on failure). */
int cli_keys(const struct cli *cli, struct kvd_bytes **keys_out);

/* Flushes standard output. Returns CLI_DONE or prints that it could not be written. */
int cli_finish_output(void);

/* The worse of two exit codes: what happened first counts among equals. */
int cli_worse(int a, int b);

#endif
