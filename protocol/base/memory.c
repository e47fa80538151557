/* memory.c: see memory.h. The counters are the only mutable globals of the base layer: they are
 * what lets a test reach every allocation, and are atomic. */
#include "protocol/base/memory.h"

#include "protocol/base/assert.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FAIL_NEVER INT64_MAX
#define HEAPS 2
#define PAGES_FROM_BYTES (128 * 1024)

static _Atomic uint64_t allocation_count;           /* relaxed: a counter */
static _Atomic uint64_t bytes_in_use;               /* relaxed: a counter */
static _Atomic int64_t fail_countdown = FAIL_NEVER; /* relaxed: set while threads are quiet */
static _Atomic bool fail_for_ever;                  /* relaxed, as above */

static bool must_fail(void) {
    int64_t left;

    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    if (__builtin_expect(atomic_load_explicit(&fail_countdown, memory_order_relaxed) == FAIL_NEVER,
                         1)) {
        return false;
    }
    left = atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed);
    return left == 0 || (left < 0 && atomic_load_explicit(&fail_for_ever, memory_order_relaxed));
}

static void *taken(void *ptr) {
    if (ptr) {
        atomic_fetch_add_explicit(&bytes_in_use, malloc_usable_size(ptr), memory_order_relaxed);
    }
    return ptr;
}

void *memory_alloc(size_t bytes) {
    ASSERT(bytes > 0);
    return must_fail() ? NULL : taken(malloc(bytes));
}

void *memory_alloc_zeroed(size_t bytes) {
    ASSERT(bytes > 0);
    return must_fail() ? NULL : taken(calloc(1, bytes));
}

void *memory_alloc_array(size_t count, size_t element_bytes) {
    ASSERT(count > 0);
    ASSERT(element_bytes > 0);
    return must_fail() ? NULL : taken(calloc(count, element_bytes));
}

void *memory_alloc_aligned(size_t alignment, size_t bytes) {
    void *ptr = NULL;

    ASSERT(bytes > 0);
    if (must_fail() || posix_memalign(&ptr, alignment, bytes) != 0) {
        return NULL;
    }
    return taken(ptr);
}

void *memory_resize(void *ptr, size_t bytes) {
    size_t before = malloc_usable_size(ptr);
    void *resized;

    ASSERT(bytes > 0);
    resized = must_fail() ? NULL : realloc(ptr, bytes);
    if (resized) {
        atomic_fetch_sub_explicit(&bytes_in_use, before, memory_order_relaxed);
    }
    return taken(resized);
}

void memory_free(void *ptr) {
    atomic_fetch_sub_explicit(&bytes_in_use, malloc_usable_size(ptr), memory_order_relaxed);
    free(ptr);
}

uint64_t memory_bytes_in_use(void) {
    return atomic_load_explicit(&bytes_in_use, memory_order_relaxed);
}

/* A heap for each few threads keeps what one of them has freed from the others; and the threshold
 * from which memory is given back at once rises with the largest that was ever freed, so that long
 * values end up between small blocks. Under a mixed load that came to 1.6 times what is counted
 * here; with two heaps and a fixed threshold it is 1.1 (tests/bench/memory.py). */
void memory_keep_compact(void) {
    (void)mallopt(M_ARENA_MAX, HEAPS);
    (void)mallopt(M_MMAP_THRESHOLD, PAGES_FROM_BYTES);
}

uint64_t memory_allocation_count(void) {
    return atomic_load_explicit(&allocation_count, memory_order_relaxed);
}

void memory_fail_after(uint64_t countdown, bool for_ever) {
    ASSERT(countdown < INT64_MAX);
    atomic_store_explicit(&fail_for_ever, for_ever, memory_order_relaxed);
    atomic_store_explicit(&fail_countdown, (int64_t)countdown, memory_order_relaxed);
}

void memory_fail_never(void) {
    atomic_store_explicit(&fail_countdown, FAIL_NEVER, memory_order_relaxed);
}
