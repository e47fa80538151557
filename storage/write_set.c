/* write_set.c: see write_set.h. */
#include "storage/write_set.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/ikey.h"

#define HEIGHT_BRANCH 4u
#define RANGES_FIRST 4u

/* next[] has `height` links; the row and the value follow it. */
struct write_node {
    struct write write; /* its slices point behind next[] */
    size_t bytes;
    uint32_t height;
    struct write_node *next[];
};

void write_set_init(struct write_set *set, size_t bytes_max) {
    *set = (struct write_set){.bytes_max = bytes_max, .random = UINT64_C(0x9E3779B97F4A7C15)};
}

static void range_free(struct write_set *set, struct key_range *range) {
    set->bytes -= range->from.len + range->to.len + sizeof *range;
    memory_free((void *)(uintptr_t)range->from.ptr); /* one piece: both keys */
}

void write_set_deinit(struct write_set *set) {
    struct write_node *node = set->first[0];

    while (node) {
        struct write_node *next = node->next[0];
        memory_free(node);
        node = next;
    }
    for (uint32_t i = 0; i < set->range_count; i++) {
        range_free(set, &set->ranges[i]);
    }
    memory_free(set->ranges);
    *set = (struct write_set){0};
}

/* ---- The list ---------------------------------------------------------------------------------
 */

/* The links that lead over `row`'s place, one a level. */
struct place {
    struct write_node **links[WRITE_SET_HEIGHT_MAX];
};

/* The links before the first node that is not before the row. */
static struct place find_place(struct write_set *set, struct slice row) {
    struct write_node **links = set->first;
    struct place place;

    for (uint32_t level = WRITE_SET_HEIGHT_MAX; level-- > 0;) {
        while (links[level] && slice_compare(links[level]->write.row, row) < 0) {
            links = links[level]->next;
        }
        place.links[level] = &links[level];
    }
    return place;
}

static const struct write_node *find_from(const struct write_set *set, struct slice row) {
    struct write_node *const *links = set->first;

    for (uint32_t level = WRITE_SET_HEIGHT_MAX; level-- > 0;) {
        while (links[level] && slice_compare(links[level]->write.row, row) < 0) {
            links = links[level]->next;
        }
    }
    return links[0];
}

static uint32_t random_height(struct write_set *set) {
    uint32_t height = 1;
    uint64_t bits;

    set->random ^= set->random << 13; /* xorshift64, Marsaglia 2003 */
    set->random ^= set->random >> 7;
    set->random ^= set->random << 17;
    for (bits = set->random; height < WRITE_SET_HEIGHT_MAX && bits % HEIGHT_BRANCH == 0;
         bits /= HEIGHT_BRANCH) {
        height++;
    }
    return height;
}

static struct slice copy_to(uint8_t **ptr, struct slice bytes) {
    struct slice copy = slice_make(*ptr, bytes.len);

    if (bytes.len > 0) {
        memcpy(*ptr, bytes.ptr, bytes.len);
    }
    *ptr += bytes.len;
    return copy;
}

static struct write_node *node_create(const struct write *write, uint32_t height) {
    size_t head_bytes = sizeof(struct write_node) + height * sizeof(struct write_node *);
    size_t bytes = head_bytes + write->row.len + write->value.len; /* below 32 MiB */
    struct write_node *node = memory_alloc(bytes);
    uint8_t *ptr = (uint8_t *)node + head_bytes;

    if (node) {
        *node = (struct write_node){.write = *write, .bytes = bytes, .height = height};
        node->write.row = copy_to(&ptr, write->row);
        node->write.value = copy_to(&ptr, write->value);
    }
    return node;
}

static void unlink_node(struct write_set *set, const struct place *place, struct write_node *node) {
    for (uint32_t level = 0; level < node->height; level++) {
        ASSERT(*place->links[level] == node);
        *place->links[level] = node->next[level];
    }
    set->bytes -= node->bytes;
    set->row_count--;
    memory_free(node);
}

enum status write_set_put(struct write_set *set, const struct write *write) {
    struct place place = find_place(set, write->row);
    struct write_node *old = *place.links[0];
    struct write_node *node;
    size_t freed;

    if (old && !slice_equal(old->write.row, write->row)) {
        old = NULL;
    }
    freed = old ? old->bytes : 0;
    node = node_create(write, random_height(set));
    if (!node) {
        return STATUS_NO_MEMORY;
    }
    if (set->bytes - freed + node->bytes > set->bytes_max ||
        (!old && set->row_count + BATCH_RANGES_MAX >= COMMIT_OPS_MAX)) {
        memory_free(node);
        return STATUS_TOO_LARGE;
    }
    if (old) {
        unlink_node(set, &place, old);
    }
    for (uint32_t level = 0; level < node->height; level++) {
        node->next[level] = *place.links[level];
        *place.links[level] = node;
    }
    set->bytes += node->bytes;
    set->row_count++;
    return STATUS_OK;
}

