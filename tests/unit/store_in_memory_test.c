/* store_in_memory_test.c: a store whose files live in memory. */
#include "tests/support/store_fixture.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#define MIB (1024u * 1024)

static void init(struct fixture *fixture) {
    fixture_init_on_disk(fixture);
    fixture->options.in_memory = true;
    fixture->options.memory_limit_bytes = 64 * MIB;
}

START_TEST(values_of_all_sizes_are_kept_without_a_file) {
    struct fixture fixture;

    init(&fixture);
    fixture_open(&fixture);
    fixture_put(&fixture, "small", "a value");
    for (int i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        fixture_put_bytes(&fixture, key, 40000, (uint64_t)i);
    }
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
    fixture_expect(&fixture, "small", "a value");
    fixture_expect_bytes(&fixture, "key299", 40000, 299);
    ck_assert_int_ne(access("/store", F_OK), 0);
    fixture_close(&fixture);
    fixture_open(&fixture);
    fixture_expect_absent(&fixture, "small");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_memory_limit_is_the_size_of_its_disk) {
    struct fixture fixture;
    struct store_outcome outcome = {.status = STATUS_OK};
    static const uint8_t value[256 * 1024];
    uint32_t puts = 0;

    init(&fixture);
    fixture.options.compress = false;
    fixture_open(&fixture);
    while (outcome.status == STATUS_OK && puts < 1000) {
        char key[16];
        snprintf(key, sizeof key, "key%u", puts);
        outcome = fixture_put_if(&fixture, key, slice_make(value, sizeof value),
                                 (struct store_condition){STORE_ALWAYS, 0}, STORE_MEMORY);
        puts += outcome.status == STATUS_OK;
    }
    ck_assert_int_eq(outcome.status, STATUS_NO_SPACE);
    ck_assert_uint_gt(puts, 20);
    ck_assert_uint_lt(memory_bytes_in_use(), 80 * MIB);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store in memory", values_of_all_sizes_are_kept_without_a_file,
          the_memory_limit_is_the_size_of_its_disk)
