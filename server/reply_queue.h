/* reply_queue.h: answers of one connection, in the order of its requests.
 *
 *      oldest                                        newest
 *      | done | in commit | done (several) | held | in task |     -> appended behind
 *
 * A request whose answer is ready while nothing waits before it writes straight to the output and
 * never comes here. All others get a struct reply, recycled per loop. A reply that is done leaves
 * when it is the oldest. While another thread works for a reply, it is that thread's; it comes back
 * as a message to the loop's mailbox.
 *
 * One loop's thread only, but for the parts of struct reply that say otherwise. */
#ifndef KVD_SERVER_REPLY_QUEUE_H
#define KVD_SERVER_REPLY_QUEUE_H

#include "protocol/wire.h"
#include "server/buffer_pool.h"
#include "server/feed_look.h"
#include "server/mailbox.h"
#include "server/slow_log.h"
#include "server/trace.h"
#include "storage/store.h"

#include <stdatomic.h>

enum reply_phase {
    REPLY_DONE,      /* `bytes`, or `outcome` of a write, is the answer */
    REPLY_IN_TASK,   /* an I/O thread reads for it */
    REPLY_HELD,      /* its bytes wait for a watermark */
    REPLY_WAITING,   /* a look at the feed found nothing: waits for more to be durable */
    REPLY_IN_COMMIT, /* its commit is not yet as durable as asked for */
};

struct service;
struct uploads;

struct reply {
    struct reply *next;      /* the queue's, or the pool's */
    struct message message;  /* takes it back to its loop */
    struct mailbox *mailbox; /* constant while in a queue: of its loop */
    void *owner;             /* its connection */
    enum reply_phase phase;
    uint32_t id;           /* of the request */
    uint16_t opcode;       /* of the request */
    struct buffer bytes;   /* whole frames; of the I/O thread while in a task */
    bool lost;             /* memory was out: there is no answer, not even an error */
    struct trace trace;    /* of whoever has the reply */
    struct slow_note note; /* of what goes to another thread */

    /* a write */
    bool is_write;
    struct store_commit *commit; /* owned until the commit is done, then the pool's */
    size_t write_bytes;          /* of its frame; 0 once it is done */
    struct store_outcome outcome;
    struct store_transaction *transaction; /* of a TXN_COMMIT or TRANSACT: owned until that is
                                              done */

    /* a job: in a task first, then perhaps in commit */
    bool is_job;
    bool filled;         /* of the I/O thread: the commit is to be submitted, */
    enum status refused; /* not OK: though the job came to nothing, and says so in `bytes`, which
                            holds unless its token tells more */
    bool reap_all;       /* opcode 0: it only frees uploads, of a closed connection all */
    uint8_t tries;       /* of a commit that others came before */
    size_t held_bytes;   /* of a TRANSACT in commit, charged to the memory of clients */
    enum store_durability durability;
    struct uploads **uploads; /* of the session; the job's while in a task */
    uint64_t fresh_id;        /* of an upload that it may begin */
    uint64_t stream;          /* of its commit */
    uint64_t number;          /* for the answer of the commit, */
    bool has_token;           /* unless that was done before and tells its own */

    /* a read or job on an I/O thread */
    uint8_t slot;  /* enum service_slot that it has taken */
    bool has_read; /* `read` was begun */
    bool alone;    /* it is one of a transaction, so nothing else is executed meanwhile */
    struct store_task task;
    struct store_read read;        /* on the state that the request saw */
    const struct service *service; /* shared, constant */
    struct buffer frame;           /* the request */
    uint32_t agreed;               /* flags that HELLO agreed on */
    uint64_t deadline_at_ms;       /* monotonic; 0 is none */
    bool failed;                   /* what was done ended in an error answer */
    atomic_bool cancelled;         /* by the loop; relaxed: saves work, no more */

    /* of the feed: while it waits, `bytes` is the answer if the time is over */
    struct feed_look look;  /* of the I/O thread while in a task */
    uint64_t wait_until_ms; /* monotonic; 0: it does not wait */

    /* a held answer */
    struct store_waiter waiter; /* its hold is also what a task leaves */
    enum status waited;         /* how the wait ended */
};

#define REPLY_POOL_MAX 4096u /* kept for use again, a loop */

struct reply_pool {
    struct reply *free; /* owned, linked by next */
    uint32_t count;
};

/* A reply that is DONE with no bytes; NULL when memory is out. */
struct reply *reply_pool_take(struct reply_pool *pool);

/* Gives it back; its buffers and commit must have been taken out of it. */
void reply_pool_give(struct reply_pool *pool, struct reply *reply);

void reply_pool_deinit(struct reply_pool *pool);

struct reply_queue {
    struct reply *oldest; /* owned, linked by next */
    struct reply *newest;
    uint32_t count;
    uint32_t writes;    /* in commit */
    uint32_t jobs;      /* 1 while a job, or a task of a transaction, is not done */
    uint32_t tasks;     /* in a task */
    size_t bytes;       /* of the answers that are done or held */
    size_t task_bytes;  /* of the requests in tasks, and of those that wait after one */
    size_t write_bytes; /* of the commits and jobs in flight */
};

void reply_queue_push(struct reply_queue *queue, struct reply *reply);

/* The oldest if it is done, taken out; NULL otherwise. */
struct reply *reply_queue_pop_done(struct reply_queue *queue);

/* done_cb of reply->waiter, whose arg is the reply: notes how the wait ended and posts the message.
 * Called on any thread. */
void reply_held_cb(struct store_waiter *waiter, enum status status);

/* The callback of reply->transaction, with the reply as argument: likewise. */
void reply_committed_cb(void *arg, struct store_transaction *txn,
                        const struct store_outcome *outcome);

/* Whether the answer of a write has more than the version: it must be rendered while the commit
 * still has its results. */
bool reply_has_results(const struct reply *reply);

/* Makes the answer of such a write, into reply->bytes. Errors of buffer_reserve. */
enum status reply_render(struct reply *reply) MUST_CHECK;

/* Appends the answer of a done reply. Errors of buffer_reserve. */
enum status reply_append(const struct reply *reply, struct buffer *destination) MUST_CHECK;

/* The error answer for an outcome, or a read, that did not succeed. Errors of buffer_reserve. */
enum status reply_append_error(struct buffer *destination, uint32_t id, enum status status,
                               const struct error *error) MUST_CHECK;

#endif
