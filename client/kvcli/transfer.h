/* transfer.h: import and export, as trees and as lines; called by command_transfer.c. */
#ifndef KVCLI_TRANSFER_H
#define KVCLI_TRANSFER_H

#include "client/kvcli/cli.h"
#include "client/kvcli/line_items.h"
#include "client/kvcli/progress.h"
#include "client/kvcli/write_stream.h"

/* Which of the two, or a tree. */
struct transfer_format {
    bool is_tree;
    enum line_format lines; /* if it is none */
};

struct transfer_import {
    struct cli *cli;             /* borrowed; connected */
    const char *source;          /* a path, or "-" */
    struct write_stream stream;  /* owned */
    struct kvd_server_info info; /* limits */
    struct progress progress;    /* steps are keys, for lines bytes of the file */
    uint64_t left_out;           /* links and special files of a tree */
};

struct transfer_export {
    struct cli *cli;    /* borrowed; connected */
    const char *target; /* a path, or "-" */
    struct progress progress;
    uint64_t done;
    uint64_t bytes;
    uint64_t failed;
};

/* What --format says, else the name of the file: a directory, .tsv, .jsonl; a name without a known
 * ending is a tree, if there may be one. Returns CLI_DONE, or prints and returns CLI_USAGE. */
int transfer_format_of(const struct options *options, const char *path, bool may_be_tree,
                       struct transfer_format *format_out);

/* Read the source into the stream, which the caller finishes. Failures are printed and counted in
 * the stream. */
void transfer_import_tree(struct transfer_import *import);
void transfer_import_lines(struct transfer_import *import, enum line_format format);

/* Write all entries of the scan to the target. Return the exit code; failures are printed. */
int transfer_export_tree(struct transfer_export *export, struct kvd_scan *scan);
int transfer_export_lines(struct transfer_export *export, struct kvd_scan *scan,
                          enum line_format format);

/* prefix + path in `key`, whose cap is large enough. Errors: NO_MEMORY. */
enum status transfer_key(struct buffer *key, struct kvd_bytes prefix, const char *path) MUST_CHECK;

#define TRANSFER_KEY_BYTES_MAX ((size_t)256 * 1024) /* prefix and path */

#endif
