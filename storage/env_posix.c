/* env_posix.c: see env_posix.h.
 *
 * The size of an appending file is kept in the struct, and appends go to that offset with pwritev,
 * so no call asks the kernel for it; `size_bytes` is stored (release) after the bytes are written
 * and loaded (acquire) by readers. Each function fills struct error at the call that failed. */
#include "storage/env_posix.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/env_posix_call.h"
#include "storage/env_posix_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BACK_BYTES (UINT64_C(4) * 1024 * 1024)
#define PAGE_BYTES 4096
#define IOVECS_MAX 64 /* a stack array of 1 KiB; longer appends take several calls */

struct posix_env {
    struct env env; /* first */
};

struct posix_file {
    struct env_file file; /* first */
    int fd;               /* owned */
    bool direct;          /* opened ENV_READ_DIRECT; constant */
    bool appendable;      /* made by create; constant */
    /* owned by the appending thread */
    uint64_t written_back_bytes; /* write-back was started up to here */
    /* atomic */
    atomic_uint_fast64_t size_bytes; /* of appendable files; pairs release (append), acquire */
    atomic_bool failed;              /* an append or sync failed; relaxed, sticky */
    char path[];                     /* for errors */
};

static struct posix_file *posix_file_of(struct env_file *file) {
    return (struct posix_file *)file;
}

static enum status fail_file(struct error *error, const struct posix_file *file, uint64_t offset,
                             const char *operation) {
    enum status status = posix_fail(error, file->path, offset, operation);
    if (status == STATUS_NOT_FOUND || status == STATUS_EXISTS || status == STATUS_INVALID) {
        status = STATUS_IO; /* these speak of names, and the file is open */
        if (error) {
            error->status = status;
        }
    }
    return status;
}

static enum status check_path(const char *path, struct error *error) {
    size_t len = strnlen(path, ENV_PATH_MAX);
    if (len == 0 || len >= ENV_PATH_MAX) {
        return error_set(error, STATUS_INVALID, ENAMETOOLONG, path, ERROR_NO_OFFSET,
                         "a path has 1 to %d bytes", ENV_PATH_MAX - 1);
    }
    return STATUS_OK;
}

/* ---- directories ---- */

static enum status sync_dir_path(const char *dir, struct error *error) {
    enum status status = STATUS_OK;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return posix_fail(error, dir, ERROR_NO_OFFSET, "open of the directory");
    }
    if (fsync(fd) != 0) {
        status = posix_fail(error, dir, ERROR_NO_OFFSET, "fsync of the directory");
    }
    (void)close(fd); /* a directory was only read: nothing can be lost here */
    return status;
}

static enum status posix_sync_dir(struct env *env, const char *dir, struct error *error) {
    (void)env;
    return sync_dir_path(dir, error);
}

/* "a/b/c/" -> "a/b", "c" -> ".", "/c" -> "/". parent_out has ENV_PATH_MAX bytes. */
static void parent_of(const char *path, char *parent_out) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    (void)snprintf(parent_out, ENV_PATH_MAX, "%.*s", len > 0 ? (int)len : 1, len > 0 ? path : ".");
}

/* Whether an existing path is a directory itself, not a link to one. */
static enum status check_is_dir(const char *path, struct error *error) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        return posix_fail(error, path, ERROR_NO_OFFSET, "lstat");
    }
    if (!S_ISDIR(info.st_mode)) {
        return error_set(error, STATUS_INVALID, ENOTDIR, path, ERROR_NO_OFFSET,
                         "a directory is wanted here, not a link or a file");
    }
    return STATUS_OK;
}

/* An existing directory may stem from a run that was killed before it synced the parent; so that is
 * tried again, but a parent that this user may not open is not held against it then. */
static enum status posix_make_dir(struct env *env, const char *path, struct error *error) {
    char parent[ENV_PATH_MAX];
    enum status status = check_path(path, error);

    (void)env;
    if (status != STATUS_OK) {
        return status;
    }
    parent_of(path, parent);
    if (mkdir(path, 0700) == 0) {
        return sync_dir_path(parent, error);
    }
    if (errno != EEXIST) {
        return posix_fail(error, path, ERROR_NO_OFFSET, "mkdir");
    }
    status = check_is_dir(path, error);
    if (status == STATUS_OK) {
        struct error detail;
        enum status synced = sync_dir_path(parent, &detail);
        if (synced != STATUS_OK && detail.os_errno != EACCES) {
            if (error) {
                *error = detail;
            }
            status = synced;
        }
    }
    return status;
}

