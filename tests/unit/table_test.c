/* table_test.c: point reads of an open table, from cache, page cache and disk, and opening. */
#include "storage/table.h"

#include "storage/table_format.h"
#include "tests/unit/open_table.h"

#define ROWS 2000

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON_IS_SEEN 1
static bool is_readable(const uint8_t *ptr) {
    return !__asan_address_is_poisoned(ptr);
}
#else
#define POISON_IS_SEEN 0
static bool is_readable(const uint8_t *ptr) {
    return ptr != NULL;
}
#endif

static struct open_table fixture;
static struct table_trace trace;
static struct error error;

static enum status get(const char *word, uint64_t version, enum read_wait wait,
                       struct table_hit *hit) {
    struct key key = key_at(word, version);
    struct table_target target = table_target_make(key_row(&key), version);
    return table_get(fixture.table, wait, &target, hit, &trace, &error);
}

static void expect_value(const char *word, uint64_t version, uint64_t found, const char *value) {
    struct table_hit hit = {0};
    ck_assert_int_eq(get(word, version, READ_WAIT_ALLOWED, &hit), STATUS_OK);
    ck_assert_uint_eq(hit.version, found);
    expect_text(entry_value(hit.entry), value);
    table_hit_release(&hit);
    table_hit_release(&hit); /* zeroed: allowed */
}

static void expect_absent(const char *word, uint64_t version) {
    struct table_hit hit;
    ck_assert_int_eq(get(word, version, READ_WAIT_ALLOWED, &hit), STATUS_NOT_FOUND);
}

static void expect_all_numbered(bool compress) {
    open_table_numbered(&fixture, ROWS, compress);
    for (unsigned i = 0; i < ROWS; i++) {
        char word[32];
        char value[64];
        numbered_word(word, 2 * i);
        (void)snprintf(value, sizeof value, "value of %u", 2 * i);
        expect_value(word, 7, 7, value);
        expect_value(word, VERSION_MAX, 7, value);
        expect_absent(word, 6);
        numbered_word(word, 2 * i + 1);
        expect_absent(word, 7);
    }
    open_table_end(&fixture);
}

START_TEST(every_row_is_found_and_no_other) {
    expect_all_numbered(false);
}
END_TEST

START_TEST(every_row_is_found_in_compressed_blocks) {
    expect_all_numbered(true);
}
END_TEST

START_TEST(compression_makes_the_file_smaller) {
    uint64_t plain_bytes;
    open_table_numbered(&fixture, ROWS, false);
    plain_bytes = fixture.info.file_bytes;
    open_table_end(&fixture);
    open_table_numbered(&fixture, ROWS, true);
    ck_assert_uint_lt(fixture.info.file_bytes, plain_bytes * 3 / 4);
    open_table_end(&fixture);
}
END_TEST

START_TEST(the_versions_of_a_row_may_span_many_blocks) {
    struct table_writer *writer;
    char value[200];
    open_table_begin(&fixture);
    writer = open_table_writer(&fixture, false);
    add_value(writer, "before", 3, "b");
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (uint64_t version = 1000; version > 0; version -= 2) {
        add_value(writer, "row", version, value);
    }
    add_value(writer, "row2", 3, "after");
    open_table_finish(&fixture, writer);
    for (uint64_t version = 2; version <= 1000; version++) {
        expect_value("row", version, version & ~UINT64_C(1), value);
        ck_assert_uint_le(trace.blocks, 2);
    }
    expect_absent("row", 1);
    expect_value("before", 9, 3, "b");
    expect_value("row2", 9, 3, "after");
    open_table_end(&fixture);
}
END_TEST

START_TEST(an_entry_larger_than_a_block_has_one_of_its_own) {
    struct table_writer *writer;
    char *value = memory_alloc(200001);
    open_table_begin(&fixture);
    writer = open_table_writer(&fixture, false);
    memset(value, 'v', 200000);
    value[200000] = '\0';
    add_value(writer, "a", 1, "small");
    add_value(writer, "b", 1, value);
    add_value(writer, "c", 1, "small too");
    open_table_finish(&fixture, writer);
    expect_value("a", 1, 1, "small");
    expect_value("b", 1, 1, value);
    expect_value("c", 1, 1, "small too");
    memory_free(value);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_large_compressed_block_is_not_unpacked_where_waiting_is_not_allowed) {
    struct table_writer *writer;
    struct table_hit hit;
    char *value = memory_alloc(200001);
    open_table_begin(&fixture);
    writer = open_table_writer(&fixture, true);
    memset(value, 'v', 200000);
    value[200000] = '\0';
    add_value(writer, "b", 1, value);
    open_table_finish(&fixture, writer);
    ck_assert_int_eq(get("b", 1, READ_WAIT_NEVER, &hit), STATUS_WOULD_BLOCK);
    expect_value("b", 1, 1, value);
    ck_assert_int_eq(get("b", 1, READ_WAIT_NEVER, &hit), STATUS_OK);
    table_hit_release(&hit);
    memory_free(value);
    open_table_end(&fixture);
}
END_TEST

