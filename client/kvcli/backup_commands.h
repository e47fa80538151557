/* backup_commands.h: commands that read a backup instead of a server: kvcli --backup FILE get KEY.
 *
 * They print what they would print of a server in that state. The file is read by its index, so
 * that only the blocks concerned are read, and checked. */
#ifndef KVCLI_BACKUP_COMMANDS_H
#define KVCLI_BACKUP_COMMANDS_H

#include "client/kvcli/cli.h"

/* Whether the command has to do with keys, or a server: all but help and its like. */
bool backup_commands_concern(enum command command);

/* Runs it on options->backup; those that cannot are a usage failure. Returns the exit code. */
int backup_commands_run(struct cli *cli);

#endif
