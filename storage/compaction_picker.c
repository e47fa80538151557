/* compaction_picker.c: see compaction_picker.h. */
#include "storage/compaction_picker.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

struct pick_sizes compaction_sizes(const struct pick_context *context) {
    struct pick_sizes sizes = {{0}, PICK_BOTTOM};
    uint32_t fan_out = context->fan_out > 1 ? context->fan_out : PICK_FAN_OUT;
    uint64_t size = context->base_bytes;

    for (uint32_t i = 1; i < LEVELS_MAX; i++) {
        if (context->version->levels[i].weight > size) {
            size = context->version->levels[i].weight;
        }
    }
    for (uint32_t i = PICK_BOTTOM; i >= 1; i--) {
        sizes.targets[i] = size > context->base_bytes ? size : context->base_bytes;
        sizes.base_level = i;
        if (size <= context->base_bytes) {
            break;
        }
        size /= fan_out;
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
void compaction_pick_level_0(const struct pick_context *context, struct compaction_pick *pick_out) {
    const struct version *version = context->version;
    struct pick_sizes sizes = compaction_sizes(context);
    uint32_t output_level = 1;

    while (output_level < sizes.base_level && version->levels[output_level].count == 0) {
        output_level++;
    }
    *pick_out = (struct compaction_pick){
        .level = 0, .output_level = output_level, .input_count = version->levels[0].count};
    pick_outputs(version, pick_out);
}

void compaction_pick_table(const struct pick_context *context, uint32_t level, uint32_t index,
                           struct compaction_pick *pick_out) {
    *pick_out = (struct compaction_pick){
        .level = level, .output_level = level + 1, .input_first = index, .input_count = 1};
    pick_outputs(context->version, pick_out);
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

static void pick_from_level(const struct pick_context *context, uint32_t index,
                            struct compaction_pick *pick) {
    const struct level *level = &context->version->levels[index];
    const struct level *next = &context->version->levels[index + 1];
    uint64_t best_cost = UINT64_MAX;
    uint32_t best = 0;

    for (uint32_t i = 0; i < level->count; i++) {
        uint64_t cost = table_cost(level, next, i);
        if (cost < best_cost) {
            best_cost = cost;
            best = i;
        }
    }
    compaction_pick_table(context, index, best, pick);
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

/* Level 0, in 1/256: of the number of tables from which it is merged, or of the weight that so many
 * full ones have. */
static uint64_t level_0_score(const struct pick_context *context) {
    const struct level *level = &context->version->levels[0];
    uint64_t by_count = (uint64_t)level->count * 256 / PICK_LEVEL_0_TABLES;
    uint64_t by_weight = level->weight / (context->base_bytes * PICK_LEVEL_0_TABLES / 256 + 1);

    return by_count > by_weight ? by_count : by_weight;
}

bool compaction_pick(const struct pick_context *context, struct compaction_pick *pick_out) {
    struct pick_sizes sizes = compaction_sizes(context);
    uint64_t best_score = level_0_score(context);
    uint32_t best_level = 0;

    for (uint32_t i = 1; i < PICK_BOTTOM; i++) {
        uint64_t score = level_score(context->version, &sizes, i);
        if (score > best_score) {
            best_score = score;
            best_level = i;
        }
    }
    if (best_score < 256) {
        return false;
    }
    if (best_level == 0) {
        compaction_pick_level_0(context, pick_out);
    } else {
        pick_from_level(context, best_level, pick_out);
    }
    return true;
}

/* ---- Sweeps -----------------------------------------------------------------------------------
 */

static uint64_t pick_bytes(const struct version *version, const struct compaction_pick *pick) {
    const struct level *from = &version->levels[pick->level];
    const struct level *to = &version->levels[pick->output_level];
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < pick->input_count; i++) {
        bytes += from->infos[pick->input_first + i]->file_bytes;
    }
    for (uint32_t i = 0; i < pick->output_count; i++) {
        bytes += to->infos[pick->output_first + i]->file_bytes;
    }
    return bytes;
}

bool compaction_pick_sweep(const struct pick_context *context, uint32_t level, struct slice after,
                           struct compaction_pick *pick_out) {
    const struct level *from = &context->version->levels[level];
    struct compaction_pick pick;
    uint32_t first = 0;

    ASSERT(level < PICK_BOTTOM);
    if (level == 0) {
        if (after.len == 0 && from->count > 0) {
            compaction_pick_level_0(context, pick_out);
        }
        return after.len == 0 && from->count > 0;
    }
    while (first < from->count && after.len > 0 &&
           slice_compare(smallest_row(from, first), after) <= 0) {
        first++;
    }
    if (first == from->count) {
        return false;
    }
    compaction_pick_table(context, level, first, &pick);
    *pick_out = pick;
    while (pick.input_first + pick.input_count < from->count) {
        pick.input_count++;
        pick_outputs(context->version, &pick);
        if (context->job_bytes > 0 && pick_bytes(context->version, &pick) > context->job_bytes) {
            break;
        }
        *pick_out = pick;
    }
    return true;
}
