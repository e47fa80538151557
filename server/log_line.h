/* log_line.h: one event as one line, in text or JSON. Pure: no clock, no file, no allocation.
 *
 *     2026-11-22T20:30:00.123Z info listening address=127.0.0.1:7450
 *     {"time":"2026-11-22T20:30:00.123Z","level":"info","message":"listening","address":"..."}
 *
 * A value in text is quoted where it is empty or holds a space, a quote, '=' or a control
 * character; control characters are escaped in both forms, and so are bytes that are not UTF-8, so
 * that a line is always one line and a client cannot forge another. A field that does not fit is
 * left out whole and the line says cut=true: JSON stays JSON. */
#ifndef KVD_SERVER_LOG_LINE_H
#define KVD_SERVER_LOG_LINE_H

#include "protocol/base/error.h"
#include "protocol/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With its newline. PIPE_BUF, so that lines of several writers do not mix in a pipe either. */
#define LOG_LINE_BYTES_MAX 4096

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_field_kind {
    LOG_FIELD_TEXT,
    LOG_FIELD_BYTES,
    LOG_FIELD_NUMBER,
    LOG_FIELD_SIGNED,
    LOG_FIELD_REAL,
    LOG_FIELD_BOOL,
    LOG_FIELD_ERROR
};

/* A name and a value; what it points to is borrowed during the call that takes it. Made by the
 * functions below. */
struct log_field {
    const char *name; /* letters, digits, '_' */
    enum log_field_kind kind;
    union {
        const char *text;
        struct slice bytes;
        uint64_t number;
        int64_t integer;
        double real;
        bool yes;
        const struct error *error;
    } value;
};

/* A few fields, in place: log_info(log, "listening", LOG_FIELDS(log_text("address", address))).
 * Expands to two arguments. */
#define LOG_FIELDS(...)                                                                            \
    (const struct log_field[]){__VA_ARGS__},                                                       \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define LOG_NO_FIELDS NULL, 0

static inline struct log_field log_text(const char *name, const char *text) {
    return (struct log_field){name, LOG_FIELD_TEXT, {.text = text}};
}

/* Bytes of a client, such as a key: cut after 128. */
static inline struct log_field log_bytes(const char *name, struct slice bytes) {
    return (struct log_field){name, LOG_FIELD_BYTES, {.bytes = bytes}};
}

static inline struct log_field log_number(const char *name, uint64_t number) {
    return (struct log_field){name, LOG_FIELD_NUMBER, {.number = number}};
}

static inline struct log_field log_signed(const char *name, int64_t number) {
    return (struct log_field){name, LOG_FIELD_SIGNED, {.integer = number}};
}

static inline struct log_field log_real(const char *name, double real) {
    return (struct log_field){name, LOG_FIELD_REAL, {.real = real}};
}

static inline struct log_field log_bool(const char *name, bool yes) {
    return (struct log_field){name, LOG_FIELD_BOOL, {.yes = yes}};
}

/* error="FILE at OFFSET: what: why" */
static inline struct log_field log_error_detail(const struct error *error) {
    return (struct log_field){"error", LOG_FIELD_ERROR, {.error = error}};
}

struct log_event {
    uint64_t time_ms; /* since 1970 */
    enum log_level level;
    const char *message; /* a few plain words */
    const struct log_field *fields;
    size_t field_count;
};

/* Writes the line with its newline, without NUL; returns its length. */
size_t log_line_write(const struct log_event *event, enum log_format format,
                      char line_out[LOG_LINE_BYTES_MAX]);

/* "debug", "info", "warn", "error". */
const char *log_level_name(enum log_level level);

#endif
