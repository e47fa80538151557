/* output.c: bytes on a stream. See output.h. */
#include "client/kvcli/output.h"

#include "client/kvcli/text.h"

#include <inttypes.h>
#include <unistd.h>

bool output_is_terminal(FILE *stream) {
    return isatty(fileno(stream)) == 1;
}

void output_raw(FILE *stream, struct kvd_bytes bytes) {
    if (bytes.len > 0) {
        fwrite(bytes.ptr, 1, bytes.len, stream);
    }
}

void output_escaped(FILE *stream, struct kvd_bytes bytes) {
    struct slice rest = slice_make(bytes.ptr, bytes.len);

    while (rest.len > 0) {
        char text[TEXT_ESCAPED_BYTES_MAX];
        size_t taken;
        size_t len = text_escape_step(rest, text, &taken);
        fwrite(text, 1, len, stream);
        rest = slice_make(rest.ptr + taken, rest.len - taken);
    }
}

static void put_json_byte(FILE *stream, uint8_t byte) {
    if (byte == '"' || byte == '\\') {
        putc('\\', stream);
        putc(byte, stream);
    } else if (byte == '\n') {
        fputs("\\n", stream);
    } else if (byte == '\t') {
        fputs("\\t", stream);
    } else if (byte < 0x20 || byte == 0x7F) {
        fprintf(stream, "\\u%04x", byte);
    } else {
        putc(byte, stream);
    }
}

static void put_json_string(FILE *stream, struct slice bytes) {
    putc('"', stream);
    for (size_t i = 0; i < bytes.len; i++) {
        put_json_byte(stream, bytes.ptr[i]);
    }
    putc('"', stream);
}

static void put_base64(FILE *stream, struct slice bytes) {
    char text[4];

    for (size_t at = 0; at < bytes.len; at += 3) {
        text_base64_step(bytes.ptr + at, bytes.len - at < 3 ? bytes.len - at : 3, text);
        fwrite(text, 1, sizeof text, stream);
    }
}

void output_json_bytes(FILE *stream, const char *name, struct kvd_bytes bytes) {
    struct slice slice = slice_make(bytes.ptr, bytes.len);

    if (text_is_utf8(slice)) {
        fprintf(stream, "\"%s\":", name);
        put_json_string(stream, slice);
    } else {
        fprintf(stream, "\"%s_base64\":\"", name);
        put_base64(stream, slice);
        putc('"', stream);
    }
}

void output_json_text(FILE *stream, const char *text) {
    put_json_string(stream, slice_from_text(text));
}

void output_json_meta(FILE *stream, const struct kvd_meta *meta) {
    fprintf(stream,
            ",\"version\":%" PRIu64 ",\"length\":%" PRIu64 ",\"expires_at_ms\":%" PRIu64
            ",\"flags\":%" PRIu32,
            meta->version, meta->value_len, meta->expires_at_ms, meta->user_flags);
    if (meta->has_checksum) {
        fprintf(stream, ",\"checksum\":\"%016" PRIx64 "\"", meta->checksum);
    }
}
