/* words.c: a line cut into words. See words.h. */
#include "client/kvcli/words.h"

#include "client/kvcli/text.h"

#include <stdbool.h>
#include <string.h>

struct splitter {
    char *line;
    size_t len;
    size_t from; /* next byte to read */
    size_t to;   /* next byte to write; <= from */
    const char *reason;
};

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static enum status take_escape(struct splitter *splitter) {
    uint8_t byte;
    size_t taken;

    if (text_unescape_step(splitter->line + splitter->from, splitter->len - splitter->from, &byte,
                           &taken) != STATUS_OK) {
        splitter->reason = "a backslash that begins no escape";
        return STATUS_INVALID;
    }
    splitter->line[splitter->to++] = (char)byte;
    splitter->from += taken;
    return STATUS_OK;
}

/* A quoted piece behind its opening quote. */
static enum status take_quoted(struct splitter *splitter, char quote) {
    while (splitter->from < splitter->len && splitter->line[splitter->from] != quote) {
        if (quote == '"' && splitter->line[splitter->from] == '\\') {
            enum status status = take_escape(splitter);
            if (status != STATUS_OK) {
                return status;
            }
        } else {
            splitter->line[splitter->to++] = splitter->line[splitter->from++];
        }
    }
    if (splitter->from == splitter->len) {
        splitter->reason = "a quote that does not end";
        return STATUS_INVALID;
    }
    splitter->from++;
    return STATUS_OK;
}

static enum status take_piece(struct splitter *splitter) {
    char byte = splitter->line[splitter->from];

    if (byte == '\'' || byte == '"') {
        splitter->from++;
        return take_quoted(splitter, byte);
    }
    if (byte == '\\' && splitter->from + 1 < splitter->len &&
        splitter->line[splitter->from + 1] == ' ') {
        splitter->line[splitter->to++] = ' ';
        splitter->from += 2;
        return STATUS_OK;
    }
    if (byte == '\\') {
        return take_escape(splitter);
    }
    splitter->line[splitter->to++] = byte;
    splitter->from++;
    return STATUS_OK;
}

/* Skips spaces; true if a word begins. */
static bool find_word(struct splitter *splitter) {
    while (splitter->from < splitter->len && is_space(splitter->line[splitter->from])) {
        splitter->from++;
    }
    return splitter->from < splitter->len && splitter->line[splitter->from] != '#';
}

enum status words_split(char *line, size_t len, struct slice *words_out, size_t words_max,
                        size_t *count_out, const char **reason_out) {
    struct splitter splitter = {.line = line, .len = len};
    size_t count = 0;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && find_word(&splitter)) {
        size_t begin = splitter.to;
        if (count == words_max) {
            splitter.reason = "too many words; quote what has spaces";
            status = STATUS_INVALID;
        }
        while (status == STATUS_OK && splitter.from < len && !is_space(line[splitter.from])) {
            status = take_piece(&splitter);
        }
        if (status == STATUS_OK) {
            words_out[count++] = slice_make(line + begin, splitter.to - begin);
        }
    }
    if (status != STATUS_OK) {
        *reason_out = splitter.reason;
        return status;
    }
    *count_out = count;
    return STATUS_OK;
}

/* The length of a quoted piece with both quotes; the rest, if it does not end. */
static size_t quoted_len(struct slice text) {
    uint8_t quote = text.ptr[0];
    size_t at = 1;

    while (at < text.len && text.ptr[at] != quote) {
        at += text.ptr[at] == '\\' && quote == '"' ? 2 : 1;
    }
    return at + 1;
}

static size_t comment_len(struct slice text) {
    const uint8_t *end = memchr(text.ptr, '\n', text.len);

    return end ? (size_t)(end - text.ptr) : text.len;
}

size_t words_line_end(struct slice text) {
    bool in_word = false;
    size_t at = 0;

    while (at < text.len && text.ptr[at] != '\n') {
        char byte = (char)text.ptr[at];
        struct slice rest = slice_make(text.ptr + at, text.len - at);
        if (byte == '#' && !in_word) {
            return at + comment_len(rest);
        }
        in_word = !is_space(byte);
        if (byte == '\'' || byte == '"') {
            at += quoted_len(rest);
        } else {
            at += byte == '\\' ? 2 : 1;
        }
    }
    return at < text.len ? at : text.len;
}
