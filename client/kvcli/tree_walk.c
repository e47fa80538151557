/* tree_walk.c: a sorted walk over a directory tree. See tree_walk.h. */
#include "client/kvcli/tree_walk.h"

#include "protocol/base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND_DIRECTORY 'd'
#define KIND_FILE 'f'

/* --- names of one directory --- */

/* The byte at `index` of a name in path order: a directory's name goes on with '/'. */
static unsigned char path_byte(const char *name, size_t index, size_t len) {
    if (index < len) {
        return (unsigned char)name[1 + index];
    }
    return index == len && name[0] == KIND_DIRECTORY ? '/' : 0;
}

static int compare_names(const void *a, const void *b) {
    const char *left = *(const char *const *)a;
    const char *right = *(const char *const *)b;
    size_t left_len = strlen(left + 1);
    size_t right_len = strlen(right + 1);
    size_t shorter = left_len < right_len ? left_len : right_len;
    int order = memcmp(left + 1, right + 1, shorter);

    return order ? order
                 : path_byte(left, shorter, left_len) - path_byte(right, shorter, right_len);
}

/* 'd', 'f', or 0 for what is left out (and counted). */
static char kind_of(struct tree_walk *walk, int fd, const struct dirent *entry) {
    unsigned char type = entry->d_type;
    struct stat stat;

    if (type == DT_UNKNOWN && fstatat(fd, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0) {
        type = S_ISDIR(stat.st_mode)   ? DT_DIR
               : S_ISREG(stat.st_mode) ? DT_REG
               : S_ISLNK(stat.st_mode) ? DT_LNK
                                       : DT_FIFO;
    }
    switch (type) {
    case DT_DIR:
        return KIND_DIRECTORY;
    case DT_REG:
        return KIND_FILE;
    case DT_LNK:
        walk->links++;
        return 0;
    default:
        walk->others++;
        return 0;
    }
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum status read_names(struct tree_walk *walk, struct tree_level *level, DIR *directory) {
    const struct dirent *entry;
    enum status status = STATUS_OK;

    errno = 0;
    while (status == STATUS_OK && (entry = readdir(directory)) != NULL) {
        char kind = is_dots(entry->d_name) ? 0 : kind_of(walk, level->fd, entry);
        if (kind) {
            status = buffer_append_u8(&level->names, (uint8_t)kind);
        }
        if (kind && status == STATUS_OK) {
            status = buffer_append(&level->names, entry->d_name, strlen(entry->d_name) + 1);
            level->count++;
        }
        errno = 0;
    }
    return status == STATUS_OK && errno != 0 ? STATUS_IO : status;
}

static enum status sort_names(struct tree_level *level) {
    const char *name = (const char *)level->names.data;

    level->sorted = memory_alloc_array(level->count + 1, sizeof *level->sorted);
    if (!level->sorted) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < level->count; i++) {
        level->sorted[i] = name;
        name += strlen(name) + 1;
    }
    qsort(level->sorted, level->count, sizeof *level->sorted, compare_names);
    return STATUS_OK;
}

static enum status fill_level(struct tree_walk *walk, struct tree_level *level) {
    int fd = fcntl(level->fd, F_DUPFD_CLOEXEC, 0); /* closedir closes its own */
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    enum status status;
    int reason;

    if (!directory) {
        reason = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = reason;
        return STATUS_IO;
    }
    status = read_names(walk, level, directory);
    reason = errno;
    closedir(directory);
    errno = reason;
    return status == STATUS_OK ? sort_names(level) : status;
}

/* --- levels --- */

static void leave_level(struct tree_walk *walk) {
    struct tree_level *level = &walk->levels[--walk->depth];

    close(level->fd);
    buffer_deinit(&level->names);
    memory_free((void *)level->sorted);
}

/* Enters the directory `fd`, which is closed on failure too; its path is walk->path[0..path_len).
 */
static enum status enter_level(struct tree_walk *walk, int fd, size_t path_len,
                               struct error *error) {
    struct tree_level *level = &walk->levels[walk->depth++];
    enum status status;

    *level = (struct tree_level){.fd = fd, .path_len = path_len};
    buffer_init(&level->names, TREE_NAMES_BYTES_MAX);
    status = fill_level(walk, level);
    if (status != STATUS_OK) {
        int reason = status == STATUS_IO ? errno : 0;
        leave_level(walk);
        return error_set(error, status, reason, walk->path, ERROR_NO_OFFSET,
                         "reading the directory");
    }
    return STATUS_OK;
}

enum status tree_walk_open(struct tree_walk *walk, const char *root, struct error *error) {
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    walk->depth = 0;
    walk->links = 0;
    walk->others = 0;
    walk->path[0] = 0;
    if (fd < 0) {
        return error_set(error, STATUS_IO, errno, root, ERROR_NO_OFFSET, "opening the directory");
    }
    return enter_level(walk, fd, 0, error);
}

void tree_walk_close(struct tree_walk *walk) {
    while (walk->depth > 0) {
        leave_level(walk);
    }
}

static enum status enter_directory(struct tree_walk *walk, const struct tree_level *level,
                                   const char *name, struct error *error) {
    size_t len = strlen(walk->path);
    int fd;

    if (walk->depth == TREE_DEPTH_MAX || len + 2 > sizeof walk->path) {
        return error_set(error, STATUS_TOO_LARGE, 0, walk->path, ERROR_NO_OFFSET,
                         "the directory lies too deep");
    }
    fd = openat(level->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return error_set(error, STATUS_IO, errno, walk->path, ERROR_NO_OFFSET,
                         "opening the directory");
    }
    memcpy(walk->path + len, "/", 2);
    return enter_level(walk, fd, len + 1, error);
}

enum status tree_walk_next(struct tree_walk *walk, struct tree_file *file_out,
                           struct error *error) {
    while (walk->depth > 0) {
        struct tree_level *level = &walk->levels[walk->depth - 1];
        const char *name;
        size_t len;
        enum status status;
        if (level->next == level->count) {
            leave_level(walk);
            continue;
        }
        name = level->sorted[level->next++];
        len = strlen(name + 1);
        if (level->path_len + len + 1 > sizeof walk->path) {
            return error_set(error, STATUS_TOO_LARGE, 0, name + 1, ERROR_NO_OFFSET,
                             "the path is longer than %d bytes", TREE_PATH_BYTES_MAX - 1);
        }
        memcpy(walk->path + level->path_len, name + 1, len + 1);
        if (name[0] == KIND_FILE) {
            *file_out = (struct tree_file){walk->path, name + 1, level->fd};
            return STATUS_OK;
        }
        status = enter_directory(walk, level, name + 1, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_END;
}

enum status tree_file_open(const struct tree_file *file, int *fd_out, uint64_t *bytes_out,
                           struct error *error) {
    struct stat stat;
    int fd = openat(file->directory_fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return error_set(error, STATUS_IO, errno, file->path, ERROR_NO_OFFSET, "opening");
    }
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return error_set(error, STATUS_IO, 0, file->path, ERROR_NO_OFFSET,
                         "is no longer a regular file");
    }
    *fd_out = fd;
    *bytes_out = (uint64_t)stat.st_size;
    return STATUS_OK;
}
