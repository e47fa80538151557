/* backup_file.h: backups on the disk and in pipes: written so that a name stands for a whole file,
 * and read. */
#ifndef KVCLI_BACKUP_FILE_H
#define KVCLI_BACKUP_FILE_H

#include "client/kvcli/backup_block.h"

#include <limits.h>

/* A file that is being written, as FILE.part until it is whole. */
struct backup_target {
    int fd;        /* owned once it is open, unless `standard` */
    bool standard; /* standard output: "-" */
    bool replace;  /* a file of that name goes when this one is whole */
    char path[PATH_MAX];
    char part[PATH_MAX + 8];
};

/* Finds out where it goes; nothing is opened or made. A file that is there already is refused
 * unless `replace`, and whatever is there and no regular file. A symbolic link to a file stands for
 * that file. Errors: EXISTS, INVALID, IO, with *error. */
enum status backup_target_choose(struct backup_target *target, const char *path, bool replace,
                                 struct error *error) MUST_CHECK;

/* Opens what was chosen. A part that another kvcli is writing is refused. Errors: BUSY, IO, INVALID
 * (the part is no regular file), with *error. */
enum status backup_target_open(struct backup_target *target, struct error *error) MUST_CHECK;

/* Where a writer writes; valid as long as the target. Errors of it: IO. */
struct backup_sink backup_target_sink(struct backup_target *target);

/* Brings it to the disk and gives it its name. The target is closed in any case. Errors: IO; EXISTS
 * (without `replace`: a file of that name has come meanwhile); INVALID (what has come is none). */
enum status backup_target_commit(struct backup_target *target, struct error *error) MUST_CHECK;

/* Removes what was written. */
void backup_target_discard(struct backup_target *target);

/* A file or, "-", standard input, that is read. */
struct backup_input {
    int fd; /* owned, unless it is standard input */
    const char *name;
    uint64_t size; /* BACKUP_SIZE_UNKNOWN for a pipe */
};

/* Errors: NOT_FOUND, IO, with *error. */
enum status backup_input_open(struct backup_input *input, const char *path,
                              struct error *error) MUST_CHECK;
void backup_input_close(struct backup_input *input);
struct backup_source backup_input_source(struct backup_input *input);

#endif
