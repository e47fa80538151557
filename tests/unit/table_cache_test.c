/* table_cache_test.c: pins, the limit, eviction, and threads that open and close at once. */
#include "storage/table_cache.h"

#include "tests/unit/open_table.h"

#include <pthread.h>

#define TABLES 12

static struct open_table fixture;
static struct table_cache *cache;
static struct table_info infos[TABLES];
static struct error error;

static void start(uint32_t open_tables_max) {
    open_table_begin(&fixture);
    for (unsigned i = 0; i < TABLES; i++) {
        const struct fixture_table how = {.env = fixture.env, .number = 100 + i};
        struct table_writer *writer = begin_table(&how);
        add_numbered(writer, 10 * i, 10);
        infos[i] = finish_table(writer);
    }
    ck_assert_int_eq(table_cache_create(&fixture.source, open_tables_max, &cache), STATUS_OK);
}

static void end(void) {
    table_cache_destroy(cache);
    for (unsigned i = 0; i < TABLES; i++) {
        table_info_deinit(&infos[i]);
    }
    open_table_end(&fixture);
}

static struct table *pin(unsigned i) {
    struct table *table = NULL;
    ck_assert_int_eq(table_cache_pin(cache, &infos[i], READ_WAIT_ALLOWED, &table, &error),
                     STATUS_OK);
    ck_assert_uint_eq(table_number(table), 100 + i);
    return table;
}

static enum status pin_now(unsigned i) {
    struct table *table = NULL;
    enum status status = table_cache_pin(cache, &infos[i], READ_WAIT_NEVER, &table, &error);
    table_unpin(table);
    return status;
}

static struct table_cache_stats stats(void) {
    struct table_cache_stats now;
    table_cache_read_stats(cache, &now);
    return now;
}

START_TEST(a_table_is_opened_once_and_found_again) {
    start(TABLES);
    ck_assert_int_eq(pin_now(3), STATUS_WOULD_BLOCK);
    table_unpin(pin(3));
    ck_assert_int_eq(pin_now(3), STATUS_OK);
    table_unpin(pin(3));
    ck_assert_uint_eq(stats().opens, 1);
    ck_assert_uint_eq(stats().open_tables, 1);
    ck_assert_uint_gt(stats().memory_bytes, 0);
    end();
}
END_TEST

START_TEST(no_more_than_the_limit_stay_open) {
    start(4);
    for (unsigned i = 0; i < TABLES; i++) {
        table_unpin(pin(i));
        ck_assert_uint_le(stats().open_tables, 4);
    }
    ck_assert_uint_eq(stats().opens, TABLES);
    end();
}
END_TEST

START_TEST(pinned_tables_exceed_the_limit_and_stay) {
    struct table *pinned[TABLES];
    start(4);
    for (unsigned i = 0; i < TABLES; i++) {
        pinned[i] = pin(i);
    }
    ck_assert_uint_eq(stats().open_tables, TABLES);
    for (unsigned i = 0; i < TABLES; i++) {
        ck_assert_uint_eq(table_number(pinned[i]), 100 + i);
        table_unpin(pinned[i]);
    }
    table_cache_evict(cache, infos[0].number);
    table_unpin(pin(1));
    end();
}
END_TEST

START_TEST(the_table_in_use_outlives_those_used_once) {
    start(4);
    for (unsigned i = 1; i < TABLES; i++) {
        table_unpin(pin(0));
        table_unpin(pin(i));
    }
    ck_assert_int_eq(pin_now(0), STATUS_OK);
    ck_assert_uint_eq(stats().opens, TABLES);
    end();
}
END_TEST

START_TEST(a_handle_spares_the_lookup) {
    struct table_handle *handle;
    struct table *table = NULL;
    start(4);
    ck_assert_int_eq(table_cache_handle(cache, 102, &handle), STATUS_OK);
    ck_assert_uint_eq(stats().opens, 0);
    ck_assert_int_eq(table_handle_pin(handle, &infos[2], READ_WAIT_NEVER, &table, &error),
                     STATUS_WOULD_BLOCK);
    ck_assert_int_eq(table_handle_pin(handle, &infos[2], READ_WAIT_ALLOWED, &table, &error),
                     STATUS_OK);
    ck_assert_ptr_eq(pin(2), table);
    table_unpin(table);
    table_unpin(table);
    for (unsigned i = 3; i < TABLES; i++) {
        table_unpin(pin(i)); /* closes it; the handle stays */
    }
    ck_assert_int_eq(table_handle_pin(handle, &infos[2], READ_WAIT_NEVER, &table, &error),
                     STATUS_WOULD_BLOCK);
    ck_assert_int_eq(table_handle_pin(handle, &infos[2], READ_WAIT_ALLOWED, &table, &error),
                     STATUS_OK);
    table_unpin(table);
    end();
}
END_TEST

