/* env_node.c: see env_node.h. */
#include "storage/env_node.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"

#define PAGE_BYTES 4096
#define CAPACITY_BYTES_MIN 256

struct env_node *env_node_create(void) {
    struct env_node *node = memory_alloc_zeroed(sizeof *node);
    if (node) {
        node->refs = 1;
    }
    return node;
}

void env_node_unref(struct env_node *node) {
    if (!node) {
        return;
    }
    ASSERT(node->refs > 0);
    if (--node->refs == 0) {
        memory_free(node->bytes);
        memory_free(node->lost);
        memory_free(node);
    }
}

/* Room for `size_bytes` in all, without zeroing. */
static enum status node_reserve(struct env_node *node, size_t size_bytes) {
    size_t capacity = node->capacity_bytes ? node->capacity_bytes : CAPACITY_BYTES_MIN;
    uint8_t *bytes;

    if (size_bytes <= node->capacity_bytes) {
        return STATUS_OK;
    }
    while (capacity < size_bytes) {
        capacity *= 2;
    }
    bytes = memory_resize(node->bytes, capacity);
    if (!bytes) {
        return STATUS_NO_MEMORY;
    }
    node->bytes = bytes;
    node->capacity_bytes = capacity;
    return STATUS_OK;
}

enum status env_node_append(struct env_node *node, const struct slice *slices, size_t slice_count) {
    size_t size_bytes = node->size_bytes;
    enum status status;

    for (size_t i = 0; i < slice_count; i++) {
        if (!checked_add_size(size_bytes, slices[i].len, &size_bytes)) {
            return STATUS_NO_MEMORY;
        }
    }
    status = node_reserve(node, size_bytes);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < slice_count; i++) {
        if (slices[i].len > 0) {
            memcpy(node->bytes + node->size_bytes, slices[i].ptr, slices[i].len);
            node->size_bytes += slices[i].len;
        }
    }
    return STATUS_OK;
}

/* Where [offset, offset + len) and [from, to) meet; false when they do not. */
static bool intersect(uint64_t offset, uint64_t len, struct lost_range *range) {
    if (range->from < offset) {
        range->from = offset;
    }
    if (range->to > offset + len) {
        range->to = offset + len;
    }
    return range->from < range->to;
}

/* Zeros, in bytes read from `offset` on, what the medium does not have. */
static void blank_lost(const struct env_node *node, uint64_t offset, uint8_t *ptr, size_t len) {
    for (uint32_t i = 0; i < node->lost_count; i++) {
        struct lost_range range = node->lost[i];
        if (intersect(offset, len, &range)) {
            memset(ptr + (range.from - offset), 0, (size_t)(range.to - range.from));
        }
    }
}

size_t env_node_read(const struct env_node *node, uint64_t offset, uint8_t *ptr, size_t len,
                     bool from_medium) {
    if (offset >= node->size_bytes || len == 0) {
        return 0;
    }
    if (len > node->size_bytes - offset) {
        len = node->size_bytes - (size_t)offset;
    }
    memcpy(ptr, node->bytes + offset, len);
    if (from_medium) {
        blank_lost(node, offset, ptr, len);
    }
    return len;
}

static enum status add_lost(struct env_node *node, struct lost_range range) {
    struct lost_range *last = node->lost_count ? &node->lost[node->lost_count - 1] : NULL;
    if (last && last->to == range.from) {
        last->to = range.to;
        return STATUS_OK;
    }
    if (node->lost_count == node->lost_capacity) {
        uint32_t capacity = node->lost_capacity ? 2 * node->lost_capacity : 4;
        struct lost_range *lost = memory_resize(node->lost, capacity * sizeof *lost);
        if (!lost) {
            return STATUS_NO_MEMORY;
        }
        node->lost = lost;
        node->lost_capacity = capacity;
    }
    ASSERT(node->lost);
    node->lost[node->lost_count++] = range;
    return STATUS_OK;
}

