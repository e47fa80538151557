/* toml_lexer.c: the words of a TOML text. */
#include "server/toml_lexer.h"

#include "server/toml_scalar.h"
#include "server/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static const uint8_t byte_order_mark[] = {0xEF, 0xBB, 0xBF};

/* ---- Places and errors ----------------------------------------------------------------------- */

struct toml_place toml_lexer_place(struct toml_lexer *lexer) {
    if (lexer->column_ptr < lexer->line_start) {
        lexer->column_ptr = lexer->line_start;
        lexer->column = 1;
    }
    while (lexer->column_ptr < lexer->ptr) {
        /* bytes that continue a character do not count */
        lexer->column += (*lexer->column_ptr & 0xC0) != 0x80;
        lexer->column_ptr++;
    }
    return (struct toml_place){lexer->line, lexer->column};
}

enum status toml_lexer_fail(const struct toml_lexer *lexer, struct toml_place place,
                            const char *format, ...) {
    struct toml_error *error = lexer->error;
    va_list args;

    error->line = place.line;
    error->column = place.column;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    for (char *at = error->text; *at; at++) {
        if ((uint8_t)*at < 0x20 || *at == 0x7F) {
            *at = '?';
        }
    }
    return STATUS_INVALID;
}

enum status toml_lexer_fail_expected(struct toml_lexer *lexer, const char *expected) {
    struct toml_place place = toml_lexer_place(lexer);
    struct slice rest = slice_make(lexer->ptr, (size_t)(lexer->end - lexer->ptr));
    uint32_t code_point;
    size_t len = utf8_decode(rest, &code_point);

    if (len == 0) {
        return toml_lexer_fail(lexer, place, "expected %s, found the end of the file", expected);
    }
    if (code_point == '\n' || code_point == '\r') {
        return toml_lexer_fail(lexer, place, "expected %s, found the end of the line", expected);
    }
    if (code_point < 0x20 || code_point == 0x7F) {
        return toml_lexer_fail(lexer, place, "expected %s, found the control character U+%04X",
                               expected, (unsigned)code_point);
    }
    return toml_lexer_fail(lexer, place, "expected %s, found '%.*s'", expected, (int)len, rest.ptr);
}

/* ---- The text as a whole --------------------------------------------------------------------- */

static enum status check_utf8(struct toml_lexer *lexer) {
    struct toml_lexer walk = *lexer;

    while (walk.ptr < walk.end) {
        struct slice rest = slice_make(walk.ptr, (size_t)(walk.end - walk.ptr));
        uint32_t code_point;
        size_t len = utf8_decode(rest, &code_point);
        if (len == 0) {
            return toml_lexer_fail(&walk, toml_lexer_place(&walk),
                                   "expected UTF-8, found the byte 0x%02X", (unsigned)*walk.ptr);
        }
        walk.ptr += len;
        if (code_point == '\n') {
            walk.line++;
            walk.line_start = walk.ptr;
        }
    }
    return STATUS_OK;
}

enum status toml_lexer_init(struct toml_lexer *lexer, struct slice text,
                            struct toml_document *document, struct toml_error *error) {
    static const uint8_t nothing[1] = {0};
    struct slice mark = slice_make(byte_order_mark, sizeof byte_order_mark);

    if (text.len == 0) {
        text = slice_make(nothing, 0);
    }
    if (slice_has_prefix(text, mark)) {
        text = slice_make(text.ptr + mark.len, text.len - mark.len);
    }
    *lexer = (struct toml_lexer){
        .ptr = text.ptr,
        .end = text.ptr + text.len,
        .line_start = text.ptr,
        .column_ptr = text.ptr,
        .column = 1,
        .line = 1,
        .document = document,
        .error = error,
    };
    buffer_init(&lexer->scratch, text.len);
    return check_utf8(lexer);
}

void toml_lexer_deinit(struct toml_lexer *lexer) {
    buffer_deinit(&lexer->scratch);
}

int toml_lexer_peek(const struct toml_lexer *lexer) {
    return lexer->ptr < lexer->end ? *lexer->ptr : -1;
}

bool toml_lexer_take_byte(struct toml_lexer *lexer, char byte) {
    if (toml_lexer_peek(lexer) != (uint8_t)byte) {
        return false;
    }
    lexer->ptr++;
    return true;
}

/* The byte `distance` behind the next one, or -1. */
static int peek_at(const struct toml_lexer *lexer, size_t distance) {
    size_t left = (size_t)(lexer->end - lexer->ptr);
    return distance < left ? lexer->ptr[distance] : -1;
}

/* ---- Between the words ----------------------------------------------------------------------- */

static bool is_blank(int byte) {
    return byte == ' ' || byte == '\t';
}

/* A control character other than a tab has no place in a comment or a string. */
static bool is_control(int byte) {
    return (byte >= 0 && byte < 0x20 && byte != '\t') || byte == 0x7F;
}

