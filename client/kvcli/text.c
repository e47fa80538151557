/* text.c: bytes as text and back. See text.h. */
#include "client/kvcli/text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- UTF-8 --- */

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

size_t text_utf8_sequence(const uint8_t *ptr, size_t len) {
    uint8_t first = len > 0 ? ptr[0] : 0xFF;
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    if (first > 0xF4 || size > len) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(ptr[i])) {
            return 0;
        }
    }
    if ((first == 0xE0 && ptr[1] < 0xA0) || (first == 0xED && ptr[1] > 0x9F) ||
        (first == 0xF0 && ptr[1] < 0x90) || (first == 0xF4 && ptr[1] > 0x8F)) {
        return 0; /* overlong, surrogate, above U+10FFFF */
    }
    return size;
}

bool text_is_utf8(struct slice bytes) {
    size_t at = 0;

    while (at < bytes.len) {
        size_t size = text_utf8_sequence(bytes.ptr + at, bytes.len - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

/* --- escapes --- */

static char short_escape(uint8_t byte) {
    switch (byte) {
    case '\\':
        return '\\';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    default:
        return 0;
    }
}

size_t text_escape_step(struct slice bytes, char *text_out, size_t *taken_out) {
    uint8_t byte = bytes.ptr[0];
    size_t size = text_utf8_sequence(bytes.ptr, bytes.len);

    *taken_out = 1;
    if (short_escape(byte)) {
        text_out[0] = '\\';
        text_out[1] = short_escape(byte);
        return 2;
    }
    if (size == 0 || byte < 0x20 || byte == 0x7F) {
        memcpy(text_out, "\\x", 2);
        text_out[2] = hex_digits[byte >> 4];
        text_out[3] = hex_digits[byte & 15];
        return 4;
    }
    memcpy(text_out, bytes.ptr, size);
    *taken_out = size;
    return size;
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

enum status text_unescape_step(const char *text, size_t len, uint8_t *byte_out, size_t *taken_out) {
    static const char names[] = "\\\"'abfnrtv0";
    static const char bytes[] = "\\\"'\a\b\f\n\r\t\v\0";
    const char *name = len > 1 && text[1] ? strchr(names, text[1]) : NULL;

    if (name) {
        *byte_out = (uint8_t)bytes[name - names];
        *taken_out = 2;
        return STATUS_OK;
    }
    if (len < 4 || text[1] != 'x' || hex_value(text[2]) < 0 || hex_value(text[3]) < 0) {
        return STATUS_INVALID;
    }
    *byte_out = (uint8_t)(hex_value(text[2]) * 16 + hex_value(text[3]));
    *taken_out = 4;
    return STATUS_OK;
}

enum status text_unescape(char *text, size_t len, size_t *len_out) {
    size_t from = 0;
    size_t to = 0;

    while (from < len) {
        uint8_t byte = (uint8_t)text[from];
        size_t taken = 1;
        if (byte == '\\' &&
            text_unescape_step(text + from, len - from, &byte, &taken) != STATUS_OK) {
            return STATUS_INVALID;
        }
        text[to++] = (char)byte;
        from += taken;
    }
    *len_out = to;
    return STATUS_OK;
}

/* --- base64 --- */

void text_base64_step(const uint8_t *ptr, size_t len, char text_out[4]) {
    uint32_t bits = (uint32_t)ptr[0] << 16;

    bits |= len > 1 ? (uint32_t)ptr[1] << 8 : 0;
    bits |= len > 2 ? ptr[2] : 0;
    text_out[0] = base64_digits[bits >> 18];
    text_out[1] = base64_digits[bits >> 12 & 63];
    text_out[2] = len > 1 ? base64_digits[bits >> 6 & 63] : '=';
    text_out[3] = len > 2 ? base64_digits[bits & 63] : '=';
}

static int base64_value(uint8_t digit) {
    const char *at = digit ? strchr(base64_digits, digit) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

/* Decodes four characters of which the last `padding` are '='. */
static bool base64_group(const uint8_t *text, size_t padding, uint8_t bytes_out[3]) {
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(text[i]) : 0;
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    bytes_out[0] = (uint8_t)(bits >> 16);
    bytes_out[1] = (uint8_t)(bits >> 8);
    bytes_out[2] = (uint8_t)bits;
    /* bits behind the last byte must be zero: one value has one text */
    return (padding < 1 || bytes_out[2] == 0) && (padding < 2 || bytes_out[1] == 0);
}

static size_t base64_padding(struct slice text) {
    if (text.len == 0 || text.ptr[text.len - 1] != '=') {
        return 0;
    }
    return text.ptr[text.len - 2] == '=' ? 2 : 1;
}

enum status text_base64_decode(struct buffer *buffer, struct slice text) {
    size_t mark = buffer_mark(buffer);
    uint8_t group[3];

    if (text.len % 4 != 0) {
        return STATUS_INVALID;
    }
    for (size_t at = 0; at < text.len; at += 4) {
        size_t padding = at + 4 == text.len ? base64_padding(text) : 0;
        enum status status = base64_group(text.ptr + at, padding, group)
                                 ? buffer_append(buffer, group, 3 - padding)
                                 : STATUS_INVALID;
        if (status != STATUS_OK) {
            buffer_rollback(buffer, mark);
            return status;
        }
    }
    return STATUS_OK;
}

/* --- numbers with units --- */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},           {"B", 1},           {"KiB", 1u << 10},
                                         {"MiB", 1u << 20}, {"GiB", 1u << 30},  {"KB", 1000},
                                         {"MB", 1000000},   {"GB", 1000000000}, {NULL, 0}};

static enum status parse_units(const char *text, const struct unit *units, uint64_t *value_out) {
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return STATUS_INVALID;
        }
    }
    if (at == text) {
        return STATUS_INVALID;
    }
    for (; units->name; units++) {
        if (strcmp(units->name, at) == 0) {
            return __builtin_mul_overflow(value, units->factor, value_out) ? STATUS_INVALID
                                                                           : STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

enum status text_parse_duration_ms(const char *text, uint64_t *ms_out) {
    return parse_units(text, duration_units, ms_out);
}

enum status text_parse_size(const char *text, uint64_t *bytes_out) {
    return parse_units(text, size_units, bytes_out);
}

enum status text_parse_number(const char *text, uint64_t *number_out) {
    return parse_units(text, no_units, number_out);
}
