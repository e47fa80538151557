/* version.h: which tables and segments make up the store at a moment: an immutable set.
 *
 *      level 0   newest table ... oldest table     (they overlap; each a flushed memtable)
 *      level 1   |----| |------|   |----|          (from here on: disjoint, in key order)
 *      level 6   |--| |---| |----| |--| |---|      (the bottom)
 *
 * A version never changes; flush and compaction make the next one with version_apply. Versions
 * share their files by reference count. A file that the newest version no longer has is marked
 * obsolete, once the manifest edit that drops it is durable; when its last reference goes it is
 * handed to reclaim.h. So nothing is unlinked while a pinned version can reach it (rule R9).
 *
 * Threads: versions may be used by any thread that holds a reference; reference counts from any. */
#ifndef KVD_STORAGE_VERSION_H
#define KVD_STORAGE_VERSION_H

#include "storage/format.h"
#include "storage/reclaim.h"
#include "storage/segment_cache.h"
#include "storage/table_cache.h"
#include "storage/table_info.h"
#include "storage/version_edit.h"

/* What versions need of the rest; borrowed; constant. */
struct version_files {
    struct table_cache *tables;
    struct segment_cache *segments;
    struct reclaim *reclaim;
    struct block_cache *blocks; /* for pages of relocations; NULL: they are read each time */
};

struct table_file {
    struct reclaim_item reclaim_item;
    const struct version_files *files; /* borrowed */
    struct table_info info;            /* owned; constant */
    struct table_handle *handle;       /* borrowed from the table cache */
    _Atomic uint32_t refs;             /* acq_rel on the way down */
    _Atomic bool obsolete;             /* release before the reference of the newest version goes */
};

struct segment_file {
    struct reclaim_item reclaim_item;
    const struct version_files *files; /* borrowed */
    uint64_t number;
    enum segment_kind kind;
    _Atomic uint32_t refs;
    _Atomic bool obsolete;
    /* release when the edit that says so is durable, once; acquire */
    _Atomic uint64_t length_bytes; /* where it ends; 0 while it is not sealed */
    _Atomic bool damaged;          /* not wholly readable any more */
};

struct level {
    struct table_file **tables;      /* owned array of shared files */
    const struct table_info **infos; /* owned array, &tables[i]->info: what iterators take */
    uint32_t count;
    uint64_t file_bytes;
    uint64_t weight; /* file bytes + log bytes */
};

struct version {
    _Atomic uint32_t refs;
    struct level levels[LEVELS_MAX];
    struct segment_file **segments; /* owned array, ascending by number */
    uint32_t segment_count;
    struct relocation *relocations; /* owned array, ascending by home */
    uint32_t relocation_count;
};

/* The empty one, with one reference. Errors: NO_MEMORY. */
enum status version_create_empty(struct version **version_out) MUST_CHECK;

/* The version after `edit` (tables, segments and relocations added and removed; the rest is not its
 * business). Changes no file of `base`. That it removes only what is there and adds only what is
 * not is checked by manifest_state_apply. Errors: CORRUPT when tables of a level >= 1 would
 * overlap, NO_MEMORY. */
enum status version_apply(const struct version_files *files, const struct version *base,
                          const struct version_edit *edit, struct version **version_out) MUST_CHECK;

/* Marks the files of `old` that the edit drops, seals or calls damaged, once it is durable. */
void version_mark_files(const struct version *old, const struct version_edit *edit);

/* The segment of this number, or NULL. */
struct segment_file *version_segment(const struct version *version, uint64_t number);

/* Where the records of a segment lie: in its own file, in that of another (*relocation_out says
 * how; borrowed from the version), or nowhere any more. */
enum segment_place { SEGMENT_ABSENT, SEGMENT_LIVE, SEGMENT_RELOCATED };
enum segment_place version_resolve(const struct version *version, uint64_t segment,
                                   const struct relocation **relocation_out);

/* Whether each segment that a table of `version` (of those that the edit adds, unless it removes
 * segments or relocations) refers to is live or relocated. *segment_out: the first that is not. */
bool version_is_whole(const struct version *version, const struct version_edit *edit,
                      uint64_t *segment_out);

/* Weight of all tables: their bytes and the log bytes that they hold. */
uint64_t version_weight(const struct version *version);

void version_ref(struct version *version);
void version_unref(struct version *version);

/* The table of a level >= 1 that may hold `row`, or NULL. */
struct table_file *level_find(const struct level *level, struct slice row);

/* The first table of a level >= 1 whose largest row is >= `row`: an index up to count. */
uint32_t level_lower_bound(const struct level *level, struct slice row);

/* Whether any table of the level has a row in [from, to] (both included). For level 0 too. */
bool level_overlaps(const struct level *level, struct slice from, struct slice to);

#endif
