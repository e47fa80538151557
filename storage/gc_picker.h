/* gc_picker.h: which segments the log GC copies next: a pure function of the accounts.
 *
 * A victim is sealed, flushed, not damaged, not pinned, and has something to gain. The best is the
 * one with the largest share of dead bytes, the older of equals. To it come further ones as long as
 * all that lives in them fits one survivor of S bytes; then small survivors, even without much dead
 * in them, so that small files do not add up. A victim whose live bytes alone are more than S is
 * collected alone. What is wholly dead needs no job: the next install drops it. */
#ifndef KVD_STORAGE_GC_PICKER_H
#define KVD_STORAGE_GC_PICKER_H

#include "storage/holders.h"

#define GC_VICTIMS_MAX 64u
#define GC_RECORDS_MAX (UINT64_C(1) << 20) /* of one job: each takes 16 bytes of memory */
#define GC_SMALL_FRACTION 8u               /* a survivor below S / 8 is small */
#define GC_SMALL_MIN 4u                    /* so many small ones are worth a job of their own */

struct gc_rules {
    uint64_t segment_bytes;    /* S */
    uint64_t replay_segment;   /* commit segments from here on are not flushed */
    uint32_t dead_percent_min; /* of the first victim */
    const uint64_t *pinned;    /* ascending; borrowed */
    size_t pinned_count;
};

struct gc_pick {
    uint64_t victims[GC_VICTIMS_MAX]; /* ascending by number */
    uint32_t count;
    uint64_t file_bytes;
    uint64_t live_bytes; /* about what the survivor will take */
};

/* False when there is nothing worth it. */
bool gc_pick(const struct segment_account *accounts, size_t count, const struct gc_rules *rules,
             struct gc_pick *pick_out);

/* Whether this account may be a victim at all under the rules (dead share aside). */
bool gc_may_collect(const struct segment_account *account, const struct gc_rules *rules);

#endif