static enum status posix_list(struct env *env, const char *dir, env_list_cb list_cb, void *arg,
                              struct error *error) {
    enum status status = STATUS_OK;
    DIR *stream = opendir(dir);
    int fd;

    (void)env;
    if (!stream) {
        return posix_fail(error, dir, ERROR_NO_OFFSET, "opendir");
    }
    fd = dirfd(stream);
    ASSERT(fd >= 0);
    while (status == STATUS_OK) {
        struct stat info;
        struct dirent *entry;
        errno = 0;
        entry = readdir(stream);
        if (!entry) {
            if (errno != 0) {
                status = posix_fail(error, dir, ERROR_NO_OFFSET, "readdir");
            }
            break;
        }
        if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) { /* else removed just now */
                status = posix_fail(error, dir, ERROR_NO_OFFSET, "fstatat");
            }
        } else if (S_ISREG(info.st_mode)) {
            status = list_cb(arg, entry->d_name, (uint64_t)info.st_size);
        }
    }
    (void)closedir(stream);
    return status;
}

static enum status posix_remove(struct env *env, const char *path, struct error *error) {
    (void)env;
    return unlink(path) == 0 ? STATUS_OK : posix_fail(error, path, ERROR_NO_OFFSET, "unlink");
}

static enum status posix_link(struct env *env, const char *path, const char *new_path,
                              struct error *error) {
    (void)env;
    if (link(path, new_path) == 0) {
        return STATUS_OK;
    }
    if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP) {
        return error_set(error, STATUS_UNSUPPORTED, errno, new_path, ERROR_NO_OFFSET, "link");
    }
    return posix_fail(error, new_path, ERROR_NO_OFFSET, "link");
}

static enum status posix_space(struct env *env, const char *dir, struct env_space *space_out,
                               struct error *error) {
    struct statvfs info;
    (void)env;
    if (statvfs(dir, &info) != 0) {
        return posix_fail(error, dir, ERROR_NO_OFFSET, "statvfs");
    }
    *space_out = (struct env_space){.total_bytes = (uint64_t)info.f_blocks * info.f_frsize,
                                    .free_bytes = (uint64_t)info.f_bavail * info.f_frsize};
    return STATUS_OK;
}

/* ---- opening ---- */

static struct posix_file *file_new(struct env *env, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    struct posix_file *file = memory_alloc_zeroed(sizeof *file + path_bytes);
    if (file) {
        file->file.env = env;
        file->fd = -1;
        memcpy(file->path, path, path_bytes);
    }
    return file;
}

