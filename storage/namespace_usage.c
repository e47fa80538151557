/* namespace_usage.c: see namespace_usage.h. */
#include "storage/namespace_usage.h"

#include "protocol/base/memory.h"

void usage_sums_deinit(struct usage_sums *sums) {
    memory_free(sums->usages);
    *sums = (struct usage_sums){0};
}

/* The first usage whose namespace is >= `namespace_id`. */
static size_t position_of(const struct namespace_usage *usages, size_t count,
                          uint32_t namespace_id) {
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (usages[middle].namespace_id < namespace_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct namespace_usage get(const struct namespace_usage *usages, size_t count,
                                  uint32_t namespace_id) {
    size_t position = position_of(usages, count, namespace_id);

    return position < count && usages[position].namespace_id == namespace_id
               ? usages[position]
               : (struct namespace_usage){.namespace_id = namespace_id};
}

struct namespace_usage usage_sums_get(const struct usage_sums *sums, uint32_t namespace_id) {
    return get(sums->usages, sums->count, namespace_id);
}

/* Merges an ascending list into the sums. */
static enum status merge(struct usage_sums *sums, const struct namespace_usage *usages,
                         size_t count) {
    struct namespace_usage *merged;
    size_t kept = 0;
    size_t i = 0;
    size_t j = 0;

    if (count == 0) {
        return STATUS_OK;
    }
    merged = memory_alloc_array(sums->count + count, sizeof *merged);
    if (!merged) {
        return STATUS_NO_MEMORY;
    }
    while (i < sums->count || j < count) {
        bool first = j == count ||
                     (i < sums->count && sums->usages[i].namespace_id < usages[j].namespace_id);
        const struct namespace_usage *next = first ? &sums->usages[i++] : &usages[j++];
        if (kept > 0 && merged[kept - 1].namespace_id == next->namespace_id) {
            usage_add(&merged[kept - 1], next);
        } else {
            merged[kept++] = *next;
        }
    }
    memory_free(sums->usages);
    sums->usages = merged;
    sums->count = kept;
    return STATUS_OK;
}

static enum status merge_memtable(struct usage_sums *sums, struct memtable *memtable) {
    struct namespace_usage *usages;
    size_t count;
    enum status status = memtable_copy_usages(memtable, &usages, &count);

    if (status == STATUS_OK) {
        status = merge(sums, usages, count);
    }
    memory_free(usages);
    return status;
}

enum status usage_of_view(const struct view *view, struct usage_sums *sums_out) {
    struct usage_sums sums = {0};
    enum status status = merge_memtable(&sums, view->active);

    for (uint32_t i = 0; i < view->frozen_count && status == STATUS_OK; i++) {
        status = merge_memtable(&sums, view->frozen[i]);
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &view->version->levels[i];
        for (uint32_t j = 0; j < level->count && status == STATUS_OK; j++) {
            status = merge(&sums, level->infos[j]->usages, level->infos[j]->usage_count);
        }
    }
    if (status != STATUS_OK) {
        usage_sums_deinit(&sums);
        return status;
    }
    *sums_out = sums;
    return STATUS_OK;
}

struct namespace_usage usage_of_tables(const struct version *version, uint32_t namespace_id) {
    struct namespace_usage sum = {.namespace_id = namespace_id};

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &version->levels[i];
        for (uint32_t j = 0; j < level->count; j++) {
            struct namespace_usage usage =
                get(level->infos[j]->usages, level->infos[j]->usage_count, namespace_id);
            usage_add(&sum, &usage);
        }
    }
    return sum;
}

struct namespace_usage usage_of_memtables(const struct view *view, uint32_t namespace_id) {
    struct namespace_usage sum = memtable_usage(view->active, namespace_id);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        struct namespace_usage usage = memtable_usage(view->frozen[i], namespace_id);
        usage_add(&sum, &usage);
    }
    return sum;
}

void usage_estimate(struct namespace_usage usage, uint64_t *keys_out, uint64_t *bytes_out) {
    uint64_t hidden = usage.tombstones * 2;
    uint64_t bytes = usage.table_bytes + usage.log_bytes;

    *keys_out = usage.entries > hidden ? usage.entries - hidden : 0;
    *bytes_out = usage.entries == 0
                     ? 0
                     : (uint64_t)((double)bytes / (double)usage.entries * (double)*keys_out);
    if (*keys_out == usage.entries) {
        *bytes_out = bytes; /* exact: no rounding */
    }
}
