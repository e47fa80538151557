/* feed_window.c: see feed_window.h. */
#include "storage/feed_window.h"

#include "protocol/base/memory.h"

uint64_t feed_window_first(const struct version *version, uint64_t bytes) {
    uint64_t first = UINT64_MAX;
    uint64_t sum = 0;

    for (uint32_t i = version->segment_count; i > 0 && sum < bytes; i--) {
        const struct segment_file *file = version->segments[i - 1];
        if (file->kind == SEGMENT_COMMIT) {
            first = file->number;
            sum += atomic_load_explicit(&file->length_bytes, memory_order_acquire);
        }
    }
    return first;
}

static size_t window_count(const struct version *version, uint64_t first) {
    size_t count = 0;

    for (uint32_t i = 0; i < version->segment_count; i++) {
        count += feed_window_has(first, version->segments[i]->kind, version->segments[i]->number);
    }
    return count;
}

enum status feed_window_merge(const struct version *version, uint64_t bytes,
                              uint64_t **segments_inout, size_t *count_inout) {
    uint64_t first = feed_window_first(version, bytes);
    size_t more = bytes == 0 ? 0 : window_count(version, first);
    const uint64_t *old = *segments_inout;
    size_t old_left = *count_inout;
    uint64_t *merged;
    size_t count = 0;

    if (more == 0) {
        return STATUS_OK;
    }
    merged = memory_alloc_array(*count_inout + more, sizeof *merged);
    if (!merged) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < version->segment_count; i++) {
        const struct segment_file *file = version->segments[i];
        if (!feed_window_has(first, file->kind, file->number)) {
            continue;
        }
        while (old_left > 0 && *old < file->number) {
            merged[count++] = *old++;
            old_left--;
        }
        if (old_left == 0 || *old != file->number) {
            merged[count++] = file->number;
        }
    }
    while (old_left > 0) {
        merged[count++] = *old++;
        old_left--;
    }
    memory_free(*segments_inout);
    *segments_inout = merged;
    *count_inout = count;
    return STATUS_OK;
}
