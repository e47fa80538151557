/* output.h: bytes on a stream, for terminals, pipes and JSON.
 *
 * Nothing here reports a failing stream: standard output is checked once, by cli_finish_output. */
#ifndef KVCLI_OUTPUT_H
#define KVCLI_OUTPUT_H

#include "kvd/kvd.h"

#include <stdbool.h>
#include <stdio.h>

/* As text.h describes: tabs, line ends and unprintable bytes never appear as such. */
void output_escaped(FILE *stream, struct kvd_bytes bytes);

/* The bytes as they are. */
void output_raw(FILE *stream, struct kvd_bytes bytes);

/* "name":"text", or "name_base64":"..." if the bytes are not UTF-8. */
void output_json_bytes(FILE *stream, const char *name, struct kvd_bytes bytes);

/* "text" of a C string. */
void output_json_text(FILE *stream, const char *text);

/* ,"version":1,"length":2,"expires_at_ms":3,"flags":4 and the checksum, where there is one. */
void output_json_meta(FILE *stream, const struct kvd_meta *meta);

bool output_is_terminal(FILE *stream);

#endif