/* ---- Ranges -----------------------------------------------------------------------------------
 */

/* Whether all of `inner` lies in `outer`. */
static bool contains(const struct key_range *outer, const struct key_range *inner) {
    return outer->namespace_id == inner->namespace_id &&
           slice_compare(outer->from, inner->from) <= 0 &&
           (outer->to.len == 0 || (inner->to.len > 0 && slice_compare(outer->to, inner->to) >= 0));
}

static enum status room_for_range(struct write_set *set, const struct key_range *range) {
    uint32_t capacity = set->range_capacity ? 2 * set->range_capacity : RANGES_FIRST;
    struct key_range *ranges;

    if (set->range_count == BATCH_RANGES_MAX ||
        set->bytes + range->from.len + range->to.len + sizeof *range > set->bytes_max) {
        return STATUS_TOO_LARGE;
    }
    if (set->range_count < set->range_capacity) {
        return STATUS_OK;
    }
    ranges = memory_resize(set->ranges, capacity * sizeof *ranges);
    if (!ranges) {
        return STATUS_NO_MEMORY;
    }
    set->ranges = ranges;
    set->range_capacity = capacity;
    return STATUS_OK;
}

static void remove_rows(struct write_set *set, const struct key_range *range) {
    uint8_t row[ROW_BYTES_MAX];
    struct slice from = slice_make(row, row_store(row, range->namespace_id, range->from));
    struct place place = find_place(set, from);

    while (*place.links[0] && range_covers_row(range, (*place.links[0])->write.row)) {
        unlink_node(set, &place, *place.links[0]);
    }
}

/* Keeps the ranges that the new one does not contain. */
static void remove_ranges(struct write_set *set, const struct key_range *range) {
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->range_count; i++) {
        if (contains(range, &set->ranges[i])) {
            range_free(set, &set->ranges[i]);
        } else {
            set->ranges[kept++] = set->ranges[i];
        }
    }
    set->range_count = kept;
}

enum status write_set_delete_range(struct write_set *set, const struct key_range *range) {
    struct key_range added = {.namespace_id = range->namespace_id};
    enum status status = STATUS_OK;
    uint8_t *keys;

    for (uint32_t i = 0; i < set->range_count; i++) {
        if (contains(&set->ranges[i], range)) {
            remove_rows(set, range);
            return STATUS_OK;
        }
    }
    status = room_for_range(set, range);
    if (status != STATUS_OK) {
        return status;
    }
    keys = memory_alloc(range->from.len + range->to.len + 1);
    if (!keys) {
        return STATUS_NO_MEMORY;
    }
    added.from = copy_to(&keys, range->from);
    added.to = copy_to(&keys, range->to);
    remove_rows(set, range);
    remove_ranges(set, range);
    set->ranges[set->range_count++] = added;
    set->bytes += added.from.len + added.to.len + sizeof added;
    return STATUS_OK;
}

bool write_set_covers(const struct write_set *set, struct slice row) {
    for (uint32_t i = 0; i < set->range_count; i++) {
        if (range_covers_row(&set->ranges[i], row)) {
            return true;
        }
    }
    return false;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static struct write write_of(const struct write_node *node) {
    return node ? node->write : (struct write){.kind = WRITE_NONE};
}

struct write write_set_find(const struct write_set *set, struct slice row) {
    const struct write_node *node = find_from(set, row);

    if (node && slice_equal(node->write.row, row)) {
        return node->write;
    }
    return (struct write){.kind = write_set_covers(set, row) ? WRITE_DELETE : WRITE_NONE};
}

struct write write_set_seek(const struct write_set *set, struct slice row, bool behind) {
    const struct write_node *node = find_from(set, row);

    if (node && behind && slice_equal(node->write.row, row)) {
        node = node->next[0];
    }
    return write_of(node);
}

struct write write_set_seek_before(const struct write_set *set, struct slice row) {
    const struct write_node *before = NULL;
    struct write_node *const *links = set->first;

    for (uint32_t level = WRITE_SET_HEIGHT_MAX; level-- > 0;) {
        while (links[level] && (row.len == 0 || slice_compare(links[level]->write.row, row) < 0)) {
            before = links[level];
            links = links[level]->next;
        }
    }
    return write_of(before);
}
