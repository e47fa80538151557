/* compaction_picker.h: what to compact next for the levels' weight: a pure function of a version.
 * (debt_picker.h picks for what may go.)
 *
 * One sorted run per level below level 0. Levels are sized by weight (table bytes plus the log
 * bytes that their entries hold), from the bottom up: the bottom may hold what it holds, each level
 * above it a ninth of the one below, down to base_bytes; the topmost level with a size is the base
 * level, to which level 0 is merged. With a fan-out of 9 the levels above the bottom sum up to an
 * eighth of it: no more than that can be hidden. (RocksDB calls this dynamic level sizing.)
 *
 * The pick is the level with the highest score; level 0 by its number of tables, or by its weight.
 * From a level, the table that drags in least of the next level for its own weight is taken. */
#ifndef KVD_STORAGE_COMPACTION_PICKER_H
#define KVD_STORAGE_COMPACTION_PICKER_H

#include "storage/keep_rules.h"
#include "storage/ranges.h"
#include "storage/version.h"

#define PICK_LEVEL_0_TABLES 4u /* level 0 is merged from so many tables on */
#define PICK_FAN_OUT 9u        /* size of a level to that of the next one up, unless told */
#define PICK_BOTTOM (LEVELS_MAX - 1)

struct compaction_pick {
    uint32_t level;        /* taken from */
    uint32_t output_level; /* written to; the same one: tables are rewritten in place */
    /* Runs of tables in the version's levels; borrowed from it. */
    uint32_t input_first; /* in `level` */
    uint32_t input_count;
    uint32_t output_first; /* in `output_level`: those that overlap */
    uint32_t output_count;
};

struct pick_sizes {
    uint64_t targets[LEVELS_MAX]; /* weight; 0: should be empty */
    uint32_t base_level;
};

/* What picks follow from; borrowed. */
struct pick_context {
    const struct version *version;
    uint64_t base_bytes; /* the least size of a level */
    uint64_t job_bytes;  /* a job takes more than one table only up to so many; 0: no bound */
    uint32_t fan_out;    /* 0: PICK_FAN_OUT */
    /* for debt_picker.h */
    uint64_t table_bytes;           /* size at which a table ends */
    const struct keep_rules *rules; /* what must stay readable */
    const struct range_set *ranges; /* range deletes; NULL: none */
    uint64_t ranges_version;        /* the set knows all up to this one */
};

/* The sizes that levels should have. */
struct pick_sizes compaction_sizes(const struct pick_context *context);

/* Whether a level is over its weight, and what is to be done. */
bool compaction_pick(const struct pick_context *context, struct compaction_pick *pick_out);

/* All of level 0 downwards; it must have tables. */
void compaction_pick_level_0(const struct pick_context *context, struct compaction_pick *pick_out);

/* Table `index` of a level between 0 and the bottom, to the next level. */
void compaction_pick_table(const struct pick_context *context, uint32_t level, uint32_t index,
                           struct compaction_pick *pick_out);

/* The next job of a sweep of a level above the bottom into the one below: the first table behind
 * `after` (a row; empty: all), and those that follow it as far as the bound allows. Level 0 goes as
 * a whole, if `after` is empty. False when nothing is left of the level. */
bool compaction_pick_sweep(const struct pick_context *context, uint32_t level, struct slice after,
                           struct compaction_pick *pick_out);

#endif
