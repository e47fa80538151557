/* direct_file.h: reads a file past the page cache, through one window.
 *
 *      file:     |........|=================|..........|
 *                         window_offset     + window_bytes
 *
 * What recovery reads with (rule R1): bytes come from the medium, in aligned pieces; a run of small
 * reads in ascending order costs one big one. The window is kept between files. Whoever reads what
 * this process wrote and synced sets `cached` before opening, and reads through the page cache.
 * Owned by one thread at a time. */
#ifndef KVD_STORAGE_DIRECT_FILE_H
#define KVD_STORAGE_DIRECT_FILE_H

#include "storage/env.h"

#define DIRECT_WINDOW_BYTES (256u * 1024) /* of reads in a row; large enough for full speed */
#define DIRECT_JUMP_BYTES (16u * 1024)    /* after a jump: perhaps only this piece is wanted */

struct direct_file {
    struct env_file *file; /* owned; NULL while closed */
    bool cached;           /* through the page cache after all; zeroed: past it */
    uint64_t size_bytes;
    uint8_t *window; /* owned; aligned */
    size_t window_capacity;
    uint64_t window_offset; /* in the file; aligned */
    size_t window_bytes;    /* valid in the window */
    char path[ENV_PATH_MAX];
};

/* Opens `path` in a zeroed struct, or in one closed before, whose window is used again. Errors:
 * NOT_FOUND, IO, NO_MEMORY, INVALID (path too long). */
enum status direct_file_open(struct direct_file *direct, struct env *env, const char *path,
                             struct error *error) MUST_CHECK;

/* Closes the file and keeps the window. Nothing is done when it is closed. */
void direct_file_close(struct direct_file *direct);

/* Closes, and frees the window. A zeroed struct is allowed. */
void direct_file_deinit(struct direct_file *direct);

/* The `len` bytes at `offset`, valid until the next call. Errors: END when the file is shorter, IO,
 * NO_MEMORY. */
enum status direct_file_get(struct direct_file *direct, uint64_t offset, size_t len,
                            struct slice *bytes_out, struct error *error) MUST_CHECK;

#endif
