/* utf8.h: one code point of UTF-8 at a time. Pure. */
#ifndef KVD_SERVER_UTF8_H
#define KVD_SERVER_UTF8_H

#include "protocol/base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define UTF8_BYTES_MAX 4

/* The code point that `bytes` begins with, and its length (1 to 4). 0 if there is none: the bytes
 * are empty, cut, overlong, a surrogate, or beyond U+10FFFF. */
size_t utf8_decode(struct slice bytes, uint32_t *code_point_out);

/* Writes a code point and returns its length; 0 for a surrogate or beyond U+10FFFF. */
size_t utf8_encode(uint32_t code_point, uint8_t bytes_out[UTF8_BYTES_MAX]);

#endif
