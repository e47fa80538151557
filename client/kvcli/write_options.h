/* write_options.h: conditions, expiry and durability as the command line gives them. */
#ifndef KVCLI_WRITE_OPTIONS_H
#define KVCLI_WRITE_OPTIONS_H

#include "client/kvcli/options.h"

/* Fills *write_out. Returns CLI_DONE, or prints what contradicts what and returns CLI_USAGE. */
int write_options_from(const struct options *options, struct kvd_write_options *write_out);

#endif
