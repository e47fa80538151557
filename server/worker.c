/* worker.c: see worker.h. */
#include "server/worker.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/connection.h"

#include <stddef.h>
#include <unistd.h>

#define SWEEP_MS 200u /* the finest limit of time is 1 s */

struct worker {
    struct loop *loop; /* owned */
    struct service *service;
    struct mailbox *home;
    struct message *done;
    struct connection *first; /* of those that are not closing */
    uint32_t alive;           /* connections whose memory is not free yet */
    bool stopping;
    bool started; /* of the owner */
    struct message stop;
    struct message kill;
    struct message shed;
    atomic_bool shed_posted;  /* acquire/release with the delivery of `shed` */
    _Atomic uint32_t charged; /* connections given; relaxed: to spread them evenly */
};

/* A socket on its way. */
struct handover {
    struct message message;
    struct worker *worker;
    int descriptor;
    bool is_unix;
};

uint32_t worker_connections(const struct worker *worker) {
    return atomic_load_explicit(&worker->charged, memory_order_relaxed);
}

static void end_if_empty(struct worker *worker) {
    if (worker->stopping && worker->alive == 0) {
        loop_end(worker->loop);
        mailbox_post(worker->home, worker->done);
    }
}

static void connection_gone_cb(void *arg) {
    struct worker *worker = arg;

    ASSERT(worker->alive > 0);
    worker->alive--;
    atomic_fetch_sub_explicit(&worker->charged, 1, memory_order_relaxed);
    end_if_empty(worker);
}

static void link_connection(struct worker *worker, struct connection *connection) {
    connection->next = worker->first;
    connection->link = &worker->first;
    if (worker->first) {
        worker->first->link = &connection->next;
    }
    worker->first = connection;
}

static void adopt_cb(struct message *message) {
    struct handover *handover =
        (struct handover *)((char *)message - offsetof(struct handover, message));
    struct worker *worker = handover->worker;
    struct connection_options options = {.loop = worker->loop,
                                         .descriptor = handover->descriptor,
                                         .is_unix = handover->is_unix,
                                         .gone_cb = connection_gone_cb,
                                         .gone_arg = worker};
    struct connection *connection;

    memory_free(handover);
    if (connection_open(&options, &connection) != STATUS_OK) {
        close(options.descriptor);
        metrics_add(worker->loop->metrics, METRIC_CONNECTIONS_REFUSED, 1);
        service_connection_left(worker->service, false);
        atomic_fetch_sub_explicit(&worker->charged, 1, memory_order_relaxed);
        return;
    }
    worker->alive++;
    link_connection(worker, connection);
}

enum status worker_hand_over(struct worker *worker, int descriptor, bool is_unix) {
    struct handover *handover = memory_alloc_zeroed(sizeof *handover);

    if (!handover) {
        return STATUS_NO_MEMORY;
    }
    *handover = (struct handover){.message = {.deliver_cb = adopt_cb},
                                  .worker = worker,
                                  .descriptor = descriptor,
                                  .is_unix = is_unix};
    atomic_fetch_add_explicit(&worker->charged, 1, memory_order_relaxed);
    mailbox_post(&worker->loop->mailbox, &handover->message);
    return STATUS_OK;
}

/* ---- Memory */

static struct connection *biggest_of(const struct worker *worker) {
    struct connection *biggest = worker->first;

    for (struct connection *other = biggest; other; other = other->next) {
        if (other->charged_bytes > biggest->charged_bytes) {
            biggest = other;
        }
    }
    return biggest;
}

void worker_publish(struct worker *worker) {
    const struct connection *biggest = biggest_of(worker);

    client_memory_publish(&worker->service->client_memory, worker->loop->index,
                          biggest ? biggest->charged_bytes : 0);
}

/* As long as it is too much, whoever has the biggest connection by now closes it. */
static void ask_to_shed(struct worker *worker) {
    struct service *service = worker->service;

    worker_publish(worker);
    if (client_memory_exceeded(&service->client_memory)) {
        service->shed_cb(service->shed_arg, worker->loop->index);
    }
}

static void shed_cb(struct message *message) {
    struct worker *worker = (struct worker *)((char *)message - offsetof(struct worker, shed));
    struct connection *biggest = biggest_of(worker);

    atomic_store_explicit(&worker->shed_posted, false, memory_order_release);
    if (biggest && client_memory_exceeded(&worker->service->client_memory)) {
        connection_shed(biggest);
    }
    ask_to_shed(worker);
}

void worker_shed(struct worker *worker) {
    if (!atomic_exchange_explicit(&worker->shed_posted, true, memory_order_acq_rel)) {
        mailbox_post(&worker->loop->mailbox, &worker->shed);
    }
}

/* ---- Time and the end */

static void for_each(struct worker *worker, void (*visit)(struct connection *)) {
    struct connection *connection = worker->first;

    while (connection) {
        struct connection *next = connection->next; /* closing takes it out of the list */
        visit(connection);
        connection = next;
    }
}

static void sweep_cb(void *arg) {
    struct worker *worker = arg;

    for_each(worker, connection_sweep);
    ask_to_shed(worker);
}

static void stop_cb(struct message *message) {
    struct worker *worker = (struct worker *)((char *)message - offsetof(struct worker, stop));

    worker->stopping = true;
    for_each(worker, connection_finish);
    end_if_empty(worker);
}

static void kill_cb(struct message *message) {
    struct worker *worker = (struct worker *)((char *)message - offsetof(struct worker, kill));

    ASSERT(worker->stopping);
    for_each(worker, connection_close);
}

void worker_stop(struct worker *worker) {
    mailbox_post(&worker->loop->mailbox, &worker->stop);
}

void worker_kill(struct worker *worker) {
    mailbox_post(&worker->loop->mailbox, &worker->kill);
}

/* ---- The owner */

enum status worker_create(const struct worker_options *options, struct worker **worker_out) {
    struct worker *worker = memory_alloc_zeroed(sizeof *worker);
    struct loop_options loop_options = {
        .index = options->index,
        .service = options->service,
        .hooks = {.turn_cb = connection_turn_cb, .sweep_cb = sweep_cb, .arg = worker},
        .commit_done_cb = connection_commit_done_cb,
        .sweep_ms = SWEEP_MS,
    };
    enum status status;

    if (!worker) {
        return STATUS_NO_MEMORY;
    }
    worker->service = options->service;
    worker->home = options->home;
    worker->done = options->done;
    worker->stop.deliver_cb = stop_cb;
    worker->kill.deliver_cb = kill_cb;
    worker->shed.deliver_cb = shed_cb;
    status = loop_create(&loop_options, &worker->loop);
    if (status != STATUS_OK) {
        memory_free(worker);
        return status;
    }
    *worker_out = worker;
    return STATUS_OK;
}

enum status worker_start(struct worker *worker) {
    enum status status = loop_start(worker->loop);

    worker->started = status == STATUS_OK;
    return status;
}

void worker_join(struct worker *worker) {
    if (worker->started) {
        loop_join(worker->loop);
        worker->started = false;
    }
}

void worker_destroy(struct worker *worker) {
    if (!worker) {
        return;
    }
    ASSERT(!worker->started);
    loop_destroy(worker->loop);
    memory_free(worker);
}
