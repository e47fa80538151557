/* log.c: the log of the server: leveled lines to standard error or a file. */
#include "server/log.h"

#include "protocol/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct log {
    int fd;                       /* owned, constant; what stands behind it changes by dup3 */
    atomic_int level;             /* atomic, relaxed */
    atomic_int format;            /* atomic, relaxed */
    atomic_uint_fast64_t dropped; /* atomic, relaxed */
};

static enum status status_of_errno(int os_errno) {
    switch (os_errno) {
    case EACCES:
    case EPERM:
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
        return STATUS_DENIED;
    default:
        return STATUS_IO;
    }
}

static enum status fail(struct error *error, const char *path, const char *operation) {
    int os_errno = errno;

    return error_set(error, status_of_errno(os_errno), os_errno, path, ERROR_NO_OFFSET, "%s",
                     operation);
}

/* A log goes where bytes can be appended; a directory, device or socket is a mistake. */
static enum status check_kind(int fd, const char *path, struct error *error) {
    struct stat stat;

    if (fstat(fd, &stat) != 0) {
        return fail(error, path, "stat of the log file");
    }
    if (!S_ISREG(stat.st_mode) && !S_ISFIFO(stat.st_mode) && !S_ISCHR(stat.st_mode)) {
        return error_set(error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET,
                         "not a file that a log can be appended to");
    }
    return STATUS_OK;
}

static enum status open_path(const char *path, int *fd_out, struct error *error) {
    enum status status;
    int fd;

    if (!path || !path[0]) {
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            return fail(error, "standard error", "duplicate");
        }
        *fd_out = fd;
        return STATUS_OK;
    }
    /* without O_NONBLOCK a pipe that nobody reads would hold the start for ever */
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
              0600);
    if (fd < 0) {
        return fail(error, path, "open the log file");
    }
    status = check_kind(fd, path, error);
    if (status != STATUS_OK) {
        close(fd);
        return status;
    }
    *fd_out = fd;
    return STATUS_OK;
}

enum status log_open(const struct log_options *options, struct log **log_out, struct error *error) {
    struct log *log = memory_alloc_zeroed(sizeof *log);
    enum status status;

    if (!log) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "open the log");
    }
    status = open_path(options->path, &log->fd, error);
    if (status != STATUS_OK) {
        memory_free(log);
        return status;
    }
    log_set_level(log, options->level);
    log_set_format(log, options->format);
    *log_out = log;
    return STATUS_OK;
}

void log_close(struct log *log) {
    if (log) {
        close(log->fd);
        memory_free(log);
    }
}

enum status log_reopen(struct log *log, const char *path, struct error *error) {
    int fd = -1;
    enum status status = open_path(path, &fd, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (dup3(fd, log->fd, O_CLOEXEC) < 0) {
        status = fail(error, path, "replace the log file");
    }
    close(fd);
    return status;
}

void log_set_level(struct log *log, enum log_level level) {
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

void log_set_format(struct log *log, enum log_format format) {
    atomic_store_explicit(&log->format, (int)format, memory_order_relaxed);
}

bool log_enabled(const struct log *log, enum log_level level) {
    return log && (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

uint64_t log_dropped(const struct log *log) {
    return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}

static uint64_t wall_clock_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* One write; a short one (a disk just full) is not continued, since another line may stand behind
 * it by then. errno is kept, so that logging may stand between a failure and its report. */
static void write_line(struct log *log, const char *line, size_t len) {
    int saved_errno = errno;
    ssize_t written;

    do {
        written = write(log->fd, line, len);
    } while (written < 0 && errno == EINTR);
    if (written != (ssize_t)len) {
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
    }
    errno = saved_errno;
}

void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t field_count) {
    struct log_event event = {0, level, message, fields, field_count};
    char line[LOG_LINE_BYTES_MAX];
    enum log_format format;

    if (!log_enabled(log, level)) {
        return;
    }
    event.time_ms = wall_clock_ms();
    format = (enum log_format)atomic_load_explicit(&log->format, memory_order_relaxed);
    write_line(log, line, log_line_write(&event, format, line));
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint64_t interval_ms,
                    uint64_t *suppressed_out) {
    uint64_t next_ms = atomic_load_explicit(&limit->next_ms, memory_order_relaxed);

    /* of several threads that come at the same time, one wins the exchange and writes */
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong_explicit(&limit->next_ms, &next_ms, now_ms + interval_ms,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
        return false;
    }
    *suppressed_out = atomic_exchange_explicit(&limit->suppressed, 0, memory_order_relaxed);
    return true;
}
