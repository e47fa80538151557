/* read_options.h: which state is to be read, as the command line gives it. */
#ifndef KVCLI_READ_OPTIONS_H
#define KVCLI_READ_OPTIONS_H

#include "client/kvcli/options.h"

/* Fills *read_out. Returns CLI_DONE, or prints what contradicts what and returns CLI_USAGE. */
int read_options_from(const struct options *options, struct kvd_read_options *read_out);

struct cli;

/* Fills *scan_out: the range and state that arguments and options name. Returns as above. */
int read_options_range(const struct cli *cli, struct kvd_scan_options *scan_out);

/* What a word names: "now", a version, "time:MS" or "snapshot:ID". Returns as above. */
int read_options_state(const char *word, struct kvd_state *state_out);

#endif
