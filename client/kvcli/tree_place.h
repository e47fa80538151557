/* tree_place.h: files put into a directory tree, whose paths come from elsewhere.
 *
 * A path is taken only if it stays below the root whatever it says: not empty, not absolute, no
 * empty part, no "." or "..", no NUL; and no symbolic link is followed on the way or at its end.
 * Directories are made with 0755, files with 0644 (less the umask); a file that is there is
 * replaced by its content, not by its name. */
#ifndef KVCLI_TREE_PLACE_H
#define KVCLI_TREE_PLACE_H

#include "protocol/base/error.h"
#include "protocol/base/slice.h"

/* Whether the path may be placed at all. */
bool tree_place_allowed(struct slice path);

/* Writes the file. Errors: INVALID (a path that is not allowed), IO. */
enum status tree_place_write(int root_fd, struct slice path, struct slice content,
                             struct error *error) MUST_CHECK;

/* The same in pieces: opens the file, empty. Errors: as above. */
enum status tree_place_open(int root_fd, struct slice path, int *fd_out,
                            struct error *error) MUST_CHECK;

/* Errors: IO. */
enum status tree_place_append(int fd, struct slice content, struct error *error) MUST_CHECK;

/* Errors: IO; the file is closed in any case. */
enum status tree_place_close(int fd, struct error *error) MUST_CHECK;

#endif
