/* error.h: the detail of a failure, filled once, where it happened.
 *
 * Functions that touch a file or take input from people accept a `struct error *` (may be NULL) as
 * their last parameter; it says which operation failed on what, so that the message at the top can
 * name them. It is plain memory of the caller; no allocation. */
#ifndef KVD_BASE_ERROR_H
#define KVD_BASE_ERROR_H

#include "protocol/base/status.h"

#include <stdint.h>

#define ERROR_PATH_MAX 256
#define ERROR_TEXT_MAX 256
#define ERROR_NO_OFFSET UINT64_MAX

struct error {
    enum status status;        /* what the failing function returned */
    int os_errno;              /* errno of the operating system, or 0 */
    uint64_t offset;           /* byte offset in `path`, or ERROR_NO_OFFSET */
    char path[ERROR_PATH_MAX]; /* file or object concerned, cut if longer; may be empty */
    char text[ERROR_TEXT_MAX]; /* operation and reason, such as "fdatasync" */
};

/* Fills *error (when not NULL) and returns `status`, so that a caller may `return error_set(...)`.
 * `path` may be NULL; `format` is printf's. */
enum status error_set(struct error *error, enum status status, int os_errno, const char *path,
                      uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Writes one line for people: "segment 12.log at 4096: checksum differs (No space left...)".
 * Always ends it with NUL; returns the length written without it. */
int error_format(const struct error *error, char *text_out, int text_bytes_max);

#endif
