/* answers.h: answers of a connection that were not ready at once: from their threads, through the
 * queue, into the output. Nothing here closes or schedules; the caller does. The loop's thread
 * only.
 */
#ifndef KVD_SERVER_ANSWERS_H
#define KVD_SERVER_ANSWERS_H

#include "server/connection.h"

/* Expected of the first answer of an I/O thread; connection->task_bytes starts with it. */
#define ANSWERS_TASK_BYTES_FIRST (512u * 1024)

/* Another thread is done with a reply: it is done now, or held. */
void answers_take_back(struct connection *connection, struct reply *reply);

/* Looks at the time: whether answers that wait for something to tell have waited long enough. True
 * when one has: it needs a turn. */
bool answers_sweep(struct connection *connection);

/* Answers that wait for something to tell wait no longer. */
void answers_end_waits(struct connection *connection);

/* Moves the answers that are due to the output, writing when that is full. May set `broken`. */
void answers_advance(struct connection *connection);

/* Drops the answers that are due: nobody is left to read them. */
void answers_drop(struct connection *connection);

#endif