void toml_lexer_skip_blanks(struct toml_lexer *lexer) {
    while (is_blank(toml_lexer_peek(lexer))) {
        lexer->ptr++;
    }
}

/* Takes LF or CRLF if it is next. */
static bool take_newline(struct toml_lexer *lexer) {
    size_t len = peek_at(lexer, 0) == '\r' && peek_at(lexer, 1) == '\n' ? 2 : 1;

    if (len == 1 && peek_at(lexer, 0) != '\n') {
        return false;
    }
    lexer->ptr += len;
    lexer->line++;
    lexer->line_start = lexer->ptr;
    return true;
}

static bool at_newline(const struct toml_lexer *lexer) {
    return peek_at(lexer, 0) == '\n' || (peek_at(lexer, 0) == '\r' && peek_at(lexer, 1) == '\n');
}

static enum status skip_comment(struct toml_lexer *lexer) {
    if (!toml_lexer_take_byte(lexer, '#')) {
        return STATUS_OK;
    }
    while (toml_lexer_peek(lexer) >= 0 && !at_newline(lexer)) {
        if (is_control(toml_lexer_peek(lexer))) {
            return toml_lexer_fail_expected(lexer, "a comment of printable characters");
        }
        lexer->ptr++;
    }
    return STATUS_OK;
}

enum status toml_lexer_take_line_end(struct toml_lexer *lexer) {
    enum status status;

    toml_lexer_skip_blanks(lexer);
    status = skip_comment(lexer);
    if (status != STATUS_OK) {
        return status;
    }
    if (toml_lexer_peek(lexer) >= 0 && !take_newline(lexer)) {
        return toml_lexer_fail_expected(lexer, "the end of the line");
    }
    return STATUS_OK;
}

enum status toml_lexer_skip_lines(struct toml_lexer *lexer) {
    do {
        enum status status;
        toml_lexer_skip_blanks(lexer);
        status = skip_comment(lexer);
        if (status != STATUS_OK) {
            return status;
        }
    } while (take_newline(lexer));
    return STATUS_OK;
}

/* ---- Strings --------------------------------------------------------------------------------- */

struct string_kind {
    char quote;             /* '"': escapes have meaning */
    bool multi_line;        /* between three quotes */
    struct toml_place from; /* where it started, for the message that it never ends */
};

static enum status append_code_point(struct toml_lexer *lexer, uint32_t code_point,
                                     struct toml_place place) {
    uint8_t bytes[UTF8_BYTES_MAX];
    size_t len = utf8_encode(code_point, bytes);

    if (len == 0) {
        return toml_lexer_fail(lexer, place, "U+%04X is not a character", (unsigned)code_point);
    }
    return buffer_append(&lexer->scratch, bytes, len);
}

