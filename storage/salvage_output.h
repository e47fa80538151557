/* salvage_output.h: writes the rows of a salvage into a new store, through its ordinary door.
 *
 *      open -> catalogue rows: names        (salvage_output_name)
 *           -> rows, by ascending version:  values are read, put, committed in lots
 *           -> finish: settings of the namespaces; the store is closed, and whole
 *
 * Versions of the new store are new; their order is that of the old ones. Expiry and user flags
 * stay. One thread; with the deterministic scheduler it runs what is due itself. */
#ifndef KVD_STORAGE_SALVAGE_OUTPUT_H
#define KVD_STORAGE_SALVAGE_OUTPUT_H

#include "storage/salvage_labels.h"
#include "storage/salvage_names.h"
#include "storage/salvage_rows.h"
#include "storage/salvage_values.h"

/* Values of one segment that could not be read. */
struct salvage_lost {
    uint64_t segment;
    uint64_t count;
    uint64_t offset; /* of the first */
};

struct salvage_output {
    struct store_options options;  /* of the new store */
    struct store *store;           /* owned; NULL while closed */
    struct salvage_values *values; /* borrowed, as the next three */
    const struct salvage_log *log;
    struct salvage_report *report;
    struct error *error;
    uint64_t found; /* rows that the log gave, where tables are missing */
    struct salvage_names names;
    struct salvage_labels labels;
    struct store_commit *commit; /* owned */
    uint64_t commit_bytes;
    uint32_t commit_ops;
    struct buffer value;
    struct salvage_lost *lost; /* owned; ascending by segment */
    size_t lost_count;
    size_t lost_capacity;
};

struct salvage_output_options {
    const struct store_options *options; /* the old store's; `dir` aside */
    const char *new_dir;
    struct env *env; /* for SALVAGE.tsv */
    struct salvage_values *values;
    const struct salvage_log *log;
    struct salvage_report *report;
};

/* Makes the new store. Errors: those of store_open. */
enum status salvage_output_open(struct salvage_output *output,
                                const struct salvage_output_options *options,
                                struct error *error) MUST_CHECK;

/* Takes a row of the system namespace. Errors: NO_MEMORY. */
enum status salvage_output_name(struct salvage_output *output,
                                const struct salvage_row *row) MUST_CHECK;

/* Stores a row, or says in SALVAGE.tsv why not. Errors: NO_SPACE, NO_MEMORY, IO, BUSY (too many
 * namespaces). */
enum status salvage_output_row(struct salvage_output *output,
                               const struct salvage_row *row) MUST_CHECK;

/* Lists an older version that is not stored. Errors: likewise. */
enum status salvage_output_older(struct salvage_output *output,
                                 const struct salvage_row *row) MUST_CHECK;

/* Commits what is left, sets what the namespaces had set, and closes the store. Errors: likewise.
 */
enum status salvage_output_finish(struct salvage_output *output) MUST_CHECK;

/* After a failure too; a zeroed struct is allowed. */
void salvage_output_deinit(struct salvage_output *output);

#endif
