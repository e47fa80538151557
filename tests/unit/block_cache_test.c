/* block_cache_test.c: pins, replacement, bounds, and many threads at once. */
#include "storage/block_cache.h"

#include "protocol/base/memory.h"
#include "storage/random.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define DATA_BYTES 1000u
#define CHARGE (DATA_BYTES + sizeof(struct cached_block))

static struct block_cache *cache;

static void start(uint64_t capacity_bytes) {
    ck_assert_int_eq(block_cache_create(capacity_bytes, &cache), STATUS_OK);
}

static void end(void) {
    block_cache_destroy(cache);
}

static struct cached_block *filled(uint64_t number, size_t bytes) {
    struct cached_block *block = cached_block_create(bytes);
    ck_assert_ptr_nonnull(block);
    memset(block->data, (int)number & 0xFF, bytes);
    block->len = (uint32_t)bytes;
    return block;
}

static void insert(uint64_t number) {
    struct cached_block *block = filled(number, DATA_BYTES);
    block_cache_insert(cache, number, 64, block);
    cached_block_unref(block);
}

static bool has(uint64_t number) {
    struct cached_block *block = block_cache_find(cache, number, 64);
    bool found = block != NULL;
    if (found) {
        ck_assert_uint_eq(block->len, DATA_BYTES);
        ck_assert_uint_eq(block->data[DATA_BYTES - 1], number & 0xFF);
    }
    cached_block_unref(block);
    return found;
}

static struct block_cache_stats stats(void) {
    struct block_cache_stats now;
    block_cache_read_stats(cache, &now);
    return now;
}

START_TEST(what_was_put_in_is_found_by_file_and_offset) {
    start(1 << 20);
    insert(1);
    ck_assert(has(1));
    ck_assert(!has(2));
    ck_assert_ptr_null(block_cache_find(cache, 1, 65));
    ck_assert_uint_eq(stats().hits, 1);
    ck_assert_uint_eq(stats().misses, 2);
    ck_assert_uint_eq(stats().blocks, 1);
    ck_assert_uint_eq(stats().bytes, CHARGE);
    end();
}
END_TEST

START_TEST(it_never_holds_more_than_its_capacity) {
    start(10 * CHARGE);
    for (uint64_t i = 1; i <= 100; i++) {
        insert(i);
        ck_assert_uint_le(stats().bytes, 10 * CHARGE);
    }
    ck_assert_uint_eq(stats().blocks, 10);
    ck_assert_uint_eq(stats().evictions, 90);
    end();
}
END_TEST

START_TEST(a_block_that_was_hit_outlives_those_seen_once) {
    start(10 * CHARGE);
    insert(1);
    for (uint64_t i = 2; i <= 60; i++) {
        ck_assert(has(1));
        insert(i);
    }
    ck_assert(has(1));
    ck_assert(!has(2));
    end();
}
END_TEST

START_TEST(a_pinned_block_outlives_its_eviction_and_the_cache) {
    struct cached_block *pinned;
    start(2 * CHARGE);
    insert(1);
    pinned = block_cache_find(cache, 1, 64);
    block_cache_set_capacity(cache, 0);
    ck_assert(!has(1));
    ck_assert_uint_eq(stats().bytes, 0);
    end();
    ck_assert_uint_eq(pinned->data[0], 1);
    cached_block_unref(pinned);
}
END_TEST

START_TEST(a_place_is_taken_only_once) {
    struct cached_block *late = filled(9, DATA_BYTES);
    start(1 << 20);
    insert(1);
    block_cache_insert(cache, 1, 64, late);
    cached_block_unref(late);
    ck_assert(has(1));
    ck_assert_uint_eq(stats().blocks, 1);
    end();
}
END_TEST

START_TEST(a_block_above_the_capacity_is_not_put_in) {
    struct cached_block *large = filled(1, 10 * DATA_BYTES);
    start(2 * CHARGE);
    insert(2);
    block_cache_insert(cache, 1, 64, large);
    ck_assert_ptr_null(block_cache_find(cache, 1, 64));
    ck_assert(has(2));
    cached_block_unref(large);
    end();
}
END_TEST

START_TEST(a_capacity_of_zero_keeps_nothing) {
    start(0);
    insert(1);
    ck_assert(!has(1));
    end();
}
END_TEST

START_TEST(more_capacity_keeps_more) {
    start(2 * CHARGE);
    block_cache_set_capacity(cache, 1000 * CHARGE);
    for (uint64_t i = 1; i <= 1000; i++) {
        insert(i);
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        ck_assert(has(i));
    }
    ck_assert_uint_eq(stats().evictions, 0);
    end();
}
END_TEST

START_TEST(a_hit_allocates_nothing) {
    uint64_t before;
    start(1 << 20);
    insert(1);
    before = memory_allocation_count();
    ck_assert(has(1));
    ck_assert_uint_eq(memory_allocation_count(), before);
    end();
}
END_TEST

START_TEST(without_memory_creation_fails_and_buckets_stay_few) {
    struct block_cache *none;
    for (uint64_t n = 0; n <= BLOCK_CACHE_SHARDS_MAX; n++) {
        memory_fail_after(n, false);
        ck_assert_int_eq(block_cache_create(UINT64_C(1) << 30, &none), STATUS_NO_MEMORY);
    }
    memory_fail_never();
    start(1000 * CHARGE);
    memory_fail_after(0, true);
    ck_assert_ptr_null(cached_block_create(10));
    memory_fail_never();
    for (uint64_t i = 1; i <= 500; i++) {
        struct cached_block *block = filled(i, DATA_BYTES);
        memory_fail_after(0, true);
        block_cache_insert(cache, i, 64, block);
        memory_fail_never();
        cached_block_unref(block);
    }
    for (uint64_t i = 1; i <= 500; i++) {
        ck_assert(has(i));
    }
    end();
}
END_TEST

static void *hammer(void *arg) {
    struct random random = random_make((uint64_t)(uintptr_t)arg);
    for (int i = 0; i < 20000; i++) {
        uint64_t number = random_below(&random, 50);
        if (!has(number)) {
            insert(number);
        }
        if (i % 1000 == 0) {
            block_cache_set_capacity(cache, (10 + random_below(&random, 40)) * CHARGE);
        }
    }
    return NULL;
}

START_TEST(threads_find_insert_and_evict_at_once) {
    pthread_t threads[4];
    start(20 * CHARGE);
    for (uintptr_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_le(stats().bytes, stats().capacity_bytes);
    end();
}
END_TEST

UNIT_MAIN("block_cache", what_was_put_in_is_found_by_file_and_offset,
          it_never_holds_more_than_its_capacity, a_block_that_was_hit_outlives_those_seen_once,
          a_pinned_block_outlives_its_eviction_and_the_cache, a_place_is_taken_only_once,
          a_block_above_the_capacity_is_not_put_in, a_capacity_of_zero_keeps_nothing,
          more_capacity_keeps_more, a_hit_allocates_nothing,
          without_memory_creation_fails_and_buckets_stay_few, threads_find_insert_and_evict_at_once)
