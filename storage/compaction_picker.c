/* compaction_picker.c: see compaction_picker.h. */
#include "storage/compaction_picker.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

struct pick_sizes compaction_sizes(const struct version *version, uint64_t base_bytes) {
    struct pick_sizes sizes = {{0}, PICK_BOTTOM};
    uint64_t size = base_bytes;

    for (uint32_t i = 1; i < LEVELS_MAX; i++) {
        if (version->levels[i].weight > size) {
            size = version->levels[i].weight;
        }
    }
    for (uint32_t i = PICK_BOTTOM; i >= 1; i--) {
        sizes.targets[i] = size > base_bytes ? size : base_bytes;
        sizes.base_level = i;
        if (size <= base_bytes) {
            break;
        }
        size /= PICK_FAN_OUT;
    }
    return sizes;
}

static struct slice smallest_row(const struct level *level, uint32_t index) {
    return ikey_row(level->infos[index]->smallest);
}

static struct slice largest_row(const struct level *level, uint32_t index) {
    return ikey_row(level->infos[index]->largest);
}

/* The run of tables of a level >= 1 that overlap the rows [from, to]. */
static void overlapping(const struct level *level, struct slice from, struct slice to,
                        uint32_t *first_out, uint32_t *count_out) {
    uint32_t first = level_lower_bound(level, from);
    uint32_t end = first;

    while (end < level->count && slice_compare(smallest_row(level, end), to) <= 0) {
        end++;
    }
    *first_out = first;
    *count_out = end - first;
}

/* Completes a pick whose inputs are set: the tables of the output level that the inputs overlap. */
static void pick_outputs(const struct version *version, struct compaction_pick *pick) {
    const struct level *level = &version->levels[pick->level];
    struct slice from = smallest_row(level, pick->input_first);
    struct slice to = largest_row(level, pick->input_first);

    ASSERT(pick->input_count > 0);
    for (uint32_t i = 1; i < pick->input_count; i++) {
        struct slice low = smallest_row(level, pick->input_first + i);
        struct slice high = largest_row(level, pick->input_first + i);
        from = slice_compare(low, from) < 0 ? low : from;
        to = slice_compare(high, to) > 0 ? high : to;
    }
    overlapping(&version->levels[pick->output_level], from, to, &pick->output_first,
                &pick->output_count);
}

/* All of level 0, to the base level; but never past a level above it that still has tables, as in a
 * store that has shrunk: what is newer must stay above what is older. */
static void pick_level_0(const struct version *version, const struct pick_sizes *sizes,
                         struct compaction_pick *pick) {
    uint32_t output_level = 1;

    while (output_level < sizes->base_level && version->levels[output_level].count == 0) {
        output_level++;
    }
    *pick = (struct compaction_pick){
        .level = 0, .output_level = output_level, .input_count = version->levels[0].count};
    pick_outputs(version, pick);
}

/* What merging table `index` downwards costs for each of its bytes, in 1/256: fewer is better. A
 * table full of tombstones is worth more than its bytes say. */
static uint64_t table_cost(const struct level *level, const struct level *next, uint32_t index) {
    const struct table_info *info = level->infos[index];
    uint64_t dragged = 0;
    uint64_t gain = info->file_bytes * (info->entries + 2 * info->tombstones) /
                    (info->entries ? info->entries : 1);
    uint32_t first;
    uint32_t count;

    overlapping(next, smallest_row(level, index), largest_row(level, index), &first, &count);
    for (uint32_t i = first; i < first + count; i++) {
        dragged += next->infos[i]->file_bytes;
    }
    return dragged * 256 / (gain ? gain : 1);
}

static void pick_from_level(const struct version *version, uint32_t index,
                            struct compaction_pick *pick) {
    const struct level *level = &version->levels[index];
    const struct level *next = &version->levels[index + 1];
    uint64_t best_cost = UINT64_MAX;

    *pick = (struct compaction_pick){.level = index, .output_level = index + 1, .input_count = 1};
    for (uint32_t i = 0; i < level->count; i++) {
        uint64_t cost = table_cost(level, next, i);
        if (cost < best_cost) {
            best_cost = cost;
            pick->input_first = i;
        }
    }
    pick_outputs(version, pick);
}

/* How urgent a level >= 1 is, in 1/256 of its size. */
static uint64_t level_score(const struct version *version, const struct pick_sizes *sizes,
                            uint32_t index) {
    uint64_t weight = version->levels[index].weight;
    uint64_t target = sizes->targets[index];

    if (version->levels[index].count == 0) {
        return 0;
    }
    if (target == 0) {
        return UINT64_MAX; /* above the base level: nothing belongs there any more */
    }
    return weight / (target / 256 + 1);
}

bool compaction_pick(const struct version *version, uint64_t base_bytes,
                     struct compaction_pick *pick_out) {
    struct pick_sizes sizes = compaction_sizes(version, base_bytes);
    uint64_t best_score = (uint64_t)version->levels[0].count * 256 / PICK_LEVEL_0_TABLES;
    uint32_t best_level = 0;

    for (uint32_t i = 1; i < PICK_BOTTOM; i++) {
        uint64_t score = level_score(version, &sizes, i);
        if (score > best_score) {
            best_score = score;
            best_level = i;
        }
    }
    if (best_score < 256) {
        return false;
    }
    if (best_level == 0) {
        pick_level_0(version, &sizes, pick_out);
    } else {
        pick_from_level(version, best_level, pick_out);
    }
    return true;
}

bool compaction_pick_all(const struct version *version, uint64_t base_bytes,
                         struct compaction_pick *pick_out) {
    struct pick_sizes sizes = compaction_sizes(version, base_bytes);

    if (version->levels[0].count > 0) {
        pick_level_0(version, &sizes, pick_out);
        return true;
    }
    for (uint32_t i = 1; i < PICK_BOTTOM; i++) {
        if (version->levels[i].count > 0) {
            *pick_out = (struct compaction_pick){
                .level = i, .output_level = i + 1, .input_count = version->levels[i].count};
            pick_outputs(version, pick_out);
            return true;
        }
    }
    return false;
}
