/* maintain.h: work that the server does when asked, and its report. */
#ifndef KVCLI_MAINTAIN_H
#define KVCLI_MAINTAIN_H

#include "client/kvcli/cli.h"

/* Asks for it, waits (for a day, unless --timeout says else), prints the report. For KVD_VERIFY the
 * exit code is CLI_NEGATIVE when faults were found. Returns the exit code. */
int maintain_run(struct cli *cli, enum kvd_action action, const char *argument);

#endif