/* The end of the block that `offset` is in, at most `size`. */
static uint64_t block_end(uint64_t offset, uint32_t block_bytes, uint64_t size) {
    uint64_t end = offset - offset % block_bytes + block_bytes;
    return end < size ? end : size;
}

enum status env_node_lose_unsynced(struct env_node *node, uint64_t seed) {
    struct random random = random_make(seed);
    enum status status = STATUS_OK;
    uint64_t from = node->synced_bytes;

    while (from < node->size_bytes && status == STATUS_OK) {
        uint64_t to = block_end(from, PAGE_BYTES, node->size_bytes);
        if (seed == 0 || random_below(&random, 2) == 0) {
            status = add_lost(node, (struct lost_range){from, to});
        }
        from = to;
    }
    return status;
}

/* What a missing block holds. */
static void fill_missing(const struct power_cut *how, struct random *random, uint8_t *ptr,
                         size_t len) {
    for (size_t i = 0; i < len; i++) {
        ptr[i] = how->garbage ? (uint8_t)random_next(random) : 0;
    }
}

static uint64_t size_after(const struct env_node *node, const struct power_cut *how,
                           struct random *random) {
    uint64_t unsynced = node->size_bytes - node->synced_bytes;
    if (how->mode == POWER_CUT_DROP_ALL || unsynced == 0) {
        return node->synced_bytes;
    }
    if (how->mode == POWER_CUT_KEEP_ALL) {
        return node->size_bytes;
    }
    switch (random_below(random, 4)) {
    case 0:
        return node->synced_bytes;
    case 1: /* a file system that moves the size block by block */
        return block_end(node->synced_bytes + random_below(random, unsynced), how->block_bytes,
                         node->size_bytes);
    default: /* the size was written before the data */
        return node->size_bytes;
    }
}

/* Takes away a random part, dense or sparse, of the unsynced blocks of the copy. */
static void drop_blocks(struct env_node *copy, uint64_t synced_bytes, const struct power_cut *how,
                        struct random *random) {
    uint64_t missing_in_8 = random_below(random, 9);
    uint64_t from = synced_bytes;

    while (from < copy->size_bytes) {
        uint64_t to = block_end(from, how->block_bytes, copy->size_bytes);
        if (random_below(random, 8) < missing_in_8) {
            fill_missing(how, random, copy->bytes + from, (size_t)(to - from));
        }
        from = to;
    }
}

static enum status copy_lost(const struct env_node *node, struct env_node *copy) {
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < node->lost_count && status == STATUS_OK; i++) {
        status = add_lost(copy, node->lost[i]);
    }
    return status;
}

/* What the medium lost is missing in the copy for good. */
static void apply_lost(const struct env_node *node, const struct power_cut *how,
                       struct random *random, struct env_node *copy) {
    for (uint32_t i = 0; i < node->lost_count; i++) {
        struct lost_range range = node->lost[i];
        if (intersect(0, copy->size_bytes, &range)) {
            fill_missing(how, random, copy->bytes + range.from, (size_t)(range.to - range.from));
        }
    }
}

enum status env_node_after(const struct env_node *node, const struct power_cut *how,
                           struct random *random, struct env_node **copy_out) {
    bool only_process = how->mode == POWER_CUT_NONE;
    uint64_t size = only_process ? node->size_bytes : size_after(node, how, random);
    struct slice content = slice_make(node->bytes, (size_t)size);
    struct env_node *copy = env_node_create();
    enum status status = copy ? env_node_append(copy, &content, 1) : STATUS_NO_MEMORY;

    if (status == STATUS_OK && only_process) {
        status = copy_lost(node, copy);
    }
    if (status != STATUS_OK) {
        env_node_unref(copy);
        return status;
    }
    if (how->mode == POWER_CUT_RANDOM_SUBSET) {
        drop_blocks(copy, node->synced_bytes, how, random);
    }
    if (!only_process) {
        apply_lost(node, how, random, copy);
    }
    copy->synced_bytes = only_process ? node->synced_bytes : size;
    copy->reserved_bytes = node->reserved_bytes;
    *copy_out = copy;
    return STATUS_OK;
}
