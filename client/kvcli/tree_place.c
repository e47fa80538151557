/* tree_place.c: files put into a tree. See tree_place.h. */
#include "client/kvcli/tree_place.h"

#include "client/kvcli/tree_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0755
#define FILE_MODE 0644
#define NAME_BYTES_MAX 255u

static bool part_allowed(const uint8_t *part, size_t len) {
    return len > 0 && len <= NAME_BYTES_MAX && !(len == 1 && part[0] == '.') &&
           !(len == 2 && part[0] == '.' && part[1] == '.');
}

bool tree_place_allowed(struct slice path) {
    size_t begin = 0;

    if (path.len == 0 || path.len >= TREE_PATH_BYTES_MAX || memchr(path.ptr, 0, path.len)) {
        return false;
    }
    for (size_t at = 0; at <= path.len; at++) {
        if (at == path.len || path.ptr[at] == '/') {
            if (!part_allowed(path.ptr + begin, at - begin)) {
                return false;
            }
            begin = at + 1;
        }
    }
    return true;
}

/* Opens the directory `name` in `parent_fd`, which it closes unless it is the root; makes it first
 * if need be. Returns -1 with errno. */
static int enter(int root_fd, int parent_fd, const char *name) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent_fd, name, flags);
    int reason;

    if (fd < 0 && errno == ENOENT &&
        (mkdirat(parent_fd, name, DIRECTORY_MODE) == 0 || errno == EEXIST)) {
        fd = openat(parent_fd, name, flags);
    }
    reason = errno;
    if (parent_fd != root_fd) {
        close(parent_fd);
    }
    errno = reason;
    return fd;
}

static enum status fail(struct error *error) {
    return error_set(error, STATUS_IO, errno, NULL, ERROR_NO_OFFSET, "writing the file");
}

enum status tree_place_append(int fd, struct slice content, struct error *error) {
    while (content.len > 0) {
        ssize_t written = write(fd, content.ptr, content.len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fail(error);
        }
        content = slice_make(content.ptr + written, content.len - (size_t)written);
    }
    return STATUS_OK;
}

/* Opens the regular file `name`, empty. Returns -1 with errno. */
static int open_file(int directory_fd, const char *name) {
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    FILE_MODE);
    struct stat stat = {0};
    int reason;

    if (fd < 0 || (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && ftruncate(fd, 0) == 0)) {
        return fd;
    }
    reason = S_ISREG(stat.st_mode) ? errno : EEXIST;
    close(fd);
    errno = reason;
    return -1;
}

enum status tree_place_open(int root_fd, struct slice path, int *fd_out, struct error *error) {
    char text[TREE_PATH_BYTES_MAX];
    char *part = text;
    char *slash;
    int fd = root_fd;
    int reason;

    if (!tree_place_allowed(path)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the key is no path below a directory");
    }
    memcpy(text, path.ptr, path.len);
    text[path.len] = 0;
    while (fd >= 0 && (slash = strchr(part, '/')) != NULL) {
        *slash = 0;
        fd = enter(root_fd, fd, part);
        part = slash + 1;
    }
    *fd_out = fd >= 0 ? open_file(fd, part) : -1;
    reason = errno;
    if (fd >= 0 && fd != root_fd) {
        close(fd);
    }
    errno = reason;
    return *fd_out >= 0 ? STATUS_OK : fail(error);
}

enum status tree_place_close(int fd, struct error *error) {
    return close(fd) == 0 ? STATUS_OK : fail(error);
}

enum status tree_place_write(int root_fd, struct slice path, struct slice content,
                             struct error *error) {
    struct error closing;
    int fd;
    enum status status = tree_place_open(root_fd, path, &fd, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = tree_place_append(fd, content, error);
    if (tree_place_close(fd, &closing) != STATUS_OK && status == STATUS_OK) {
        *error = closing;
        status = STATUS_IO;
    }
    return status;
}