START_TEST(the_trace_tells_what_was_done) {
    struct table_hit hit;
    unsigned negatives = 0;
    open_table_numbered(&fixture, ROWS, false);
    expect_value("key-000000", 7, 7, "value of 0");
    ck_assert(!trace.filter_negative);
    ck_assert(!trace.block_cached);
    ck_assert_uint_eq(trace.blocks, 1);
    ck_assert_uint_eq(trace.block_offset, TABLE_HEADER_BYTES);
    expect_value("key-000002", 7, 7, "value of 2");
    ck_assert(trace.block_cached);
    for (unsigned i = 0; i < 100; i++) {
        char word[32];
        numbered_word(word, 2 * i + 1);
        ck_assert_int_eq(get(word, 7, READ_WAIT_ALLOWED, &hit), STATUS_NOT_FOUND);
        negatives += trace.filter_negative;
        ck_assert_uint_eq(trace.blocks, !trace.filter_negative);
    }
    ck_assert_uint_ge(negatives, 90);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_cached_block_is_read_without_an_allocation) {
    struct table_hit hit;
    uint64_t before;
    open_table_numbered(&fixture, ROWS, true);
    expect_value("key-000100", 7, 7, "value of 100");
    before = memory_allocation_count();
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(get("key-000100", 7, READ_WAIT_NEVER, &hit), STATUS_OK);
        table_hit_release(&hit);
        ck_assert_int_eq(get("key-000101", 7, READ_WAIT_NEVER, &hit), STATUS_NOT_FOUND);
    }
    ck_assert_uint_eq(memory_allocation_count(), before);
    open_table_end(&fixture);
}
END_TEST

START_TEST(what_is_not_in_memory_would_block_and_is_read_when_waiting_is_allowed) {
    struct table_hit hit;
    struct block_cache_stats stats;
    open_table_numbered(&fixture, ROWS, true);
    make_disk_cold(&fixture);
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_NEVER, &hit), STATUS_WOULD_BLOCK);
    block_cache_read_stats(fixture.cache, &stats);
    ck_assert_uint_eq(stats.blocks, 0);
    expect_value("key-000100", 7, 7, "value of 100");
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_NEVER, &hit), STATUS_OK);
    table_hit_release(&hit);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_hit_outlives_eviction_and_the_table) {
    struct table_hit hit;
    open_table_numbered(&fixture, ROWS, false);
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_NEVER, &hit), STATUS_OK);
    block_cache_set_capacity(fixture.cache, 0);
    table_close(fixture.table);
    fixture.table = NULL;
    expect_text(entry_value(hit.entry), "value of 100");
    table_hit_release(&hit);
    open_table_end(&fixture);
}
END_TEST

/* Under AddressSanitizer what a hit borrowed is unreadable as soon as nobody holds it. */
START_TEST(a_late_read_of_a_released_hit_is_caught) {
    struct table_hit hit;
    const uint8_t *late;
    open_table_numbered(&fixture, ROWS, false);
    block_cache_set_capacity(fixture.cache, 0);
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_NEVER, &hit), STATUS_OK);
    late = hit.entry.ptr;
    ck_assert(is_readable(late));
    table_hit_release(&hit);
    ck_assert_int_eq(is_readable(late), !POISON_IS_SEEN);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_table_without_a_cache_reads_all_the_same) {
    struct table *table;
    open_table_numbered(&fixture, ROWS, true);
    table = fixture.table;
    fixture.source.cache = NULL;
    ck_assert_int_eq(table_open(&fixture.source, &fixture.info, &fixture.table, &error), STATUS_OK);
    expect_value("key-000100", 7, 7, "value of 100");
    expect_value("key-000100", 7, 7, "value of 100");
    ck_assert(!trace.block_cached);
    table_close(table);
    open_table_end(&fixture);
}
END_TEST

START_TEST(trace_and_error_may_be_missing) {
    struct key key = key_at("key-000100", 7);
    struct table_target target = table_target_make(key_row(&key), 7);
    struct table_hit hit;
    open_table_numbered(&fixture, ROWS, false);
    ck_assert_int_eq(table_get(fixture.table, READ_WAIT_NEVER, &target, &hit, NULL, NULL),
                     STATUS_OK);
    table_hit_release(&hit);
    ck_assert_uint_eq(table_number(fixture.table), 5);
    ck_assert_uint_gt(table_memory_bytes(fixture.table), ROWS * 10 / 8);
    open_table_end(&fixture);
}
END_TEST

