/* utf8.c: one code point of UTF-8 at a time. */
#include "server/utf8.h"

#include <stdbool.h>

#define CODE_POINT_MAX 0x10FFFFu

static bool is_scalar(uint32_t code_point) {
    bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    return code_point <= CODE_POINT_MAX && !surrogate;
}

/* The length that a first byte announces, and the bits that it brings; 0 for no first byte. */
static size_t first_byte(uint8_t byte, uint32_t *bits_out) {
    if (byte < 0x80) {
        *bits_out = byte;
        return 1;
    }
    if ((byte & 0xE0) == 0xC0) {
        *bits_out = byte & 0x1F;
        return 2;
    }
    if ((byte & 0xF0) == 0xE0) {
        *bits_out = byte & 0x0F;
        return 3;
    }
    *bits_out = byte & 0x07;
    return (byte & 0xF8) == 0xF0 ? 4 : 0;
}

static size_t encoded_bytes(uint32_t code_point) {
    if (code_point < 0x80) {
        return 1;
    }
    if (code_point < 0x800) {
        return 2;
    }
    return code_point < 0x10000 ? 3 : 4;
}

size_t utf8_decode(struct slice bytes, uint32_t *code_point_out) {
    uint32_t code_point;
    size_t len;

    if (bytes.len == 0) {
        return 0;
    }
    len = first_byte(bytes.ptr[0], &code_point);
    if (len == 0 || len > bytes.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((bytes.ptr[i] & 0xC0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (bytes.ptr[i] & 0x3Fu);
    }
    if (!is_scalar(code_point) || encoded_bytes(code_point) != len) {
        return 0;
    }
    *code_point_out = code_point;
    return len;
}

size_t utf8_encode(uint32_t code_point, uint8_t bytes_out[UTF8_BYTES_MAX]) {
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len;

    if (!is_scalar(code_point)) {
        return 0;
    }
    len = encoded_bytes(code_point);
    for (size_t i = len - 1; i > 0; i--) {
        bytes_out[i] = (uint8_t)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    bytes_out[0] = (uint8_t)(marks[len] | code_point);
    return len;
}
