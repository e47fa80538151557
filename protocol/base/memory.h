/* memory.h: the one place that allocates.
 *
 * memory_alloc and its kind wrap malloc so that tests can count allocations and make the n-th one
 * fail; nothing else in kvd calls malloc (make tidy checks it). Sizes of arrays go through
 * memory_alloc_array, which refuses a product that overflows. All functions may be called from any
 * thread. Failure is NULL, to be answered with STATUS_NO_MEMORY. */
#ifndef KVD_BASE_MEMORY_H
#define KVD_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `bytes` > 0 of uninitialised memory, owned by the caller, or NULL. */
void *memory_alloc(size_t bytes) __attribute__((malloc, warn_unused_result));

/* The same, zeroed. */
void *memory_alloc_zeroed(size_t bytes) __attribute__((malloc, warn_unused_result));

/* `count` zeroed elements of `element_bytes`, or NULL (also when the product overflows). */
void *memory_alloc_array(size_t count, size_t element_bytes) __attribute__((warn_unused_result));

/* Memory aligned to `alignment` (a power of two), for direct I/O and cache lines; freed by
 * memory_free. */
void *memory_alloc_aligned(size_t alignment, size_t bytes) __attribute__((warn_unused_result));

/* Resizes `ptr` (may be NULL) to `bytes` > 0; NULL on failure, and `ptr` stays valid then. */
void *memory_resize(void *ptr, size_t bytes) __attribute__((warn_unused_result));

/* Frees what the functions above gave; NULL is allowed. */
void memory_free(void *ptr);

/* How many allocations (resizes included) this process made so far; what the tests of "zero
 * allocations once warm" read. Relaxed; exact when the other threads are quiet. */
uint64_t memory_allocation_count(void);

/* Bytes that are allocated now, as the allocator rounds them. Relaxed: a moment old. What the
 * memory limit is held against. */
uint64_t memory_bytes_in_use(void);

/* For a process of many threads that is to stay within a limit: makes what the C library takes from
 * the system follow what is allocated. Before the first thread starts. */
void memory_keep_compact(void);

/* For tests: lets the next `countdown` allocations pass and fails the one after; if `for_ever`, all
 * after it as well. memory_fail_never() ends it. Affects all threads. */
void memory_fail_after(uint64_t countdown, bool for_ever);
void memory_fail_never(void);

#endif
