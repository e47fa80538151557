/* backup_file.c: see backup_file.h. */
#include "client/kvcli/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 10
/* Of the part: nobody is waited for, and no link followed. */
#define PART_FLAGS (O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define FILE_MODE 0600 /* a backup has everything that the server guards */

/* --- writing --- */

static enum status failed(const char *path, const char *what, struct error *error) {
    return error_set(error, STATUS_IO, errno, path, ERROR_NO_OFFSET, "%s", what);
}

static const char *kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    case S_IFLNK:
        return "a symbolic link";
    default:
        return "a device";
    }
}

/* What is no regular file is never written to, let alone replaced. */
static enum status fail_kind(const char *path, mode_t mode, struct error *error) {
    return error_set(error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET,
                     S_ISDIR(mode) ? "is %s: name a file in it"
                                   : "is %s, not a file: name a file, or write to standard output "
                                     "with '-'",
                     kind_of(mode));
}

static enum status check_part(const struct backup_target *target, struct error *error) {
    struct stat about;

    if (fstat(target->fd, &about) != 0) {
        return failed(target->part, "looking at it", error);
    }
    return S_ISREG(about.st_mode) ? STATUS_OK : fail_kind(target->part, about.st_mode, error);
}

static enum status lock_part(const struct backup_target *target, struct error *error) {
    if (flock(target->fd, LOCK_EX | LOCK_NB) == 0) {
        return STATUS_OK;
    }
    return errno == EWOULDBLOCK ? error_set(error, STATUS_BUSY, 0, target->part, ERROR_NO_OFFSET,
                                            "another kvcli is writing this backup")
                                : failed(target->part, "locking", error);
}

/* Whether the name is that of the open file still: another kvcli that had it open, and locked, may
 * have given it its name, or removed it, before it was locked here. */
