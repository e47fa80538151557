/* salvage_reach.h: how far the store goes, which tells the tables of a bulk load that never ended.
 *
 *      ordinary tables, ended loads, the log  ....|
 *      a load that did not end                    |<-- far above -->| V, in all its tables
 *                                                base
 *
 * A load has a version far above those of its time. When it is whole, a row that tells of it
 * ("begun", load_row.h) is flushed to a table; then it is installed, and ends with a commit of its
 * version. So tables of one version, far above all else that there is, of which no row tells, are
 * of a load that was broken before it was whole: with a manifest it would not name them. Without
 * one they must be left out, for nobody was told that they count. Where the row may be and is lost,
 * as the log is damaged or missing or a table cannot be read, nothing is left out. One thread. */
#ifndef KVD_STORAGE_SALVAGE_REACH_H
#define KVD_STORAGE_SALVAGE_REACH_H

#include "storage/salvage_plan.h"
#include "storage/salvage_table.h"

/* All tables that can be read. */
struct salvage_tables {
    const struct salvage_table *list;
    size_t count;
    bool some_missing; /* others cannot */
};

/* Sets *version_out to the highest version that a table or a commit may have: UINT64_MAX where that
 * cannot be told. Errors: NO_MEMORY. */
enum status salvage_reach(const struct salvage_files *files, const struct salvage_plan *plan,
                          const struct salvage_tables *tables, uint64_t *version_out) MUST_CHECK;

#endif