static enum status posix_create(struct env *env, const char *path, struct env_file **file_out,
                                struct error *error) {
    struct posix_file *file;
    enum status status = check_path(path, error);

    if (status != STATUS_OK) {
        return status;
    }
    file = file_new(env, path);
    if (!file) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "create");
    }
    file->appendable = true;
    file->fd = posix_open_fd(path, O_RDWR | O_CREAT | O_EXCL);
    if (file->fd < 0) {
        status = posix_fail(error, path, ERROR_NO_OFFSET, "create");
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

static int open_direct_fd(const char *path) {
    int fd = posix_open_fd(path, O_RDONLY | O_DIRECT);
    if (fd < 0 && errno == EINVAL) {
        fd = posix_open_fd(path, O_RDONLY);
        if (fd >= 0) {
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        }
    }
    return fd;
}

static enum status posix_open(struct env *env, const char *path, enum env_read_mode mode,
                              struct env_file **file_out, struct error *error) {
    struct posix_file *file;
    enum status status = check_path(path, error);

    if (status != STATUS_OK) {
        return status;
    }
    file = file_new(env, path);
    if (!file) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "open");
    }
    file->direct = mode == ENV_READ_DIRECT;
    file->fd = file->direct ? open_direct_fd(path) : posix_open_fd(path, O_RDONLY);
    if (file->fd < 0) {
        status = posix_fail(error, path, ERROR_NO_OFFSET, "open");
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

static enum status posix_file_close(struct env_file *env_file, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    enum status status = STATUS_OK;
    if (close(file->fd) != 0 && errno != EINTR) { /* Linux has closed it even then */
        status = fail_file(error, file, ERROR_NO_OFFSET, "close");
    }
    memory_free(file);
    return status;
}

/* ---- writing ---- */

static enum status refuse_failed(const struct posix_file *file, struct error *error,
                                 const char *operation) {
    return error_set(error, STATUS_IO, 0, file->path, ERROR_NO_OFFSET,
                     "%s refused: an earlier append or sync of this file failed", operation);
}

static bool has_failed(const struct posix_file *file) {
    return atomic_load_explicit(&file->failed, memory_order_relaxed);
}

static void set_failed(struct posix_file *file) {
    atomic_store_explicit(&file->failed, true, memory_order_relaxed);
}

/* Where an append stands among its slices. */
struct write_cursor {
    const struct slice *slices; /* borrowed */
    size_t count;
    size_t index; /* first slice with bytes left */
    size_t done;  /* bytes of it that are written */
};

static int fill_iovecs(const struct write_cursor *cursor, struct iovec *iovecs) {
    int count = 0;
    for (size_t i = cursor->index; i < cursor->count && count < IOVECS_MAX; i++) {
        size_t skip = i == cursor->index ? cursor->done : 0;
        if (cursor->slices[i].len > skip) {
            iovecs[count].iov_base = (void *)(uintptr_t)(cursor->slices[i].ptr + skip);
            iovecs[count].iov_len = cursor->slices[i].len - skip;
            count++;
        }
    }
    return count;
}

static void advance(struct write_cursor *cursor, size_t bytes) {
    while (bytes > 0) {
        size_t left = cursor->slices[cursor->index].len - cursor->done;
        if (bytes < left) {
            cursor->done += bytes;
            return;
        }
        bytes -= left;
        cursor->index++;
        cursor->done = 0;
    }
}

/* Starts the write-back of whole pages; never waits. Its errors show at the next sync. */
static void start_write_back(struct posix_file *file, uint64_t size_bytes) {
    uint64_t end = size_bytes - size_bytes % PAGE_BYTES;
    if (size_bytes - file->written_back_bytes < WRITE_BACK_BYTES) {
        return;
    }
    (void)sync_file_range(file->fd, (off64_t)file->written_back_bytes,
                          (off64_t)(end - file->written_back_bytes), SYNC_FILE_RANGE_WRITE);
    file->written_back_bytes = end;
}

static enum status posix_append(struct env_file *env_file, const struct slice *slices,
                                size_t slice_count, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    struct write_cursor cursor = {.slices = slices, .count = slice_count};
    uint64_t offset = atomic_load_explicit(&file->size_bytes, memory_order_relaxed);
    struct iovec iovecs[IOVECS_MAX];
    int iovec_count;

    ASSERT(file->appendable);
    ASSERT(slice_count >= 1 && slice_count <= ENV_APPEND_SLICES_MAX);
    if (has_failed(file)) {
        return refuse_failed(file, error, "append");
    }
    while ((iovec_count = fill_iovecs(&cursor, iovecs)) > 0) {
        ssize_t wrote = pwritev(file->fd, iovecs, iovec_count, (off_t)offset);
        if (wrote > 0) {
            offset += (uint64_t)wrote;
            advance(&cursor, (size_t)wrote);
        } else if (wrote == 0) {
            errno = EIO; /* no bytes and no reason: never try for ever */
        }
        if (wrote <= 0 && errno != EINTR) {
            enum status status = fail_file(error, file, offset, "pwritev");
            set_failed(file);
            return status;
        }
    }
    atomic_store_explicit(&file->size_bytes, offset, memory_order_release);
    start_write_back(file, offset);
    return STATUS_OK;
}

static enum status posix_preallocate(struct env_file *env_file, uint64_t size_bytes,
                                     struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    int failed;

    ASSERT(file->appendable);
    if (size_bytes == 0) {
        return STATUS_OK; /* the kernel calls that invalid */
    }
    do {
        failed = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size_bytes);
    } while (failed != 0 && errno == EINTR);
    if (failed == 0) {
        return STATUS_OK;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
        return error_set(error, STATUS_UNSUPPORTED, errno, file->path, ERROR_NO_OFFSET,
                         "fallocate");
    }
    return fail_file(error, file, size_bytes, "fallocate");
}

static enum status posix_finish(struct env_file *env_file, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    uint64_t size_bytes = atomic_load_explicit(&file->size_bytes, memory_order_acquire);
    int failed;

    ASSERT(file->appendable);
    if (has_failed(file)) {
        return refuse_failed(file, error, "finish");
    }
    do {
        failed = ftruncate(file->fd, (off_t)size_bytes);
    } while (failed != 0 && errno == EINTR);
    return failed == 0 ? STATUS_OK : fail_file(error, file, size_bytes, "ftruncate");
}

static enum status posix_sync(struct env_file *env_file, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    if (has_failed(file)) {
        return refuse_failed(file, error, "sync");
    }
    if (fdatasync(file->fd) != 0) { /* EINTR too: not known what it has done, so no second try */
        enum status status = fail_file(error, file, ERROR_NO_OFFSET, "fdatasync");
        set_failed(file);
        return status;
    }
    return STATUS_OK;
}

/* ---- reading ---- */

