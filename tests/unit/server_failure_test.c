/* server_failure_test.c: a disk that is slow, cold or broken: what waits, what moves to an I/O
 * thread, and what a client is told. */
#include "storage/env_fault.h"
#include "storage/env_memory.h"
#include "tests/unit/server_fixture.h"

#include <time.h>

#define SYNC_DELAY_NS 200000000ull

struct site {
    struct env *memory;
    struct env *faults;
    struct house house;
};

static void open_site(struct site *site) {
    struct wire_request hello = greeting();
    enum status status;

    ck_assert_int_eq(env_memory_create(NULL, &site->memory), STATUS_OK);
    ck_assert_int_eq(env_fault_create(site->memory, NULL, &site->faults), STATUS_OK);
    open_house_on(&site->house, site->faults);
    ck_assert_int_eq(hire(&site->house), STATUS_OK);
    ck_assert(connect_client(&site->house));
    ck_assert(ask(&site->house, &hello, &status));
}

static void close_site(struct site *site) {
    env_fault_clear(site->faults);
    leave(&site->house);
    close_house(&site->house);
    env_fault_destroy(site->faults);
    env_memory_destroy(site->memory);
}

static void break_disk(struct site *site, uint32_t kinds, enum fault fault) {
    struct fault_rule rule = {.kinds = kinds,
                              .countdown = 1,
                              .for_ever = true,
                              .fault = fault,
                              .delay_ns = SYNC_DELAY_NS};

    env_fault_add(site->faults, &rule);
}

static enum status answer_to(struct site *site, struct wire_request request) {
    enum status status;

    ck_assert(ask(&site->house, &request, &status));
    return status;
}

static struct wire_request put_with(const char *key, uint8_t durability) {
    struct wire_request request = about(WIRE_PUT, key);

    request.options.flags = WIRE_FLAG_DURABILITY;
    request.options.durability = durability;
    return request;
}

static uint64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

START_TEST(write_whose_sync_fails_is_unknown_and_later_ones_fail) {
    struct site site;

    open_site(&site);
    ck_assert_int_eq(answer_to(&site, put_with("before", WIRE_DURABILITY_SYNCED)), STATUS_OK);
    break_disk(&site, FAULT_SYNC, FAULT_IS_EIO);
    site.house.log_failed = true;
    ck_assert_int_eq(answer_to(&site, put_with("key", WIRE_DURABILITY_SYNCED)), STATUS_UNKNOWN);
    ck_assert_int_eq(answer_to(&site, put_with("after", WIRE_DURABILITY_SYNCED)),
                     STATUS_LOG_FAILED);
    ck_assert_int_eq(answer_to(&site, about(WIRE_GET, "before")), STATUS_OK);
    close_site(&site);
}
END_TEST

START_TEST(read_of_what_could_not_be_synced_is_unknown) {
    struct site site;

    open_site(&site);
    break_disk(&site, FAULT_SYNC, FAULT_IS_EIO);
    site.house.log_failed = true;
    ck_assert_int_eq(answer_to(&site, put_with("key", WIRE_DURABILITY_SYNCED)), STATUS_UNKNOWN);
    ck_assert_int_eq(answer_to(&site, about(WIRE_GET, "key")), STATUS_UNKNOWN);
    close_site(&site);
}
END_TEST

/* Another client's, on the same worker. */
static enum status answer_to_other(struct site *site, struct wire_request request) {
    struct wire_request hello = greeting();
    int first = site->house.client;
    enum status status;

    ck_assert(connect_client(&site->house));
    ck_assert(ask(&site->house, &hello, &status));
    status = answer_to(site, request);
    close(site->house.client);
    site->house.client = first;
    return status;
}

START_TEST(read_of_what_is_not_yet_synced_waits_for_the_sync) {
    struct site site;
    struct wire_request put;
    uint64_t began;

    open_site(&site);
    break_disk(&site, FAULT_SYNC, FAULT_IS_DELAY);
    began = now_ns();
    put = put_with("key", WIRE_DURABILITY_SYNCED);
    send_request(&site.house, &put);
    while (answer_to_other(&site, about(WIRE_GET, "key")) == STATUS_NOT_FOUND) {
        ck_assert_uint_lt(now_ns() - began, SYNC_DELAY_NS); /* it is visible well before */
    }
    ck_assert_uint_ge(now_ns() - began, SYNC_DELAY_NS / 2);
    ck_assert_uint_ge(metrics_sum(site.house.service->metrics, 2, METRIC_REPLIES_HELD), 1);
    close_site(&site);
}
END_TEST

START_TEST(read_of_what_was_written_for_memory_does_not_wait) {
    struct site site;
    uint64_t began;

    open_site(&site);
    break_disk(&site, FAULT_SYNC, FAULT_IS_DELAY);
    began = now_ns();
    ck_assert_int_eq(answer_to(&site, put_with("key", WIRE_DURABILITY_MEMORY)), STATUS_OK);
    ck_assert_int_eq(answer_to(&site, about(WIRE_GET, "key")), STATUS_OK);
    ck_assert_uint_lt(now_ns() - began, SYNC_DELAY_NS);
    close_site(&site);
}
END_TEST

START_TEST(cold_value_is_read_on_an_io_thread_and_keeps_its_place) {
    struct site site;
    struct wire_request put = about(WIRE_PUT, "large");
    struct wire_request requests[] = {about(WIRE_GET, "large"),
                                      about(WIRE_GET, "none"),
                                      about(WIRE_GET, "large"),
                                      {.opcode = WIRE_PING}};
    const enum status expected[] = {STATUS_OK, STATUS_NOT_FOUND, STATUS_OK, STATUS_OK};
    static const uint8_t value[4096];

    open_site(&site);
    put.value = slice_make(value, sizeof value);
    ck_assert_int_eq(answer_to(&site, put), STATUS_OK);
    break_disk(&site, FAULT_READ_NOWAIT, FAULT_IS_WOULD_BLOCK);
    for (size_t i = 0; i < 4; i++) {
        send_request(&site.house, &requests[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        enum status status;
        ck_assert(take_reply(&site.house, requests[i].opcode, &status));
        ck_assert_int_eq(status, expected[i]);
    }
    ck_assert_uint_eq(metrics_sum(site.house.service->metrics, 2, METRIC_READS_ON_IO_THREADS), 2);
    close_site(&site);
}
END_TEST

START_TEST(value_that_cannot_be_read_is_an_error_and_the_connection_lives) {
    struct site site;
    struct wire_request put = about(WIRE_PUT, "large");
    static const uint8_t value[4096];

    open_site(&site);
    put.value = slice_make(value, sizeof value);
    ck_assert_int_eq(answer_to(&site, put), STATUS_OK);
    break_disk(&site, FAULT_READ | FAULT_READ_NOWAIT, FAULT_IS_EIO);
    ck_assert_int_eq(answer_to(&site, about(WIRE_GET, "large")), STATUS_IO);
    env_fault_clear(site.faults);
    ck_assert_int_eq(answer_to(&site, about(WIRE_GET, "large")), STATUS_OK);
    close_site(&site);
}
END_TEST

UNIT_MAIN("failure", write_whose_sync_fails_is_unknown_and_later_ones_fail,
          read_of_what_could_not_be_synced_is_unknown,
          read_of_what_is_not_yet_synced_waits_for_the_sync,
          read_of_what_was_written_for_memory_does_not_wait,
          cold_value_is_read_on_an_io_thread_and_keeps_its_place,
          value_that_cannot_be_read_is_an_error_and_the_connection_lives)
