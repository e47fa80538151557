/* holders.c: see holders.h. */
#include "storage/holders.h"

#include "protocol/base/memory.h"

#include <stdlib.h>

static int order_by_segment(const void *left, const void *right) {
    const struct segment_share *a = left;
    const struct segment_share *b = right;
    return (a->segment > b->segment) - (a->segment < b->segment);
}

static size_t count_shares(const struct version *version) {
    size_t count = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            count += version->levels[i].infos[j]->share_count;
        }
    }
    return count;
}

/* Sorts and adds up equal segments; returns how many are left. */
static size_t add_up(struct segment_share *shares, size_t count) {
    size_t kept = 0;

    qsort(shares, count, sizeof *shares, order_by_segment);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && shares[kept - 1].segment == shares[i].segment) {
            shares[kept - 1].records += shares[i].records;
            shares[kept - 1].bytes += shares[i].bytes;
        } else {
            shares[kept++] = shares[i];
        }
    }
    return kept;
}

enum status holders_of_version(const struct version *version, struct holder_sums *sums_out) {
    size_t count = count_shares(version);
    struct segment_share *shares;
    size_t at = 0;

    *sums_out = (struct holder_sums){0};
    if (count == 0) {
        return STATUS_OK;
    }
    shares = memory_alloc_array(count, sizeof *shares);
    if (!shares) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            const struct table_info *info = version->levels[i].infos[j];
            for (uint32_t k = 0; k < info->share_count; k++) {
                shares[at++] = info->shares[k];
            }
        }
    }
    *sums_out = (struct holder_sums){shares, add_up(shares, count)};
    return STATUS_OK;
}

void holders_deinit(struct holder_sums *sums) {
    memory_free(sums->shares);
    *sums = (struct holder_sums){0};
}

struct segment_share holders_get(const struct holder_sums *sums, uint64_t segment) {
    struct segment_share wanted = {.segment = segment};
    const struct segment_share *found =
        sums->count > 0
            ? bsearch(&wanted, sums->shares, sums->count, sizeof wanted, order_by_segment)
            : NULL;

    return found ? *found : wanted;
}

enum status holders_drop_unheld(const struct manifest_state *state, const struct version *next,
                                uint64_t replay_segment, struct version_edit *edit) {
    struct holder_sums sums;
    enum status status = holders_of_version(next, &sums);

    for (uint32_t i = 0; i < state->segment_count && status == STATUS_OK; i++) {
        const struct manifest_segment *segment = &state->segments[i];
        if (segment->kind == SEGMENT_COMMIT && segment->sealed &&
            segment->number < replay_segment && holders_get(&sums, segment->number).records == 0) {
            status = version_edit_remove_segment(edit, segment->number);
        }
    }
    holders_deinit(&sums);
    return status;
}
