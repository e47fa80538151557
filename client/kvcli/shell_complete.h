/* shell_complete.h: what may follow in a line being typed: completions and a hint.
 *
 * The line is cut as words.h does it. Commands, options and sub-commands come from the lists; keys
 * are asked of the caller. Pure but for that; any thread. */
#ifndef KVCLI_SHELL_COMPLETE_H
#define KVCLI_SHELL_COMPLETE_H

#include "client/kvcli/command_list.h"
#include "protocol/base/buffer.h"

#include <stdbool.h>

#define COMPLETIONS_MAX 200

/* What the shell itself understands besides the commands of the list. */
#define SHELL_VERBS "use", "exit", "quit"

struct completions {
    struct buffer bytes;          /* owned: the words, one behind the other */
    size_t ends[COMPLETIONS_MAX]; /* of each in `bytes` */
    size_t count;
    bool more;    /* there are others */
    size_t begin; /* where the word being typed begins in the line */
};

/* Adds the keys that begin with `prefix`. */
typedef void (*complete_keys)(void *arg, struct slice prefix, struct completions *out);

void completions_init(struct completions *completions);
void completions_deinit(struct completions *completions);

/* Adds a word if it begins with `prefix`. False when there is no room for more. */
bool completions_add(struct completions *completions, struct slice prefix, struct slice word);
struct slice completions_word(const struct completions *completions, size_t index);

/* Finds what the word at the end of `line` may become. `keys` may be NULL. */
void shell_complete(struct slice line, complete_keys keys, void *arg, struct completions *out);

/* Appends what replaces the word being typed: what all completions have in common, quoted where it
 * must be; of a single one all, and a space. Errors of buffer_append. */
enum status shell_complete_text(const struct completions *completions,
                                struct buffer *out) MUST_CHECK;

/* Appends a word so that words.h reads the same bytes back; `closed`: with its closing quote. */
enum status shell_quote(struct buffer *out, struct slice word, bool closed) MUST_CHECK;

/* Appends the arguments of the command in `line` that are still to come; nothing for none. */
enum status shell_hint(struct slice line, struct buffer *out) MUST_CHECK;

#endif
