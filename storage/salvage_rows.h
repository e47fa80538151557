/* salvage_rows.h: chooses what a salvaged store is to hold: of each row the newest state that can
 * be told, from tables and log together.
 *
 *      tables    the newest entry of the row in any of them
 *      log       the newest operation above the flushed version: newer than all tables
 *                older ones only for rows of which table entries may be missing (salvage_gaps.h)
 *      ranges    a range delete hides what is older
 *
 * What a newer entry may have been lost over, or what comes from the log of a time that tables were
 * to tell of, is *unsure*: it may have been deleted or replaced since. One thread. */
#ifndef KVD_STORAGE_SALVAGE_ROWS_H
#define KVD_STORAGE_SALVAGE_ROWS_H

#include "storage/ranges.h"
#include "storage/salvage_gaps.h"
#include "storage/salvage_log.h"
#include "storage/salvage_table.h"

enum salvage_choice {
    SALVAGE_SURE,
    SALVAGE_UNSURE, /* it may have been deleted or replaced since */
    SALVAGE_FOUND,  /* the same, and it is of the log, where tables are missing that told of it */
    SALVAGE_OLDER   /* an older version, found where there are no tables; not to be stored */
};

struct salvage_row {
    struct slice row;
    uint64_t version;
    struct entry entry; /* borrowed, as `row`; no tombstone */
    enum salvage_choice choice;
};

typedef enum status (*salvage_row_cb)(void *arg, const struct salvage_row *row);

struct salvage_rows {
    const struct salvage_table *tables; /* borrowed, as the next three */
    size_t table_count;
    const struct salvage_log *log;
    const struct salvage_gaps *gaps;
    uint64_t flushed_version; /* UINT64_MAX: there are no tables, all is of the log and unsure */
    uint64_t now_ms;          /* what has expired by then is left out */
};

/* Calls back for each row that lives, in row order: those of the system namespace first, range
 * deletes left out. Stops when the callback returns anything but OK. Errors: NO_MEMORY, IO, the
 * callback's. */
enum status salvage_rows_walk(const struct salvage_rows *rows, salvage_row_cb row_cb,
                              void *arg) MUST_CHECK;

#endif
