/* shell_history.h: the file of lines that were typed: one line each, escaped (text.h), mode 0600.
 *
 * It is $XDG_STATE_HOME/kvcli_history if that is set, else ~/.kvcli_history. Lines are appended, so
 * that shells side by side lose none; a file that has grown far is cut when it is read. A history
 * that cannot be read or written is no reason to fail: it is left out. One thread. */
#ifndef KVCLI_SHELL_HISTORY_H
#define KVCLI_SHELL_HISTORY_H

#include "protocol/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define SHELL_HISTORY_LINES_MAX 1000
#define SHELL_HISTORY_PATH_MAX 1024

struct shell_history {
    char path[SHELL_HISTORY_PATH_MAX]; /* "": none is kept */
};

void shell_history_init(struct shell_history *history);

/* Calls `take` for the latest lines, oldest first. */
void shell_history_load(struct shell_history *history, void (*take)(void *arg, struct slice line),
                        void *arg);

/* Appends a line. Lines that begin with a space, and empty ones, are not kept: false. */
bool shell_history_add(struct shell_history *history, struct slice line);

#endif
