/* shell_editor.h: a line from the terminal, with history, completion, hints and paste (libedit).
 *
 * What is pasted goes into the line as it is, its line ends too, and is run only when the user ends
 * the line. Ctrl-C drops the line. One thread; one editor in a process. */
#ifndef KVCLI_SHELL_EDITOR_H
#define KVCLI_SHELL_EDITOR_H

#include "client/kvcli/shell_complete.h"

struct shell_editor; /* shell_editor.c */

enum shell_editor_end { SHELL_LINE, SHELL_DROPPED, SHELL_END };

/* `keys` completes keys. NULL when there is no terminal to edit on, or no memory. */
struct shell_editor *shell_editor_create(complete_keys keys, void *arg);
void shell_editor_destroy(struct shell_editor *editor); /* NULL is allowed */

/* Lets the user type a line; *line_out lives until the next call. */
enum shell_editor_end shell_editor_read(struct shell_editor *editor, const char *prompt,
                                        struct slice *line_out);

/* Adds a line to what the arrow keys bring back. `editor` is a struct shell_editor. */
void shell_editor_remember(void *editor, struct slice line);

#endif
