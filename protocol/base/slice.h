/* slice.h: a borrowed run of bytes. Whoever hands one out says until when it is valid. */
#ifndef KVD_BASE_SLICE_H
#define KVD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr; /* borrowed; may be NULL only when len is 0 */
    size_t len;
};

static inline struct slice slice_make(const void *ptr, size_t len) {
    return (struct slice){(const uint8_t *)ptr, len};
}

/* The bytes of a NUL-ended string, without the NUL. */
static inline struct slice slice_from_text(const char *text) {
    return slice_make(text, strlen(text));
}

/* Bytewise order, shorter first among equals up to the shorter length: < 0, 0 or > 0. */
static inline int slice_compare(struct slice a, struct slice b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_equal(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_has_prefix(struct slice a, struct slice prefix) {
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

#endif
