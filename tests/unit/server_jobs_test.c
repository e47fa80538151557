/* server_jobs_test.c: uploads and rewinds, which are alone on their connection, on a disk that is
 * slow or broken and with memory that runs out. */
#include "storage/env_fault.h"
#include "storage/env_memory.h"
#include "tests/unit/server_fixture.h"

#include <signal.h>

#define FAILING_ALLOCATIONS 60u
#define DELAY_NS 50000000ull
#define PIECE_BYTES 100000u

static const uint8_t piece[PIECE_BYTES];

struct site {
    struct env *memory;
    struct env *faults;
    struct house house;
};

static void open_site(struct site *site) {
    ck_assert_int_eq(env_memory_create(NULL, &site->memory), STATUS_OK);
    ck_assert_int_eq(env_fault_create(site->memory, NULL, &site->faults), STATUS_OK);
    open_house_on(&site->house, site->faults);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as the server has it */
}

static void close_site(struct site *site) {
    env_fault_clear(site->faults);
    close_house(&site->house);
    env_fault_destroy(site->faults);
    env_memory_destroy(site->memory);
}

static void break_disk(struct site *site, uint32_t kinds, enum fault fault) {
    struct fault_rule rule = {
        .kinds = kinds, .countdown = 1, .for_ever = true, .fault = fault, .delay_ns = DELAY_NS};

    env_fault_add(site->faults, &rule);
}

static bool greet(struct house *house) {
    struct wire_request hello = greeting();
    enum status status;

    return connect_client(house) && ask(house, &hello, &status);
}

static struct wire_request data_for(uint64_t id, uint64_t offset) {
    return (struct wire_request){.opcode = WIRE_UPLOAD_DATA,
                                 .handle = id,
                                 .offset = offset,
                                 .value = slice_make(piece, sizeof piece)};
}

/* The first upload of a house has the id 1, however many requests there were. False when the
 * connection ended. */
static bool upload(struct house *house, uint64_t id, enum status statuses_out[3]) {
    struct wire_request commit = {.opcode = WIRE_UPLOAD_COMMIT, .handle = id};
    struct wire_request begin = about(WIRE_UPLOAD_BEGIN, "large");
    struct wire_request data = data_for(id, 0);

    return ask(house, &begin, &statuses_out[0]) && ask(house, &data, &statuses_out[1]) &&
           ask(house, &commit, &statuses_out[2]);
}

START_TEST(an_upload_whose_disk_fails_has_ended_and_the_connection_lives) {
    struct wire_request data = data_for(1, 0);
    struct wire_request begin = about(WIRE_UPLOAD_BEGIN, "large");
    struct wire_request get = about(WIRE_GET, "large");
    struct site site;
    enum status status;

    open_site(&site);
    ck_assert_int_eq(hire(&site.house), STATUS_OK);
    ck_assert(greet(&site.house));
    ck_assert(ask(&site.house, &begin, &status));
    ck_assert_int_eq(status, STATUS_OK);
    break_disk(&site, FAULT_WRITES | FAULT_SYNC, FAULT_IS_EIO);
    for (uint64_t i = 0; status == STATUS_OK && i < 100; i++) { /* some are gathered in memory */
        data.offset = i * PIECE_BYTES;
        ck_assert(ask(&site.house, &data, &status));
    }
    ck_assert_int_eq(status, STATUS_IO);
    ck_assert(ask(&site.house, &data, &status));
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    env_fault_clear(site.faults);
    ck_assert(ask(&site.house, &get, &status));
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    leave(&site.house);
    close_site(&site);
}
END_TEST

START_TEST(a_client_that_leaves_in_the_middle_of_a_job_leaves_nothing_behind) {
    struct wire_request begin = about(WIRE_UPLOAD_BEGIN, "large");
    struct wire_request commit = {.opcode = WIRE_UPLOAD_COMMIT, .handle = 1};
    struct wire_request data = data_for(1, 0);
    struct site site;

    open_site(&site);
    ck_assert_int_eq(hire(&site.house), STATUS_OK);
    ck_assert(greet(&site.house));
    break_disk(&site, FAULT_SYNC | FAULT_OPEN, FAULT_IS_DELAY);
    send_request(&site.house, &begin);
    send_request(&site.house, &data);
    send_request(&site.house, &commit);
    leave(&site.house); /* the worker ends only when all has come back */
    ck_assert_uint_eq(client_memory_charged(&site.house.service->client_memory), 0);
    close_site(&site);
}
END_TEST

START_TEST(requests_behind_a_slow_job_wait_and_are_answered_in_order) {
    static const uint16_t opcodes[] = {WIRE_UPLOAD_BEGIN, WIRE_PUT, WIRE_GET, WIRE_PING};
    struct site site;
    enum status status;

    open_site(&site);
    ck_assert_int_eq(hire(&site.house), STATUS_OK);
    ck_assert(greet(&site.house));
    break_disk(&site, FAULT_OPEN, FAULT_IS_DELAY);
    for (size_t i = 0; i < 4; i++) {
        struct wire_request request = about(opcodes[i], "key");
        send_request(&site.house, &request);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert(take_reply(&site.house, opcodes[i], &status));
        ck_assert_int_eq(status, STATUS_OK);
    }
    leave(&site.house);
    close_site(&site);
}
END_TEST

START_TEST(nth_allocation_fails_and_the_next_upload_is_whole) {
    struct site site;

    open_site(&site);
    for (uint64_t n = 0; n < FAILING_ALLOCATIONS; n++) {
        struct wire_request get = about(WIRE_META, "large");
        enum status statuses[3];
        uint64_t next;

        ck_assert_int_eq(hire(&site.house), STATUS_OK);
        ck_assert(greet(&site.house));
        next = site.house.service->upload_ids + 1;
        memory_fail_after(n, false);
        (void)upload(&site.house, next, statuses);
        memory_fail_never();
        close(site.house.client);
        buffer_clear(&site.house.received);
        ck_assert(greet(&site.house));
        next = site.house.service->upload_ids + 1;
        ck_assert(upload(&site.house, next, statuses));
        ck_assert_int_eq(statuses[2], STATUS_OK);
        ck_assert(ask(&site.house, &get, &statuses[0]));
        ck_assert_int_eq(statuses[0], STATUS_OK);
        leave(&site.house);
    }
    close_site(&site);
}
END_TEST

UNIT_MAIN("jobs", an_upload_whose_disk_fails_has_ended_and_the_connection_lives,
          a_client_that_leaves_in_the_middle_of_a_job_leaves_nothing_behind,
          requests_behind_a_slow_job_wait_and_are_answered_in_order,
          nth_allocation_fails_and_the_next_upload_is_whole)
