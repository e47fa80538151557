/* compaction.h: merges tables of one level into the next, rewrites tables of the bottom for what
 * may go (compaction_picker.h and debt_picker.h say which), and drops those of which nothing is
 * needed.
 *
 * Reads past the block cache, in large pieces, and writes tables of context->table_bytes. A table
 * that overlaps nothing below only moves. Runs on a background thread; one at a time. Records that
 * fail their checksum end the job with CORRUPT, naming file and offset: nothing is dropped. */
#ifndef KVD_STORAGE_COMPACTION_H
#define KVD_STORAGE_COMPACTION_H

#include "storage/debt_picker.h"
#include "storage/flush.h"

struct compaction_stats {
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t freed_weight; /* what its inputs weighed more than its outputs */
    uint64_t dropped_entries;
    uint64_t dropped_tables; /* whole, unread */
    uint64_t tidied_tables;  /* rewritten for what may go */
};

enum compaction_kind {
    COMPACT_DROP,    /* tables of which nothing is needed any more */
    COMPACT_WEIGHT,  /* a level over its weight */
    COMPACT_SWEEP,   /* the next step of a sweep of everything into the bottom level */
    COMPACT_TIDY,    /* a table with much that may go */
    COMPACT_TIDY_ALL /* a table with anything that may go */
};

/* How far a sweep has come: from the top to the bottom, level by level, in key order. So it ends,
 * however much is written meanwhile. */
struct compaction_sweep {
    uint32_t level;
    struct buffer after; /* owned: the last row that was moved out of the level; empty: none yet */
};

void compaction_sweep_init(struct compaction_sweep *sweep);
void compaction_sweep_begin(struct compaction_sweep *sweep);
void compaction_sweep_deinit(struct compaction_sweep *sweep);

/* Does the most urgent piece of that kind. Errors: END (nothing to do), CANCELLED (nothing was
 * changed), and as flush_oldest. */
enum status compaction_run(const struct job_context *context, enum compaction_kind kind,
                           struct compaction_sweep *sweep, struct compaction_stats *stats_out,
                           struct error *error) MUST_CHECK;

#endif
