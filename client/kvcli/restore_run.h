/* restore_run.h: brings a backup, and those that continue it, into a running server.
 *
 * Each file is read from its start to its end, and its writes are pipelined; memory is bounded by
 * the windows of write_stream and one value of value_max. One thread. */
#ifndef KVCLI_RESTORE_RUN_H
#define KVCLI_RESTORE_RUN_H

#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_reader.h"
#include "client/kvcli/progress.h"
#include "client/kvcli/restore_space.h"

struct restore_run {
    struct cli *cli;              /* borrowed; connected */
    struct restore_totals totals; /* of all files */
    struct backup_header header;  /* of the file read last */
    uint64_t namespaces;
    struct buffer before; /* owned: struct backup_space of the file before, in order */
    struct buffer spaces; /* owned: of this one, so far */
    struct progress progress;
    int code; /* of a failure that was printed */
};

/* Restores the files, in this order. Returns the exit code; failures are printed. */
int restore_run(struct restore_run *run, char *const *paths, int count);

#endif
