/* listener.h: accepts connections and hands them out.
 *
 * Sockets are bound first and listened on later, so that an address in use is found before the
 * store is opened. When descriptors run out, a spare one is given up for a moment, to tell the
 * client (BUSY) and to close the connection: accept never spins. Runs on the loop of the server's
 * main thread; all functions are that thread's.
 *
 * The socket file of a Unix address that a dead server left behind is replaced; one that somebody
 * listens on is refused. */
#ifndef KVD_SERVER_LISTENER_H
#define KVD_SERVER_LISTENER_H

#include "server/service.h"

#include <uv.h>

#define LISTENER_ADDRESSES_MAX 16u
#define LISTENER_TEXT_MAX 160 /* "unix:" and the longest path */

struct listener;

struct listener_options {
    uv_loop_t *uv;           /* borrowed */
    struct service *service; /* borrowed */
    /* Takes a connected socket, counted in service->connections; on an error it stays here. */
    enum status (*accept_cb)(void *arg, int descriptor, bool is_unix);
    void *arg;
};

/* Errors: NO_MEMORY, IO (no descriptor to spare). */
enum status listener_create(const struct listener_options *options,
                            struct listener **listener_out) MUST_CHECK;

/* Binds one more address, as the configuration writes it. Errors: INVALID (the text), LOCKED (in
 * use), DENIED, IO, BUSY (too many). */
enum status listener_bind(struct listener *listener, const char *text,
                          struct error *error) MUST_CHECK;

/* Listens on all of them. Errors: IO, LOCKED. */
enum status listener_start(struct listener *listener, struct error *error) MUST_CHECK;

uint32_t listener_count(const struct listener *listener);

/* "127.0.0.1:7450", with the port that it got; "unix:PATH". Valid as long as the listener. */
const char *listener_text(const struct listener *listener, uint32_t index);

/* Accepts nothing more, and takes the socket files away. The memory goes when the loop has run the
 * closing callbacks. */
void listener_close(struct listener *listener);

#endif
