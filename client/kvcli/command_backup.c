/* command_backup.c: backup, and backup verify. */
#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_reader.h"
#include "client/kvcli/backup_run.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int fail(const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    error_format(error, text, sizeof text);
    return cli_fail(CLI_FAILED, "%s", text);
}

/* --- backup --- */

static void print_backup(const struct backup_run *run) {
    const struct kvd_snapshot *snapshot = &run->snapshot;
    const struct backup_end *end = &run->end;

    if (run->cli->options->json) {
        printf("{\"file\":");
        output_json_text(stdout, run->path);
        printf(",\"version\":%" PRIu64 ",\"since\":%" PRIu64 ",\"time_ms\":%" PRIu64
               ",\"namespaces\":%" PRIu64 ",\"new_namespaces\":%" PRIu64 ",\"keys\":%" PRIu64
               ",\"deleted\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"file_bytes\":%" PRIu64
               ",\"held_snapshot\":%" PRIu64 ",\"held_until_ms\":%" PRIu64 "}\n",
               snapshot->version, run->since, snapshot->time_ms, end->namespaces, run->new_spaces,
               end->values, end->deletions, end->bytes, run->file_bytes,
               run->hold_ms ? snapshot->id : 0, run->hold_ms ? snapshot->deadline_ms : 0);
        return;
    }
    printf("version %" PRIu64, snapshot->version);
    if (run->since > 0) {
        printf(" since %" PRIu64 ": %" PRIu64 " keys deleted,", run->since, end->deletions);
    } else {
        putchar(':');
    }
    printf(" %" PRIu64 " keys in %" PRIu64 " namespaces", end->values, end->namespaces);
    if (run->new_spaces > 0) {
        printf(", %" PRIu64 " of them new", run->new_spaces);
    }
    printf(", %" PRIu64 " bytes; the file has %" PRIu64 "\n", end->bytes, run->file_bytes);
    if (run->hold_ms > 0) {
        printf("snapshot %" PRIu64 " holds it for the next one: --since %" PRIu64 ", or --since "
               "this file\n",
               snapshot->id, snapshot->version);
    }
}

/* Whether the backup would take the place of the one that it continues. */
static bool replaces(const char *path, const char *before) {
    struct stat target;
    struct stat source;

    return strcmp(path, "-") != 0 && stat(path, &target) == 0 && stat(before, &source) == 0 &&
           target.st_dev == source.st_dev && target.st_ino == source.st_ino;
}

/* Whether a chain of the two can be restored. */
static int check_chain(const struct options *options, const struct backup_before *before) {
    const char *name = options->namespace_name;

    if (before->version == 0) {
        return cli_fail(CLI_USAGE, "versions begin at 1; without --since a backup is complete");
    }
    if (before->from_file && replaces(options->arguments[0], options->since)) {
        return cli_fail(CLI_USAGE,
                        "%s: is the backup that --since names, which a restore needs beside this "
                        "one: name another file",
                        options->since);
    }
    if (!before->from_file || (before->whole && !name)) {
        return CLI_DONE;
    }
    if (before->whole) {
        return cli_fail(CLI_USAGE,
                        "%s: is a backup of all namespaces, as the one that continues "
                        "it must be: leave --namespace out",
                        options->since);
    }
    if (!name || !backup_before_find(before, name)) {
        return cli_fail(CLI_USAGE,
                        "%s: is a backup of one namespace, and can only be continued by "
                        "one of that: --namespace",
                        options->since);
    }
    return CLI_DONE;
}

static int run_backup(struct backup_run *run) {
    struct cli *cli = run->cli;
    struct error error;
    int code;

    if (backup_target_choose(&run->target, run->path, cli->options->replace, &error) != STATUS_OK) {
        return fail(&error);
    }
    code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = backup_run(run);
    }
    if (code == CLI_DONE && strcmp(run->path, "-") != 0) {
        print_backup(run);
        code = cli_finish_output();
    }
    return code;
}

static int run_since(struct backup_run *run) {
    const struct options *options = run->cli->options;
    struct backup_before before;
    struct error error;
    int code;

    if (backup_before_init(&before, options->since, &error) == STATUS_OK) {
        run->before = &before;
        run->since = before.version;
        code = check_chain(options, &before);
        code = code == CLI_DONE ? run_backup(run) : code;
    } else {
        code = fail(&error);
    }
    backup_before_deinit(&before);
    return code;
}