static enum status reopen(void) {
    struct table *table = NULL;
    enum status status = table_open(&fixture.source, &fixture.info, &table, &error);
    table_close(table);
    return status;
}

START_TEST(a_file_of_another_size_is_corrupt) {
    open_table_numbered(&fixture, ROWS, false);
    fixture.info.file_bytes++;
    ck_assert_int_eq(reopen(), STATUS_CORRUPT);
    ck_assert_str_eq(error.path, "d/0000000005.table");
    fixture.info.file_bytes--;
    fixture.info.footer_checksum++;
    ck_assert_int_eq(reopen(), STATUS_CORRUPT);
    fixture.info.footer_checksum--;
    ck_assert_int_eq(reopen(), STATUS_OK);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_missing_file_is_damage) {
    open_table_numbered(&fixture, 1, false);
    ck_assert_int_eq(env_remove(fixture.env, "d/0000000005.table", &error), STATUS_OK);
    ck_assert_int_eq(reopen(), STATUS_CORRUPT);
    open_table_end(&fixture);
}
END_TEST

START_TEST(each_failing_call_fails_the_opening) {
    uint64_t calls;
    open_table_numbered(&fixture, ROWS, true);
    calls = env_fault_calls(fixture.env, FAULT_ALL);
    ck_assert_int_eq(reopen(), STATUS_OK);
    calls = env_fault_calls(fixture.env, FAULT_ALL) - calls - 1; /* but for the closing */
    for (uint64_t n = 1; n <= calls; n++) {
        struct fault_rule rule = {.kinds = FAULT_ALL, .countdown = n};
        env_fault_add(fixture.env, &rule);
        ck_assert_int_eq(reopen(), STATUS_IO);
        env_fault_clear(fixture.env);
        rule = (struct fault_rule){.kinds = FAULT_READ, .countdown = n, .fault = FAULT_IS_SHORT};
        env_fault_add(fixture.env, &rule);
        ck_assert_int_eq(reopen(), n <= 3 ? STATUS_CORRUPT : STATUS_OK);
        env_fault_clear(fixture.env);
    }
    open_table_end(&fixture);
}
END_TEST

START_TEST(each_failing_allocation_fails_the_opening) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;
    open_table_numbered(&fixture, ROWS, true);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, false);
        status = reopen();
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 5);
    open_table_end(&fixture);
}
END_TEST

START_TEST(a_read_that_fails_fails_the_get_and_the_next_one_succeeds) {
    struct fault_rule rule = {.kinds = FAULT_READ, .countdown = 1};
    struct table_hit hit;
    open_table_numbered(&fixture, ROWS, true);
    env_fault_add(fixture.env, &rule);
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_ALLOWED, &hit), STATUS_IO);
    env_fault_clear(fixture.env);
    rule.fault = FAULT_IS_SHORT;
    env_fault_add(fixture.env, &rule);
    ck_assert_int_eq(get("key-000100", 7, READ_WAIT_ALLOWED, &hit), STATUS_CORRUPT);
    ck_assert_str_eq(error.path, "d/0000000005.table");
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, false);
        ck_assert_int_eq(get("key-000100", 7, READ_WAIT_ALLOWED, &hit), STATUS_NO_MEMORY);
        memory_fail_never();
    }
    expect_value("key-000100", 7, 7, "value of 100");
    open_table_end(&fixture);
}
END_TEST

UNIT_MAIN("table", every_row_is_found_and_no_other, every_row_is_found_in_compressed_blocks,
          compression_makes_the_file_smaller, the_versions_of_a_row_may_span_many_blocks,
          an_entry_larger_than_a_block_has_one_of_its_own,
          a_large_compressed_block_is_not_unpacked_where_waiting_is_not_allowed,
          the_trace_tells_what_was_done, a_cached_block_is_read_without_an_allocation,
          what_is_not_in_memory_would_block_and_is_read_when_waiting_is_allowed,
          a_hit_outlives_eviction_and_the_table, a_late_read_of_a_released_hit_is_caught,
          a_table_without_a_cache_reads_all_the_same, trace_and_error_may_be_missing,
          a_file_of_another_size_is_corrupt, a_missing_file_is_damage,
          each_failing_call_fails_the_opening, each_failing_allocation_fails_the_opening,
          a_read_that_fails_fails_the_get_and_the_next_one_succeeds)
