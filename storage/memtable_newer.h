/* memtable_newer.h: has a memtable anything newer than a version: in one row, or in some rows?
 *
 * What the judges of commits ask (rewind_basis.h, transaction_judge.h). Newer is any entry, a
 * tombstone too, and any range delete that covers the row or meets the rows. No entry is decoded
 * but the one that is found.
 *
 * Threads: any, for what is inserted when they ask; the commit lane sees its own inserts. */
#ifndef KVD_STORAGE_MEMTABLE_NEWER_H
#define KVD_STORAGE_MEMTABLE_NEWER_H

#include "storage/memtable.h"

/* Rows from `from` up to `to`, which is not one of them; an empty `to` is the end of everything.
 * All of one namespace. */
struct newer_rows {
    struct slice from;
    struct slice to;
};

/* What was found. */
struct newer {
    uint64_t version;   /* VERSION_NONE: nothing */
    uint8_t durability; /* enum durability of its commit */
};

/* The newest version of a row above `than`. target->version is VERSION_MAX. */
struct newer memtable_newer_in_row(const struct memtable *memtable,
                                   const struct table_target *target, uint64_t than);

/* Some version above `than` in the rows. Errors: NO_MEMORY. */
enum status memtable_newer_in_rows(const struct memtable *memtable, const struct newer_rows *rows,
                                   uint64_t than, struct newer *newer_out) MUST_CHECK;

#endif
