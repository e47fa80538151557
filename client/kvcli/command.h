/* command.h: what is known of commands, and their handlers. */
#ifndef KVCLI_COMMAND_H
#define KVCLI_COMMAND_H

#include "client/kvcli/command_list.h"

struct cli;

/* The command of that name; COMMAND_NONE if there is none. */
enum command command_find(const char *name);

/* "" for COMMAND_NONE. */
const char *command_name(enum command command);

/* Runs the command that the options name; returns the exit code. */
int command_run(struct cli *cli);

/* The handlers; each returns the exit code. */
#define COMMAND_HANDLER(code, name, ...) int command_##name(struct cli *cli);
COMMAND_LIST(COMMAND_HANDLER)
#undef COMMAND_HANDLER

#endif
