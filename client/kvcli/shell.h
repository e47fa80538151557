/* shell.h: kvcli without a command on a terminal: commands typed one after another.
 *
 *     a line --words.h--> words --options.h--> a command, run in a process of its own
 *
 * So Ctrl-C ends the command and not the shell, and no command leaves anything behind. The shell
 * keeps one connection: it completes keys, and finds before each command whether the server is
 * there. */
#ifndef KVCLI_SHELL_H
#define KVCLI_SHELL_H

#include "client/kvcli/cli.h"

/* Whether standard input and output are a terminal. */
bool shell_wanted(void);

/* Runs until the end of input or `exit`; returns the exit code. `base`: options for every line. */
int shell_run(const struct options *base);

#endif
