/* command_backup.c: backup, and backup verify. */
#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_reader.h"
#include "client/kvcli/backup_run.h"
#include "client/kvcli/command.h"
#include "client/kvcli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int fail(const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];
    bool damaged = error->status == STATUS_CORRUPT;

    error_format(error, text, sizeof text);
    return cli_fail(damaged ? CLI_NEGATIVE : CLI_FAILED, "%s", text);
}

/* --- backup --- */

static void print_backup(const struct backup_run *run) {
    const struct kvd_snapshot *snapshot = &run->snapshot;
    const struct backup_end *end = &run->end;

    if (run->cli->options->json) {
        printf("{\"file\":");
        output_json_text(stdout, run->path);
        printf(",\"version\":%" PRIu64 ",\"since\":%" PRIu64 ",\"time_ms\":%" PRIu64
               ",\"namespaces\":%" PRIu64 ",\"keys\":%" PRIu64 ",\"deleted\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"held_snapshot\":%" PRIu64
               ",\"held_until_ms\":%" PRIu64 "}\n",
               snapshot->version, run->since, snapshot->time_ms, end->namespaces, end->values,
               end->deletions, end->bytes, run->file_bytes, run->hold_ms ? snapshot->id : 0,
               run->hold_ms ? snapshot->deadline_ms : 0);
        return;
    }
    printf("version %" PRIu64, snapshot->version);
    if (run->since > 0) {
        printf(" since %" PRIu64 ": %" PRIu64 " keys deleted,", run->since, end->deletions);
    } else {
        putchar(':');
    }
    printf(" %" PRIu64 " keys in %" PRIu64 " namespaces, %" PRIu64 " bytes; the file has %" PRIu64
           "\n",
           end->values, end->namespaces, end->bytes, run->file_bytes);
    if (run->hold_ms > 0) {
        printf("snapshot %" PRIu64 " holds it for the next one: --since %" PRIu64 "\n",
               snapshot->id, snapshot->version);
    }
}

static int make_backup(struct cli *cli) {
    const struct options *options = cli->options;
    struct backup_run run = {.cli = cli,
                             .path = options->arguments[0],
                             .since = options->since,
                             .hold_ms = options->hold_ms};
    struct error error;
    int code = CLI_DONE;

    if (OPTIONS_GIVEN(options, since) && options->since == 0) {
        return cli_fail(CLI_USAGE, "versions begin at 1; without --since a backup is complete");
    }
    if (OPTIONS_GIVEN(options, hold_ms) && options->hold_ms == 0) {
        return cli_fail(CLI_USAGE, "--hold needs a time above 0");
    }
    if (backup_target_choose(&run.target, run.path, options->replace, &error) != STATUS_OK) {
        return fail(&error);
    }
    code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = backup_run(&run);
    }
    if (code == CLI_DONE && strcmp(run.path, "-") != 0) {
        print_backup(&run);
        code = cli_finish_output();
    }
    return code;
}

/* --- verify --- */

static void print_sound(const struct cli *cli, const struct backup_reader *reader,
                        const struct backup_end *end) {
    const struct backup_header *header = backup_reader_header(reader);

    if (cli->options->json) {
        printf("{\"sound\":true,\"version\":%" PRIu64 ",\"since\":%" PRIu64 ",\"time_ms\":%" PRIu64
               ",\"created_ms\":%" PRIu64 ",\"source\":",
               header->version, header->since, header->time_ms, header->created_ms);
        output_json_text(stdout, header->source);
        printf(",\"whole\":%s,\"namespaces\":%" PRIu64 ",\"keys\":%" PRIu64 ",\"deleted\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"file_bytes\":%" PRIu64 "}\n",
               header->whole ? "true" : "false", end->namespaces, end->values, end->deletions,
               end->bytes, end->blocks, backup_reader_bytes(reader));
        return;
    }
    printf("sound: version %" PRIu64, header->version);
    if (header->since > 0) {
        printf(" since %" PRIu64 ", %" PRIu64 " keys deleted", header->since, end->deletions);
    }
    printf(", of %s; %" PRIu64 " keys in %" PRIu64 " namespaces, %" PRIu64 " bytes; %" PRIu64
           " blocks\n",
           header->source, end->values, end->namespaces, end->bytes, end->blocks);
}

static enum status read_through(struct backup_reader *reader, struct backup_end *end_out,
                                struct error *error) {
    struct backup_item item = {0};
    struct progress progress;
    uint64_t keys = 0;
    enum status status = STATUS_OK;

    progress_init(&progress, 0);
    while (status == STATUS_OK && item.event != BACKUP_EVENT_END) {
        status = backup_reader_next(reader, &item, error);
        keys += item.event == BACKUP_EVENT_ENTRY;
        progress_update(&progress, keys, backup_reader_bytes(reader));
    }
    progress_clear(&progress);
    *end_out = item.end;
    return status;
}

static int verify_backup(struct cli *cli, const char *path) {
    struct backup_reader *reader = NULL;
    struct backup_input input;
    struct backup_source source;
    struct backup_end end;
    struct error error;
    enum status status = backup_input_open(&input, path, &error);

    if (status != STATUS_OK) {
        return fail(&error);
    }
    source = backup_input_source(&input);
    status = backup_reader_create(&source, &reader, &error);
    if (status == STATUS_OK) {
        status = read_through(reader, &end, &error);
    }
    if (status == STATUS_OK) {
        print_sound(cli, reader, &end);
    }
    backup_reader_destroy(reader);
    backup_input_close(&input);
    return status == STATUS_OK ? cli_finish_output() : fail(&error);
}

int command_backup(struct cli *cli) {
    const struct options *options = cli->options;
    bool verifies = strcmp(options->arguments[0], "verify") == 0;

    if (verifies != (options->argument_count == 2)) {
        return cli_fail(CLI_USAGE, "usage: kvcli backup FILE | verify FILE");
    }
    return verifies ? verify_backup(cli, options->arguments[1]) : make_backup(cli);
}
