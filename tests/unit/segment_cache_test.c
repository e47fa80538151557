/* segment_cache_test.c: open segments are found again, bounded in number, and closed once. */
#include "storage/segment_cache.h"

#include "storage/env_fault.h"
#include "tests/unit/log_fixture.h"

#include <pthread.h>

#define SEGMENTS 6

static struct log it;
static struct env *counting; /* counts opens and closes */
static struct segment_cache *cache;
static uint64_t failed_opens; /* the calls are counted, too */

static void start(uint32_t open_max) {
    struct segment_source source;
    log_init(&it);
    for (uint64_t number = 1; number <= SEGMENTS; number++) {
        log_segment(&it, number);
        log_group(&it, 1, 500);
    }
    ck_assert_int_eq(env_fault_create(it.env, NULL, &counting), STATUS_OK);
    source = (struct segment_source){counting, LOG_DIR, it.compression, STORE_ID_A};
    ck_assert_int_eq(segment_cache_create(&source, open_max, &cache), STATUS_OK);
}

static uint64_t files_open(void) {
    return env_fault_calls(counting, FAULT_OPEN) - failed_opens -
           env_fault_calls(counting, FAULT_CLOSE);
}

static void finish(void) {
    segment_cache_destroy(cache);
    ck_assert_uint_eq(files_open(), 0);
    env_fault_destroy(counting);
    log_deinit(&it);
}

static struct segment_handle *pin(uint64_t number) {
    struct segment_handle *handle = NULL;
    ck_assert_int_eq(segment_cache_pin(cache, number, READ_WAIT_ALLOWED, &handle, &it.error),
                     STATUS_OK);
    ck_assert_uint_eq(segment_header(segment_handle_get(handle))->number, number);
    return handle;
}

static void touch(uint64_t number) {
    segment_cache_unpin(cache, pin(number));
}

static uint64_t opens(void) {
    struct segment_cache_stats stats;
    segment_cache_read_stats(cache, &stats);
    return stats.opens;
}

START_TEST(reading_many_values_opens_the_file_once) {
    uint8_t raw[500];
    struct buffer scratch;
    start(4);
    buffer_init(&scratch, VALUE_BYTES_MAX);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(segment_cache_read_value(cache, &it.written[1].ref, READ_WAIT_ALLOWED, raw,
                                                  &scratch, &it.error),
                         STATUS_OK);
    }
    ck_assert_uint_eq(env_fault_calls(counting, FAULT_OPEN), 1);
    buffer_deinit(&scratch);
    finish();
}
END_TEST

START_TEST(segment_that_is_not_open_is_not_opened_by_one_that_must_not_wait) {
    struct segment_handle *handle = NULL;
    start(4);
    ck_assert_int_eq(segment_cache_pin(cache, 1, READ_WAIT_NEVER, &handle, NULL),
                     STATUS_WOULD_BLOCK);
    ck_assert_uint_eq(env_fault_calls(counting, FAULT_OPEN), 0);
    touch(1);
    ck_assert_int_eq(segment_cache_pin(cache, 1, READ_WAIT_NEVER, &handle, NULL), STATUS_OK);
    segment_cache_unpin(cache, handle);
    finish();
}
END_TEST

START_TEST(the_one_unused_for_longest_is_closed) {
    start(3);
    touch(1);
    touch(2);
    touch(3);
    touch(1);
    touch(4); /* closes 2 */
    ck_assert_uint_eq(files_open(), 3);
    touch(1);
    touch(3);
    touch(4);
    ck_assert_uint_eq(opens(), 4);
    touch(2);
    ck_assert_uint_eq(opens(), 5);
    finish();
}
END_TEST

START_TEST(cache_of_one_keeps_one) {
    start(1);
    for (uint64_t number = 1; number <= SEGMENTS; number++) {
        touch(number);
        ck_assert_uint_eq(files_open(), 1);
    }
    finish();
}
END_TEST

