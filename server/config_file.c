/* config_file.c: a small file read whole. */
#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 16384

static enum status fail(struct error *error, const char *path, const char *operation) {
    int os_errno = errno;
    enum status status = STATUS_IO;

    if (os_errno == ENOENT || os_errno == ENOTDIR) {
        status = STATUS_NOT_FOUND;
    } else if (os_errno == EACCES || os_errno == EPERM) {
        status = STATUS_DENIED;
    }
    return error_set(error, status, os_errno, path, ERROR_NO_OFFSET, "%s", operation);
}

static enum status check_regular(int fd, const char *path, struct error *error) {
    struct stat stat;

    if (fstat(fd, &stat) != 0) {
        return fail(error, path, "stat of the configuration");
    }
    if (!S_ISREG(stat.st_mode)) {
        return error_set(error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET,
                         "the configuration is not a regular file");
    }
    return STATUS_OK;
}

/* Reads up to READ_BYTES; END at the end of the file. The limit holds for what is read, not for
 * what the file system says, since the file may grow meanwhile. */
static enum status read_piece(int fd, struct buffer *text, const char *path, struct error *error) {
    uint8_t piece[READ_BYTES];
    enum status status;
    ssize_t len;

    do {
        len = read(fd, piece, sizeof piece);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return fail(error, path, "read the configuration");
    }
    if (len == 0) {
        return STATUS_END;
    }
    status = buffer_append(text, piece, (size_t)len);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, path, ERROR_NO_OFFSET,
                         status == STATUS_TOO_LARGE ? "the configuration is larger than %zu bytes"
                                                    : "no memory for %zu bytes of configuration",
                         text->cap);
    }
    return STATUS_OK;
}

enum status config_file_read(const char *path, struct buffer *text, struct error *error) {
    /* O_NONBLOCK: a pipe must not hold the start before it is refused */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum status status;

    if (fd < 0) {
        return fail(error, path, "open the configuration");
    }
    status = check_regular(fd, path, error);
    while (status == STATUS_OK) {
        status = read_piece(fd, text, path, error);
    }
    close(fd);
    return status == STATUS_END ? STATUS_OK : status;
}
