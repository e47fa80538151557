/* salvage_table.h: what can be read of one table, whatever has become of it.
 *
 *      footer and index whole    each data block by itself: a bad one loses only itself
 *      else                      blocks are searched for: each ends with a trailer whose checksum
 * is bound to file and offset, so what passes is a block of this place
 *
 * Opening reads all of it once, and notes where the good blocks are; an iterator then walks their
 * entries, in key order, in the memory of one block. One thread. */
#ifndef KVD_STORAGE_SALVAGE_TABLE_H
#define KVD_STORAGE_SALVAGE_TABLE_H

#include "storage/compression.h"
#include "storage/env.h"
#include "storage/iterator.h"
#include "storage/salvage_gaps.h"
#include "storage/table_format.h"

struct salvage_block {
    uint64_t offset;
    uint32_t stored_bytes; /* with its trailer */
};

struct salvage_table {
    struct env_file *file;           /* owned */
    struct compression *compression; /* borrowed */
    uint64_t number;
    uint64_t file_bytes;
    bool has_info;
    struct table_info info;       /* owned; by the manifest, or by its own properties */
    struct salvage_block *blocks; /* owned; the good ones, ascending */
    uint32_t block_count;
    uint32_t block_capacity;
    uint32_t bad_blocks;   /* where blocks are searched for: stretches without one */
    uint64_t bad_offset;   /* of the first */
    uint64_t entries;      /* in the good blocks */
    uint64_t version_min;  /* of all that were in it, if has_info; else of those */
    uint64_t version_max;  /* likewise */
    bool has_system_rows;  /* likewise: rows of the system namespace */
    uint64_t load_version; /* the highest of a bulk load that its rows tell of (load_row.h) */
    size_t first_gap;      /* its gaps, in those of the options */
    size_t gap_count;
    uint64_t lost; /* entries that were there, as far as that is known; else 1 a bad block */
};

struct salvage_table_options {
    struct env *env;
    const char *dir;
    struct compression *compression;
    const struct table_info *info; /* by the manifest; NULL: not known */
    struct salvage_gaps *gaps;     /* gets the rows that may be missing */
};

/* Reads the whole table. Errors: NOT_FOUND (no file), IO (it cannot be opened), NO_MEMORY. */
enum status salvage_table_open(const struct salvage_table_options *options, uint64_t number,
                               struct salvage_table *table) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_table_close(struct salvage_table *table);

/* Walks the good entries; only seek_first and next. It borrows the table. Errors: NO_MEMORY; of its
 * moves also IO, when what could be read before cannot any more. */
enum status salvage_table_iterator(const struct salvage_table *table,
                                   struct iterator **iter_out) MUST_CHECK;

#endif
