/* reload.h: SIGHUP: the log is opened again, and the configuration read again. */
#ifndef KVD_SERVER_RELOAD_H
#define KVD_SERVER_RELOAD_H

#include "server/config.h"
#include "server/log.h"

/* Replaces *config by what is in effect after reading `input` again, and says so on the log. After
 * an error the old one stays. The log's file, level and format follow. */
void reload_config(struct config **config, const struct config_input *input, struct log *log);

#endif