START_TEST(an_evicted_table_is_closed_when_its_last_pin_goes) {
    struct table *first;
    struct table *second;
    start(4);
    first = pin(0);
    second = pin(0);
    table_cache_evict(cache, 100);
    table_cache_evict(cache, 4711); /* unknown: allowed */
    ck_assert_uint_eq(stats().open_tables, 1);
    table_unpin(first);
    ck_assert_uint_eq(stats().open_tables, 1);
    ck_assert_uint_eq(table_number(second), 100);
    table_unpin(second);
    ck_assert_uint_eq(stats().open_tables, 0);
    table_unpin(pin(1));
    table_cache_evict(cache, 101); /* open, not pinned: at once */
    ck_assert_uint_eq(stats().open_tables, 0);
    end();
}
END_TEST

START_TEST(an_opening_that_fails_can_be_tried_again) {
    struct table *table = NULL;
    start(4);
    for (uint64_t n = 1; n <= 5; n++) {
        struct fault_rule rule = {.kinds = FAULT_ALL, .countdown = n};
        env_fault_add(fixture.env, &rule);
        ck_assert_int_eq(table_cache_pin(cache, &infos[0], READ_WAIT_ALLOWED, &table, &error),
                         STATUS_IO);
        env_fault_clear(fixture.env);
    }
    ck_assert_uint_eq(stats().open_tables, 0);
    table_unpin(pin(0));
    end();
}
END_TEST

START_TEST(each_failing_allocation_is_no_memory) {
    enum status status = STATUS_NO_MEMORY;
    struct table *table = NULL;
    start(4);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, false);
        status = table_cache_pin(cache, &infos[0], READ_WAIT_ALLOWED, &table, &error);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    table_unpin(table);
    end();
}
END_TEST

START_TEST(hundreds_of_handles_are_all_found_again) {
    struct table_handle *handles[1000];
    start(4);
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert_int_eq(table_cache_handle(cache, 1000 + i, &handles[i]), STATUS_OK);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        struct table_handle *again;
        ck_assert_int_eq(table_cache_handle(cache, 1000 + i, &again), STATUS_OK);
        ck_assert_ptr_eq(again, handles[i]);
    }
    end();
}
END_TEST

static void *read_tables(void *arg) {
    struct random random = random_make((uint64_t)(uintptr_t)arg);
    for (unsigned n = 0; n < 3000; n++) {
        unsigned i = (unsigned)random_below(&random, TABLES);
        struct table *table = pin(i);
        struct table_target target;
        struct table_hit hit;
        struct key key;
        char word[32];
        numbered_word(word, 2 * (10 * i + n % 10));
        key = key_at(word, 7);
        target = table_target_make(key_row(&key), 7);
        ck_assert_int_eq(table_get(table, READ_WAIT_ALLOWED, &target, &hit, NULL, &error),
                         STATUS_OK);
        table_hit_release(&hit);
        table_unpin(table);
    }
    return NULL;
}

START_TEST(threads_open_use_and_close_the_same_tables) {
    pthread_t threads[4];
    start(3);
    for (uintptr_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_tables, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_gt(stats().opens, TABLES);
    end();
}
END_TEST

static void *evict_while_pinned(void *arg) {
    table_cache_evict(cache, 100);
    return arg;
}

START_TEST(eviction_and_the_last_unpin_may_race) {
    start(3);
    for (int n = 0; n < 300; n++) {
        struct table *table = pin(0);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, evict_while_pinned, NULL), 0);
        table_unpin(table);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(stats().open_tables, 0);
    }
    end();
}
END_TEST

UNIT_MAIN("table_cache", a_table_is_opened_once_and_found_again, no_more_than_the_limit_stay_open,
          pinned_tables_exceed_the_limit_and_stay, the_table_in_use_outlives_those_used_once,
          a_handle_spares_the_lookup, an_evicted_table_is_closed_when_its_last_pin_goes,
          an_opening_that_fails_can_be_tried_again, each_failing_allocation_is_no_memory,
          hundreds_of_handles_are_all_found_again, threads_open_use_and_close_the_same_tables,
          eviction_and_the_last_unpin_may_race)
