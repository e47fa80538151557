/* bench_thread.c: the loop of a benchmark's thread. See bench_thread.h. */
#include "client/kvcli/bench_thread.h"

#include "client/kvcli/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define NEVER_NS UINT64_MAX
#define LATE_NS_MAX 100000000u

/* --- the next window --- */

/* What comes next: a put of the next key to be loaded, or what the mix says. */
static struct bench_slot choose_request(struct bench_thread *thread) {
    struct bench_slot slot = {.kind = BENCH_PUT};

    if (thread->loads) {
        slot.number = bench_keys_load_order(thread->keys, thread->load_next++);
        return slot;
    }
    slot.kind = bench_mix_pick(&thread->plan->mix, &thread->random);
    if (slot.kind == BENCH_INSERT && bench_inserts_take(thread->inserts, &slot.number)) {
        return slot;
    }
    slot.kind = slot.kind == BENCH_INSERT ? BENCH_PUT : slot.kind; /* no room for one more */
    slot.number =
        bench_keys_pick(thread->keys, bench_inserts_stored(thread->inserts), &thread->random);
    return slot;
}

static enum status add_request(struct bench_thread *thread, struct bench_connection *connection,
                               struct bench_slot slot) {
    uint8_t key[BENCH_KEY_BYTES];
    struct bench_step step = {.slot = slot, .key = slice_make(key, sizeof key)};

    bench_keys_write(slot.number, key);
    if (slot.kind == BENCH_SCAN) {
        step.scan_limit = 1 + (uint32_t)bench_random_below(&thread->random, BENCH_SCAN_MAX);
    } else if (slot.kind != BENCH_GET) {
        step.value = bench_keys_value(thread->keys, &thread->random);
    }
    return bench_connection_add(connection, &step);
}

/* Whether a window of the connection is to be sent, now or at its time. A window that was due
 * before the end is sent until a little after it. */
static bool has_work(const struct bench_thread *thread, const struct bench_connection *connection,
                     uint64_t now_ns) {
    if (thread->quota_left == 0 || bench_watch_is_over(thread->watch)) {
        return false;
    }
    if (thread->deadline_ns == 0) {
        return true;
    }
    return thread->window_ns == 0 ? now_ns < thread->deadline_ns
                                  : connection->due_ns < thread->deadline_ns &&
                                        now_ns < thread->deadline_ns + LATE_NS_MAX;
}

/* Asks epoll to tell, or not, when the connection can be written. */
static enum status watch(int epoll_fd, struct bench_connection *connection, int operation) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};

    connection->wants_write = bench_connection_is_sending(connection);
    event.events |= connection->wants_write ? EPOLLOUT : 0u;
    return epoll_ctl(epoll_fd, operation, connection->fd, &event) == 0 ? STATUS_OK : STATUS_IO;
}

static enum status send_on(int epoll_fd, struct bench_connection *connection) {
    enum status status = bench_connection_send(connection);

    if (status == STATUS_OK && bench_connection_is_sending(connection) != connection->wants_write) {
        status = watch(epoll_fd, connection, EPOLL_CTL_MOD);
    }
    return status;
}

/* Sends the puts of the modifications whose gets were answered. Their time began with the gets. */
static enum status begin_second(struct bench_thread *thread, int epoll_fd,
                                struct bench_connection *connection) {
    uint32_t answered = connection->queued;
    enum status status = STATUS_OK;

    bench_connection_reset(connection);
    for (uint32_t i = 0; i < answered && status == STATUS_OK; i++) {
        struct bench_slot slot = connection->slots[i]; /* slots are filled below i */
        if (slot.is_pending) {
            slot.is_pending = false;
            slot.is_second = true;
            status = add_request(thread, connection, slot);
        }
    }
    return status == STATUS_OK ? send_on(epoll_fd, connection) : status;
}

/* Sends the next window, unless the work or the present moment's share of it is done. */
static enum status begin_window(struct bench_thread *thread, int epoll_fd,
                                struct bench_connection *connection) {
    uint64_t now_ns = clock_now_ns();
    enum status status = STATUS_OK;

    bench_connection_reset(connection);
    if (!has_work(thread, connection, now_ns) ||
        (thread->window_ns && connection->due_ns > now_ns)) {
        return STATUS_OK;
    }
    while (status == STATUS_OK && thread->quota_left > 0 &&
           connection->queued < thread->plan->pipeline) {
        status = add_request(thread, connection, choose_request(thread));
        thread->quota_left -= thread->quota_left != UINT64_MAX;
    }
    connection->start_ns = clock_now_ns();
    if (thread->window_ns) {
        connection->start_ns = connection->due_ns;
        connection->due_ns += thread->window_ns;
    }
    return status == STATUS_OK ? send_on(epoll_fd, connection) : status;
}

/* --- the loop --- */

/* Takes what has come, and begins the next window if that was the last of this. */
static enum status receive(struct bench_thread *thread, int epoll_fd,
                           struct bench_connection *connection) {
    uint32_t before = connection->answered;
    bool was_idle = bench_connection_is_idle(connection);
    enum status status = bench_connection_receive(connection, thread->inserts, thread->counts);

    if (status != STATUS_OK) {
        return status;
    }
    bench_watch_count(thread->watch, connection->answered - before);
    if (was_idle || !bench_connection_is_idle(connection)) {
        return STATUS_OK;
    }
    return connection->pending > 0 ? begin_second(thread, epoll_fd, connection)
                                   : begin_window(thread, epoll_fd, connection);
}

