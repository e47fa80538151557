/* salvage_gaps.c: see salvage_gaps.h. */
#include "storage/salvage_gaps.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>

#define GAPS_FIRST 16u

void salvage_gaps_init(struct salvage_gaps *gaps) {
    *gaps = (struct salvage_gaps){0};
    buffer_init(&gaps->rows, SIZE_MAX / 2);
}

void salvage_gaps_deinit(struct salvage_gaps *gaps) {
    buffer_deinit(&gaps->rows);
    memory_free(gaps->list);
    *gaps = (struct salvage_gaps){0};
}

static enum status grow(struct salvage_gaps *gaps) {
    size_t capacity = gaps->capacity ? 2 * gaps->capacity : GAPS_FIRST;
    struct salvage_gap *grown = memory_resize(gaps->list, capacity * sizeof *grown);

    if (!grown) {
        return STATUS_NO_MEMORY;
    }
    gaps->list = grown;
    gaps->capacity = capacity;
    return STATUS_OK;
}

enum status salvage_gaps_add(struct salvage_gaps *gaps, struct slice from, struct slice to,
                             uint64_t version_max) {
    struct salvage_gap gap = {.from_at = gaps->rows.len,
                              .from_len = from.len,
                              .to_at = gaps->rows.len + from.len,
                              .to_len = to.len,
                              .version_max = version_max};
    enum status status = gaps->count < gaps->capacity ? STATUS_OK : grow(gaps);

    if (status == STATUS_OK) {
        status = buffer_append(&gaps->rows, from.ptr, from.len);
    }
    if (status == STATUS_OK) {
        status = buffer_append(&gaps->rows, to.ptr, to.len);
    }
    if (status == STATUS_OK) {
        gaps->list[gaps->count++] = gap;
    }
    return status;
}

void salvage_gaps_remove(struct salvage_gaps *gaps, size_t first, size_t count) {
    ASSERT(first + count <= gaps->count);
    memmove(gaps->list + first, gaps->list + first + count,
            (gaps->count - first - count) * sizeof *gaps->list);
    gaps->count -= count;
}

bool salvage_gaps_have(const struct salvage_gaps *gaps, struct slice row, uint64_t version) {
    for (size_t i = 0; i < gaps->count; i++) {
        const struct salvage_gap *gap = &gaps->list[i];
        struct slice from = slice_make(gaps->rows.data + gap->from_at, gap->from_len);
        struct slice to = slice_make(gaps->rows.data + gap->to_at, gap->to_len);
        if (version <= gap->version_max && (from.len == 0 || slice_compare(from, row) <= 0) &&
            (to.len == 0 || slice_compare(row, to) <= 0)) {
            return true;
        }
    }
    return false;
}
