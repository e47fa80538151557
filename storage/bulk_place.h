/* bulk_place.h: into which levels the tables of a bulk load go: as deep as nothing older of their
 * rows lies above.
 *
 *      level 0   |-----------------|         rows here and there
 *      level 4          |--|                          new:   A       B       C
 *      level 6   |----| |------| |-------|
 *                                  A between the rows of level 0, free in 4 and 6: to 6
 *                                  B free in 4, not in 6: to 4;  C has a row of level 0: to 0
 *
 * A level >= 1 must be free of tables over the whole of the new one's rows; of the levels above it
 * only the rows themselves matter, and tables that may have some are looked into. So a load into a
 * free range is never merged, and never waited for. */
#ifndef KVD_STORAGE_BULK_PLACE_H
#define KVD_STORAGE_BULK_PLACE_H

#include "storage/version.h"

/* Sets the level of each table that the edit adds; they do not overlap one another. `version`: of
 * now, with nothing in memory; no other edit that moves tables may come before this one. Waits for
 * the disk. Errors: CORRUPT, IO, NO_MEMORY. */
enum status bulk_place_tables(const struct version *version, struct version_edit *edit,
                              struct error *error) MUST_CHECK;

#endif
