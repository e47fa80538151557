/* tree_walk.h: the regular files of a directory tree, in the bytewise order of their paths.
 *
 * The order is that of the whole relative path ("a.c" before "a/b", since '.' is below '/'), which
 * is the order of keys in the store: so a tree and a scan can be compared side by side. Symbolic
 * links are never followed; they, and whatever else is no regular file, are counted and left out.
 * Memory: the names of the directories on the way down. One thread. */
#ifndef KVCLI_TREE_WALK_H
#define KVCLI_TREE_WALK_H

#include "protocol/base/buffer.h"
#include "protocol/base/error.h"

#define TREE_DEPTH_MAX 128
#define TREE_PATH_BYTES_MAX 4096
#define TREE_NAMES_BYTES_MAX ((size_t)256 << 20) /* of one directory */

struct tree_level {
    int fd;              /* owned */
    struct buffer names; /* for each: 'd' or 'f', name, NUL */
    const char **sorted; /* owned; point into names */
    size_t count;
    size_t next;
    size_t path_len; /* of the path of this directory with its '/' */
};

struct tree_walk {
    struct tree_level levels[TREE_DEPTH_MAX];
    int depth; /* levels in use */
    char path[TREE_PATH_BYTES_MAX];
    uint64_t links;  /* symbolic links left out */
    uint64_t others; /* devices, sockets, pipes left out */
};

struct tree_file {
    const char *path; /* relative to the root; borrowed until the next call */
    const char *name; /* its last part */
    int directory_fd; /* borrowed likewise */
};

/* Errors: IO, NO_MEMORY. deinit is due in any case. */
enum status tree_walk_open(struct tree_walk *walk, const char *root,
                           struct error *error) MUST_CHECK;
void tree_walk_close(struct tree_walk *walk);

/* The next file. Errors: END; IO, TOO_LARGE (depth, path), NO_MEMORY for a directory that cannot be
 * walked: the next call goes on behind it. */
enum status tree_walk_next(struct tree_walk *walk, struct tree_file *file_out,
                           struct error *error) MUST_CHECK;

/* Opens the file for reading, if it is still a regular one, and tells its length. Errors: IO. */
enum status tree_file_open(const struct tree_file *file, int *fd_out, uint64_t *bytes_out,
                           struct error *error) MUST_CHECK;

#endif
