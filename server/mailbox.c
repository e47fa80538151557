/* mailbox.c: see mailbox.h. */
#include "server/mailbox.h"

#include "protocol/base/assert.h"

#include <stddef.h>

/* Newest first, as they lie on the stack, to oldest first. */
static struct message *reversed(struct message *newest) {
    struct message *oldest = NULL;

    while (newest) {
        struct message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void deliver_all_cb(uv_async_t *async) {
    struct mailbox *mailbox = async->data;
    struct message *message =
        reversed(atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire));

    while (message) {
        struct message *next = message->next;
        message->deliver_cb(message);
        message = next;
    }
}

enum status mailbox_open(struct mailbox *mailbox, uv_loop_t *loop) {
    int code;

    atomic_init(&mailbox->newest, NULL);
    code = uv_async_init(loop, &mailbox->async, deliver_all_cb);
    if (code != 0) {
        return code == UV_ENOMEM ? STATUS_NO_MEMORY : STATUS_IO;
    }
    mailbox->async.data = mailbox;
    return STATUS_OK;
}

void mailbox_post(struct mailbox *mailbox, struct message *message) {
    struct message *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    ASSERT(message->deliver_cb != NULL);
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, message,
                                                    memory_order_release, memory_order_relaxed));
    if (!newest) {
        ASSERT(uv_async_send(&mailbox->async) == 0);
    }
}

void mailbox_close(struct mailbox *mailbox) {
    ASSERT(atomic_load_explicit(&mailbox->newest, memory_order_acquire) == NULL);
    uv_close((uv_handle_t *)&mailbox->async, NULL);
}
