/* options.h: the command line of kvd. Pure: argv in; a struct, or the text of an error, out.
 *
 *     kvd [--config FILE] [--dir DIR] [--listen ADDRESS]... [--set KEY=VALUE]...
 *         [--ready-file FILE] [--check-config] [--version] [--help]
 *     kvd check DIR [OPTION]...
 *     kvd salvage DIR NEWDIR [OPTION]...
 *
 * "--option value" and "--option=value" are the same. What sets a configuration key (--dir,
 * --listen, --set) becomes an override for config_load, in the order given. An option that is
 * given twice and is not a list is refused: one of the two would be ignored. */
#ifndef KVD_SERVER_OPTIONS_H
#define KVD_SERVER_OPTIONS_H

#include "protocol/base/error.h"
#include "protocol/base/status.h"
#include "server/config.h"

#include <stdbool.h>
#include <stddef.h>

enum options_action { OPTIONS_SERVE, OPTIONS_CHECK, OPTIONS_SALVAGE };

struct options {
    enum options_action action;
    const char *new_dir;        /* of salvage; borrowed from argv */
    struct config_input config; /* path borrowed from argv, overrides owned by this struct */
    const char *ready_file;     /* borrowed from argv; NULL: none */
    bool check_config;
    bool version;
    bool help;
    struct config_override *overrides; /* owned; config.overrides points here */
    char *keys;                        /* owned: the keys of --set, each ended by NUL */
};

/* Reads argv, whose first item is the program's name; argv must outlive *options_out. With --help
 * or --version the rest is still checked. Errors: INVALID (the text says what was expected),
 * NO_MEMORY. */
enum status options_parse(int argc, const char *const *argv, struct options *options_out,
                          struct error *error) MUST_CHECK;

/* Frees what it owns; a zeroed struct is allowed. */
void options_deinit(struct options *options);

/* The text of --help. Static storage. */
const char *options_help(void);

#endif
