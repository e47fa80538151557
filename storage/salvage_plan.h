/* salvage_plan.h: which files of a damaged store count, as far as its manifest can be believed.
 *
 *      by manifest    it is whole, and fits the directory: tables and segments are those that it
 *                     names, and what is flushed is known
 *      by directory   there is none, or it has lost its end: all tables and segments that are
 * there; what is flushed is told by the tables
 *
 * Both give the same where tables and segments are sound: entries carry their versions, so it does
 * not matter in which level a table stood, and a file that was left over by a crash says nothing
 * that others do not say. One thread. */
#ifndef KVD_STORAGE_SALVAGE_PLAN_H
#define KVD_STORAGE_SALVAGE_PLAN_H

#include "storage/manifest_state.h"
#include "storage/salvage_files.h"
#include "storage/salvage_report.h"

struct salvage_plan {
    bool by_manifest;
    struct manifest_state state; /* owned; empty unless by_manifest */
    bool has_store_id;           /* false: no group of the log can be verified */
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t flushed_version; /* commits up to it are in tables; by directory: the newest version
                                 in any table, UINT64_MAX when there is no table */
    uint64_t now_ms; /* what has expired by then is dead: the latest store time that is known */
};

/* Reads the manifest. Errors: NO_MEMORY, NEWER_FORMAT. */
enum status salvage_plan_make(struct salvage_files *files, struct salvage_report *report,
                              struct salvage_plan *plan, struct error *error) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_plan_deinit(struct salvage_plan *plan);

/* Whether the file is one that counts. */
bool salvage_plan_has_table(const struct salvage_plan *plan, uint64_t number);
bool salvage_plan_has_segment(const struct salvage_plan *plan, uint64_t number);

#endif
