/* line_items.h: keys and values from the lines of a file or pipe, one after another.
 *
 * Lines are those of line_record.h; empty ones are passed over. One thread. */
#ifndef KVCLI_LINE_ITEMS_H
#define KVCLI_LINE_ITEMS_H

#include "client/kvcli/line_reader.h"
#include "client/kvcli/line_record.h"

enum line_format { LINE_TSV, LINE_JSONL };

struct line_items {
    const char *source; /* borrowed; a path, or "-" */
    enum line_format format;
    struct kvd_bytes prefix; /* borrowed; goes before each key */
    int fd;
    struct line_reader reader; /* the number of the line, and bytes so far */
    struct line_parser parser;
    struct buffer key; /* with the prefix */
    bool broken;       /* the source cannot be read any further */
};

/* Opens the source. Returns CLI_DONE, or prints and returns another code; close is due after
 * CLI_DONE only. */
int line_items_open(struct line_items *items, const char *source, enum line_format format,
                    struct kvd_bytes prefix);
void line_items_close(struct line_items *items);

/* The next item; it borrows until the next call. Errors: END; any other: this line is none, and the
 * next one may be taken unless items->broken. */
enum status line_items_next(struct line_items *items, struct line_record *item_out) MUST_CHECK;

/* Prints what was wrong with the line, or the source; returns CLI_FAILED. */
int line_items_fail(const struct line_items *items, enum status status);

#endif
