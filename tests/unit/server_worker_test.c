/* server_worker_test.c: a worker with a real store, spoken to over a pair of sockets: how many
 * allocations a request costs, and what happens when one of them fails. */
#include "protocol/base/memory.h"
#include "server/limits.h"
#include "server/mailbox.h"
#include "server/worker.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAILING_ALLOCATIONS 120 /* more than a whole session makes */

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
};

static void done_cb(struct message *message) {
    (void)message; /* that it came is what matters */
}

static void no_shed_cb(void *arg, uint32_t loop) {
    (void)arg;
    (void)loop;
}

static void open_house(struct house *house) {
    struct store_options options;
    struct error error;

    *house = (struct house){.dir = "/tmp/kvd-worker-XXXXXX", .client = -1};
    ck_assert_ptr_nonnull(mkdtemp(house->dir));
    house->service = memory_alloc_zeroed(sizeof *house->service);
    ck_assert_ptr_nonnull(house->service);
    store_options_init(&options, house->dir);
    options.memory_limit_bytes = 64u << 20;
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
}

static void remove_dir(const char *dir) {
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void close_house(struct house *house) {
    struct error error;

    ck_assert_int_eq(store_close(house->service->store, &error), STATUS_OK);
    mailbox_close(&house->home);
    uv_run(&house->uv, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&house->uv), 0);
    buffer_deinit(&house->sent);
    buffer_deinit(&house->received);
    memory_free(house->service);
    remove_dir(house->dir);
}

/* A worker for the life of a session. Errors: NO_MEMORY. */
static enum status hire(struct house *house) {
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

static void dismiss(struct house *house) {
    worker_stop(house->worker);
    worker_join(house->worker);
    uv_run(&house->uv, UV_RUN_NOWAIT); /* takes `done` */
    worker_destroy(house->worker);
}

/* Returns whether the worker took the connection. */
static bool connect_client(struct house *house) {
    struct timeval patience = {.tv_sec = 20};
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    house->service->connections++;
    house->client = pair[0];
    if (worker_hand_over(house->worker, pair[1], true) == STATUS_OK) {
        return true;
    }
    house->service->connections--;
    close(pair[1]);
    close(pair[0]);
    return false;
}

/* Waits for one reply. False when the server has closed instead. */
static bool take_reply(struct house *house, uint16_t opcode, enum status *status_out) {
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

/* Sends a request and waits for its reply. */
static bool ask(struct house *house, const struct wire_request *request, enum status *status_out) {
    buffer_clear(&house->sent);
    ck_assert_int_eq(wire_request_encode(&house->sent, request), STATUS_OK);
    return send(house->client, house->sent.data, house->sent.len, MSG_NOSIGNAL) ==
               (ssize_t)house->sent.len &&
           take_reply(house, request->opcode, status_out);
}

static const struct wire_request hello = {
    .opcode = WIRE_HELLO, .version_min = 1, .version_max = 1, .features = SERVICE_FLAGS};

static struct wire_request about(uint16_t opcode, const char *key) {
    struct wire_request request = {.opcode = opcode, .key = slice_from_text(key)};

    if (opcode == WIRE_PUT) {
        request.value = slice_from_text("a value of a hundred bytes, or nearly so many");
    }
    return request;
}

/* Everything once. False when the server closed in between. */
static bool run_session(struct house *house) {
    struct wire_request requests[] = {
        hello,
        about(WIRE_PUT, "key"),
        about(WIRE_GET, "key"),
        about(WIRE_GET, "none"),
        about(WIRE_DELETE, "none"),
        {.opcode = WIRE_SCAN, .range = {.limit = 10, .page_bytes = 1000}},
        {.opcode = WIRE_SCAN},
        {.opcode = WIRE_COUNT},
        {.opcode = WIRE_STATS},
    };
    bool open = true;

    for (size_t i = 0; open && i < sizeof requests / sizeof requests[0]; i++) {
        enum status status;
        open = ask(house, &requests[i], &status);
        /* an error is an answer; but never "no such key" for the one that is there */
        ck_assert(!open || i != 2 || status != STATUS_NOT_FOUND);
    }
    return open;
}

static void warm_up(struct house *house) {
    ck_assert_int_eq(buffer_reserve(&house->sent, 1 << 20), STATUS_OK);
    ck_assert_int_eq(buffer_reserve(&house->received, 1 << 20), STATUS_OK);
    ck_assert_int_eq(hire(house), STATUS_OK);
    ck_assert(connect_client(house));
    ck_assert(run_session(house));
}

static void leave(struct house *house) {
    close(house->client);
    buffer_clear(&house->received);
    dismiss(house);
}

/* Allocations of `count` equal requests, all of which end in `expected`. */
static uint64_t allocations_of(struct house *house, uint16_t opcode, const char *key, int count,
                               enum status expected) {
    struct wire_request request = about(opcode, key);
    uint64_t before = memory_allocation_count();

    for (int i = 0; i < count; i++) {
        enum status status;
        ck_assert(ask(house, &request, &status));
        ck_assert_int_eq(status, expected);
    }
    return memory_allocation_count() - before;
}

START_TEST(warm_get_hit_get_miss_and_put_allocate_nothing) {
    struct house house;

    open_house(&house);
    warm_up(&house);
    for (int round = 0; round < 2; round++) { /* the first one warms */
        uint64_t hit = allocations_of(&house, WIRE_GET, "key", 500, STATUS_OK);
        uint64_t miss = allocations_of(&house, WIRE_GET, "none", 500, STATUS_NOT_FOUND);
        uint64_t put = allocations_of(&house, WIRE_PUT, "key", 500, STATUS_OK);
        ck_assert(round == 0 || hit == 0);
        ck_assert(round == 0 || miss == 0);
        ck_assert(round == 0 || put <= 1); /* the memtable takes a new piece now and then */
    }
    leave(&house);
    close_house(&house);
}
END_TEST

START_TEST(nth_allocation_fails_and_the_next_session_is_whole) {
    struct house house;

    open_house(&house);
    warm_up(&house);
    leave(&house);
    for (uint64_t n = 0; n < FAILING_ALLOCATIONS; n++) {
        enum status hired;
        memory_fail_after(n, false);
        hired = hire(&house);
        if (hired == STATUS_OK) {
            if (connect_client(&house)) {
                (void)run_session(&house);
                close(house.client);
                buffer_clear(&house.received);
            }
            memory_fail_never();
            ck_assert(connect_client(&house));
            ck_assert(run_session(&house));
            leave(&house);
        }
        memory_fail_never();
    }
    close_house(&house);
}
END_TEST

UNIT_MAIN("worker", warm_get_hit_get_miss_and_put_allocate_nothing,
          nth_allocation_fails_and_the_next_session_is_whole)
