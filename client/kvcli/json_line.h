/* json_line.h: one flat JSON object, member by member.
 *
 *     json_line_open(&line, text) ... while (json_line_next(&line, &member) == STATUS_OK) ...
 *
 * Strings are decoded into a buffer of the line's; numbers are whole, not negative, to 64 bits.
 * Nested objects and arrays are refused. Pure, one thread. */
#ifndef KVCLI_JSON_LINE_H
#define KVCLI_JSON_LINE_H

#include "protocol/base/buffer.h"

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_OTHER }; /* other: true, false, null */

struct json_member {
    enum json_kind kind;
    struct slice name; /* borrowed until the next call */
    struct slice text; /* STRING, borrowed likewise */
    uint64_t number;   /* NUMBER */
};

struct json_line {
    struct reader rest;
    struct buffer decoded; /* owned; name and text of the present member */
    bool any;
    const char *reason; /* static, after INVALID */
};

/* `line` is initialised once with json_line_init and used for any number of objects. */
void json_line_init(struct json_line *line, size_t bytes_max);
void json_line_deinit(struct json_line *line);

/* Begins with a text, borrowed while it is walked. Errors: INVALID. */
enum status json_line_open(struct json_line *line, struct slice text) MUST_CHECK;

/* Errors: END after the last member; INVALID with line->reason; NO_MEMORY, TOO_LARGE. */
enum status json_line_next(struct json_line *line, struct json_member *member_out) MUST_CHECK;

#endif
