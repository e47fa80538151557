/* log.h: the log of the server: leveled lines to standard error or a file.
 *
 * There is no global logger: a `struct log *` is passed to whoever has something to say. A line is
 * made on the stack and leaves in one write(2) on a descriptor opened for appending, so lines of
 * several threads do not mix and writing allocates nothing and takes no lock. A line that cannot be
 * written is counted and dropped: a full disk must not stop the server.
 *
 * The log owns its descriptor (standard error is duplicated). Reopening replaces the file behind
 * the same descriptor in one step (dup3), so a thread that writes meanwhile uses the old file or
 * the new one, never a closed one.
 *
 * Threads: all functions from any thread, except that log_reopen is called by one thread at a time
 * and log_close when nobody else uses the log any more. */
#ifndef KVD_SERVER_LOG_H
#define KVD_SERVER_LOG_H

#include "protocol/base/error.h"
#include "protocol/base/status.h"
#include "server/log_line.h"

#include <stdatomic.h>

struct log_options {
    const char *path; /* created with mode 0600; NULL or "": standard error */
    enum log_level level;
    enum log_format format;
};

struct log;

/* Errors: IO, DENIED (a symbolic link, or no right; path and errno in the detail), INVALID (not a
 * regular file, pipe or terminal), NO_MEMORY. */
enum status log_open(const struct log_options *options, struct log **log_out,
                     struct error *error) MUST_CHECK;

/* Closes and frees; NULL is allowed. */
void log_close(struct log *log);

/* Opens `path` (perhaps another than before; NULL or "": standard error) and writes there from now
 * on. On an error the log goes on as it was. Errors as log_open. */
enum status log_reopen(struct log *log, const char *path, struct error *error) MUST_CHECK;

/* Takes effect with the next line of any thread. */
void log_set_level(struct log *log, enum log_level level);
void log_set_format(struct log *log, enum log_format format);

/* Whether a line of this level would be written: for callers that must work to make its fields. */
bool log_enabled(const struct log *log, enum log_level level);

/* Writes one line, if the level is enabled. `log` may be NULL: nothing happens. */
void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t field_count);

static inline void log_debug(struct log *log, const char *message, const struct log_field *fields,
                             size_t field_count) {
    log_write(log, LOG_LEVEL_DEBUG, message, fields, field_count);
}

static inline void log_info(struct log *log, const char *message, const struct log_field *fields,
                            size_t field_count) {
    log_write(log, LOG_LEVEL_INFO, message, fields, field_count);
}

static inline void log_warn(struct log *log, const char *message, const struct log_field *fields,
                            size_t field_count) {
    log_write(log, LOG_LEVEL_WARN, message, fields, field_count);
}

static inline void log_error(struct log *log, const char *message, const struct log_field *fields,
                             size_t field_count) {
    log_write(log, LOG_LEVEL_ERROR, message, fields, field_count);
}

/* Lines that could not be written so far. */
uint64_t log_dropped(const struct log *log);

/* Keeps an event that repeats from filling the log. Zeroed: nothing written yet. */
struct log_limit {
    atomic_uint_fast64_t next_ms;    /* atomic, relaxed: no line before this time */
    atomic_uint_fast64_t suppressed; /* atomic, relaxed: lines left out since the last one */
};

/* Whether the line is to be written now (at most one in `interval_ms`); then *suppressed_out says
 * how many were left out before it. `now_ms` is any clock that starts above 0. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint64_t interval_ms,
                    uint64_t *suppressed_out);

#endif
