/* loop.h: one thread with an event loop, and what its connections share.
 *
 * An iteration: the poll phase reads sockets and the mailbox, and what is ready is executed at
 * once; then everyone who was scheduled meanwhile gets one turn, or as many as half a millisecond
 * allows; then all commits that were filled are submitted together. A loop with somebody scheduled
 * polls without waiting.
 *
 * Everything here belongs to the loop's thread, but for the mailbox and, before loop_start and
 * after loop_join, the thread that owns the loop. */
#ifndef KVD_SERVER_LOOP_H
#define KVD_SERVER_LOOP_H

#include "server/buffer_pool.h"
#include "server/burst.h"
#include "server/commit_batch.h"
#include "server/mailbox.h"
#include "server/reply_queue.h"
#include "server/service.h"

#include <uv.h>

/* Bytes that one read may bring. At 100 bytes a request it is 2,600 of them. */
#define LOOP_RECEIVE_BYTES (256u * 1024)
/* Room before them, for the start of a request that the read before ended in. */
#define LOOP_HEADROOM_BYTES (16u * 1024)

struct loop_turn {
    struct loop_turn *next; /* the loop's while scheduled */
    bool scheduled;
};

struct loop_hooks {
    void (*turn_cb)(struct loop_turn *turn); /* its turn has come; it is not scheduled any more */
    void (*sweep_cb)(void *arg);             /* every sweep_ms */
    void *arg;
};

struct loop {
    uint32_t index;          /* from 0; constant */
    struct service *service; /* shared */
    struct metrics *metrics; /* of this loop */
    struct loop_hooks hooks; /* constant */
    uv_loop_t uv;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t busy; /* runs while somebody is scheduled */
    uv_timer_t sweep;
    uv_thread_t thread;
    struct mailbox mailbox; /* any thread posts */
    struct loop_turn *first_turn;
    struct loop_turn *last_turn;
    uint8_t *area; /* owned: headroom, then the receive buffer */
    struct buffer_pool buffers;
    struct reply_pool replies;
    struct commit_batch commits;
    struct store_read read; /* the read transaction of the turn, if `reading` */
    bool reading;
    struct buffer scratch;     /* of reads on this loop */
    uint64_t clock_ns;         /* of the last look at the clock; 0: look again */
    struct burst burst;        /* the requests that are being executed */
    struct latency *latency;   /* owned; others read it through the service */
    uint32_t keys_to_sample;   /* that requests name until one is sampled; above 0 */
    struct hot_keys *hot_keys; /* owned; likewise */
};

struct loop_options {
    uint32_t index;
    struct service *service; /* borrowed */
    struct loop_hooks hooks;
    store_commit_cb commit_done_cb;
    uint32_t sweep_ms;
};

/* Errors: NO_MEMORY, IO. Nothing is left open on failure. */
enum status loop_create(const struct loop_options *options, struct loop **loop_out) MUST_CHECK;

/* Starts its thread. Errors: IO. */
enum status loop_start(struct loop *loop) MUST_CHECK;

/* Ends loop_start's thread when the present iteration is over. */
void loop_end(struct loop *loop);

/* Waits for the thread; frees the commits, so that the store can be closed. The mailbox stays. */
void loop_join(struct loop *loop);

/* Frees it; no thread may post any more. */
void loop_destroy(struct loop *loop);

/* Gives `turn` a turn after this poll phase, or, during turns, after the next. */
void loop_schedule(struct loop *loop, struct loop_turn *turn);

/* The read transaction of this turn: begun by the first read in it, so after its bytes came. */
struct store_read *loop_read(struct loop *loop);
void loop_read_end(struct loop *loop);

/* Monotonic milliseconds, as of the last poll. */
static inline uint64_t loop_now_ms(const struct loop *loop) {
    return uv_now(&loop->uv);
}

/* uv_hrtime, as of the last look at it in this poll phase. */
static inline uint64_t loop_clock_ns(struct loop *loop) {
    if (loop->clock_ns == 0) {
        loop->clock_ns = uv_hrtime();
    }
    return loop->clock_ns;
}

/* Looks at the clock. */
static inline uint64_t loop_clock_tick(struct loop *loop) {
    loop->clock_ns = uv_hrtime();
    return loop->clock_ns;
}

static inline uint8_t *loop_receive_area(const struct loop *loop) {
    return loop->area + LOOP_HEADROOM_BYTES;
}

#endif
