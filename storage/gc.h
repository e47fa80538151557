/* gc.h: log GC: gives back the dead bytes of the log without writing to the tree.
 *
 *      pick victims                    gc_picker.h, from the accounts of a pinned view
 *      walk their records              gc_records.h: each lives if an entry of the view refers to
 * it verify, copy to a survivor      a new segment; nothing is copied that fails its checksum
 *      append relocation sections      home, old offset -> new offset; composed to one hop
 *      sync file and directory
 *      one edit                        + survivor, + relocations, - victims, - old relocations
 *
 * Entries keep naming the home of their record; a read goes through the relocation, and compaction
 * folds it away as it rewrites the entry. So no old version is ever written above a newer one, and
 * nothing that was deleted can come back.
 *
 * What is copied must equal the account of the victim. If it does not, or if something in it cannot
 * be read, what entries refer to is found by a walk over all tables, all that is readable of it is
 * copied, and the victim is marked as damaged and stays: it is never picked again, and WHY SPACE
 * names it.
 *
 * Runs on a background thread, one at a time and never beside a compaction; a flush may run beside.
 * Victims are removed by the reclaimer once no view can reach them. Memory: one record, and 16
 * bytes for each record copied. */
#ifndef KVD_STORAGE_GC_H
#define KVD_STORAGE_GC_H

#include "storage/flush.h"
#include "storage/gc_picker.h"
#include "storage/space_promise.h"

struct gc_context {
    const struct job_context *jobs; /* borrowed, as all here; constant */
    struct space_promise *promise;
    struct segment_cache *segments;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t incarnation;
    const _Atomic bool *stopping; /* relaxed; the job ends soon with CANCELLED; may be NULL */
};

struct gc_stats {
    uint64_t victims;
    uint64_t victim_bytes; /* their files */
    uint64_t copied_records;
    uint64_t copied_bytes;   /* stored bytes of records */
    uint64_t survivor_bytes; /* files written */
    uint64_t damaged;        /* victims that had to stay */
};

/* Collects one lot: the best victims of which at least `dead_percent_min` is dead. Errors: END
 * (none), CANCELLED, NO_SPACE, NO_MEMORY, IO (nothing is left behind; to be tried again), CORRUPT
 * (a table cannot be read), LOG_FAILED. A damaged victim is no error; *error then says what was
 * met, with the status OK. */
enum status gc_run(const struct gc_context *context, uint32_t dead_percent_min,
                   struct gc_stats *stats_out, struct error *error) MUST_CHECK;

#endif
