/* table_iterator_test.c: walks over one table: cached, cold, and as a job. */
#include "tests/unit/open_table.h"

#define ROWS 3000

static struct open_table fixture;
static struct iterator *iter;
static struct model model;

static void start(bool compress, enum read_wait wait, unsigned flags) {
    open_table_numbered(&fixture, ROWS, compress);
    model = numbered_model(ROWS);
    ck_assert_int_eq(table_iterator_create(fixture.table, wait, flags, &iter), STATUS_OK);
}

static void end(void) {
    iterator_destroy(iter);
    model_free(&model);
    open_table_end(&fixture);
}

START_TEST(random_walks_agree_with_the_model) {
    static const unsigned flags[] = {0, TABLE_ITERATOR_FILL_CACHE, TABLE_ITERATOR_SEQUENTIAL};
    for (unsigned i = 0; i < 6; i++) {
        start(i % 2 == 1, READ_WAIT_ALLOWED, flags[i / 2]);
        model_walk(&model, iter, i, i / 2 == 2 ? 600 : 6000);
        end();
    }
}
END_TEST

static uint64_t reads_of_a_whole_walk(void) {
    uint64_t before = env_fault_calls(fixture.env, FAULT_READ);
    enum status status = iterator_seek_first(iter);
    size_t count = 0;
    while (status == STATUS_OK) {
        ck_assert(slice_equal(iter->key, key_slice(&model.keys[count])));
        count++;
        status = iterator_next(iter);
    }
    ck_assert_int_eq(status, STATUS_END);
    ck_assert_uint_eq(iter->key.len, 0);
    ck_assert_uint_eq(count, ROWS);
    return env_fault_calls(fixture.env, FAULT_READ) - before;
}

START_TEST(a_job_reads_many_blocks_at_a_time_and_leaves_the_cache_alone) {
    struct block_cache_stats stats;
    start(false, READ_WAIT_ALLOWED, TABLE_ITERATOR_SEQUENTIAL);
    ck_assert_uint_eq(reads_of_a_whole_walk(),
                      fixture.info.file_bytes / TABLE_READ_AHEAD_BYTES + 1);
    block_cache_read_stats(fixture.cache, &stats);
    ck_assert_uint_eq(stats.blocks + stats.hits + stats.misses, 0);
    end();
}
END_TEST

START_TEST(the_cache_is_filled_only_if_asked_for) {
    struct block_cache_stats stats;
    start(false, READ_WAIT_ALLOWED, 0);
    ck_assert_uint_gt(reads_of_a_whole_walk(), 10);
    block_cache_read_stats(fixture.cache, &stats);
    ck_assert_uint_eq(stats.blocks, 0);
    end();
    start(false, READ_WAIT_ALLOWED, TABLE_ITERATOR_FILL_CACHE);
    ck_assert_uint_gt(reads_of_a_whole_walk(), 10);
    ck_assert_uint_eq(reads_of_a_whole_walk(), 0);
    end();
}
END_TEST

START_TEST(a_cold_disk_would_block_and_the_iterator_can_be_sought_again) {
    start(true, READ_WAIT_NEVER, TABLE_ITERATOR_FILL_CACHE);
    make_disk_cold(&fixture);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_WOULD_BLOCK);
    ck_assert_uint_eq(iter->key.len, 0);
    env_fault_clear(fixture.env);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
    make_disk_cold(&fixture);
    while (iter->key.len > 0) {
        enum status status = iterator_next(iter);
        ck_assert(status == STATUS_OK || status == STATUS_WOULD_BLOCK);
    }
    env_fault_clear(fixture.env);
    model_walk(&model, iter, 1, 500);
    end();
}
END_TEST

static void expect_failures_of(unsigned flags, enum fault fault, enum status expected) {
    start(true, READ_WAIT_ALLOWED, flags);
    for (uint64_t n = 1; n <= 3; n++) {
        struct fault_rule rule = {.kinds = FAULT_READ, .countdown = n, .fault = fault};
        enum status status;
        env_fault_add(fixture.env, &rule);
        do {
            status = iterator_seek_last(iter); /* n moves that each must read */
            status = status == STATUS_OK ? iterator_seek_first(iter) : status;
            block_cache_set_capacity(fixture.cache, 0);
        } while (status == STATUS_OK);
        ck_assert_int_eq(status, expected);
        ck_assert_str_eq(iter->error.path, "d/0000000005.table");
        ck_assert_uint_eq(iter->key.len, 0);
        env_fault_clear(fixture.env);
        model_walk(&model, iter, n, 100);
    }
    end();
}

START_TEST(failing_and_short_reads_are_told_with_the_file) {
    expect_failures_of(0, FAULT_IS_EIO, STATUS_IO);
    expect_failures_of(0, FAULT_IS_SHORT, STATUS_CORRUPT);
}
END_TEST

START_TEST(a_job_that_cannot_read_says_so) {
    struct fault_rule rule = {.kinds = FAULT_READ, .countdown = 1};
    start(true, READ_WAIT_ALLOWED, TABLE_ITERATOR_SEQUENTIAL);
    env_fault_add(fixture.env, &rule);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_IO);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
    end();
}
END_TEST

START_TEST(each_failing_allocation_fails_the_move) {
    static const unsigned flags[] = {0, TABLE_ITERATOR_SEQUENTIAL};
    for (unsigned i = 0; i < 2; i++) {
        enum status status = STATUS_NO_MEMORY;
        start(true, READ_WAIT_ALLOWED, flags[i]);
        for (uint64_t n = 0; status != STATUS_OK; n++) {
            memory_fail_after(n, false);
            status = iterator_seek_first(iter);
            memory_fail_never();
            ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        }
        model_walk(&model, iter, 1, 100);
        end();
    }
    memory_fail_after(0, false);
    ck_assert_int_eq(table_iterator_create(NULL, READ_WAIT_NEVER, 0, &iter), STATUS_NO_MEMORY);
    memory_fail_never();
}
END_TEST

UNIT_MAIN("table_iterator", random_walks_agree_with_the_model,
          a_job_reads_many_blocks_at_a_time_and_leaves_the_cache_alone,
          the_cache_is_filled_only_if_asked_for,
          a_cold_disk_would_block_and_the_iterator_can_be_sought_again,
          failing_and_short_reads_are_told_with_the_file, a_job_that_cannot_read_says_so,
          each_failing_allocation_fails_the_move)
