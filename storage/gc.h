/* gc.h: log GC: gives back the dead bytes of the log without writing to the tree.
 *
 *      pick victims                    gc_picker.h, from the accounts of a pinned view
 *      walk their records              gc_walk.h; each lives if an entry refers to it: gc_live.h
 *      verify, copy to a survivor      gc_survivor.h; nothing is copied that fails its checksum
 *      append relocation sections      home, old offset -> new offset; composed to one hop
 *      sync file and directory
 *      one edit                        + survivor, + relocations, - victims, - old relocations
 *
 * Entries keep naming the home of their record; a read goes through the relocation, and compaction
 * folds it away as it rewrites the entry. So no old version is ever written above a newer one, and
 * nothing that was deleted can come back.
 *
 * What was found to live must equal the account of the victim. If it does not, or if something on
 * the way could not be read, the victim is done again, alone and with care: all entries of the view
 * are asked for what they refer to in it, which needs no header of the victim to be whole. If each
 * of those records can be read and the sum is right, they are copied as ever. If not, the victim is
 * marked as damaged and stays as it is: what can be read of it is read there, it is never picked
 * again, and WHY SPACE names it.
 *
 * While a job runs, its victims and the homes that lie in them are pinned, so that no other install
 * drops them. Runs on a background thread, one at a time and never beside a compaction; a flush may
 * run beside. Victims are removed by the reclaimer once no view can reach them. Memory: one record
 * twice, a group, and 16 bytes for each record copied. */
#ifndef KVD_STORAGE_GC_H
#define KVD_STORAGE_GC_H

#include "storage/flush.h"
#include "storage/gc_picker.h"
#include "storage/space_promise.h"

struct gc_context {
    const struct job_context *jobs; /* borrowed, as all here; constant */
    struct space_promise *promise;
    struct compression *decompression; /* never NULL */
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
    uint64_t careful;        /* jobs that had to be done with care */
    uint64_t damaged;        /* victims that had to stay */
};

/* Collects one lot: the best victims of which at least `dead_percent_min` is dead. Errors: END
 * (none), CANCELLED, NO_SPACE, NO_MEMORY, IO (nothing is left behind; to be tried again), CORRUPT
 * (a table cannot be read), LOG_FAILED. A damaged victim is no error; *error then says what was
 * met, with the status OK. */
enum status gc_run(const struct gc_context *context, uint32_t dead_percent_min,
                   struct gc_stats *stats_out, struct error *error) MUST_CHECK;

#endif
