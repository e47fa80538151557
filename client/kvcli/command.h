/* command.h: runs commands; their handlers. */
#ifndef KVCLI_COMMAND_H
#define KVCLI_COMMAND_H

#include "client/kvcli/command_list.h"

struct cli;

/* Runs the command that the options name; returns the exit code. */
int command_run(struct cli *cli);

/* The handlers; each returns the exit code. */
#define COMMAND_HANDLER(code, name, ...) int command_##name(struct cli *cli);
COMMAND_LIST(COMMAND_HANDLER)
#undef COMMAND_HANDLER

#endif