static enum status serve(struct bench_thread *thread, int epoll_fd,
                         const struct epoll_event *event) {
    struct bench_connection *connection = event->data.ptr;
    enum status status = STATUS_OK;

    if (!connection) { /* that it is over needs to be told once */
        return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, thread->watch->stop_fd, NULL) == 0 ? STATUS_OK
                                                                                     : STATUS_IO;
    }
    if (event->events & EPOLLOUT) {
        status = send_on(epoll_fd, connection);
    }
    if (status == STATUS_OK && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        status = receive(thread, epoll_fd, connection);
    }
    return status;
}

/* Begins the windows that are due; *next_ns_out is when the next will be, NEVER if none will. */
static enum status begin_due(struct bench_thread *thread, int epoll_fd, uint64_t *next_ns_out) {
    enum status status = STATUS_OK;

    *next_ns_out = NEVER_NS;
    for (uint64_t i = 0; i < thread->connection_count && status == STATUS_OK; i++) {
        struct bench_connection *connection = &thread->connections[i];
        if (bench_connection_is_idle(connection)) {
            status = begin_window(thread, epoll_fd, connection);
        }
        if (bench_connection_is_idle(connection) && connection->due_ns < *next_ns_out &&
            has_work(thread, connection, clock_now_ns())) {
            *next_ns_out = connection->due_ns;
        }
    }
    return status;
}

static bool any_busy(const struct bench_thread *thread) {
    for (uint64_t i = 0; i < thread->connection_count; i++) {
        if (!bench_connection_is_idle(&thread->connections[i])) {
            return true;
        }
    }
    return false;
}

/* Waits for events, at most until `until_ns`. Returns how many; 0 also when interrupted. Errors:
 * TIMEOUT when none came for the plan's whole timeout, IO. */
static enum status wait_events(const struct bench_thread *thread, int epoll_fd, uint64_t until_ns,
                               struct epoll_event events[EVENTS_MAX], int *count_out) {
    uint64_t now_ns = until_ns == NEVER_NS ? 0 : clock_now_ns();
    uint64_t wait_ns = until_ns == NEVER_NS ? thread->plan->timeout_ms * 1000000u
                       : until_ns > now_ns  ? until_ns - now_ns
                                            : 0;
    struct timespec wait = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    int count = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &wait, NULL);

    *count_out = count < 0 ? 0 : count;
    if (count < 0 && errno != EINTR) {
        return STATUS_IO;
    }
    return count == 0 && until_ns == NEVER_NS ? STATUS_TIMEOUT : STATUS_OK;
}

static enum status run_loop(struct bench_thread *thread, int epoll_fd) {
    struct epoll_event events[EVENTS_MAX];
    uint64_t next_ns = NEVER_NS;
    enum status status = begin_due(thread, epoll_fd, &next_ns);
    bool paced = thread->window_ns > 0;

    while (status == STATUS_OK) {
        int count = 0;
        bool more = paced && next_ns != NEVER_NS;
        if (!more && !any_busy(thread)) {
            return STATUS_OK;
        }
        status = wait_events(thread, epoll_fd, more ? next_ns : NEVER_NS, events, &count);
        for (int i = 0; i < count && status == STATUS_OK; i++) {
            status = serve(thread, epoll_fd, &events[i]);
        }
        if (status == STATUS_OK && paced) {
            status = begin_due(thread, epoll_fd, &next_ns);
        }
    }
    return status;
}

/* Requests whose time came and that were not sent, since the connection was not free. */
static uint64_t count_unsent(const struct bench_thread *thread) {
    uint64_t now_ns = clock_now_ns();
    uint64_t end_ns =
        thread->deadline_ns && thread->deadline_ns < now_ns ? thread->deadline_ns : now_ns;
    uint64_t windows = 0;

    for (uint64_t i = 0; i < thread->connection_count && thread->window_ns > 0; i++) {
        uint64_t due_ns = thread->connections[i].due_ns;
        windows += due_ns < end_ns ? (end_ns - due_ns - 1) / thread->window_ns + 1 : 0;
    }
    return thread->quota_left / thread->plan->pipeline < windows ? thread->quota_left
                                                                 : windows * thread->plan->pipeline;
}

/* Adds the descriptor that says that it is over. */
static enum status watch_stop(const struct bench_thread *thread, int epoll_fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, thread->watch->stop_fd, &event) == 0 ? STATUS_OK
                                                                                   : STATUS_IO;
}

void *bench_thread_main(void *arg) {
    struct bench_thread *thread = arg;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    thread->status = epoll_fd >= 0 ? watch_stop(thread, epoll_fd) : STATUS_IO;
    for (uint64_t i = 0; i < thread->connection_count && thread->status == STATUS_OK; i++) {
        thread->status = watch(epoll_fd, &thread->connections[i], EPOLL_CTL_ADD);
    }
    if (thread->status == STATUS_OK) {
        thread->status = run_loop(thread, epoll_fd);
    }
    thread->os_errno = thread->status == STATUS_IO ? errno : 0;
    if (epoll_fd >= 0) {
        close(epoll_fd);
    }
    thread->counts->unsent = count_unsent(thread);
    bench_watch_end(thread->watch);
    return NULL;
}
