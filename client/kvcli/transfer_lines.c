/* transfer_lines.c: keys and values as lines of a file. See transfer.h. */
#include "client/kvcli/line_reader.h"
#include "client/kvcli/line_record.h"
#include "client/kvcli/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX                                                                             \
    ((size_t)256 << 20) /* the longest value, each byte as \uXXXX, twice over                      \
                         */

struct lines_import {
    struct transfer_import *import;
    enum transfer_format format;
    struct line_reader reader;
    struct line_parser parser;
    struct buffer key; /* with the prefix */
};

/* --- import --- */

static enum status parse(struct lines_import *lines, char *line, size_t len,
                         struct line_record *record) {
    return lines->format == TRANSFER_TSV
               ? line_parse_tsv(&lines->parser, line, len, record)
               : line_parse_json(&lines->parser, slice_make(line, len), record);
}

static enum status import_line(struct lines_import *lines, char *line, size_t len) {
    struct kvd_bytes prefix = lines->import->cli->options->prefix;
    struct line_record record;
    struct write_item item;
    enum status status = parse(lines, line, len, &record);

    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&lines->key);
    status = buffer_append(&lines->key, prefix.ptr, prefix.len);
    if (status == STATUS_OK) {
        status = buffer_append(&lines->key, record.key.ptr, record.key.len);
    }
    if (status != STATUS_OK) {
        return status;
    }
    item = (struct write_item){
        .key = kvd_bytes(lines->key.data, lines->key.len),
        .value = kvd_bytes(record.value.ptr, record.value.len),
        .expire_at_ms = record.expires_at_ms,
        .user_flags = record.user_flags,
    };
    write_stream_add(&lines->import->stream, &item);
    return STATUS_OK;
}

static void count_bad_line(struct lines_import *lines, enum status status) {
    struct transfer_import *import = lines->import;
    int code;

    progress_clear(&import->progress);
    code = cli_fail(CLI_FAILED, "%s, line %" PRIu64 ": %s", import->source, lines->reader.number,
                    status == STATUS_INVALID ? lines->parser.reason : status_text(status));
    write_stream_count_failure(&import->stream, code);
}

static void import_all(struct lines_import *lines) {
    struct transfer_import *import = lines->import;
    char reason[128];
    char *line;
    size_t len;
    enum status status = STATUS_OK;

    while (!import->stream.ended &&
           (status = line_reader_next(&lines->reader, &line, &len)) == STATUS_OK) {
        enum status taken = len ? import_line(lines, line, len) : STATUS_OK;
        if (taken != STATUS_OK) {
            count_bad_line(lines, taken);
        }
        progress_update(&import->progress, lines->reader.number, lines->reader.offset);
    }
    if (status != STATUS_OK && status != STATUS_END) {
        int code = cli_fail(CLI_FAILED, "cannot read %s: %s", import->source,
                            status == STATUS_IO ? strerror_r(errno, reason, sizeof reason)
                                                : status_text(status));
        write_stream_count_failure(&import->stream, code);
    }
}

void transfer_import_lines(struct transfer_import *import, enum transfer_format format) {
    struct lines_import lines = {.import = import, .format = format};
    bool standard_input = strcmp(import->source, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(import->source, O_RDONLY | O_CLOEXEC);
    char reason[128];

    if (fd < 0) {
        int code = cli_fail(CLI_FAILED, "cannot open %s: %s", import->source,
                            strerror_r(errno, reason, sizeof reason));
        write_stream_count_failure(&import->stream, code);
        return;
    }
    line_reader_init(&lines.reader, fd, LINE_BYTES_MAX);
    line_parser_init(&lines.parser, LINE_BYTES_MAX);
    buffer_init(&lines.key, LINE_BYTES_MAX);
    import_all(&lines);
    line_reader_deinit(&lines.reader);
    line_parser_deinit(&lines.parser);
    buffer_deinit(&lines.key);
    if (!standard_input) {
        close(fd);
    }
}

/* --- export --- */

static int write_entries(struct transfer_export *export, struct kvd_scan *scan,
                         enum transfer_format format, FILE *stream) {
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
        if (format == TRANSFER_TSV) {
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
                          enum transfer_format format) {
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
