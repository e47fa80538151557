/* entry_fate.h: which entries a flush or compaction keeps. A pure rule (R8) over what must stay
 * readable (keep_rules.h), fed with entries in internal key order: rows ascending, versions of a
 * row descending.
 *
 *   hidden    by a newer entry of the row, or by a newer range delete over it: dropped, when the
 *             rules let it go;
 *   dead      a tombstone, or expired for every reader: dropped when all that it hides goes with it
 *             (so that nothing comes back) and nothing older of the row can lie below; otherwise
 *             kept, an expired one as a tombstone (it hides, but holds no value);
 *   else      kept as it is. */
#ifndef KVD_STORAGE_ENTRY_FATE_H
#define KVD_STORAGE_ENTRY_FATE_H

#include "protocol/base/buffer.h"
#include "storage/entry.h"
#include "storage/keep_rules.h"

enum fate { FATE_KEEP, FATE_KEEP_AS_TOMBSTONE, FATE_DROP };

struct fate_judge {
    const struct keep_rules *rules; /* borrowed; constant */
    struct buffer row;              /* owned: of the entry judged last */
    uint64_t newer_version;         /* of that entry */
    uint32_t newer_count;           /* versions of the row that stay, tombstones included */
    bool row_seen;
    struct keep_namespace keep; /* of `keep.namespace_id` */
    bool keep_known;
    uint64_t least_version; /* constant: nothing in the job's inputs is older */
};

/* One entry, and what its neighbourhood is. */
struct fate_question {
    struct slice ikey;
    const struct entry *entry;
    uint32_t namespace_id;  /* whose retention holds for it */
    uint64_t range_version; /* the oldest range delete that is newer and covers it; 0: none */
    bool nothing_below;     /* no older entry of the row can exist outside the job's inputs */
};

void fate_judge_init(struct fate_judge *judge, const struct keep_rules *rules,
                     uint64_t least_version);
void fate_judge_deinit(struct fate_judge *judge);

/* Whether the entry is a tombstone, or expired for every reader: only then does
 * question->nothing_below matter, which need not be set yet. */
bool fate_judge_is_dead(struct fate_judge *judge, const struct fate_question *question);

/* Judges the next entry. Errors: NO_MEMORY. */
enum status fate_judge_next(struct fate_judge *judge, const struct fate_question *question,
                            enum fate *fate_out) MUST_CHECK;

#endif
