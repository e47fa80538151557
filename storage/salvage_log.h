/* salvage_log.h: what can be read of the log: the operations that count, and where the records of
 * survivors lie.
 *
 * Each segment is walked group by group. Behind a group that cannot be read the next one is
 * searched for: each is bound to its segment and offset by its checksum. A commit whose operations
 * cannot be read loses itself alone. Values are not read here.
 *
 *      operations   in a memtable, with the rows and small values; those of versions above
 *                   `keep_above` alone, or of all, where tables are missing
 *      records      of survivor segments, by a hash of row, length and checksum: whoever cannot
 * find a record at its place any more finds it so
 *
 * One thread. */
#ifndef KVD_STORAGE_SALVAGE_LOG_H
#define KVD_STORAGE_SALVAGE_LOG_H

#include "storage/memtable.h"
#include "storage/salvage_plan.h"

struct salvage_record {
    uint64_t name; /* salvage_record_name */
    uint64_t segment;
    uint64_t offset;
};

/* When a version was written: that of a group, or an earlier one. */
struct salvage_time {
    uint64_t version;
    uint64_t time_ms;
};

struct salvage_log {
    struct memtable *ops;           /* owned */
    struct salvage_record *records; /* owned; ascending by name */
    size_t record_count;
    size_t record_capacity;
    struct salvage_time *times; /* owned; ascending by version, then time */
    size_t time_count;
    size_t time_capacity;
    uint64_t last_time_ms;
    uint64_t
        sure_above; /* by directory: between commits up to it and the later ones segments are
                       missing, which may have been flushed, or lost; 0: there is no such gap */
    uint64_t lost;  /* commits above keep_above that were there and cannot be read, or more */
};

struct salvage_log_options {
    struct salvage_files *files;
    const struct salvage_plan *plan;
    uint64_t keep_above;      /* operations of later versions are kept; 0: all */
    uint64_t reach;           /* and none of a version above this one (salvage_reach.h) */
    uint64_t flushed_version; /* what is lost of commits up to it is in tables */
};

/* Reads all segments that count. Reports a line for each. Errors: NO_MEMORY. */
enum status salvage_log_read(const struct salvage_log_options *options,
                             struct salvage_report *report, struct salvage_log *log) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_log_deinit(struct salvage_log *log);

/* What a record is found by; two of one name have, but for chance, the same content. */
uint64_t salvage_record_name(struct slice row, const struct value_ref *ref);

/* The first of the records with this name; those behind it with the same one are the others. NULL
 * when there is none. */
const struct salvage_record *salvage_log_find(const struct salvage_log *log, uint64_t name);

/* When the version was written, or 0. */
uint64_t salvage_log_time(const struct salvage_log *log, uint64_t version);

#endif
