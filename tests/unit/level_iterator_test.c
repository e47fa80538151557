/* level_iterator_test.c: one walk over tables side by side. */
#include "storage/level_iterator.h"

#include "tests/unit/open_table.h"

#define TABLES 5
#define ROWS_EACH 40

static struct open_table fixture;
static struct table_cache *cache;
static struct table_info owned[TABLES];
static const struct table_info *infos[TABLES];
static struct iterator *iter;
static struct model model;

static void start(size_t count, enum read_wait wait, unsigned flags) {
    open_table_begin(&fixture);
    for (unsigned i = 0; i < count; i++) {
        const struct fixture_table how = {
            .env = fixture.env, .number = 100 + i, .block_bytes = 200};
        struct table_writer *writer = begin_table(&how);
        add_numbered(writer, ROWS_EACH * i, ROWS_EACH);
        owned[i] = finish_table(writer);
        infos[i] = &owned[i];
    }
    model = numbered_model((unsigned)count * ROWS_EACH);
    ck_assert_int_eq(table_cache_create(&fixture.source, 2, &cache), STATUS_OK);
    ck_assert_int_eq(level_iterator_create(cache, infos, count, wait, flags, &iter), STATUS_OK);
}

static void end(void) {
    iterator_destroy(iter);
    table_cache_destroy(cache);
    for (unsigned i = 0; i < TABLES; i++) {
        table_info_deinit(&owned[i]);
    }
    model_free(&model);
    open_table_end(&fixture);
}

START_TEST(random_walks_agree_with_the_model) {
    for (size_t count = 0; count <= TABLES; count++) {
        start(count, READ_WAIT_ALLOWED, count % 2 ? TABLE_ITERATOR_SEQUENTIAL : 0);
        model_walk(&model, iter, count, 3000);
        end();
    }
}
END_TEST

START_TEST(a_table_that_is_not_open_would_block) {
    enum status status;
    unsigned walked = 0;
    start(TABLES, READ_WAIT_NEVER, TABLE_ITERATOR_FILL_CACHE);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_WOULD_BLOCK);
    for (unsigned i = 0; i < 2; i++) {
        struct table *table;
        ck_assert_int_eq(table_cache_pin(cache, infos[i], READ_WAIT_ALLOWED, &table, NULL),
                         STATUS_OK);
        table_unpin(table);
    }
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        walked++;
        status = iterator_next(iter);
    }
    ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
    ck_assert_uint_eq(walked, 2 * ROWS_EACH);
    ck_assert_uint_eq(iter->key.len, 0);
    end();
}
END_TEST

START_TEST(a_damaged_table_is_named) {
    start(TABLES, READ_WAIT_ALLOWED, 0);
    ck_assert_int_eq(
        env_memory_poke(fixture.memory, "d/0000000104.table", 60, slice_from_text("damage")),
        STATUS_OK);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
    while (iter->key.len > 0) {
        enum status status = iterator_next(iter);
        ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
    }
    ck_assert_str_eq(iter->error.path, "d/0000000104.table");
    ck_assert_uint_eq(iter->error.offset, 48);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
    end();
}
END_TEST

START_TEST(each_failing_call_fails_the_move_and_it_can_be_tried_again) {
    start(TABLES, READ_WAIT_ALLOWED, 0);
    for (uint64_t n = 1; n <= 6; n++) {
        struct fault_rule rule = {.kinds = FAULT_ALL & ~FAULT_CLOSE, .countdown = n};
        enum status status;
        table_cache_evict(cache, 100);
        table_cache_evict(cache, 104);
        env_fault_add(fixture.env, &rule);
        do {
            status = iterator_seek_last(iter);
            status = status == STATUS_OK ? iterator_seek_first(iter) : status;
            block_cache_set_capacity(fixture.cache, 0);
        } while (status == STATUS_OK);
        ck_assert_int_eq(status, STATUS_IO);
        env_fault_clear(fixture.env);
        model_walk(&model, iter, n, 50);
        ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
        ck_assert_int_eq(iterator_prev(iter), STATUS_END); /* pins nothing now */
    }
    end();
}
END_TEST

START_TEST(each_failing_allocation_fails_the_move) {
    enum status status = STATUS_NO_MEMORY;
    struct iterator *none;
    start(TABLES, READ_WAIT_ALLOWED, TABLE_ITERATOR_SEQUENTIAL);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, false);
        status = iterator_seek_last(iter);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    memory_fail_after(0, false);
    ck_assert_int_eq(level_iterator_create(cache, infos, 1, READ_WAIT_ALLOWED, 0, &none),
                     STATUS_NO_MEMORY);
    memory_fail_never();
    end();
}
END_TEST

UNIT_MAIN("level_iterator", random_walks_agree_with_the_model, a_table_that_is_not_open_would_block,
          a_damaged_table_is_named, each_failing_call_fails_the_move_and_it_can_be_tried_again,
          each_failing_allocation_fails_the_move)
