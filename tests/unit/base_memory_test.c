/* base_memory_test.c: the one place that allocates, and how tests make it fail. */
#include "protocol/base/memory.h"

#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 1000

static void expect_alloc(bool works) {
    void *ptr = memory_alloc(8);

    ck_assert_int_eq(ptr != NULL, works);
    memory_free(ptr);
}

START_TEST(allocated_memory_can_be_written) {
    uint8_t *ptr = memory_alloc(100);

    ck_assert_ptr_nonnull(ptr);
    memset(ptr, 0xAB, 100);
    memory_free(ptr);
    memory_free(NULL);
}
END_TEST

START_TEST(zeroed_memory_and_arrays_are_zero) {
    uint8_t *bytes = memory_alloc_zeroed(64);
    uint64_t *numbers = memory_alloc_array(8, sizeof *numbers);

    for (int i = 0; i < 64; i++) {
        ck_assert_uint_eq(bytes[i], 0);
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_uint_eq(numbers[i], 0);
    }
    memory_free(bytes);
    memory_free(numbers);
}
END_TEST

START_TEST(array_whose_size_overflows_is_refused) {
    /* through variables, so that the compiler does not refuse it first */
    volatile size_t count = SIZE_MAX / 2 + 1, element_bytes = 2;

    ck_assert_ptr_null(memory_alloc_array(count, element_bytes));
}
END_TEST

START_TEST(aligned_memory_is_aligned) {
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        void *ptr = memory_alloc_aligned(alignment, alignment);

        ck_assert_ptr_nonnull(ptr);
        ck_assert_uint_eq((uintptr_t)ptr % alignment, 0);
        memory_free(ptr);
    }
}
END_TEST

START_TEST(resize_keeps_the_bytes) {
    uint8_t *ptr = memory_resize(NULL, 4);

    memcpy(ptr, "abcd", 4);
    ptr = memory_resize(ptr, 4096);
    ck_assert_ptr_nonnull(ptr);
    ck_assert(memcmp(ptr, "abcd", 4) == 0);
    memory_free(ptr);
}
END_TEST

START_TEST(failed_resize_leaves_the_old_memory) {
    uint8_t *ptr = memory_alloc(4), *bigger;

    memcpy(ptr, "abcd", 4);
    memory_fail_after(0, false);
    bigger = memory_resize(ptr, 4096);
    memory_fail_never();
    ck_assert_ptr_null(bigger);
    ck_assert(memcmp(ptr, "abcd", 4) == 0);
    memory_free(ptr);
}
END_TEST

START_TEST(every_kind_of_allocation_is_counted) {
    uint64_t before = memory_allocation_count();
    void *ptrs[] = {memory_alloc(1), memory_alloc_zeroed(1), memory_alloc_array(1, 1),
                    memory_alloc_aligned(64, 64), memory_resize(NULL, 1)};

    ck_assert_uint_eq(memory_allocation_count() - before, 5);
    for (size_t i = 0; i < 5; i++) {
        memory_free(ptrs[i]);
    }
    ck_assert_uint_eq(memory_allocation_count() - before, 5);
}
END_TEST

START_TEST(every_kind_of_allocation_can_be_made_to_fail) {
    memory_fail_after(0, true);
    ck_assert_ptr_null(memory_alloc(1));
    ck_assert_ptr_null(memory_alloc_zeroed(1));
    ck_assert_ptr_null(memory_alloc_array(1, 1));
    ck_assert_ptr_null(memory_alloc_aligned(64, 64));
    ck_assert_ptr_null(memory_resize(NULL, 1));
    memory_fail_never();
    expect_alloc(true);
}
END_TEST

START_TEST(only_the_allocation_after_the_countdown_fails) {
    memory_fail_after(2, false);
    expect_alloc(true);
    expect_alloc(true);
    expect_alloc(false);
    expect_alloc(true);
    memory_fail_never();
}
END_TEST

START_TEST(all_allocations_after_the_countdown_fail_for_ever) {
    memory_fail_after(1, true);
    expect_alloc(true);
    expect_alloc(false);
    expect_alloc(false);
    memory_fail_never();
    expect_alloc(true);
}
END_TEST

static void *allocate_often(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        memory_free(memory_alloc(16));
    }
    return NULL;
}

START_TEST(threads_lose_no_count) {
    uint64_t before = memory_allocation_count();
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_often, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(memory_allocation_count() - before, THREADS * ROUNDS);
}
END_TEST

UNIT_MAIN("base_memory", allocated_memory_can_be_written, zeroed_memory_and_arrays_are_zero,
          array_whose_size_overflows_is_refused, aligned_memory_is_aligned, resize_keeps_the_bytes,
          failed_resize_leaves_the_old_memory, every_kind_of_allocation_is_counted,
          every_kind_of_allocation_can_be_made_to_fail,
          only_the_allocation_after_the_countdown_fails,
          all_allocations_after_the_countdown_fail_for_ever, threads_lose_no_count)
