/* text.h: bytes as text and back: C-style escapes, base64, UTF-8, units.
 *
 * Keys and values are any bytes. As text they are written so that reading gives the same bytes
 * back: backslash, tab, line feed and carriage return as \\ \t \n \r, other control bytes and bytes
 * that are not UTF-8 as \xHH, all else as it is. Pure functions, any thread. */
#ifndef KVCLI_TEXT_H
#define KVCLI_TEXT_H

#include "protocol/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_ESCAPED_BYTES_MAX 4 /* of one byte */

/* The length of the well-formed UTF-8 sequence at ptr[0..len), 1 to 4; 0 if there is none. */
size_t text_utf8_sequence(const uint8_t *ptr, size_t len);

bool text_is_utf8(struct slice bytes);

/* Writes how the first byte or UTF-8 sequence of `bytes` (not empty) looks as text; `*taken_out`
 * bytes of it are done then. Returns the length written, at most TEXT_ESCAPED_BYTES_MAX. */
size_t text_escape_step(struct slice bytes, char *text_out, size_t *taken_out);

/* Replaces escapes in place (text never grows): \\ \" \' \a \b \f \n \r \t \v \0 \xHH. Errors:
 * INVALID for any other backslash; the text is undefined then. */
enum status text_unescape(char *text, size_t len, size_t *len_out) MUST_CHECK;

/* The bytes of one escape that begins at text[0] = '\\'; *taken_out counts the backslash too.
 * Errors: INVALID. */
enum status text_unescape_step(const char *text, size_t len, uint8_t *byte_out,
                               size_t *taken_out) MUST_CHECK;

/* Four characters for up to three bytes (`len` 1 to 3), with padding. */
void text_base64_step(const uint8_t *ptr, size_t len, char text_out[4]);

/* Appends the bytes that padded base64 stands for. Errors: INVALID, NO_MEMORY, TOO_LARGE; nothing
 * is appended then. */
enum status text_base64_decode(struct buffer *buffer, struct slice text) MUST_CHECK;

/* "10s" (ms, s, m, h, d; none means seconds) in milliseconds; "64MiB" (B, KiB, MiB, GiB, KB, MB,
 * GB; none means bytes) in bytes; "12". Errors: INVALID, also on overflow. */
enum status text_parse_duration_ms(const char *text, uint64_t *ms_out) MUST_CHECK;
enum status text_parse_size(const char *text, uint64_t *bytes_out) MUST_CHECK;
enum status text_parse_number(const char *text, uint64_t *number_out) MUST_CHECK;

#endif
