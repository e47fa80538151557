/* salvage_reach.h: how far the log goes, which tells the tables of a bulk load that never ended.
 *
 * A load has a version far above those of its time, and ends with a commit of that version
 * (load_row.h). So tables of versions far above the last commit are of a load whose end never came:
 * with a manifest it would not name them. Without one they must be left out: nobody was told that
 * they count. If the end of the log has been damaged since, nothing is left out. One thread. */
#ifndef KVD_STORAGE_SALVAGE_REACH_H
#define KVD_STORAGE_SALVAGE_REACH_H

#include "storage/salvage_plan.h"

/* Sets *version_out to the highest version that a table may have: UINT64_MAX where that cannot be
 * told. Errors: NO_MEMORY. */
enum status salvage_reach(const struct salvage_files *files, const struct salvage_plan *plan,
                          uint64_t *version_out) MUST_CHECK;

#endif
