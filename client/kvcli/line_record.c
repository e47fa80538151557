/* line_record.c: TSV and JSON lines. See line_record.h. */
#include "client/kvcli/line_record.h"

#include "client/kvcli/output.h"
#include "client/kvcli/text.h"

#include <inttypes.h>

void line_parser_init(struct line_parser *parser, size_t line_bytes_max) {
    json_line_init(&parser->json, line_bytes_max);
    buffer_init(&parser->key, line_bytes_max);
    buffer_init(&parser->value, line_bytes_max);
    parser->reason = "";
}

void line_parser_deinit(struct line_parser *parser) {
    json_line_deinit(&parser->json);
    buffer_deinit(&parser->key);
    buffer_deinit(&parser->value);
}

static enum status refuse(struct line_parser *parser, const char *reason) {
    parser->reason = reason;
    return STATUS_INVALID;
}

/* --- TSV --- */

enum status line_parse_tsv(struct line_parser *parser, char *line, size_t len,
                           struct line_record *record_out) {
    char *tab = len ? memchr(line, '\t', len) : NULL;
    size_t key_len;
    size_t value_len;

    if (!tab) {
        return refuse(parser, "no tab between key and value");
    }
    if (memchr(tab + 1, '\t', len - (size_t)(tab + 1 - line))) {
        return refuse(parser, "more than one tab; write a tab as \\t");
    }
    if (text_unescape(tab + 1, len - (size_t)(tab + 1 - line), &value_len) != STATUS_OK ||
        text_unescape(line, (size_t)(tab - line), &key_len) != STATUS_OK) {
        return refuse(parser, "a backslash that begins no escape; write a backslash as \\\\");
    }
    if (key_len == 0) {
        return refuse(parser, "an empty key");
    }
    *record_out = (struct line_record){.key = slice_make(line, key_len),
                                       .value = slice_make(tab + 1, value_len)};
    return STATUS_OK;
}

void line_write_tsv(FILE *stream, const struct kvd_entry *entry) {
    output_escaped(stream, entry->key);
    putc('\t', stream);
    output_escaped(stream, entry->value);
    putc('\n', stream);
}

/* --- JSON lines --- */

struct found {
    bool key;
    bool value;
};

static bool is_named(const struct json_member *member, const char *name) {
    return slice_equal(member->name, slice_from_text(name));
}

static enum status take_bytes(struct line_parser *parser, const struct json_member *member,
                              struct buffer *bytes, bool *found) {
    bool base64 = slice_has_prefix(slice_make(member->name.ptr + member->name.len - 1, 1),
                                   slice_from_text("4"));
    enum status status;

    if (member->kind != JSON_STRING) {
        return refuse(parser, "key and value are strings");
    }
    if (*found) {
        return refuse(parser, "key or value is there twice");
    }
    *found = true;
    buffer_clear(bytes);
    status = base64 ? text_base64_decode(bytes, member->text)
                    : buffer_append(bytes, member->text.ptr, member->text.len);
    return status == STATUS_INVALID ? refuse(parser, "base64 that is not well formed") : status;
}

static enum status take_member(struct line_parser *parser, const struct json_member *member,
                               struct line_record *record, struct found *found) {
    if (is_named(member, "key") || is_named(member, "key_base64")) {
        return take_bytes(parser, member, &parser->key, &found->key);
    }
    if (is_named(member, "value") || is_named(member, "value_base64")) {
        return take_bytes(parser, member, &parser->value, &found->value);
    }
    if (is_named(member, "expires_at_ms") || is_named(member, "flags")) {
        if (member->kind != JSON_NUMBER) {
            return refuse(parser, "expires_at_ms and flags are numbers");
        }
        if (is_named(member, "expires_at_ms")) {
            record->expires_at_ms = member->number;
        } else if (member->number > UINT32_MAX) {
            return refuse(parser, "flags has at most 32 bits");
        } else {
            record->user_flags = (uint32_t)member->number;
        }
    }
    return STATUS_OK;
}

enum status line_parse_json(struct line_parser *parser, struct slice line,
                            struct line_record *record_out) {
    struct line_record record = {.expires_at_ms = 0};
    struct found found = {false, false};
    struct json_member member;
    enum status status = json_line_open(&parser->json, line);

    while (status == STATUS_OK) {
        status = json_line_next(&parser->json, &member);
        if (status == STATUS_OK) {
            enum status taken = take_member(parser, &member, &record, &found);
            if (taken != STATUS_OK) {
                return taken;
            }
        }
    }
    if (status == STATUS_INVALID) {
        return refuse(parser, parser->json.reason);
    }
    if (status != STATUS_END) {
        return status;
    }
    if (!found.key || !found.value || parser->key.len == 0) {
        return refuse(parser, "a line needs a key, not empty, and a value");
    }
    record.key = buffer_slice(&parser->key);
    record.value = buffer_slice(&parser->value);
    *record_out = record;
    return STATUS_OK;
}

void line_write_json(FILE *stream, const struct kvd_entry *entry) {
    putc('{', stream);
    output_json_bytes(stream, "key", entry->key);
    putc(',', stream);
    output_json_bytes(stream, "value", entry->value);
    if (entry->meta.expires_at_ms) {
        fprintf(stream, ",\"expires_at_ms\":%" PRIu64, entry->meta.expires_at_ms);
    }
    if (entry->meta.user_flags) {
        fprintf(stream, ",\"flags\":%" PRIu32, entry->meta.user_flags);
    }
    fputs("}\n", stream);
}
