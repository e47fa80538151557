/* toml_parser.h: reads TOML 1.0, the whole syntax, into a tree.
 *
 * A pure function of the bytes: no file, no clock. What the specification forbids is refused, with
 * line and column and what was expected: keys and tables given twice, tables added to where they
 * are complete, control characters, bytes that are not UTF-8. A byte order mark at the start is
 * skipped. Line ends in strings of several lines become LF. */
#ifndef KVD_SERVER_TOML_PARSER_H
#define KVD_SERVER_TOML_PARSER_H

#include "server/toml_value.h"

/* A configuration with every comment has some 10 KiB; the limit bounds memory and time. */
#define TOML_BYTES_MAX (1024 * 1024)

/* Tables and arrays inside one another; bounds the stack that parsing takes. */
#define TOML_DEPTH_MAX 64

/* Reads a whole text. Errors: INVALID, TOO_LARGE (both fill *error), NO_MEMORY. */
enum status toml_parse(struct slice text, struct toml_document **document_out,
                       struct toml_error *error) MUST_CHECK;

/* Reads one value and nothing behind it. *value_out is valid as long as the document. Errors as
 * above. */
enum status toml_parse_value(struct slice text, struct toml_document **document_out,
                             struct toml_value *value_out, struct toml_error *error) MUST_CHECK;

#endif
