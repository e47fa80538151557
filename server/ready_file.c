/* ready_file.c: see ready_file.h. */
#include "server/ready_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void ready_file_remove(const char *path) {
    (void)unlink(path); /* what stays is replaced later */
}

static enum status fail(struct error *error, const char *path, const char *operation) {
    return error_set(error, STATUS_IO, errno, path, ERROR_NO_OFFSET, "ready file: %s", operation);
}

static enum status write_lines(int descriptor, const char *path, struct slice lines,
                               struct error *error) {
    ssize_t written;

    do {
        written = write(descriptor, lines.ptr, lines.len);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)lines.len ? STATUS_OK : fail(error, path, "write");
}

enum status ready_file_write(const char *path, struct slice lines, struct error *error) {
    char beside[PATH_MAX];
    int len = snprintf(beside, sizeof beside, "%s.tmp", path);
    int descriptor;
    enum status status;

    if (len < 0 || (size_t)len >= sizeof beside) {
        return error_set(error, STATUS_TOO_LARGE, 0, path, ERROR_NO_OFFSET,
                         "ready file: the path is too long");
    }
    (void)unlink(beside); /* left by a crash */
    descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return fail(error, beside, "create");
    }
    status = write_lines(descriptor, beside, lines, error);
    if (close(descriptor) != 0 && status == STATUS_OK) {
        status = fail(error, beside, "close");
    }
    if (status == STATUS_OK && rename(beside, path) != 0) {
        status = fail(error, path, "rename");
    }
    if (status != STATUS_OK) {
        (void)unlink(beside);
    }
    return status;
}
