/* server.h: the whole server, from a loaded configuration to its end.
 *
 * server.c knows everybody and only delegates:
 *
 *      main thread: signals, listener, mailbox      worker threads: a loop and its connections
 *             \___________ struct service: store, limits, metrics ___________/
 *
 * Start: bind, open the store, start the workers, listen, write the ready file. Stop (SIGTERM,
 * SIGINT): accept nothing more, let the workers finish what is in flight within stop_timeout, close
 * the store, which syncs. A second signal does not wait. SIGHUP opens the log again and reloads
 * what may change. */
#ifndef KVD_SERVER_SERVER_H
#define KVD_SERVER_SERVER_H

#include "server/config.h"
#include "server/log.h"

struct server_options {
    struct config *config;            /* taken: the server destroys it, whatever happens */
    const struct config_input *input; /* borrowed: read again on SIGHUP */
    struct log *log;                  /* borrowed */
    const char *ready_file;           /* borrowed; NULL: none */
    uint64_t descriptors;             /* that the process may open */
};

/* Serves until a signal stops it. OK: it was stopped, and all data is synced. Errors: those of the
 * start (nothing is left running), or of closing the store; the detail names what failed. */
enum status server_run(const struct server_options *options, struct error *error) MUST_CHECK;

#endif
