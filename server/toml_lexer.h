/* toml_lexer.h: the words of a TOML text: blanks, comments, line ends, keys, strings, tokens.
 *
 * A lexer stands at a byte of the text and knows its line. Functions named `take` move it behind
 * what they take, those named `skip` behind what may be there. A function that fails leaves it
 * anywhere: parsing ends with the first error. Pure but for the allocation of texts. */
#ifndef KVD_SERVER_TOML_LEXER_H
#define KVD_SERVER_TOML_LEXER_H

#include "protocol/base/buffer.h"
#include "server/toml_value.h"

struct toml_lexer {
    const uint8_t *ptr;        /* borrowed: the next byte */
    const uint8_t *end;        /* one past the last */
    const uint8_t *line_start; /* the first byte of this line */
    const uint8_t *column_ptr; /* the byte that `column` was counted for */
    uint32_t column;
    uint32_t line;                  /* from 1 */
    struct toml_document *document; /* borrowed: receives texts */
    struct buffer scratch;          /* owned: a text being unescaped */
    struct toml_error *error;       /* borrowed */
};

struct toml_place {
    uint32_t line;
    uint32_t column;
};

/* Checks that the text is UTF-8 throughout (a byte order mark at its start is skipped) and stands
 * at its first character. Release with toml_lexer_deinit, also after an error. Errors: INVALID. */
enum status toml_lexer_init(struct toml_lexer *lexer, struct slice text,
                            struct toml_document *document, struct toml_error *error) MUST_CHECK;
void toml_lexer_deinit(struct toml_lexer *lexer);

/* Where it stands. Counts on from where it was asked last, so that a long line costs no more than
 * its length. */
struct toml_place toml_lexer_place(struct toml_lexer *lexer);

/* The next byte, or -1 at the end of the text. */
int toml_lexer_peek(const struct toml_lexer *lexer);

/* Takes the byte if it is the next one. */
bool toml_lexer_take_byte(struct toml_lexer *lexer, char byte);

/* Fills the error and returns INVALID. */
enum status toml_lexer_fail(const struct toml_lexer *lexer, struct toml_place place,
                            const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Fails here with "expected X, found Y". */
enum status toml_lexer_fail_expected(struct toml_lexer *lexer, const char *expected);

/* Spaces and tabs. */
void toml_lexer_skip_blanks(struct toml_lexer *lexer);

/* Blanks, a comment, and the end of the line or of the text. Errors: INVALID. */
enum status toml_lexer_take_line_end(struct toml_lexer *lexer) MUST_CHECK;

/* Blanks, comments and line ends, as many as there are. Errors: INVALID. */
enum status toml_lexer_skip_lines(struct toml_lexer *lexer) MUST_CHECK;

/* One part of a key: bare or quoted. Errors: INVALID, NO_MEMORY. */
enum status toml_lexer_take_key(struct toml_lexer *lexer, struct slice *key_out) MUST_CHECK;

/* A string of any of the four kinds; the next byte is its quote. Errors: INVALID, NO_MEMORY. */
enum status toml_lexer_take_string(struct toml_lexer *lexer, struct slice *text_out) MUST_CHECK;

/* The characters of an unquoted value, borrowed from the text; may be empty. */
struct slice toml_lexer_take_token(struct toml_lexer *lexer);

#endif