static int hex_digit(int byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* \uXXXX or \UXXXXXXXX, behind the letter. */
static enum status take_hex_escape(struct toml_lexer *lexer, int digits, struct toml_place place) {
    uint32_t code_point = 0;

    for (int i = 0; i < digits; i++) {
        int digit = hex_digit(toml_lexer_peek(lexer));
        if (digit < 0) {
            return toml_lexer_fail_expected(lexer, digits == 4
                                                       ? "four hexadecimal digits after \\u"
                                                       : "eight hexadecimal digits after \\U");
        }
        code_point = code_point << 4 | (uint32_t)digit;
        lexer->ptr++;
    }
    return append_code_point(lexer, code_point, place);
}

static int simple_escape(int letter) {
    switch (letter) {
    case 'b':
        return '\b';
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'f':
        return '\f';
    case 'r':
        return '\r';
    case '"':
    case '\\':
        return letter;
    default:
        return -1;
    }
}

/* A backslash that ends its line takes all blanks and line ends behind it. */
static bool skip_folded_lines(struct toml_lexer *lexer) {
    size_t distance = 0;

    while (is_blank(peek_at(lexer, distance))) {
        distance++;
    }
    if (peek_at(lexer, distance) != '\n' &&
        !(peek_at(lexer, distance) == '\r' && peek_at(lexer, distance + 1) == '\n')) {
        return false;
    }
    do {
        toml_lexer_skip_blanks(lexer);
    } while (take_newline(lexer));
    return true;
}

static enum status take_escape(struct toml_lexer *lexer, const struct string_kind *kind) {
    struct toml_place place = toml_lexer_place(lexer);
    int letter;

    lexer->ptr++;
    if (kind->multi_line && skip_folded_lines(lexer)) {
        return STATUS_OK;
    }
    letter = toml_lexer_peek(lexer);
    if (letter == 'u' || letter == 'U') {
        lexer->ptr++;
        return take_hex_escape(lexer, letter == 'u' ? 4 : 8, place);
    }
    if (simple_escape(letter) < 0) {
        return toml_lexer_fail_expected(lexer, "one of b t n f r \" \\ u U after the backslash");
    }
    lexer->ptr++;
    return buffer_append_u8(&lexer->scratch, (uint8_t)simple_escape(letter));
}

/* Quotes in a string of several lines: up to two are content, the last three end it. */
static enum status take_quotes(struct toml_lexer *lexer, const struct string_kind *kind,
                               bool *ended_out) {
    size_t run = 0;

    while (run < 5 && peek_at(lexer, run) == kind->quote) {
        run++;
    }
    lexer->ptr += run;
    *ended_out = run >= 3;
    return buffer_append(&lexer->scratch, lexer->ptr - run, run >= 3 ? run - 3 : run);
}

/* Takes a line end inside a string; CRLF becomes LF. */
static enum status take_string_newline(struct toml_lexer *lexer, const struct string_kind *kind) {
    if (!kind->multi_line) {
        return toml_lexer_fail(lexer, kind->from, "the string does not end on its line");
    }
    if (!take_newline(lexer)) {
        return toml_lexer_fail_expected(lexer, "a line feed after the carriage return");
    }
    return buffer_append_u8(&lexer->scratch, '\n');
}

/* One step of a string, behind its opening quotes. */
static enum status take_string_part(struct toml_lexer *lexer, const struct string_kind *kind,
                                    bool *ended_out) {
    int byte = toml_lexer_peek(lexer);

    *ended_out = false;
    if (byte < 0) {
        return toml_lexer_fail(lexer, kind->from, "the string does not end");
    }
    if (byte == kind->quote && kind->multi_line) {
        return take_quotes(lexer, kind, ended_out);
    }
    if (byte == kind->quote) {
        lexer->ptr++;
        *ended_out = true;
        return STATUS_OK;
    }
    if (byte == '\\' && kind->quote == '"') {
        return take_escape(lexer, kind);
    }
    if (byte == '\n' || byte == '\r') {
        return take_string_newline(lexer, kind);
    }
    if (is_control(byte)) {
        return toml_lexer_fail_expected(lexer, "printable characters in the string");
    }
    lexer->ptr++;
    return buffer_append_u8(&lexer->scratch, (uint8_t)byte);
}

enum status toml_lexer_take_string(struct toml_lexer *lexer, struct slice *text_out) {
    struct string_kind kind = {
        .quote = (char)*lexer->ptr,
        .from = toml_lexer_place(lexer),
    };
    enum status status = STATUS_OK;
    bool ended = false;

    kind.multi_line = peek_at(lexer, 1) == kind.quote && peek_at(lexer, 2) == kind.quote;
    lexer->ptr += kind.multi_line ? 3 : 1;
    if (kind.multi_line) {
        (void)take_newline(lexer); /* a line end right behind the quotes is not content */
    }
    buffer_clear(&lexer->scratch);
    while (status == STATUS_OK && !ended) {
        status = take_string_part(lexer, &kind, &ended);
    }
    return status == STATUS_OK
               ? toml_text_copy(lexer->document, buffer_slice(&lexer->scratch), text_out)
               : status;
}

/* ---- Keys and tokens ------------------------------------------------------------------------- */

static bool is_letter_or_digit(int byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool is_bare(int byte) {
    return is_letter_or_digit(byte) || byte == '_' || byte == '-';
}

enum status toml_lexer_take_key(struct toml_lexer *lexer, struct slice *key_out) {
    const uint8_t *start = lexer->ptr;
    int byte = toml_lexer_peek(lexer);

    if (byte == '"' || byte == '\'') {
        if (peek_at(lexer, 1) == byte && peek_at(lexer, 2) == byte) {
            return toml_lexer_fail_expected(lexer, "a key on one line, in single quote characters");
        }
        return toml_lexer_take_string(lexer, key_out);
    }
    while (is_bare(toml_lexer_peek(lexer))) {
        lexer->ptr++;
    }
    if (lexer->ptr == start) {
        return toml_lexer_fail_expected(lexer, "a key");
    }
    return toml_text_copy(lexer->document, slice_make(start, (size_t)(lexer->ptr - start)),
                          key_out);
}

static bool is_token(int byte) {
    return is_bare(byte) || byte == '+' || byte == '.' || byte == ':';
}

struct slice toml_lexer_take_token(struct toml_lexer *lexer) {
    const uint8_t *start = lexer->ptr;

    while (is_token(toml_lexer_peek(lexer))) {
        lexer->ptr++;
    }
    if (toml_scalar_is_date(slice_make(start, (size_t)(lexer->ptr - start))) &&
        peek_at(lexer, 0) == ' ' && peek_at(lexer, 1) >= '0' && peek_at(lexer, 1) <= '9') {
        lexer->ptr++;
        while (is_token(toml_lexer_peek(lexer))) {
            lexer->ptr++;
        }
    }
    return slice_make(start, (size_t)(lexer->ptr - start));
}
