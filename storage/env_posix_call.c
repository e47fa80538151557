/* env_posix_call.c: see env_posix_call.h. */
#include "storage/env_posix_call.h"

#include <errno.h>
#include <fcntl.h>

static enum status status_of_errno(int os_errno) {
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_NO_SPACE;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case EEXIST:
        return STATUS_EXISTS;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case ELOOP:
        return STATUS_INVALID; /* O_NOFOLLOW met a symbolic link */
    default:
        return STATUS_IO;
    }
}

enum status posix_fail(struct error *error, const char *path, uint64_t offset,
                       const char *operation) {
    int os_errno = errno;
    return error_set(error, status_of_errno(os_errno), os_errno, path, offset, "%s", operation);
}

int posix_open_fd(const char *path, int flags) {
    int fd;
    do {
        fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}
