/* debt_picker.c: see debt_picker.h. */
#include "storage/debt_picker.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

/* What the rules say of all namespaces that have rows in a table. */
static struct keep_span span_of(const struct keep_rules *rules, const struct table_info *info) {
    return keep_rules_span(rules, row_namespace(ikey_row(info->smallest)),
                           row_namespace(ikey_row(info->largest)), info->version_min);
}

/* Whether every reader that sees any of them sees past all entries of the table, so that its
 * tombstones can go once nothing older lies below. */
static bool is_settled(const struct keep_span *span, const struct table_info *info) {
    return info->version_max <= span->settled_version && !span->keeps_older;
}

/* How many eighths of the weight of its expiring entries have expired. */
static uint32_t expired_eighths(const struct table_info *info, uint64_t expiry_ms) {
    uint32_t eighths = 0;

    if (info->expiring == 0) {
        return 0;
    }
    if (info->expiry_steps[EXPIRY_STEPS - 1] == 0) { /* unknown */
        return info->expiry_max_ms <= expiry_ms ? EXPIRY_STEPS : 0;
    }
    while (eighths < EXPIRY_STEPS && info->expiry_steps[eighths] <= expiry_ms) {
        eighths++;
    }
    return eighths;
}

/* ---- Drops ------------------------------------------------------------------------------------
 */

/* Whether any table that may hold older entries of these rows exists: lower ones, and in level 0
 * the other ones. */
static bool anything_below(const struct version *version, uint32_t level, uint32_t index) {
    const struct table_info *info = version->levels[level].infos[index];
    struct slice from = ikey_row(info->smallest);
    struct slice to = ikey_row(info->largest);

    for (uint32_t i = level == 0 ? index + 1 : 0; level == 0 && i < version->levels[0].count; i++) {
        const struct table_info *older = version->levels[0].infos[i];
        if (slice_compare(ikey_row(older->smallest), to) <= 0 &&
            slice_compare(ikey_row(older->largest), from) >= 0) {
            return true;
        }
    }
    for (uint32_t i = level + 1; i < LEVELS_MAX; i++) {
        if (level_overlaps(&version->levels[i], from, to)) {
            return true;
        }
    }
    return false;
}

static bool is_all_dead(const struct table_info *info, const struct keep_span *span) {
    if (info->tombstones + info->expiring < info->entries) {
        return false;
    }
    return (info->expiring == 0 || expired_eighths(info, span->expiry_ms) == EXPIRY_STEPS) &&
           (info->tombstones == 0 || is_settled(span, info));
}

/* Up to which version range deletes hide what is in the table from all who could see it, for good.
 */
static uint64_t ranges_limit(const struct pick_context *context, const struct keep_span *span) {
    uint64_t limit = context->rules->durable_version;

    limit = span->settled_version < limit ? span->settled_version : limit;
    limit = context->ranges_version < limit ? context->ranges_version : limit;
    return span->keeps_older ? 0 : limit;
}

static bool is_all_deleted(const struct pick_context *context, const struct table_info *info,
                           const struct keep_span *span) {
    return context->ranges &&
           range_set_covers_rows(context->ranges, ikey_row(info->smallest), ikey_row(info->largest),
                                 info->version_max, ranges_limit(context, span)) != VERSION_NONE;
}

static bool goes_whole(const struct pick_context *context, uint32_t level, uint32_t index) {
    const struct table_info *info = context->version->levels[level].infos[index];
    struct keep_span span = span_of(context->rules, info);

    return is_all_deleted(context, info, &span) ||
           (is_all_dead(info, &span) && !anything_below(context->version, level, index));
}

bool debt_pick_drops(const struct pick_context *context, struct debt_drops *drops_out) {
    drops_out->count = 0;
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < context->version->levels[i].count; j++) {
            if (drops_out->count < DEBT_DROPS_MAX && goes_whole(context, i, j)) {
                drops_out->tables[drops_out->count++] = (struct debt_table){i, j};
            }
        }
    }
    return drops_out->count > 0;
}

/* ---- Tidying ----------------------------------------------------------------------------------
 */

/* Range deletes up to this version hide nothing in the table. */
static uint64_t deleted_above(const struct table_info *info) {
    return info->ranges_applied > info->version_min ? info->ranges_applied : info->version_min;
}

/* What a rewrite of the table would free of entries that newer ones in it hide, at least. */
static uint64_t hidden_debt(const struct pick_context *context, const struct table_info *info,
                            const struct keep_span *span) {
    uint64_t weight = 0;

    for (uint32_t i = 0; i < info->hidden_count; i++) {
        const struct hidden_bucket *bucket = &info->hidden[i];
        if (keep_rules_hidden_goes(context->rules, &span->keep, bucket->version_min,
                                   bucket->hider_max, bucket->newer_min)) {
            weight += bucket->weight;
        }
    }
    return weight;
}

/* Whether the table was written before the retention of its namespaces was as it is now, so that
 * the strictest holds for all, and that keeps what might go. Its rewrite puts them in tables of
 * their own. */