static bool is_there_still(const struct backup_target *target) {
    struct stat opened;
    struct stat named;

    return fstat(target->fd, &opened) == 0 && stat(target->part, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* The part that an earlier kvcli left is written anew; that one must not be at it still. */
static enum status open_part(struct backup_target *target, struct error *error) {
    enum status status = STATUS_OK;

    for (int i = 0; i < OPEN_TRIES && status == STATUS_OK; i++) {
        target->fd = open(target->part, PART_FLAGS, FILE_MODE);
        if (target->fd < 0) {
            return failed(target->part, "creating", error);
        }
        status = check_part(target, error);
        status = status == STATUS_OK ? lock_part(target, error) : status;
        if (status == STATUS_OK && is_there_still(target)) {
            status = ftruncate(target->fd, 0) == 0 ? STATUS_OK
                                                   : failed(target->part, "truncating", error);
            if (status == STATUS_OK) {
                return status;
            }
        }
        close(target->fd);
    }
    return status == STATUS_OK ? error_set(error, STATUS_BUSY, 0, target->part, ERROR_NO_OFFSET,
                                           "others keep writing this backup")
                               : status;
}

static enum status fail_there(const char *path, struct error *error) {
    return error_set(error, STATUS_EXISTS, 0, path, ERROR_NO_OFFSET,
                     "is there already; --force replaces it when the new one is whole");
}

/* Where a symbolic link leads: that file is replaced, and the link stays. */
static enum status follow(struct backup_target *target, struct error *error) {
    char real[PATH_MAX];

    if (!realpath(target->path, real)) {
        return errno == ENOENT
                   ? error_set(error, STATUS_INVALID, 0, target->path, ERROR_NO_OFFSET,
                               "is a symbolic link to nothing: remove it, or name the file itself")
                   : failed(target->path, "following the symbolic link", error);
    }
    memcpy(target->path, real, sizeof real);
    return STATUS_OK;
}

enum status backup_target_choose(struct backup_target *target, const char *path, bool replace,
                                 struct error *error) {
    struct stat about;
    bool there;
    enum status status = STATUS_OK;

    *target = (struct backup_target){.fd = STDOUT_FILENO, .replace = replace};
    if (strcmp(path, "-") == 0) {
        target->standard = true;
        return STATUS_OK;
    }
    if (snprintf(target->path, sizeof target->path, "%s", path) >= (int)sizeof target->path) {
        return error_set(error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET, "the name is too long");
    }
    there = stat(path, &about) == 0;
    if (there && !S_ISREG(about.st_mode)) {
        return fail_kind(path, about.st_mode, error);
    }
    if (there && !replace) {
        return fail_there(path, error);
    }
    if (lstat(path, &about) == 0 && S_ISLNK(about.st_mode)) {
        status = follow(target, error);
    }
    snprintf(target->part, sizeof target->part, "%s.part", target->path);
    return status;
}

enum status backup_target_open(struct backup_target *target, struct error *error) {
    return target->standard ? STATUS_OK : open_part(target, error);
}

static enum status write_to(void *arg, struct slice bytes, struct error *error) {
    struct backup_target *target = arg;

    while (bytes.len > 0) {
        ssize_t done = write(target->fd, bytes.ptr, bytes.len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return failed(target->standard ? "standard output" : target->path, "writing", error);
        }
        bytes = slice_make(bytes.ptr + done, bytes.len - (size_t)done);
    }
    return STATUS_OK;
}

struct backup_sink backup_target_sink(struct backup_target *target) {
    return (struct backup_sink){write_to, target};
}

/* So that the new name is on the disk too. */
static enum status sync_folder(const struct backup_target *target, struct error *error) {
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(target->path, '/');
    size_t len = slash ? (size_t)(slash - target->path) : 0;
    int fd;
    bool good;

    if (slash) {
        memcpy(folder, target->path, len ? len : 1);
        folder[len ? len : 1] = '\0';
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed(folder, "opening", error);
    }
    good = fsync(fd) == 0 || errno == EINVAL; /* a file system that knows no such thing */
    if (!good) {
        (void)failed(folder, "syncing", error);
    }
    close(fd);
    return good ? STATUS_OK : STATUS_IO;
}

static enum status give_name(const struct backup_target *target, struct error *error) {
    unsigned flags = target->replace ? 0 : RENAME_NOREPLACE;
    struct stat about;
    int result;

    if (lstat(target->path, &about) == 0 && !S_ISREG(about.st_mode)) { /* come meanwhile */
        return fail_kind(target->path, about.st_mode, error);
    }
    result = renameat2(AT_FDCWD, target->part, AT_FDCWD, target->path, flags);

    if (result != 0 && flags != 0 && errno == EINVAL) { /* a file system that knows no such thing */
        result = rename(target->part, target->path);
    }
    if (result == 0) {
        return STATUS_OK;
    }
    return errno == EEXIST ? fail_there(target->path, error)
                           : failed(target->path, "renaming the finished file", error);
}

enum status backup_target_commit(struct backup_target *target, struct error *error) {
    enum status status = STATUS_OK;

    if (target->standard) {
        return STATUS_OK;
    }
    if (fsync(target->fd) != 0) {
        status = failed(target->path, "bringing to the disk", error);
    }
    if (status == STATUS_OK) {
        status = give_name(target, error);
    }
    if (status != STATUS_OK) {
        backup_target_discard(target);
        return status;
    }
    close(target->fd); /* synced before: nothing can be lost any more */
    return sync_folder(target, error);
}

void backup_target_discard(struct backup_target *target) {
    if (target->standard) {
        return;
    }
    (void)unlink(target->part); /* while it is locked still */
    close(target->fd);
}

/* --- reading --- */

enum status backup_input_open(struct backup_input *input, const char *path, struct error *error) {
    bool standard = strcmp(path, "-") == 0;
    struct stat about;

    *input = (struct backup_input){.name = standard ? "standard input" : path,
                                   .size = BACKUP_SIZE_UNKNOWN};
    input->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) {
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, path,
                         ERROR_NO_OFFSET, "opening");
    }
    if (fstat(input->fd, &about) == 0 && S_ISREG(about.st_mode) && !standard) {
        input->size = (uint64_t)about.st_size;
    }
    return STATUS_OK;
}

void backup_input_close(struct backup_input *input) {
    if (input->fd != STDIN_FILENO) {
        close(input->fd);
    }
}

static enum status read_from(void *arg, uint64_t offset, void *data, size_t len, size_t *got_out,
                             struct error *error) {
    const struct backup_input *input = arg;
    size_t done = 0;
    ssize_t got = 1;

    while (done < len && got != 0) {
        uint8_t *at = (uint8_t *)data + done;
        got = input->size == BACKUP_SIZE_UNKNOWN
                  ? read(input->fd, at, len - done)
                  : pread(input->fd, at, len - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR) {
            return error_set(error, STATUS_IO, errno, input->name, offset + done, "reading");
        }
        done += got > 0 ? (size_t)got : 0;
    }
    *got_out = done;
    return STATUS_OK;
}

struct backup_source backup_input_source(struct backup_input *input) {
    return (struct backup_source){read_from, input, input->name, input->size};
}
