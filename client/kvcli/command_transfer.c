/* command_transfer.c: import and export: which format, options, and the summary. */
#include "client/kvcli/clock.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/transfer.h"
#include "client/kvcli/write_options.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define RETRY_PAUSE_MS 100u

static bool ends_with(const char *text, const char *ending) {
    size_t len = strlen(text);
    size_t ending_len = strlen(ending);

    return len >= ending_len && strcmp(text + len - ending_len, ending) == 0;
}

static bool is_directory(const char *path) {
    struct stat stat_of_path;

    return stat(path, &stat_of_path) == 0 && S_ISDIR(stat_of_path.st_mode);
}

static const char *format_by_name(const char *path) {
    return is_directory(path)          ? "tree"
           : ends_with(path, ".tsv")   ? "tsv"
           : ends_with(path, ".jsonl") ? "jsonl"
           : strcmp(path, "-") == 0    ? ""
                                       : "tree";
}

int transfer_format_of(const struct options *options, const char *path, bool may_be_tree,
                       struct transfer_format *format_out) {
    const char *format = options->format ? options->format : format_by_name(path);

    may_be_tree = may_be_tree && strcmp(path, "-") != 0;
    *format_out =
        (struct transfer_format){.is_tree = strcmp(format, "tree") == 0,
                                 .lines = strcmp(format, "tsv") == 0 ? LINE_TSV : LINE_JSONL};
    if (format_out->is_tree ? may_be_tree
                            : strcmp(format, "tsv") == 0 || strcmp(format, "jsonl") == 0) {
        return CLI_DONE;
    }
    return cli_fail(CLI_USAGE, "give --format tsv or --format jsonl%s",
                    may_be_tree              ? ", or --format tree"
                    : strcmp(path, "-") == 0 ? " with -"
                                             : "");
}

/* --- import --- */

static void print_import(const struct transfer_import *import) {
    const struct write_totals *totals = &import->stream.totals;

    if (import->cli->options->json) {
        printf("{\"stored\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"existing\":%" PRIu64
               ",\"failed\":%" PRIu64 ",\"left_out\":%" PRIu64 ",\"resumed\":%" PRIu64 "}\n",
               totals->done, totals->bytes, totals->existing, totals->failed, import->left_out,
               totals->resumed);
        return;
    }
    printf("stored %" PRIu64 " keys, %" PRIu64 " bytes", totals->done, totals->bytes);
    if (totals->existing) {
        printf("; %" PRIu64 " were there", totals->existing);
    }
    if (import->left_out) {
        printf("; %" PRIu64 " links and special files left out", import->left_out);
    }
    if (totals->resumed) {
        printf("; resumed %" PRIu64 " times", totals->resumed);
    }
    if (totals->failed) {
        printf("; %" PRIu64 " failed", totals->failed);
    }
    putchar('\n');
}

static int run_import(struct transfer_import *import, struct transfer_format format) {
    int code;

    progress_init(&import->progress, 0);
    if (format.is_tree) {
        transfer_import_tree(import);
    } else {
        transfer_import_lines(import, format.lines);
    }
    code = write_stream_finish(&import->stream);
    progress_clear(&import->progress);
    print_import(import);
    return cli_worse(code, cli_finish_output());
}

/* Connects; with --retry the server may be away at the start as well. */
static enum kvd_status await_server(struct cli *cli, struct kvd_server_info *info) {
    uint64_t until_ns = clock_now_ns() + cli->options->retry_ms * 1000000u;
    enum kvd_status status = cli_open(cli);

    status = status == KVD_OK ? kvd_server_info(cli->db, info) : status;
    while (cli_exit_of(status) == CLI_NO_SERVER && cli->db && clock_now_ns() < until_ns) {
        clock_sleep_ms(RETRY_PAUSE_MS);
        status = kvd_server_info(cli->db, info);
    }
    return status;
}

static int begin_import(struct transfer_import *import,
                        const struct write_stream_options *options) {
    struct cli *cli = import->cli;
    enum kvd_status status = await_server(cli, &import->info);

    return status == KVD_OK ? write_stream_init(&import->stream, cli, options)
                            : cli_fail_call(cli, kvd_bytes(NULL, 0), status);
}

int command_import(struct cli *cli) {
    const struct options *options = cli->options;
    struct transfer_import import = {.cli = cli, .source = options->arguments[0]};
    struct write_stream_options stream = {.retry_ms = options->retry_ms,
                                          .skip_existing = options->skip_existing};
    struct transfer_format format;
    int code = transfer_format_of(options, import.source, true, &format);

    if (code == CLI_DONE) {
        code = write_options_from(options, &stream.write);
    }
    if (code != CLI_DONE) {
        return code;
    }
    code = begin_import(&import, &stream);
    if (code == CLI_DONE) {
        code = run_import(&import, format);
    }
    write_stream_deinit(&import.stream);
    return code;
}

/* --- export --- */

static void print_export(const struct transfer_export *export) {
    bool to_output = strcmp(export->target, "-") == 0;

    if (to_output) {
        return; /* nothing but the lines */
    }
    if (export->cli->options->json) {
        printf("{\"written\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n",
               export->done, export->bytes, export->failed);
    } else {
        printf("wrote %" PRIu64 " keys, %" PRIu64 " bytes", export->done, export->bytes);
        printf(export->failed ? "; %" PRIu64 " failed\n" : "\n", export->failed);
    }
}

static int run_export(struct transfer_export *export, struct transfer_format format) {
    struct kvd_scan_options range = {.prefix = export->cli->options->prefix, .verify = true};
    struct kvd_scan *scan = NULL;
    uint64_t total = 0;
    enum kvd_status status = kvd_scan_open(export->cli->db, &range, &scan);
    int code;

    if (status != KVD_OK) {
        return cli_fail_call(export->cli, kvd_bytes(NULL, 0), status);
    }
    progress_init(&export->progress, 0);
    if (export->progress.shown && kvd_count(export->cli->db, &range, &total) == KVD_OK) {
        export->progress.total = total;
    }
    code = format.is_tree ? transfer_export_tree(export, scan)
                          : transfer_export_lines(export, scan, format.lines);
    kvd_scan_close(scan);
    print_export(export);
    return cli_worse(code, cli_finish_output());
}

int command_export(struct cli *cli) {
    struct transfer_export export = {.cli = cli, .target = cli->options->arguments[0]};
    struct transfer_format format;
    int code = transfer_format_of(cli->options, export.target, true, &format);

    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    return code == CLI_DONE ? run_export(&export, format) : code;
}
