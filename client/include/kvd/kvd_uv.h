/* kvd_uv.h: runs a kvd_async in a loop of libuv. Not included by kvd.h: link with libuv too.
 *
 *     kvd_async_open("127.0.0.1:4411", NULL, &async);
 *     kvd_uv_init(&uv, loop, async);
 *     kvd_async_put(async, key, value, NULL, on_done, NULL);
 *     uv_run(loop, UV_RUN_DEFAULT);            ... kvd_uv_close(&uv, NULL) ends it
 *
 * Requests submitted anywhere in the loop's thread are sent, together, before the loop waits again.
 * From kvd_uv_init on only the adapter steps and closes the handle. All calls belong to the loop's
 * thread. The whole adapter is in this header and allocates nothing. */
#ifndef KVD_KVD_UV_H
#define KVD_KVD_UV_H

#include <kvd/kvd.h>
#include <poll.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The adapter; below. */
struct kvd_uv;

/* Everything of the adapter is closed: its memory is the caller's again. */
typedef void (*kvd_uv_close_cb)(struct kvd_uv *uv);

/* The caller's memory, until close_cb was called. Its fields are the adapter's, but for `data`. */
struct kvd_uv {
    void *data; /* the user's */
    struct kvd_async *async;
    uv_prepare_t prepare; /* before the loop waits */
    uv_timer_t timer;     /* kvd_async_timeout_ms */
    uv_poll_t polls[2];   /* of the descriptor, and of the one before while it closes */
    bool poll_used[2];    /* until its close callback */
    int current;          /* the poll that watches `fd` */
    int fd;               /* watched; -1: none */
    unsigned open_count;  /* handles whose close callback has not come */
    bool closing;
    kvd_uv_close_cb close_cb;
};

/* Of the adapter itself. */
static inline void kvd_uv__refresh(struct kvd_uv *uv);

/* Of the adapter itself: a handle is closed. */
static inline void kvd_uv__on_close(uv_handle_t *handle) {
    struct kvd_uv *uv = (struct kvd_uv *)handle->data;

    for (int i = 0; i < 2; i++) {
        if (handle == (uv_handle_t *)&uv->polls[i]) {
            uv->poll_used[i] = false;
        }
    }
    uv->open_count--;
    if (!uv->closing) {
        kvd_uv__refresh(uv);
    } else if (uv->open_count == 0 && uv->close_cb) {
        uv->close_cb(uv);
    }
}

/* Of the adapter itself: steps, unless a callback closes. */
static inline void kvd_uv__step(struct kvd_uv *uv) {
    if (!uv->closing) {
        (void)kvd_async_step(uv->async); /* each request is told */
    }
    if (!uv->closing) {
        kvd_uv__refresh(uv);
    }
}

/* Of the adapter itself. */
static inline void kvd_uv__on_poll(uv_poll_t *poll, int status, int events) {
    (void)status; /* an error of the descriptor is found by the step */
    (void)events;
    kvd_uv__step((struct kvd_uv *)poll->data);
}

/* Of the adapter itself. */
static inline void kvd_uv__on_timer(uv_timer_t *timer) {
    kvd_uv__step((struct kvd_uv *)timer->data);
}

/* Of the adapter itself: sends what the callbacks of this round have submitted. */
static inline void kvd_uv__on_prepare(uv_prepare_t *prepare) {
    struct kvd_uv *uv = (struct kvd_uv *)prepare->data;

    kvd_uv__refresh(uv);
    if ((kvd_async_events(uv->async) & POLLOUT) || kvd_async_timeout_ms(uv->async) == 0) {
        kvd_uv__step(uv);
    }
}

/* Of the adapter itself: watches the descriptor that the handle has now. */
static inline void kvd_uv__watch(struct kvd_uv *uv) {
    int fd = kvd_async_fd(uv->async);
    int next = 1 - uv->current;

    if (fd == uv->fd) {
        return;
    }
    if (uv->fd >= 0) { /* still open, as kvd_async_fd promises */
        uv->fd = -1;
        uv_close((uv_handle_t *)&uv->polls[uv->current], kvd_uv__on_close);
    }
    if (fd < 0 || uv->poll_used[next]) {
        return; /* in the latter case, the close callback comes here again */
    }
    if (uv_poll_init(uv->timer.loop, &uv->polls[next], fd) != 0) {
        kvd_async_cancel(uv->async);
        return;
    }
    uv->polls[next].data = uv;
    uv->poll_used[next] = true;
    uv->open_count++;
    uv->current = next;
    uv->fd = fd;
}

/* Of the adapter itself: descriptor, events and time as the handle wants them now. */
static inline void kvd_uv__refresh(struct kvd_uv *uv) {
    short events;
    int timeout_ms;

    kvd_uv__watch(uv);
    events = kvd_async_events(uv->async);
    timeout_ms = kvd_async_timeout_ms(uv->async);
    if (uv->fd >= 0) {
        (void)uv_poll_start(&uv->polls[uv->current],
                            (events & POLLIN ? UV_READABLE : 0) |
                                (events & POLLOUT ? UV_WRITABLE : 0),
                            kvd_uv__on_poll);
    }
    if (timeout_ms >= 0) {
        uv_update_time(uv->timer.loop);
        (void)uv_timer_start(&uv->timer, kvd_uv__on_timer, (uint64_t)timeout_ms, 0);
    } else {
        (void)uv_timer_stop(&uv->timer);
    }
}

/* Attaches `async` to a loop, which it keeps running until kvd_uv_close. 0, or an error of libuv:
 * then `async` is still the caller's to close. Memory of *uv: the caller's. */
static inline int kvd_uv_init(struct kvd_uv *uv, uv_loop_t *loop, struct kvd_async *async) {
    int result;

    memset(uv, 0, sizeof *uv);
    uv->async = async;
    uv->fd = -1;
    result = uv_timer_init(loop, &uv->timer); /* in all versions so far, neither of them fails */
    if (result == 0) {
        result = uv_prepare_init(loop, &uv->prepare);
    }
    if (result != 0) {
        return result;
    }
    uv->open_count = 2;
    uv->timer.data = uv;
    uv->prepare.data = uv;
    (void)uv_prepare_start(&uv->prepare, kvd_uv__on_prepare);
    kvd_uv__refresh(uv);
    return 0;
}

/* Closes the kvd_async, whose requests get their callbacks as kvd_async_close tells, and the
 * adapter; close_cb (may be NULL) comes from the loop, later. May be called in callbacks. */
static inline void kvd_uv_close(struct kvd_uv *uv, kvd_uv_close_cb close_cb) {
    if (uv->closing) {
        return;
    }
    uv->closing = true;
    uv->close_cb = close_cb;
    if (uv->fd >= 0) {
        uv->fd = -1;
        uv_close((uv_handle_t *)&uv->polls[uv->current], kvd_uv__on_close);
    }
    uv_close((uv_handle_t *)&uv->timer, kvd_uv__on_close);
    uv_close((uv_handle_t *)&uv->prepare, kvd_uv__on_close);
    kvd_async_close(uv->async);
}

#ifdef __cplusplus
}
#endif

#endif