static bool wants_cut(const struct pick_context *context, const struct table_info *info) {
    uint32_t first = row_namespace(ikey_row(info->smallest));
    uint32_t last = row_namespace(ikey_row(info->largest));

    return keep_rules_is_border(context->rules, first, last) &&
           (info->hidden_count > 0 || info->tombstones > 0 ||
            range_set_touches_rows(context->ranges, ikey_row(info->smallest),
                                   ikey_row(info->largest), deleted_above(info),
                                   context->ranges_version));
}

/* The share of a table's weight that may go, of DEBT_SHARE_ONE; not 0 if anything may. But hidden
 * entries count only from DEBT_HIDDEN_MIN on: under a retention by time some may go each second. */
static uint32_t debt_share(const struct pick_context *context, const struct table_info *info) {
    struct keep_span span = span_of(context->rules, info);
    uint64_t weight = info->file_bytes + info->log_bytes + 1;
    uint32_t eighths = expired_eighths(info, span.expiry_ms);
    uint64_t share = hidden_debt(context, info, &span) * DEBT_SHARE_ONE / weight;

    share = share >= DEBT_HIDDEN_MIN ? share : 0;
    if (eighths > 0) {
        share += 1 + info->expiring_weight / EXPIRY_STEPS * eighths * DEBT_SHARE_ONE / weight;
    }
    if (info->tombstones > 0 && is_settled(&span, info)) {
        share += 1 + info->tombstones * DEBT_SHARE_ONE / info->entries;
    }
    if (range_set_touches_rows(context->ranges, ikey_row(info->smallest), ikey_row(info->largest),
                               deleted_above(info), ranges_limit(context, &span))) {
        share += DEBT_SHARE_BUSY; /* how much it is, nobody knows */
    }
    share += wants_cut(context, info);
    return share < DEBT_SHARE_ONE ? (uint32_t)share : DEBT_SHARE_ONE;
}

/* Takes the neighbours to the right, if they too have something that may go, or are small; but none
 * whose older entries some snapshot still sees: beside them, what may go of this one might not.
 * Where the retention changes, tables end anyway. */
static void pick_in_bottom(const struct pick_context *context, uint32_t index, uint32_t least_share,
                           struct compaction_pick *pick) {
    const struct level *level = &context->version->levels[PICK_BOTTOM];
    struct keep_span span = span_of(context->rules, level->infos[index]);
    uint64_t bytes = level->infos[index]->file_bytes;

    *pick = (struct compaction_pick){
        .level = PICK_BOTTOM, .output_level = PICK_BOTTOM, .input_first = index, .input_count = 1};
    for (uint32_t i = index + 1; i < level->count; i++) {
        const struct table_info *info = level->infos[i];
        bool wanted =
            debt_share(context, info) >= least_share || info->file_bytes < context->table_bytes / 4;
        bytes += info->file_bytes;
        if (!wanted || (context->job_bytes > 0 && bytes > context->job_bytes) ||
            span_of(context->rules, info).settled_version < span.settled_version ||
            span_of(context->rules, info).keeps_older != span.keeps_older) {
            break;
        }
        pick->input_count++;
    }
}

static void pick_tidy(const struct pick_context *context, const struct debt_table *table,
                      uint32_t least_share, struct compaction_pick *pick) {
    if (table->level == 0) {
        compaction_pick_level_0(context, pick);
    } else if (table->level < PICK_BOTTOM) {
        compaction_pick_table(context, table->level, table->index, pick);
    } else {
        pick_in_bottom(context, table->index, least_share, pick);
    }
}

bool debt_pick_tidy(const struct pick_context *context, uint32_t least_share,
                    struct compaction_pick *pick_out) {
    struct debt_table best = {0, 0};
    uint32_t best_share = 0;

    ASSERT(least_share > 0);
    for (uint32_t i = least_share > DEBT_SHARE_IDLE ? 1 : 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < context->version->levels[i].count; j++) {
            uint32_t share = debt_share(context, context->version->levels[i].infos[j]);
            if (share > best_share) {
                best_share = share;
                best = (struct debt_table){i, j};
            }
        }
    }
    if (best_share < least_share) {
        return false;
    }
    pick_tidy(context, &best, least_share, pick_out);
    return true;
}

/* However little it is. */
static bool hides_any(const struct pick_context *context, const struct table_info *info) {
    struct keep_span span = span_of(context->rules, info);

    return hidden_debt(context, info, &span) > 0;
}

bool debt_pick_sweep(const struct pick_context *context, struct slice after,
                     struct compaction_pick *pick_out) {
    const struct level *level = &context->version->levels[PICK_BOTTOM];

    for (uint32_t i = 0; i < level->count; i++) {
        const struct table_info *info = level->infos[i];
        if ((after.len == 0 || slice_compare(ikey_row(info->smallest), after) > 0) &&
            (debt_share(context, info) >= DEBT_SHARE_IDLE || hides_any(context, info))) {
            pick_in_bottom(context, i, DEBT_SHARE_IDLE, pick_out);
            return true;
        }
    }
    return false;
}
