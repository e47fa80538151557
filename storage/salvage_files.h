/* salvage_files.h: the files of a store that is being salvaged, as its directory has them, and
 * bytes of its segments, as they lie. Nothing here trusts anything, and nothing is written.
 *
 * Owned by one thread. */
#ifndef KVD_STORAGE_SALVAGE_FILES_H
#define KVD_STORAGE_SALVAGE_FILES_H

#include "storage/env.h"
#include "storage/file_name.h"

#define SALVAGE_OPEN_SEGMENTS 16u

struct salvage_file {
    enum file_kind kind; /* table, segment or manifest */
    uint64_t number;
    uint64_t bytes;
};

struct salvage_open_segment {
    struct env_file *file; /* NULL: the place is free */
    uint64_t number;
    uint64_t used; /* when, by count */
};

struct salvage_files {
    struct env *env;           /* borrowed, as `dir` */
    const char *dir;           /* of the old store */
    struct salvage_file *list; /* owned; by kind, then number, ascending */
    size_t count;
    size_t capacity;
    struct salvage_open_segment open[SALVAGE_OPEN_SEGMENTS];
    uint64_t uses;
};

/* Lists the directory. Errors: NOT_FOUND (no directory, or no file of a store in it), IO,
 * NO_MEMORY. */
enum status salvage_files_list(struct salvage_files *files, struct env *env, const char *dir,
                               struct error *error) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_files_deinit(struct salvage_files *files);

/* NULL when it is not there. Borrowed. */
const struct salvage_file *salvage_files_find(const struct salvage_files *files,
                                              enum file_kind kind, uint64_t number);

/* Reads `len` bytes at `offset` of a segment. Errors: NOT_FOUND (no such file), CORRUPT (it ends
 * before), IO, NO_MEMORY. */
enum status salvage_files_read(struct salvage_files *files, uint64_t segment, uint64_t offset,
                               size_t len, uint8_t *out) MUST_CHECK;

#endif
