/* server_fixture.h: a worker with a store of its own, spoken to over a pair of sockets. */
#ifndef KVD_TESTS_UNIT_SERVER_FIXTURE_H
#define KVD_TESTS_UNIT_SERVER_FIXTURE_H

#include "protocol/base/memory.h"
#include "server/limits.h"
#include "server/mailbox.h"
#include "server/worker.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct house {
    char dir[64];
    struct service *service; /* owned */
    uv_loop_t uv;
    struct mailbox home;
    struct message done;
    struct worker *worker;
    int client; /* our end */
    struct buffer sent;
    struct buffer received;
    bool has_env;
    bool log_failed; /* the test made it fail: closing the store says so */
};

static inline void done_cb(struct message *message) {
    (void)message; /* that it came is what matters */
}

static inline void no_shed_cb(void *arg, uint32_t loop) {
    (void)arg;
    (void)loop;
}

/* `env` NULL: a folder of the file system. */
static inline void open_house_on(struct house *house, struct env *env) {
    struct store_options options;
    struct error error;

    *house = (struct house){.dir = "/tmp/kvd-worker-XXXXXX", .client = -1};
    if (env) {
        snprintf(house->dir, sizeof house->dir, "store");
    } else {
        ck_assert_ptr_nonnull(mkdtemp(house->dir));
    }
    house->has_env = env != NULL;
    house->service = memory_alloc_zeroed(sizeof *house->service);
    ck_assert_ptr_nonnull(house->service);
    store_options_init(&options, house->dir);
    options.memory_limit_bytes = 64u << 20;
    options.env = env;
    ck_assert_int_eq(store_open(&options, &house->service->store, &error), STATUS_OK);
    limits_init(&house->service->limits);
    house->service->metrics_count = 2;
    house->service->durability = STORE_LOGGED;
    house->service->frame_timeout_ms = 30000;
    house->service->shed_cb = no_shed_cb;
    client_memory_init(&house->service->client_memory, 256u << 20, 1);
    buffer_init(&house->sent, SIZE_MAX);
    buffer_init(&house->received, SIZE_MAX);
    ck_assert_int_eq(uv_loop_init(&house->uv), 0);
    ck_assert_int_eq(mailbox_open(&house->home, &house->uv), STATUS_OK);
    ck_assert_int_eq(buffer_reserve(&house->sent, 1 << 20), STATUS_OK);
    ck_assert_int_eq(buffer_reserve(&house->received, 1 << 20), STATUS_OK);
}

static inline void open_house(struct house *house) {
    open_house_on(house, NULL);
}

static inline void remove_dir(const char *dir) {
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static inline void close_house(struct house *house) {
    struct error error;

    enum status status = store_close(house->service->store, &error);

    ck_assert(status == STATUS_OK || house->log_failed);
    mailbox_close(&house->home);
    uv_run(&house->uv, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&house->uv), 0);
    buffer_deinit(&house->sent);
    buffer_deinit(&house->received);
    memory_free(house->service);
    if (!house->has_env) {
        remove_dir(house->dir);
    }
}

/* A worker for the life of a session. Errors: NO_MEMORY. */
static inline enum status hire(struct house *house) {
    struct worker_options options = {
        .service = house->service, .home = &house->home, .done = &house->done};
    enum status status;

    house->done.deliver_cb = done_cb;
    status = worker_create(&options, &house->worker);
    if (status == STATUS_OK) {
        ck_assert_int_eq(worker_start(house->worker), STATUS_OK);
    }
    return status;
}

static inline void dismiss(struct house *house) {
    worker_stop(house->worker);
    worker_join(house->worker);
    uv_run(&house->uv, UV_RUN_NOWAIT); /* takes `done` */
    worker_destroy(house->worker);
}

/* Returns whether the worker took the connection. */
static inline bool connect_client(struct house *house) {
    struct timeval patience = {.tv_sec = 20};
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    service_connection_came(house->service);
    house->client = pair[0];
    if (worker_hand_over(house->worker, pair[1], true) == STATUS_OK) {
        return true;
    }
    service_connection_left(house->service, false);
    close(pair[1]);
    close(pair[0]);
    return false;
}

/* Waits for one reply. False when the server has closed instead. */
static inline bool take_reply(struct house *house, uint16_t opcode, enum status *status_out) {
    struct wire_frame frame;
    struct wire_response response;
    const char *reason;
    size_t wanted;

    while (wire_frame_decode(buffer_slice(&house->received), WIRE_KIND_RESPONSE, 1u << 24, &frame,
                             &wanted, &reason) != STATUS_OK) {
        ssize_t count = recv(house->client, house->received.data + house->received.len,
                             house->received.capacity - house->received.len, 0);
        if (count <= 0) {
            return false;
        }
        house->received.len += (size_t)count;
    }
    ck_assert_int_eq(wire_response_decode(&frame, opcode, false, &response, &reason), STATUS_OK);
    *status_out = response.status;
    buffer_consume(&house->received, WIRE_FRAME_HEADER_BYTES + frame.body_len);
    return true;
}

static inline void send_request(struct house *house, const struct wire_request *request) {
    buffer_clear(&house->sent);
    ck_assert_int_eq(wire_request_encode(&house->sent, request), STATUS_OK);
    (void)!send(house->client, house->sent.data, house->sent.len, MSG_NOSIGNAL);
}

/* Sends a request and waits for its reply. */
static inline bool ask(struct house *house, const struct wire_request *request,
                       enum status *status_out) {
    send_request(house, request);
    return take_reply(house, request->opcode, status_out);
}

/* The first request of a session. */
static inline struct wire_request greeting(void) {
    return (struct wire_request){
        .opcode = WIRE_HELLO, .version_min = 1, .version_max = 1, .features = SERVICE_FLAGS};
}

static inline struct wire_request about(uint16_t opcode, const char *key) {
    struct wire_request request = {.opcode = opcode, .key = slice_from_text(key)};

    if (opcode == WIRE_PUT) {
        request.value = slice_from_text("a value of a hundred bytes, or nearly so many");
    }
    return request;
}

static inline void leave(struct house *house) {
    close(house->client);
    buffer_clear(&house->received);
    dismiss(house);
}

#endif
