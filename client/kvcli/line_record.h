/* line_record.h: a key and its value as one line.
 *
 *     TSV     key <tab> value, both with escapes (text.h)
 *     JSONL   {"key":"...","value":"...","expires_at_ms":N,"flags":N}; bytes that are not UTF-8 as
 *             "key_base64", "value_base64"; the numbers may be left out, other members are ignored
 *
 * Parsing and writing are inverse for every key and value. */
#ifndef KVCLI_LINE_RECORD_H
#define KVCLI_LINE_RECORD_H

#include "client/kvcli/json_line.h"
#include "kvd/kvd.h"

#include <stdio.h>

struct line_record {
    struct slice key; /* borrowed from the line, or from the parser's buffers */
    struct slice value;
    uint64_t expires_at_ms;
    uint32_t user_flags;
};

struct line_parser {
    struct json_line json;
    struct buffer key;   /* decoded */
    struct buffer value; /* decoded */
    const char *reason;  /* static, after INVALID */
};

void line_parser_init(struct line_parser *parser, size_t line_bytes_max);
void line_parser_deinit(struct line_parser *parser);

/* A line without its end; TSV is decoded in place. Errors: INVALID with parser->reason, NO_MEMORY,
 * TOO_LARGE. */
enum status line_parse_tsv(struct line_parser *parser, char *line, size_t len,
                           struct line_record *record_out) MUST_CHECK;
enum status line_parse_json(struct line_parser *parser, struct slice line,
                            struct line_record *record_out) MUST_CHECK;

void line_write_tsv(FILE *stream, const struct kvd_entry *entry);
void line_write_json(FILE *stream, const struct kvd_entry *entry);

#endif
