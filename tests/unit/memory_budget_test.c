/* memory_budget_test.c: the block cache gets what the others leave of the memory limit. */
#include "storage/memory_budget.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#define MIB (UINT64_C(1024) * 1024)
#define LIMIT (64 * MIB)

START_TEST(an_idle_process_gives_the_cache_its_largest_share) {
    ck_assert_uint_eq(memory_budget_share(LIMIT, 0, 0), 40 * MIB);
    ck_assert_uint_eq(memory_budget_share(LIMIT, 40 * MIB, 40 * MIB), 40 * MIB);
}
END_TEST

START_TEST(what_others_use_is_taken_from_the_cache) {
    ck_assert_uint_eq(memory_budget_share(LIMIT, 30 * MIB, 0), 17 * MIB);
    ck_assert_uint_eq(memory_budget_share(LIMIT, 60 * MIB, 30 * MIB), 17 * MIB);
}
END_TEST

START_TEST(the_cache_keeps_a_little_even_when_others_take_all) {
    ck_assert_uint_eq(memory_budget_share(LIMIT, 64 * MIB, 0), 2 * MIB);
    ck_assert_uint_eq(memory_budget_share(LIMIT, 900 * MIB, 0), 2 * MIB);
    ck_assert_uint_eq(memory_budget_share(LIMIT, 1 * MIB, 2 * MIB), 40 * MIB);
}
END_TEST

START_TEST(the_cache_shrinks_when_memory_is_taken_and_grows_when_it_is_given_back) {
    struct memory_budget budget;
    struct block_cache *cache;
    struct block_cache_stats stats;
    struct scheduler *scheduler;
    void *others;

    ck_assert_int_eq(block_cache_create(MIB, &cache), STATUS_OK);
    ck_assert_int_eq(scheduler_sim_create(1, &scheduler), STATUS_OK);
    memory_budget_start(&budget, cache, scheduler, LIMIT);
    block_cache_read_stats(cache, &stats);
    ck_assert_uint_eq(stats.capacity_bytes, 40 * MIB);
    others = memory_alloc(50 * MIB);
    ck_assert(scheduler_sim_run_one(scheduler, true));
    block_cache_read_stats(cache, &stats);
    ck_assert_uint_lt(stats.capacity_bytes, 11 * MIB);
    memory_free(others);
    ck_assert(scheduler_sim_run_one(scheduler, true));
    block_cache_read_stats(cache, &stats);
    ck_assert_uint_gt(stats.capacity_bytes, 39 * MIB);
    memory_budget_stop(&budget);
    scheduler_drain(scheduler);
    memory_budget_deinit(&budget);
    scheduler_destroy(scheduler);
    block_cache_destroy(cache);
}
END_TEST

START_TEST(bytes_in_use_follow_allocations) {
    uint64_t before = memory_bytes_in_use();
    uint8_t *ptr = memory_alloc(1000);

    ck_assert_uint_ge(memory_bytes_in_use() - before, 1000);
    ptr = memory_resize(ptr, 100000);
    ck_assert_uint_ge(memory_bytes_in_use() - before, 100000);
    ptr = memory_resize(ptr, 10);
    ck_assert_uint_lt(memory_bytes_in_use() - before, 100000);
    memory_free(ptr);
    ptr = memory_alloc_aligned(4096, 8192);
    memory_free(ptr);
    memory_free(memory_alloc_zeroed(5));
    memory_free(memory_alloc_array(7, 9));
    ck_assert_uint_eq(memory_bytes_in_use(), before);
}
END_TEST

UNIT_MAIN("memory_budget", an_idle_process_gives_the_cache_its_largest_share,
          what_others_use_is_taken_from_the_cache,
          the_cache_keeps_a_little_even_when_others_take_all,
          the_cache_shrinks_when_memory_is_taken_and_grows_when_it_is_given_back,
          bytes_in_use_follow_allocations)
