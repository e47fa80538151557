/* json_line.c: a flat JSON object. See json_line.h. */
#include "client/kvcli/json_line.h"

#include "client/kvcli/text.h"

void json_line_init(struct json_line *line, size_t bytes_max) {
    *line = (struct json_line){.reason = ""};
    buffer_init(&line->decoded, bytes_max);
}

void json_line_deinit(struct json_line *line) {
    buffer_deinit(&line->decoded);
}

static enum status refuse(struct json_line *line, const char *reason) {
    line->reason = reason;
    return STATUS_INVALID;
}

static void skip_spaces(struct json_line *line) {
    while (reader_left(&line->rest) > 0 && strchr(" \t\r\n", *line->rest.ptr) && *line->rest.ptr) {
        line->rest.ptr++;
    }
}

/* Takes `byte` if it is next, after spaces. */
static bool take(struct json_line *line, char byte) {
    skip_spaces(line);
    if (reader_left(&line->rest) == 0 || *line->rest.ptr != (uint8_t)byte) {
        return false;
    }
    line->rest.ptr++;
    return true;
}

/* --- strings --- */

static bool take_hex4(struct json_line *line, uint32_t *value_out) {
    uint32_t value = 0;

    if (reader_left(&line->rest) < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t digit = *line->rest.ptr++;
        uint32_t lower = digit | 0x20u;
        if (digit >= '0' && digit <= '9') {
            value = value * 16 + (uint32_t)(digit - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            value = value * 16 + (lower - 'a' + 10);
        } else {
            return false;
        }
    }
    *value_out = value;
    return true;
}

static enum status append_utf8(struct json_line *line, uint32_t code) {
    uint8_t bytes[4];
    size_t len;

    if (code < 0x80) {
        bytes[0] = (uint8_t)code;
        len = 1;
    } else if (code < 0x800) {
        bytes[0] = (uint8_t)(0xC0 | code >> 6);
        len = 2;
    } else if (code < 0x10000) {
        bytes[0] = (uint8_t)(0xE0 | code >> 12);
        len = 3;
    } else {
        bytes[0] = (uint8_t)(0xF0 | code >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++) {
        bytes[i] = (uint8_t)(0x80 | (code >> 6 * (len - 1 - i) & 0x3F));
    }
    return buffer_append(&line->decoded, bytes, len);
}

/* Behind "\u": one or, for a pair of surrogates, two groups of four digits. */
static enum status take_code(struct json_line *line) {
    uint32_t code;
    uint32_t low;

    if (!take_hex4(line, &code)) {
        return refuse(line, "\\u needs four hexadecimal digits");
    }
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (reader_left(&line->rest) < 6 || memcmp(line->rest.ptr, "\\u", 2) != 0) {
            return refuse(line, "half a surrogate pair");
        }
        line->rest.ptr += 2;
        if (!take_hex4(line, &low) || low < 0xDC00 || low > 0xDFFF) {
            return refuse(line, "half a surrogate pair");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return refuse(line, "half a surrogate pair");
    }
    return append_utf8(line, code);
}

static enum status take_escape(struct json_line *line) {
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    uint8_t name;
    const char *at;

    if (!reader_take_u8(&line->rest, &name)) {
        return refuse(line, "a string does not end");
    }
    if (name == 'u') {
        return take_code(line);
    }
    at = name ? strchr(names, name) : NULL;
    return at ? buffer_append_u8(&line->decoded, (uint8_t)bytes[at - names])
              : refuse(line, "an unknown escape in a string");
}

/* Appends the run of plain bytes at the start of the rest. */
static enum status take_plain(struct json_line *line) {
    const uint8_t *start = line->rest.ptr;

    while (reader_left(&line->rest) > 0 && *line->rest.ptr != '"' && *line->rest.ptr != '\\') {
        if (*line->rest.ptr < 0x20) {
            return refuse(line, "a control byte in a string");
        }
        line->rest.ptr++;
    }
    return buffer_append(&line->decoded, start, (size_t)(line->rest.ptr - start));
}

/* A string behind its opening quote. */
static enum status take_string(struct json_line *line) {
    size_t mark = buffer_mark(&line->decoded);
    enum status status = take_plain(line);
    uint8_t byte = 0;

    while (status == STATUS_OK) {
        if (!reader_take_u8(&line->rest, &byte)) {
            return refuse(line, "a string does not end");
        }
        if (byte == '"') {
            struct slice text = buffer_slice(&line->decoded);
            return text_is_utf8(slice_make(text.ptr + mark, text.len - mark))
                       ? STATUS_OK
                       : refuse(line, "a string is not UTF-8; write it as base64");
        }
        status = take_escape(line);
        status = status == STATUS_OK ? take_plain(line) : status;
    }
    return status;
}

/* --- values --- */

static enum status take_number(struct json_line *line, uint64_t *number_out) {
    uint64_t number = 0;
    const uint8_t *start = line->rest.ptr;

    while (reader_left(&line->rest) > 0 && *line->rest.ptr >= '0' && *line->rest.ptr <= '9') {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*line->rest.ptr - '0'), &number)) {
            return refuse(line, "a number does not fit 64 bits");
        }
        line->rest.ptr++;
    }
    if (line->rest.ptr == start) {
        return refuse(line, "a value that is no string and no whole number");
    }
    *number_out = number;
    return STATUS_OK;
}

static bool take_word(struct json_line *line) {
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (reader_left(&line->rest) >= len && memcmp(line->rest.ptr, words[i], len) == 0) {
            line->rest.ptr += len;
            return true;
        }
    }
    return false;
}

static enum status take_value(struct json_line *line, struct json_member *member) {
    skip_spaces(line);
    if (take(line, '"')) {
        member->kind = JSON_STRING;
        return take_string(line);
    }
    if (take_word(line)) {
        member->kind = JSON_OTHER;
        return STATUS_OK;
    }
    member->kind = JSON_NUMBER;
    return take_number(line, &member->number);
}

enum status json_line_open(struct json_line *line, struct slice text) {
    line->rest = reader_make(text);
    line->any = false;
    return take(line, '{') ? STATUS_OK : refuse(line, "no { at its start");
}

static enum status end(struct json_line *line) {
    skip_spaces(line);
    return reader_left(&line->rest) == 0 ? STATUS_END : refuse(line, "something behind the }");
}

enum status json_line_next(struct json_line *line, struct json_member *member_out) {
    struct json_member member = {.number = 0};
    size_t name_len;
    enum status status;

    if (take(line, '}')) {
        return end(line);
    }
    if (line->any && !take(line, ',')) {
        return refuse(line, "no , between members");
    }
    line->any = true;
    buffer_clear(&line->decoded);
    if (!take(line, '"')) {
        return refuse(line, "a member without a name");
    }
    status = take_string(line);
    if (status != STATUS_OK) {
        return status;
    }
    name_len = line->decoded.len;
    if (!take(line, ':')) {
        return refuse(line, "no : behind a name");
    }
    status = take_value(line, &member);
    if (status != STATUS_OK) {
        return status;
    }
    member.name = slice_make(line->decoded.data, name_len);
    member.text = slice_make(line->decoded.data + name_len, line->decoded.len - name_len);
    *member_out = member;
    return STATUS_OK;
}
