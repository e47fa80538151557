/* env_posix_lock.c: see env_posix_lock.h. */
#include "storage/env_posix_lock.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/env_posix_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "LOCK"
#define LOCK_TEXT_MAX 64
#define TIME_TEXT_MAX 32 /* "2026-01-31T23:59:59Z" */

struct env_lock {
    int fd; /* owned; closing it lets go of the lock */
};

static void format_time(time_t seconds, char *text_out) {
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) ||
        strftime(text_out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        text_out[0] = '\0';
    }
}

/* Names the owner that the lock file tells of ("123 2026-01-31T23:59:59Z"); its bytes are not
 * trusted. */
static enum status fail_locked(int fd, const char *path, struct error *error) {
    char text[LOCK_TEXT_MAX] = {0};
    char *since = text;
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    long pid = got > 0 ? strtol(text, &since, 10) : 0;
    size_t since_len = *since == ' ' ? strspn(since + 1, "0123456789TZ:-") : 0;

    if (pid > 0 && since_len > 0) {
        return error_set(error, STATUS_LOCKED, 0, path, ERROR_NO_OFFSET,
                         "in use by pid %ld since %.*s", pid, (int)since_len, since + 1);
    }
    return error_set(error, STATUS_LOCKED, 0, path, ERROR_NO_OFFSET, "in use by another process");
}

/* Best effort: a full disk must not keep a store from opening, and the lock holds without it. */
static void write_owner(int fd) {
    char text[LOCK_TEXT_MAX];
    char since[TIME_TEXT_MAX];
    int len;

    format_time(time(NULL), since);
    len = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), since);
    ASSERT(len > 0 && len < (int)sizeof text);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        return;
    }
}

static enum status take_lock(int fd, const char *path, struct error *error) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* the whole file */
    if (fcntl(fd, F_OFD_SETLK, &range) == 0) {
        write_owner(fd);
        return STATUS_OK;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return fail_locked(fd, path, error);
    }
    return posix_fail(error, path, ERROR_NO_OFFSET, "fcntl(F_OFD_SETLK)");
}

enum status posix_lock_dir(struct env *env, const char *dir, struct env_lock **lock_out,
                           struct error *error) {
    char path[ENV_PATH_MAX];
    struct env_lock *lock;
    enum status status;
    int len = snprintf(path, sizeof path, "%s/%s", dir, LOCK_NAME);

    (void)env;
    if (len < 0 || len >= (int)sizeof path) {
        return error_set(error, STATUS_INVALID, ENAMETOOLONG, dir, ERROR_NO_OFFSET,
                         "the directory's path is too long");
    }
    lock = memory_alloc_zeroed(sizeof *lock);
    if (!lock) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "lock");
    }
    lock->fd = posix_open_fd(path, O_RDWR | O_CREAT);
    if (lock->fd < 0) {
        status = posix_fail(error, path, ERROR_NO_OFFSET, "open");
        memory_free(lock);
        return status;
    }
    status = take_lock(lock->fd, path, error);
    if (status != STATUS_OK) {
        (void)close(lock->fd);
        memory_free(lock);
        return status;
    }
    *lock_out = lock;
    return STATUS_OK;
}

void posix_unlock(struct env *env, struct env_lock *lock) {
    (void)env;
    (void)close(lock->fd); /* the file stays: removing it would race with the next owner */
    memory_free(lock);
}