static int make_backup(struct cli *cli) {
    const struct options *options = cli->options;
    struct backup_run run = {
        .cli = cli, .path = options->arguments[0], .hold_ms = options->hold_ms};

    if (OPTIONS_GIVEN(options, hold_ms) && options->hold_ms == 0) {
        return cli_fail(CLI_USAGE, "--hold needs a time above 0");
    }
    return OPTIONS_GIVEN(options, since) ? run_since(&run) : run_backup(&run);
}

/* --- verify --- */

static void print_sound(const struct cli *cli, const struct backup_reader *reader,
                        const struct backup_end *end, uint64_t new_spaces) {
    const struct backup_header *header = backup_reader_header(reader);

    if (cli->options->json) {
        printf("{\"sound\":true,\"version\":%" PRIu64 ",\"since\":%" PRIu64 ",\"time_ms\":%" PRIu64
               ",\"created_ms\":%" PRIu64 ",\"source\":",
               header->version, header->since, header->time_ms, header->created_ms);
        output_json_text(stdout, header->source);
        printf(",\"whole\":%s,\"namespaces\":%" PRIu64 ",\"new_namespaces\":%" PRIu64
               ",\"keys\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"blocks\":%" PRIu64 ",\"file_bytes\":%" PRIu64 "}\n",
               header->whole ? "true" : "false", end->namespaces, new_spaces, end->values,
               end->deletions, end->bytes, end->blocks, backup_reader_bytes(reader));
        return;
    }
    printf("sound: version %" PRIu64, header->version);
    if (header->since > 0) {
        printf(" since %" PRIu64 ", %" PRIu64 " keys deleted", header->since, end->deletions);
    }
    printf(", of %s; %" PRIu64 " keys in %" PRIu64 " namespaces", header->source, end->values,
           end->namespaces);
    if (new_spaces > 0) {
        printf(", %" PRIu64 " of them new", new_spaces);
    }
    printf(", %" PRIu64 " bytes; %" PRIu64 " blocks\n", end->bytes, end->blocks);
}

static enum status read_through(struct backup_reader *reader, struct backup_end *end_out,
                                uint64_t *new_out, struct error *error) {
    struct backup_item item = {0};
    struct progress progress;
    uint64_t keys = 0;
    enum status status = STATUS_OK;

    progress_init(&progress, 0);
    while (status == STATUS_OK && item.event != BACKUP_EVENT_END) {
        status = backup_reader_next(reader, &item, error);
        keys += item.event == BACKUP_EVENT_ENTRY;
        *new_out += item.event == BACKUP_EVENT_SPACE && item.space.is_new;
        progress_update(&progress, keys, backup_reader_bytes(reader));
    }
    progress_clear(&progress);
    *end_out = item.end;
    return status;
}

static int fail_damaged(const struct error *error) {
    (void)fail(error);
    return CLI_NEGATIVE;
}

static int verify_backup(struct cli *cli, const char *path) {
    struct backup_reader *reader = NULL;
    struct backup_input input;
    struct backup_source source;
    struct backup_end end;
    uint64_t new_spaces = 0;
    struct error error;
    enum status status = backup_input_open(&input, path, &error);

    if (status != STATUS_OK) {
        return fail(&error);
    }
    source = backup_input_source(&input);
    status = backup_reader_create(&source, &reader, &error);
    if (status == STATUS_OK) {
        status = read_through(reader, &end, &new_spaces, &error);
    }
    if (status == STATUS_OK) {
        print_sound(cli, reader, &end, new_spaces);
    }
    backup_reader_destroy(reader);
    backup_input_close(&input);
    if (status == STATUS_OK) {
        return cli_finish_output();
    }
    return status == STATUS_CORRUPT ? fail_damaged(&error) : fail(&error);
}

int command_backup(struct cli *cli) {
    const struct options *options = cli->options;
    bool verifies = strcmp(options->arguments[0], "verify") == 0;

    if (verifies != (options->argument_count == 2)) {
        return cli_fail(CLI_USAGE, "usage: kvcli backup FILE | verify FILE");
    }
    return verifies ? verify_backup(cli, options->arguments[1]) : make_backup(cli);
}
