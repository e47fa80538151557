/* stats.h: all that the server counts and measures of itself and of its store, by name.
 *
 * Names are those of STATS: "server.bytes_in", "storage.commits". A name has small letters, digits
 * and '_' behind its group. Any thread. */
#ifndef KVD_SERVER_STATS_H
#define KVD_SERVER_STATS_H

#include "server/service.h"

#define STATS_NAME_MAX 96u /* bytes with the NUL */

typedef void (*stats_cb)(void *arg, const char *name, uint64_t value);

/* Calls back once for every figure, in a fixed order. */
void stats_each(const struct service *service, stats_cb figure_cb, void *arg);

#endif