START_TEST(pinned_segments_exceed_the_bound_only_while_pinned) {
    struct segment_handle *handles[SEGMENTS];
    start(2);
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        handles[i] = pin(i + 1);
    }
    ck_assert_uint_eq(files_open(), SEGMENTS);
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        segment_cache_unpin(cache, handles[i]);
    }
    ck_assert_uint_eq(files_open(), 2);
    finish();
}
END_TEST

START_TEST(evicted_segment_is_closed_at_its_last_unpin) {
    struct segment_handle *first;
    struct segment_handle *second;
    start(4);
    first = pin(1);
    second = pin(1);
    ck_assert_ptr_eq(first, second);
    segment_cache_evict(cache, 1);
    ck_assert_uint_eq(files_open(), 1);
    segment_cache_unpin(cache, first);
    ck_assert_uint_eq(files_open(), 1);
    segment_cache_unpin(cache, second);
    ck_assert_uint_eq(files_open(), 0);
    touch(2);
    segment_cache_evict(cache, 2); /* nobody has it pinned */
    segment_cache_evict(cache, 77);
    ck_assert_uint_eq(files_open(), 0);
    finish();
}
END_TEST

START_TEST(failed_open_leaves_nothing_behind) {
    const struct fault_rule rule = {.kinds = FAULT_READ, .countdown = 1, .fault = FAULT_IS_EIO};
    struct segment_handle *handle = NULL;
    start(4);
    env_fault_add(counting, &rule);
    ck_assert_int_eq(segment_cache_pin(cache, 1, READ_WAIT_ALLOWED, &handle, NULL), STATUS_IO);
    ck_assert_uint_eq(files_open(), 0);
    ck_assert_int_eq(segment_cache_pin(cache, 99, READ_WAIT_ALLOWED, &handle, NULL),
                     STATUS_CORRUPT);
    failed_opens = 1;
    touch(1);
    finish();
}
END_TEST

START_TEST(nth_allocation_failing_is_told) {
    enum status status = STATUS_NO_MEMORY;
    struct segment_handle *handle = NULL;
    start(4);
    segment_cache_destroy(cache);
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        struct segment_source source = {counting, LOG_DIR, it.compression, STORE_ID_A};
        memory_fail_after(n, false);
        cache = NULL;
        status = segment_cache_create(&source, 3, &cache);
        if (status == STATUS_OK) {
            status = segment_cache_pin(cache, 1, READ_WAIT_ALLOWED, &handle, NULL);
        }
        memory_fail_never();
        if (status != STATUS_OK) {
            segment_cache_destroy(cache);
            failed_opens += files_open(); /* what leaks would be found by the sanitizer */
        }
    }
    ck_assert_int_eq(status, STATUS_OK);
    segment_cache_unpin(cache, handle);
    finish();
}
END_TEST

static void *read_here_and_there(void *arg) {
    uint64_t x = (uint64_t)(uintptr_t)arg;
    struct buffer scratch;
    uint8_t raw[500];
    buffer_init(&scratch, VALUE_BYTES_MAX);
    for (int i = 0; i < 400; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        const struct value_ref *ref = &it.written[(x >> 33) % SEGMENTS].ref;
        ck_assert_int_eq(
            segment_cache_read_value(cache, ref, READ_WAIT_ALLOWED, raw, &scratch, NULL),
            STATUS_OK);
        if (i % 50 == 0) {
            segment_cache_evict(cache, ref->segment);
        }
    }
    buffer_deinit(&scratch);
    return NULL;
}

START_TEST(threads_share_a_small_cache) {
    pthread_t threads[4];
    start(2);
    for (uintptr_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_here_and_there, (void *)(i + 1)),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_le(files_open(), 2);
    finish();
}
END_TEST

UNIT_MAIN("segment_cache", reading_many_values_opens_the_file_once,
          segment_that_is_not_open_is_not_opened_by_one_that_must_not_wait,
          the_one_unused_for_longest_is_closed, cache_of_one_keeps_one,
          pinned_segments_exceed_the_bound_only_while_pinned,
          evicted_segment_is_closed_at_its_last_unpin, failed_open_leaves_nothing_behind,
          nth_allocation_failing_is_told, threads_share_a_small_cache)
