/* worker.h: a loop with its connections.
 *
 * Other threads speak to it by messages: hand_over, shed, stop and kill may be called from any
 * thread; create, start, join and destroy belong to the server's. After worker_stop, and once the
 * last connection is gone, it posts `done` and its thread ends. */
#ifndef KVD_SERVER_WORKER_H
#define KVD_SERVER_WORKER_H

#include "server/service.h"

#include <uv.h>

struct mailbox;
struct message;
struct worker;

struct worker_options {
    uint32_t index;
    struct service *service; /* borrowed */
    struct mailbox *home;    /* receives `done` when the worker has ended */
    struct message *done;    /* owned by the caller, to be kept until it is delivered */
};

/* Errors: NO_MEMORY, IO. */
enum status worker_create(const struct worker_options *options,
                          struct worker **worker_out) MUST_CHECK;

/* Starts the thread. Errors: IO. */
enum status worker_start(struct worker *worker) MUST_CHECK;

/* Gives it a connected socket, which is counted in service->connections already. Errors:
 * NO_MEMORY; the descriptor stays the caller's then. */
enum status worker_hand_over(struct worker *worker, int descriptor, bool is_unix) MUST_CHECK;

/* Connections that it has or was given: to choose the least busy. */
uint32_t worker_connections(const struct worker *worker);

/* Closes its biggest connection, if the memory of clients is still over its limit. */
void worker_shed(struct worker *worker);

/* On the worker's own thread: says in service->client_memory how big its biggest one is. */
void worker_publish(struct worker *worker);

/* Executes no further request; connections close when what is in flight is answered. Once. */
void worker_stop(struct worker *worker);

/* Closes all connections at once. After worker_stop, once. */
void worker_kill(struct worker *worker);

/* Waits for the thread, which was stopped. The store can be closed then. */
void worker_join(struct worker *worker);

/* Frees it, when no thread of the engine is left. Also for one that was never started. */
void worker_destroy(struct worker *worker);

#endif
