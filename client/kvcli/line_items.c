/* line_items.c: see line_items.h. */
#include "client/kvcli/line_items.h"

#include "client/kvcli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* The longest value, each byte as \uXXXX, twice over. */
#define LINE_BYTES_MAX ((size_t)256 << 20)

int line_items_open(struct line_items *items, const char *source, enum line_format format,
                    struct kvd_bytes prefix) {
    char reason[128];

    *items = (struct line_items){.source = source, .format = format, .prefix = prefix};
    items->fd = strcmp(source, "-") == 0 ? STDIN_FILENO : open(source, O_RDONLY | O_CLOEXEC);
    if (items->fd < 0) {
        return cli_fail(CLI_FAILED, "cannot open %s: %s", source,
                        strerror_r(errno, reason, sizeof reason));
    }
    line_reader_init(&items->reader, items->fd, LINE_BYTES_MAX);
    line_parser_init(&items->parser, LINE_BYTES_MAX);
    buffer_init(&items->key, LINE_BYTES_MAX);
    return CLI_DONE;
}

void line_items_close(struct line_items *items) {
    line_reader_deinit(&items->reader);
    line_parser_deinit(&items->parser);
    buffer_deinit(&items->key);
    if (items->fd != STDIN_FILENO) {
        close(items->fd);
    }
}

static enum status parse(struct line_items *items, char *line, size_t len,
                         struct line_record *item) {
    return items->format == LINE_TSV ? line_parse_tsv(&items->parser, line, len, item)
                                     : line_parse_json(&items->parser, slice_make(line, len), item);
}

static enum status put_prefix(struct line_items *items, struct line_record *item) {
    enum status status;

    buffer_clear(&items->key);
    status = buffer_append(&items->key, items->prefix.ptr, items->prefix.len);
    if (status == STATUS_OK) {
        status = buffer_append(&items->key, item->key.ptr, item->key.len);
    }
    item->key = buffer_slice(&items->key);
    return status;
}

enum status line_items_next(struct line_items *items, struct line_record *item_out) {
    enum status status;
    char *line;
    size_t len;

    items->parser.reason = NULL;
    do {
        status = line_reader_next(&items->reader, &line, &len);
    } while (status == STATUS_OK && len == 0);
    if (status != STATUS_OK) {
        items->broken = status != STATUS_END;
        return status;
    }
    status = parse(items, line, len, item_out);
    return status == STATUS_OK ? put_prefix(items, item_out) : status;
}

int line_items_fail(const struct line_items *items, enum status status) {
    char reason[128];

    if (items->broken) {
        return cli_fail(CLI_FAILED, "cannot read %s: %s", items->source,
                        status == STATUS_IO ? strerror_r(errno, reason, sizeof reason)
                                            : status_text(status));
    }
    return cli_fail(CLI_FAILED, "%s, line %" PRIu64 ": %s", items->source, items->reader.number,
                    status == STATUS_INVALID && items->parser.reason ? items->parser.reason
                                                                     : status_text(status));
}
