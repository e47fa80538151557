/* units.h: sizes and durations as people write them. Pure.
 *
 *     size:      0  4096  512B  64KiB  64MiB  1GiB  2TiB     a bare number is bytes
 *     duration:  0  500ms  30s  5m  2h  7d                   a bare number is 0: no unit to guess
 *
 * Whole numbers only, digits then unit, nothing between. */
#ifndef KVD_SERVER_UNITS_H
#define KVD_SERVER_UNITS_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The longest that the writers write, with NUL. */
#define UNITS_TEXT_MAX 32

/* Errors: INVALID (not of this form, or an unknown unit), TOO_LARGE (does not fit 64 bits). */
enum status units_parse_size(struct slice text, uint64_t *bytes_out) MUST_CHECK;
enum status units_parse_duration(struct slice text, uint64_t *ms_out) MUST_CHECK;

/* In the largest unit that says it exactly; what the parsers read back. Returns the length. */
size_t units_write_size(uint64_t bytes, char text_out[UNITS_TEXT_MAX]);
size_t units_write_duration(uint64_t ms, char text_out[UNITS_TEXT_MAX]);

#endif
