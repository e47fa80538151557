/* loop.c: see loop.h. */
#include "server/loop.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#define SCRATCH_BYTES_MAX (256u * 1024) /* two keys and a prefix */
#define TURNS_NS_MAX 500000u /* then sockets are polled again: a point read waits no longer */

/* Turns for a while; those who are left get theirs after the next poll, before all others. */
static void give_turns(struct loop *loop) {
    uint64_t started_ns = loop->first_turn ? uv_hrtime() : 0;
    struct loop_turn *last = loop->last_turn;
    bool more = loop->first_turn != NULL;

    while (more) {
        struct loop_turn *turn = loop->first_turn;
        loop->first_turn = turn->next;
        if (!loop->first_turn) {
            loop->last_turn = NULL;
        }
        turn->scheduled = false;
        more = turn != last && uv_hrtime() - started_ns < TURNS_NS_MAX;
        loop->hooks.turn_cb(turn);
    }
}

static void after_poll_cb(uv_check_t *check) {
    struct loop *loop = check->data;

    give_turns(loop);
    commit_batch_submit(&loop->commits);
    if (!loop->first_turn) {
        uv_idle_stop(&loop->busy);
    }
}

/* The poll may wait for long. */
static void before_poll_cb(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;

    loop->clock_ns = 0;
}

/* That it is active is enough: the poll does not wait then. */
static void busy_cb(uv_idle_t *busy) {
    (void)busy;
}

static void sweep_cb(uv_timer_t *timer) {
    struct loop *loop = timer->data;

    latency_turn(loop->latency, loop_now_ms(loop));
    hot_keys_age(loop->hot_keys, loop_now_ms(loop));
    loop->hooks.sweep_cb(loop->hooks.arg);
}

/* Handles that cannot fail to start. */
static void start_handles(struct loop *loop, uint32_t sweep_ms) {
    ASSERT(uv_prepare_init(&loop->uv, &loop->before_poll) == 0);
    ASSERT(uv_check_init(&loop->uv, &loop->after_poll) == 0);
    ASSERT(uv_idle_init(&loop->uv, &loop->busy) == 0);
    ASSERT(uv_timer_init(&loop->uv, &loop->sweep) == 0);
    loop->before_poll.data = loop;
    loop->after_poll.data = loop;
    loop->busy.data = loop;
    loop->sweep.data = loop;
    ASSERT(uv_prepare_start(&loop->before_poll, before_poll_cb) == 0);
    ASSERT(uv_check_start(&loop->after_poll, after_poll_cb) == 0);
    ASSERT(uv_timer_start(&loop->sweep, sweep_cb, sweep_ms, sweep_ms) == 0);
}

static void free_memory(struct loop *loop) {
    hot_keys_destroy(loop->hot_keys);
    memory_free(loop->latency);
    memory_free(loop->area);
    memory_free(loop);
}

enum status loop_create(const struct loop_options *options, struct loop **loop_out) {
    struct loop *loop = memory_alloc_zeroed(sizeof *loop);
    enum status status;

    if (!loop) {
        return STATUS_NO_MEMORY;
    }
    loop->index = options->index;
    loop->service = options->service;
    loop->metrics = &options->service->metrics[1 + options->index];
    loop->hooks = options->hooks;
    loop->commits.store = options->service->store;
    loop->commits.metrics = loop->metrics;
    loop->commits.done_cb = options->commit_done_cb;
    buffer_init(&loop->scratch, SCRATCH_BYTES_MAX);
    loop->area = memory_alloc_aligned(4096, LOOP_HEADROOM_BYTES + LOOP_RECEIVE_BYTES);
    loop->latency = memory_alloc_zeroed(sizeof *loop->latency);
    if (!loop->area || !loop->latency ||
        hot_keys_create(uv_hrtime() / 1000000, uv_hrtime(), &loop->hot_keys) != STATUS_OK ||
        uv_loop_init(&loop->uv) != 0) {
        free_memory(loop);
        return STATUS_NO_MEMORY;
    }
    status = mailbox_open(&loop->mailbox, &loop->uv);
    if (status != STATUS_OK) {
        ASSERT(uv_loop_close(&loop->uv) == 0);
        free_memory(loop);
        return status;
    }
    loop->service->latencies[loop->index] = loop->latency;
    loop->service->hot_keys[loop->index] = loop->hot_keys;
    loop->keys_to_sample = hot_keys_distance(loop->hot_keys);
    start_handles(loop, options->sweep_ms);
    *loop_out = loop;
    return STATUS_OK;
}

static void thread_main(void *arg) {
    struct loop *loop = arg;

    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

enum status loop_start(struct loop *loop) {
    return uv_thread_create(&loop->thread, thread_main, loop) == 0 ? STATUS_OK : STATUS_IO;
}

void loop_end(struct loop *loop) {
    uv_stop(&loop->uv);
}

void loop_join(struct loop *loop) {
    ASSERT(uv_thread_join(&loop->thread) == 0);
    commit_batch_deinit(&loop->commits);
}

void loop_destroy(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* delivers what came when the thread had ended */
    mailbox_close(&loop->mailbox);
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->sweep, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&loop->uv) == 0);
    buffer_pool_deinit(&loop->buffers);
    reply_pool_deinit(&loop->replies);
    buffer_deinit(&loop->scratch);
    loop->service->latencies[loop->index] = NULL;
    loop->service->hot_keys[loop->index] = NULL;
    free_memory(loop);
}

void loop_schedule(struct loop *loop, struct loop_turn *turn) {
    if (turn->scheduled) {
        return;
    }
    turn->scheduled = true;
    turn->next = NULL;
    if (loop->last_turn) {
        loop->last_turn->next = turn;
    } else {
        loop->first_turn = turn;
    }
    loop->last_turn = turn;
    ASSERT(uv_idle_start(&loop->busy, busy_cb) == 0);
}

struct store_read *loop_read(struct loop *loop) {
    if (!loop->reading) {
        store_read_begin(loop->service->store, &loop->read);
        loop->reading = true;
    }
    return &loop->read;
}

void loop_read_end(struct loop *loop) {
    if (loop->reading) {
        store_read_end(&loop->read);
        loop->reading = false;
    }
}
