/* requests.h: executes the requests in received bytes, in order.
 *
 * Answers go to the connection's output, or into its queue of replies when something before them is
 * not ready. A read that follows writes in flight waits for them; a write need not wait for reads
 * in flight, since they hold on to the state that they saw. The loop's thread only. */
#ifndef KVD_SERVER_REQUESTS_H
#define KVD_SERVER_REQUESTS_H

#include "server/connection.h"

/* Executes complete frames from the start of `bytes`, up to a turn's worth. Returns how many bytes
 * were executed; connection->waits says why not more. May set phase to FINISHING, and `broken`. */
size_t requests_execute(struct connection *connection, struct slice bytes);

/* Frees uploads on an I/O thread: those that are over, or `all` of a closed connection. False when
 * memory is out. No job may be in flight. */
bool requests_reap(struct connection *connection, bool all);

/* Answers with an error that belongs to no request (id 0), behind all others, and lets the
 * connection finish. `text` is static. */
void requests_refuse(struct connection *connection, enum status status, const char *text);

#endif
