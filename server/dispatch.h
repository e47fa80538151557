/* dispatch.h: the one table from opcode to what serves it.
 *
 * The codec and this table serve the same opcodes: a test compares them. Any thread. */
#ifndef KVD_SERVER_DISPATCH_H
#define KVD_SERVER_DISPATCH_H

#include "server/command.h"

enum command_kind {
    COMMAND_LOCAL,
    COMMAND_READ,
    COMMAND_WRITE,
    COMMAND_JOB,
    COMMAND_COMMIT /* of a transaction; it has no handler */
};

/* What a client must be allowed to. Without authentication everybody may all of them. */
enum command_right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE, RIGHT_OPERATE };

struct command {
    enum command_kind kind;
    enum command_right right;
    bool before_hello;      /* answered before HELLO as well */
    bool always_task;       /* a read that always runs on an I/O thread */
    bool after_writes;      /* a local one that must see the writes before it; reads and jobs do */
    bool no_state;          /* a read of no state of keys: it pins none */
    enum service_slot slot; /* that it takes while it runs on an I/O thread */
    uint32_t flags;         /* that the request may carry */
    enum metric metric;
    /* the handler of its kind; the others are NULL, but for `read` of a write: what it does inside
     * a transaction */
    enum status (*local)(const struct service *, struct session *, const struct wire_request *,
                         struct buffer *, struct wire_refusal *);
    enum status (*read)(struct read_context *, const struct wire_request *, struct buffer *,
                        struct error *);
    enum status (*write)(const struct service *, const struct wire_request *, struct store_commit *,
                         struct wire_refusal *);
    enum status (*job)(struct job_context *, const struct wire_request *, struct error *);
    bool (*is_long)(
        const struct wire_request *); /* it takes a walk's thread, and a read no loop; or NULL */
};

/* The command of an opcode; NULL for those that are not served. */
const struct command *dispatch_find(uint16_t opcode);

#endif
