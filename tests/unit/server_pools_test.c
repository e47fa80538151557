/* server_pools_test.c: what a loop recycles, and what is charged to clients. */
#include "protocol/base/memory.h"
#include "server/buffer_pool.h"
#include "server/client_memory.h"
#include "server/metrics.h"
#include "tests/unit/unit.h"

static void fill(struct buffer *buffer, size_t bytes) {
    ck_assert_int_eq(buffer_reserve(buffer, bytes), STATUS_OK);
    buffer->len = bytes;
}

/* With its thousand places it is large for a stack. */
static struct buffer_pool *new_pool(void) {
    struct buffer_pool *pool = memory_alloc_zeroed(sizeof *pool);

    ck_assert_ptr_nonnull(pool);
    return pool;
}

static void drop_pool(struct buffer_pool *pool) {
    buffer_pool_deinit(pool);
    memory_free(pool);
}

START_TEST(warm_buffer_comes_back_empty_and_without_allocation) {
    struct buffer_pool *pool = new_pool();
    struct buffer buffer;
    uint64_t allocations;

    buffer_pool_take(pool, 1 << 20, &buffer);
    fill(&buffer, 5000);
    buffer_pool_give(pool, &buffer);
    ck_assert_ptr_null(buffer.data);
    allocations = memory_allocation_count();
    buffer_pool_take(pool, 1 << 20, &buffer);
    ck_assert_uint_eq(buffer.len, 0);
    fill(&buffer, 5000);
    ck_assert_uint_eq(memory_allocation_count(), allocations);
    buffer_deinit(&buffer);
    drop_pool(pool);
}
END_TEST

START_TEST(buffer_above_the_size_of_an_item_is_freed) {
    struct buffer_pool *pool = new_pool();
    struct buffer buffer;

    buffer_init(&buffer, SIZE_MAX);
    fill(&buffer, BUFFER_POOL_ITEM_BYTES_MAX + 1);
    buffer_pool_give(pool, &buffer);
    ck_assert_uint_eq(pool->count, 0);
    drop_pool(pool);
}
END_TEST

START_TEST(bytes_kept_are_bounded) {
    struct buffer_pool *pool = new_pool();

    for (size_t i = 0; i < 2 * BUFFER_POOL_BYTES_MAX / BUFFER_POOL_ITEM_BYTES_MAX; i++) {
        struct buffer buffer;
        buffer_init(&buffer, SIZE_MAX);
        fill(&buffer, BUFFER_POOL_ITEM_BYTES_MAX);
        buffer_pool_give(pool, &buffer);
    }
    ck_assert_uint_eq(pool->bytes, BUFFER_POOL_BYTES_MAX);
    drop_pool(pool);
}
END_TEST

START_TEST(number_kept_is_bounded) {
    struct buffer_pool *pool = new_pool();

    for (size_t i = 0; i < BUFFER_POOL_ITEMS_MAX + 1; i++) {
        struct buffer buffer;
        buffer_init(&buffer, SIZE_MAX);
        fill(&buffer, 1);
        buffer_pool_give(pool, &buffer);
    }
    ck_assert_uint_eq(pool->count, BUFFER_POOL_ITEMS_MAX);
    drop_pool(pool);
}
END_TEST

START_TEST(buffer_larger_than_its_cap_is_not_handed_out) {
    struct buffer_pool *pool = new_pool();
    struct buffer buffer;

    buffer_init(&buffer, SIZE_MAX);
    fill(&buffer, 5000);
    buffer_pool_give(pool, &buffer);
    buffer_pool_take(pool, 100, &buffer);
    ck_assert_ptr_null(buffer.data);
    ck_assert_int_eq(buffer_reserve(&buffer, 101), STATUS_TOO_LARGE);
    drop_pool(pool);
}
END_TEST

START_TEST(memory_of_clients_is_exceeded_only_above_the_limit) {
    struct client_memory memory;

    client_memory_init(&memory, 100, 2);
    ck_assert(!client_memory_charge(&memory, 100));
    ck_assert(client_memory_charge(&memory, 1));
    ck_assert(client_memory_exceeded(&memory));
    ck_assert(!client_memory_charge(&memory, -1));
    ck_assert_uint_eq(client_memory_charged(&memory), 100);
}
END_TEST

START_TEST(loop_with_the_biggest_connection_is_found) {
    struct client_memory memory;

    client_memory_init(&memory, 100, CLIENT_MEMORY_LOOPS_MAX);
    ck_assert_uint_eq(client_memory_biggest_loop(&memory), 0);
    client_memory_publish(&memory, CLIENT_MEMORY_LOOPS_MAX - 1, 7);
    client_memory_publish(&memory, 3, 9);
    ck_assert_uint_eq(client_memory_biggest_loop(&memory), 3);
    client_memory_publish(&memory, 3, 0);
    ck_assert_uint_eq(client_memory_biggest_loop(&memory), CLIENT_MEMORY_LOOPS_MAX - 1);
}
END_TEST

START_TEST(metrics_are_summed_and_named) {
    struct metrics all[3] = {0};

    metrics_add(&all[0], METRIC_BYTES_IN, 1);
    metrics_add(&all[2], METRIC_BYTES_IN, 41);
    ck_assert_uint_eq(metrics_sum(all, 3, METRIC_BYTES_IN), 42);
    ck_assert_uint_eq(metrics_sum(all, 3, METRIC_BYTES_OUT), 0);
    ck_assert_str_eq(metrics_name(METRIC_BYTES_IN), "bytes_in");
}
END_TEST

UNIT_MAIN("pools", warm_buffer_comes_back_empty_and_without_allocation,
          buffer_above_the_size_of_an_item_is_freed, bytes_kept_are_bounded, number_kept_is_bounded,
          buffer_larger_than_its_cap_is_not_handed_out,
          memory_of_clients_is_exceeded_only_above_the_limit,
          loop_with_the_biggest_connection_is_found, metrics_are_summed_and_named)
