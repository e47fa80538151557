/* server_worker_test.c: a worker with a real store, spoken to over a pair of sockets: how many
 * allocations a request costs, and what happens when one of them fails. */
#include "protocol/base/memory.h"
#include "tests/unit/server_fixture.h"

#define FAILING_ALLOCATIONS 120 /* more than a whole session makes */
#define ROUNDS_MAX 4

/* Everything once. False when the server closed in between. */
static bool run_session(struct house *house) {
    struct wire_request requests[] = {
        greeting(),
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
    ck_assert_int_eq(hire(house), STATUS_OK);
    ck_assert(connect_client(house));
    ck_assert(run_session(house));
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
    uint64_t hit = 1;
    uint64_t miss = 1;
    uint64_t put = 2;

    open_house(&house);
    warm_up(&house);
    /* The first round warms. In one that takes long, jobs may allocate beside the requests. */
    for (int round = 0; round < ROUNDS_MAX && (hit > 0 || miss > 0 || put > 1); round++) {
        hit = allocations_of(&house, WIRE_GET, "key", 500, STATUS_OK);
        miss = allocations_of(&house, WIRE_GET, "none", 500, STATUS_NOT_FOUND);
        put = allocations_of(&house, WIRE_PUT, "key", 500, STATUS_OK);
    }
    ck_assert_uint_eq(hit, 0);
    ck_assert_uint_eq(miss, 0);
    ck_assert_uint_le(put, 1); /* the memtable takes a new piece now and then */
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