static enum status posix_size(struct env_file *env_file, uint64_t *size_bytes_out,
                              struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    struct stat info;

    if (file->appendable) {
        *size_bytes_out = atomic_load_explicit(&file->size_bytes, memory_order_acquire);
        return STATUS_OK;
    }
    if (fstat(file->fd, &info) != 0) {
        return fail_file(error, file, ERROR_NO_OFFSET, "fstat");
    }
    *size_bytes_out = (uint64_t)info.st_size;
    return STATUS_OK;
}

/* A file system may take O_DIRECT at open and refuse it at the first read. */
static bool leave_direct(const struct posix_file *file) {
    int flags = fcntl(file->fd, F_GETFL);
    if (flags < 0 || !(flags & O_DIRECT) || fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) != 0) {
        return false;
    }
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    return true;
}

/* After an unaligned piece a direct read cannot go on; it must be the file's end then. */
static enum status check_direct_end(struct posix_file *file, uint64_t end, struct error *error) {
    uint64_t size_bytes = 0;
    enum status status = posix_size(&file->file, &size_bytes, error);
    if (status == STATUS_OK && end < size_bytes) {
        return error_set(error, STATUS_IO, EIO, file->path, end, "direct read cut short");
    }
    return status;
}

static enum status posix_read(struct env_file *env_file, uint64_t offset, void *ptr, size_t len,
                              size_t *got_out, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    enum status status = STATUS_OK;
    size_t got = 0;

    if (file->direct) {
        ASSERT(offset % ENV_DIRECT_ALIGN == 0);
        ASSERT(len % ENV_DIRECT_ALIGN == 0);
        ASSERT((uintptr_t)ptr % ENV_DIRECT_ALIGN == 0);
    }
    while (got < len) {
        ssize_t piece = pread(file->fd, (uint8_t *)ptr + got, len - got, (off_t)(offset + got));
        if (piece == 0) {
            break;
        }
        if (piece < 0 && (errno == EINTR || (errno == EINVAL && leave_direct(file)))) {
            continue;
        }
        if (piece < 0) {
            return fail_file(error, file, offset + got, "pread");
        }
        got += (size_t)piece;
        if (file->direct && got % ENV_DIRECT_ALIGN != 0) {
            status = check_direct_end(file, offset + got, error);
            break;
        }
    }
    if (status == STATUS_OK) {
        *got_out = got;
    }
    return status;
}

static enum status posix_read_nowait(struct env_file *env_file, uint64_t offset, void *ptr,
                                     size_t len, struct error *error) {
    struct posix_file *file = posix_file_of(env_file);
    struct iovec iovec = {.iov_base = ptr, .iov_len = len};
    ssize_t got;

    if (file->direct) {
        return STATUS_WOULD_BLOCK;
    }
    do {
        got = preadv2(file->fd, &iovec, 1, (off_t)offset, RWF_NOWAIT);
    } while (got < 0 && errno == EINTR);
    if (got >= 0) {
        return (size_t)got == len ? STATUS_OK : STATUS_WOULD_BLOCK;
    }
    if (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS) {
        return STATUS_WOULD_BLOCK;
    }
    return fail_file(error, file, offset, "preadv2");
}

/* ---- clocks ---- */

static uint64_t clock_ns(clockid_t id) {
    struct timespec now;
    int failed = clock_gettime(id, &now);
    ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t posix_wall_clock_ms(struct env *env) {
    (void)env;
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

static uint64_t posix_monotonic_ns(struct env *env) {
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- the environment ---- */

enum status env_posix_create(struct env **env_out) {
    static const struct env_ops ops = {.make_dir = posix_make_dir,
                                       .lock_dir = posix_lock_dir,
                                       .unlock = posix_unlock,
                                       .create = posix_create,
                                       .open = posix_open,
                                       .append = posix_append,
                                       .preallocate = posix_preallocate,
                                       .finish = posix_finish,
                                       .read = posix_read,
                                       .read_nowait = posix_read_nowait,
                                       .sync = posix_sync,
                                       .size = posix_size,
                                       .file_close = posix_file_close,
                                       .sync_dir = posix_sync_dir,
                                       .list = posix_list,
                                       .remove = posix_remove,
                                       .link = posix_link,
                                       .space = posix_space,
                                       .wall_clock_ms = posix_wall_clock_ms,
                                       .monotonic_ns = posix_monotonic_ns};
    struct posix_env *env = memory_alloc_zeroed(sizeof *env);
    if (!env) {
        return STATUS_NO_MEMORY;
    }
    env->env.ops = &ops;
    env->env.abilities = ENV_CAN_PREALLOCATE | ENV_CAN_READ_NOWAIT | ENV_CAN_LINK;
    *env_out = &env->env;
    return STATUS_OK;
}

void env_posix_destroy(struct env *env) {
    memory_free(env);
}
