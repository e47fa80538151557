/* log_line.c: one event as one line, in text or JSON.
 *
 * Every piece is written by put_*, which write whole or not at all: when a piece does not fit, the
 * line is rolled back to before its field. The last END_BYTES of the line are kept for the mark of
 * a cut and the line's end. */
#include "server/log_line.h"

#include "server/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define END_BYTES 16 /* `,"cut":true}` and a newline */
#define VALUE_BYTES_MAX 1024
#define BYTES_FIELD_MAX 128

struct line {
    char *ptr;
    size_t len;
    size_t limit; /* len never exceeds this */
    bool full;    /* a piece did not fit since this was reset */
    enum log_format format;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level) {
    return level_names[level];
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

static void put_bytes(struct line *line, const void *ptr, size_t len) {
    if (line->full || line->limit - line->len < len) {
        line->full = true;
        return;
    }
    memcpy(line->ptr + line->len, ptr, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text) {
    put_bytes(line, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) put_format(struct line *line, const char *format,
                                                             ...) {
    char piece[64];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    put_bytes(line, piece, len < (int)sizeof piece ? (size_t)len : sizeof piece - 1);
}

/* One character of a quoted value. */
static void put_code_point(struct line *line, uint32_t code_point, struct slice raw) {
    if (code_point == '"' || code_point == '\\') {
        put_text(line, "\\");
        put_bytes(line, raw.ptr, raw.len);
    } else if (code_point == '\n') {
        put_text(line, "\\n");
    } else if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) {
        put_format(line, "\\u%04x", (unsigned)code_point);
    } else {
        put_bytes(line, raw.ptr, raw.len);
    }
}

/* A byte that is no UTF-8 becomes \xNN as four characters, which JSON needs escaped once more. */
static void put_raw_byte(struct line *line, uint8_t byte) {
    put_format(line, line->format == LOG_FORMAT_JSON ? "\\\\x%02x" : "\\x%02x", (unsigned)byte);
}

static void put_quoted(struct line *line, struct slice text) {
    put_text(line, "\"");
    while (text.len > 0) {
        uint32_t code_point;
        size_t len = utf8_decode(text, &code_point);
        if (len > 0) {
            put_code_point(line, code_point, slice_make(text.ptr, len));
        } else {
            put_raw_byte(line, text.ptr[0]);
            len = 1;
        }
        text = slice_make(text.ptr + len, text.len - len);
    }
    put_text(line, "\"");
}

/* Whether text form needs no quotes: printable ASCII without what has a meaning. */
static bool is_plain(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte <= ' ' || byte >= 0x7F || byte == '"' || byte == '=' || byte == '\\') {
            return false;
        }
    }
    return text.len > 0;
}

static void put_string(struct line *line, struct slice text) {
    if (line->format == LOG_FORMAT_TEXT && is_plain(text)) {
        put_bytes(line, text.ptr, text.len);
    } else {
        put_quoted(line, text);
    }
}

/* Cuts at `bytes_max` and says so. The cut is at a character, where there are any. */
static void put_string_cut(struct line *line, struct slice text, size_t bytes_max) {
    char shown[VALUE_BYTES_MAX + 4];
    size_t len = bytes_max;

    if (text.len <= bytes_max) {
        put_string(line, text);
        return;
    }
    while (len > bytes_max - UTF8_BYTES_MAX && (text.ptr[len] & 0xC0) == 0x80) {
        len--;
    }
    memcpy(shown, text.ptr, len);
    memcpy(shown + len, "...", 3);
    put_string(line, slice_make(shown, len + 3));
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static void put_real(struct line *line, double real) {
    if (isfinite(real)) {
        put_format(line, "%.6g", real);
    } else {
        put_text(line, "null"); /* JSON has no word for it */
    }
}

static void put_error(struct line *line, const struct error *error) {
    char text[VALUE_BYTES_MAX];
    int len = error_format(error, text, (int)sizeof text);

    put_string(line, slice_make(text, (size_t)len));
}

static void put_value(struct line *line, const struct log_field *field) {
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        put_string_cut(line, slice_from_text(field->value.text ? field->value.text : ""),
                       VALUE_BYTES_MAX);
        break;
    case LOG_FIELD_BYTES:
        put_string_cut(line, field->value.bytes, BYTES_FIELD_MAX);
        break;
    case LOG_FIELD_NUMBER:
        put_format(line, "%" PRIu64, field->value.number);
        break;
    case LOG_FIELD_SIGNED:
        put_format(line, "%" PRId64, field->value.integer);
        break;
    case LOG_FIELD_REAL:
        put_real(line, field->value.real);
        break;
    case LOG_FIELD_BOOL:
        put_text(line, field->value.yes ? "true" : "false");
        break;
    case LOG_FIELD_ERROR:
        put_error(line, field->value.error);
        break;
    }
}

static void put_field(struct line *line, const struct log_field *field) {
    put_text(line, line->format == LOG_FORMAT_JSON ? ",\"" : " ");
    put_text(line, field->name);
    put_text(line, line->format == LOG_FORMAT_JSON ? "\":" : "=");
    put_value(line, field);
}

/* ---- The line -------------------------------------------------------------------------------- */

static void put_time(struct line *line, uint64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm)) {
        put_text(line, "0000-00-00T00:00:00.000Z"); /* a year beyond an int */
        return;
    }
    put_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(time_ms % 1000));
}

/* In text form the message stands bare, so it is only quoted if it could be mistaken. */
static void put_message(struct line *line, const char *message) {
    struct slice text = slice_from_text(message);
    bool plain = text.len > 0;

    for (size_t i = 0; i < text.len; i++) {
        plain = plain && text.ptr[i] >= ' ' && text.ptr[i] < 0x7F;
    }
    if (line->format == LOG_FORMAT_TEXT && plain && text.len <= VALUE_BYTES_MAX) {
        put_bytes(line, text.ptr, text.len);
    } else {
        put_string_cut(line, text, VALUE_BYTES_MAX);
    }
}

static void put_head(struct line *line, const struct log_event *event) {
    bool json = line->format == LOG_FORMAT_JSON;

    put_text(line, json ? "{\"time\":\"" : "");
    put_time(line, event->time_ms);
    put_text(line, json ? "\",\"level\":\"" : " ");
    put_text(line, log_level_name(event->level));
    put_text(line, json ? "\",\"message\":" : " ");
    put_message(line, event->message);
}

size_t log_line_write(const struct log_event *event, enum log_format format,
                      char line_out[LOG_LINE_BYTES_MAX]) {
    struct line line = {.ptr = line_out, .limit = LOG_LINE_BYTES_MAX - END_BYTES, .format = format};
    bool json = format == LOG_FORMAT_JSON;
    bool cut = false;

    put_head(&line, event);
    for (size_t i = 0; i < event->field_count; i++) {
        size_t mark = line.len;
        put_field(&line, &event->fields[i]);
        if (line.full) {
            line.len = mark;
            line.full = false;
            cut = true;
        }
    }
    line.limit = LOG_LINE_BYTES_MAX;
    if (cut) {
        put_text(&line, json ? ",\"cut\":true" : " cut=true");
    }
    put_text(&line, json ? "}\n" : "\n");
    return line.len;
}
