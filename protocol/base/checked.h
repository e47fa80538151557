/* checked.h: sums and products that say when they overflow. Each returns false and leaves *out
 * untouched on overflow. */
#ifndef KVD_BASE_CHECKED_H
#define KVD_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add_size(size_t a, size_t b, size_t *sum_out) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *sum_out = sum;
    return true;
}

static inline bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *sum_out) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *sum_out = sum;
    return true;
}

static inline bool checked_multiply_size(size_t a, size_t b, size_t *product_out) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *product_out = product;
    return true;
}

#endif
