/* ready_file.h: the file that tells a script that kvd accepts connections, and where: one address a
 * line. It appears whole (written beside, then renamed), or not at all. */
#ifndef KVD_SERVER_READY_FILE_H
#define KVD_SERVER_READY_FILE_H

#include "protocol/base/error.h"
#include "protocol/base/slice.h"

/* Takes away the file of an earlier run, so that nobody is misled. A missing one is no error. */
void ready_file_remove(const char *path);

/* Errors: IO, TOO_LARGE (the path). */
enum status ready_file_write(const char *path, struct slice lines, struct error *error) MUST_CHECK;

#endif
