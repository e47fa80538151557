/* entry_fate.h: which entries a flush or compaction keeps. A pure rule (R8), fed with entries in
 * internal key order: rows ascending, versions of a row descending.
 *
 *   hidden    a newer entry of the row exists, and no snapshot lies between the two: dropped;
 *   dead      a tombstone, or expired: dropped when every snapshot sees it as it is (so that none
 *             needs what it hides to come back) and nothing older of the row can lie below;
 *             otherwise kept, an expired one as a tombstone (it hides, but holds no value);
 *   else      kept as it is.
 *
 * `visible` at the start of the job counts as a snapshot; so do all registered ones. */
#ifndef KVD_STORAGE_ENTRY_FATE_H
#define KVD_STORAGE_ENTRY_FATE_H

#include "protocol/base/buffer.h"
#include "storage/entry.h"

enum fate { FATE_KEEP, FATE_KEEP_AS_TOMBSTONE, FATE_DROP };

struct fate_judge {
    const uint64_t *snapshots; /* borrowed; ascending; the last is `visible` at the job's start */
    size_t snapshot_count;     /* at least 1 */
    uint64_t now_ms;
    struct buffer row;      /* owned: of the entry judged last */
    uint64_t newer_version; /* of that entry */
    bool row_seen;
};

void fate_judge_init(struct fate_judge *judge, const uint64_t *snapshots, size_t snapshot_count,
                     uint64_t now_ms);
void fate_judge_deinit(struct fate_judge *judge);

/* Judges the next entry. `nothing_below`: no older entry of this row can exist outside the job's
 * inputs. Errors: NO_MEMORY. */
enum status fate_judge_next(struct fate_judge *judge, struct slice ikey, const struct entry *entry,
                            bool nothing_below, enum fate *fate_out) MUST_CHECK;

#endif
