/* mailbox.h: the only way into a loop from another thread.
 *
 * A message is embedded in what it speaks of, so posting allocates nothing and cannot fail. Posters
 * push on a stack with one atomic word; the loop takes the whole stack at once and turns it round,
 * so messages of one thread arrive in their order. Only the poster who finds the stack empty wakes
 * the loop: however many completions come in a burst, they cost one wake-up.
 *
 * Threads: mailbox_post any; the others the loop's. A poster may still be waking the loop when its
 * message was already delivered: the mailbox may be closed only when no poster is left. */
#ifndef KVD_SERVER_MAILBOX_H
#define KVD_SERVER_MAILBOX_H

#include "protocol/base/status.h"

#include <stdatomic.h>
#include <uv.h>

struct message {
    struct message *next;                        /* the mailbox's while posted */
    void (*deliver_cb)(struct message *message); /* called once, on the loop's thread */
};

struct mailbox {
    _Atomic(struct message *) newest; /* release by posters, acquire by the loop */
    uv_async_t async;
};

/* Joins `loop`; its thread will deliver. Errors: NO_MEMORY, IO. */
enum status mailbox_open(struct mailbox *mailbox, uv_loop_t *loop) MUST_CHECK;

/* The message is the mailbox's until deliver_cb is entered. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* Ends it; messages must all have been delivered. Done when the loop has run once more. */
void mailbox_close(struct mailbox *mailbox);

#endif
