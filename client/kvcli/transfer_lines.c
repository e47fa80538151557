/* transfer_lines.c: keys and values as lines of a file. See transfer.h. */
#include "client/kvcli/transfer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- import --- */

static void count_failure(struct transfer_import *import, const struct line_items *items,
                          enum status status) {
    progress_clear(&import->progress);
    write_stream_count_failure(&import->stream, line_items_fail(items, status));
}

static void add(struct transfer_import *import, const struct line_record *record) {
    struct write_item item = {
        .key = kvd_bytes(record->key.ptr, record->key.len),
        .value = kvd_bytes(record->value.ptr, record->value.len),
        .expire_at_ms = record->expires_at_ms,
        .user_flags = record->user_flags,
    };

    write_stream_add(&import->stream, &item);
}

static void import_all(struct transfer_import *import, struct line_items *items) {
    struct line_record record;
    enum status status = STATUS_OK;

    while (status != STATUS_END && !items->broken && !import->stream.ended) {
        status = line_items_next(items, &record);
        if (status == STATUS_OK) {
            add(import, &record);
        } else if (status != STATUS_END) {
            count_failure(import, items, status);
        }
        progress_update(&import->progress, items->reader.number, items->reader.offset);
    }
}

void transfer_import_lines(struct transfer_import *import, enum line_format format) {
    struct line_items items;
    int code = line_items_open(&items, import->source, format, import->cli->options->prefix);

    if (code != CLI_DONE) {
        write_stream_count_failure(&import->stream, code);
        return;
    }
    import_all(import, &items);
    line_items_close(&items);
}

/* --- export --- */

static int write_entries(struct transfer_export *export, struct kvd_scan *scan,
                         enum line_format format, FILE *stream) {
    size_t prefix_len = export->cli->options->prefix.len;
    struct kvd_entry entry;
    enum kvd_status status;

    while ((status = kvd_scan_next(scan, &entry)) == KVD_OK && !ferror(stream)) {
        entry.key = kvd_bytes((const char *)entry.key.ptr + prefix_len, entry.key.len - prefix_len);
        if (entry.key.len == 0) {
            progress_clear(&export->progress);
            cli_fail(CLI_FAILED, "the key that is the prefix itself has no name left; left out");
            export->failed++;
            continue;
        }
        if (entry.value_left_out) {
            progress_clear(&export->progress);
            cli_fail_left_out(&entry);
            export->failed++;
            continue;
        }
        if (format == LINE_TSV) {
            line_write_tsv(stream, &entry);
        } else {
            line_write_json(stream, &entry);
        }
        export->done++;
        export->bytes += entry.key.len + entry.value.len;
        progress_update(&export->progress, export->done, export->bytes);
    }
    progress_clear(&export->progress);
    if (status != KVD_END && status != KVD_OK) {
        return cli_fail_call(export->cli, kvd_bytes(NULL, 0), status);
    }
    return export->failed > 0 ? CLI_FAILED : CLI_DONE; /* a failing stream is told by its owner */
}

static int fail_output(const struct transfer_export *export, int number) {
    char reason[128];

    return cli_fail(CLI_FAILED, "cannot write %s: %s", export->target,
                    strerror_r(number, reason, sizeof reason));
}

/* Brings a file to the disk and closes it. */
static int finish_file(const struct transfer_export *export, FILE *file) {
    bool good = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    int number = good ? 0 : errno;

    if (fclose(file) != 0 && good) {
        number = errno;
        good = false;
    }
    return good ? CLI_DONE : fail_output(export, number);
}

int transfer_export_lines(struct transfer_export *export, struct kvd_scan *scan,
                          enum line_format format) {
    FILE *file;
    int code;

    if (strcmp(export->target, "-") == 0) {
        return write_entries(export, scan, format, stdout);
    }
    file = fopen(export->target, "we");
    if (!file) {
        return fail_output(export, errno);
    }
    code = write_entries(export, scan, format, file);
    return cli_worse(code, finish_file(export, file));
}
