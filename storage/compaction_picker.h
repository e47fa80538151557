/* compaction_picker.h: what to compact next: a pure function of a version.
 *
 * One sorted run per level below level 0. Levels are sized by weight (table bytes plus the log
 * bytes that their entries hold), from the bottom up: the bottom may hold what it holds, each level
 * above it an eighth of the one below, down to PICK_BASE_BYTES; the topmost level with a size is
 * the base level, to which level 0 is merged. So the duplicates above the bottom stay below a
 * seventh of it. (RocksDB calls this dynamic level sizing.)
 *
 * The pick is the level with the highest score; level 0 by its number of tables. From a level, the
 * table that drags in least of the next level for its own weight is taken. */
#ifndef KVD_STORAGE_COMPACTION_PICKER_H
#define KVD_STORAGE_COMPACTION_PICKER_H

#include "storage/version.h"

#define PICK_LEVEL_0_TABLES 4u /* level 0 is merged from so many tables on */
#define PICK_FAN_OUT 8u        /* size of a level to that of the next one up */
#define PICK_BOTTOM (LEVELS_MAX - 1)

struct compaction_pick {
    uint32_t level;        /* taken from */
    uint32_t output_level; /* written to */
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

/* The sizes that levels should have. `base_bytes` is the least size of a level. */
struct pick_sizes compaction_sizes(const struct version *version, uint64_t base_bytes);

/* Whether anything is to be done, and what. */
bool compaction_pick(const struct version *version, uint64_t base_bytes,
                     struct compaction_pick *pick_out);

/* The pick that brings everything one step nearer to one sorted bottom level (for store_compact):
 * level 0 first, then the topmost level with tables, whole. False when only the bottom has tables.
 */
bool compaction_pick_all(const struct version *version, uint64_t base_bytes,
                         struct compaction_pick *pick_out);

#endif
