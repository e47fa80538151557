/* table_output.h: the tables that a flush or a compaction writes: sorted entries in, tables out.
 *
 * Judges each entry (entry_fate.h), writes those that stay (with the present addresses of their
 * records, entry_fold.h, if told so), and begins a new table when the present
 * one has reached its size, or its keys would make too large an index; never inside a row. On
 * success the tables are in the job's edit; on failure all files of the job are removed. One thread
 * at a time. */
#ifndef KVD_STORAGE_TABLE_OUTPUT_H
#define KVD_STORAGE_TABLE_OUTPUT_H

#include "storage/entry_fate.h"
#include "storage/entry_fold.h"
#include "storage/ranges.h"
#include "storage/table_writer.h"
#include "storage/version_set.h"

#define TABLE_OUTPUT_KEY_BYTES_MAX (16u * 1024 * 1024) /* an index holds at most so many */

struct table_output_options {
    struct env *env; /* borrowed, as all here */
    const char *dir;
    struct compression *compression; /* NULL: none */
    struct version_set *versions;    /* for file numbers */
    const struct version *base;      /* what lies below the output */
    uint32_t level;                  /* of the output */
    uint32_t block_bytes;
    uint64_t table_bytes;           /* size at which a table ends */
    const struct range_set *ranges; /* all range deletes up to ranges_version, or NULL: none */
    uint64_t ranges_version;
    bool fold;           /* only where log GC cannot run beside */
    struct buffer *pins; /* NULL, or: each table is pinned (segment_pins.h), and its number, u64, is
                            added here, for the caller to let go of */
};

struct table_output {
    struct table_output_options options;
    struct fate_judge *judge;    /* borrowed */
    struct version_edit *edit;   /* borrowed; receives the tables */
    struct table_writer *writer; /* owned; NULL between tables */
    uint64_t key_bytes;          /* of the open table's keys */
    uint32_t first_namespace;    /* of the open table */
    uint64_t version_min;        /* likewise */
    struct range_walk walk;      /* over the ranges, along the entries */
    struct entry_fold fold;
    struct buffer entry; /* owned: a rewritten entry */
    uint64_t dropped_entries;
    uint64_t kept_entries;
    uint64_t bytes;  /* of finished tables */
    uint64_t weight; /* of the same: with the log bytes that they refer to */
};

void table_output_init(struct table_output *output, const struct table_output_options *options,
                       struct fate_judge *judge, struct version_edit *edit);

/* Judges and writes one entry; keys ascend. Errors: CORRUPT, NO_SPACE, IO, NO_MEMORY. */
enum status table_output_add(struct table_output *output, struct slice ikey, struct slice entry,
                             struct error *error) MUST_CHECK;

/* Ends the last table, syncs the directory, and opens the tables, so that no reader has to wait for
 * that. Errors as above. */
enum status table_output_finish(struct table_output *output, struct error *error) MUST_CHECK;

/* Removes what an unsuccessful job left: the open table, and those that the edit names. */
void table_output_abandon(struct table_output *output);

/* Frees what it owns. */
void table_output_deinit(struct table_output *output);

#endif
