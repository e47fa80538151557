/* backup_run.h: makes a backup of a running server: a snapshot, read namespace by namespace, while
 * writes go on. */
#ifndef KVCLI_BACKUP_RUN_H
#define KVCLI_BACKUP_RUN_H

#include "client/kvcli/backup_before.h"
#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_writer.h"
#include "client/kvcli/cli.h"
#include "client/kvcli/progress.h"

struct backup_run {
    struct cli *cli;                    /* borrowed; connected: the snapshot belongs to it */
    const char *path;                   /* a file, or "-" */
    struct backup_target target;        /* chosen: what it stands for */
    const struct backup_before *before; /* borrowed; NULL: complete */
    uint64_t since;                     /* its version; 0: complete */
    uint64_t hold_ms;                   /* the snapshot stays so long; 0: it is closed at the end */
    struct kvd_snapshot snapshot;
    struct buffer spaces; /* owned: struct backup_space, in order */
    uint64_t new_spaces;  /* of them */
    const char *space;    /* borrowed: the one at hand */
    struct backup_writer *writer;
    struct backup_end end; /* totals, when done */
    uint64_t file_bytes;
    uint64_t done; /* keys so far */
    uint64_t bytes;
    uint64_t ping_ns; /* when the snapshot's connection was last used */
    struct progress progress;
    int code; /* of a failure that was printed */
};

/* Makes it. Returns the exit code; failures are printed, and leave no file. */
int backup_run(struct backup_run *run);

/* For those that read entries: writes one that the server sent, whose value is there or, when it is
 * left out, is read from `db`. False after a failure, which was printed. */
bool backup_run_value(struct backup_run *run, struct kvd *db, const struct kvd_entry *entry);

/* The same for a deletion. */
bool backup_run_deletion(struct backup_run *run, struct kvd_bytes key);

/* Prints a failure, and remembers it. Return false. */
bool backup_run_fail(struct backup_run *run, const struct error *error);
bool backup_run_fail_call(struct backup_run *run, struct kvd *db, struct kvd_bytes key,
                          enum kvd_status status);

/* The state of `since` is not kept in the namespace at hand. */
bool backup_run_fail_gone(struct backup_run *run);

/* What differs from the state of `since` in the namespace of the two connections
 * (backup_changes.c). False after a failure, which was printed. */
bool backup_run_changes(struct backup_run *run, struct kvd *db, struct kvd *values);

#endif
