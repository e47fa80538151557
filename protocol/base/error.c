/* error.c: see error.h. */
#include "protocol/base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *error, enum status status, int os_errno, const char *path,
                      uint64_t offset, const char *format, ...) {
    if (error) {
        va_list args;
        error->status = status;
        error->os_errno = os_errno;
        error->offset = offset;
        snprintf(error->path, sizeof error->path, "%s", path ? path : "");
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return status;
}

int error_format(const struct error *error, char *text_out, int text_bytes_max) {
    char where[ERROR_PATH_MAX + 32] = "";
    char why[96] = "";
    int length;

    if (text_bytes_max <= 0) {
        return 0;
    }
    if (error->path[0] && error->offset != ERROR_NO_OFFSET) {
        snprintf(where, sizeof where, "%s at %" PRIu64 ": ", error->path, error->offset);
    } else if (error->path[0]) {
        snprintf(where, sizeof where, "%s: ", error->path);
    }
    if (error->os_errno) {
        char reason[64];
        snprintf(why, sizeof why, ": %s", strerror_r(error->os_errno, reason, sizeof reason));
    }
    length = snprintf(text_out, (size_t)text_bytes_max, "%s%s%s", where,
                      error->text[0] ? error->text : status_text(error->status), why);
    return length < text_bytes_max ? length : text_bytes_max - 1;
}
