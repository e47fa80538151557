/* words.h: a line cut into words, with quoting like a shell's.
 *
 *     put  'as it is $\'  "with C escapes: \n \x00"  plain\ word
 *
 * Between '...' bytes are taken as they are; between "..." and outside quotes a backslash begins an
 * escape (text.h), outside also "\ ". Pieces without space between them are one word. '#' at the
 * start of a word begins a comment. The line is changed in place; words point into it. */
#ifndef KVCLI_WORDS_H
#define KVCLI_WORDS_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

/* Fills words_out[0..*count_out). Errors: INVALID with *reason_out (static): a quote that does not
 * end, an unknown escape, more than `words_max` words. */
enum status words_split(char *line, size_t len, struct slice *words_out, size_t words_max,
                        size_t *count_out, const char **reason_out) MUST_CHECK;

/* The length of the first line of `text`: up to a '\n' outside quotes, or all of it. */
size_t words_line_end(struct slice text);

#endif
