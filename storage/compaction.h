/* compaction.h: merges tables of one level into the next (compaction_picker.h says which).
 *
 * Reads past the block cache, in large pieces, and writes tables of context->table_bytes. A table
 * that overlaps nothing below only moves. Runs on a background thread; one at a time. Records that
 * fail their checksum end the job with CORRUPT, naming file and offset: nothing is dropped. */
#ifndef KVD_STORAGE_COMPACTION_H
#define KVD_STORAGE_COMPACTION_H

#include "storage/compaction_picker.h"
#include "storage/flush.h"

struct compaction_stats {
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t dropped_entries;
    uint64_t dropped_tables; /* whole, unread */
    uint64_t tidied_tables;  /* rewritten for what may go */
};

enum compaction_kind {
    COMPACT_DROP,   /* tables of which nothing is needed any more */
    COMPACT_WEIGHT, /* a level over its weight */
    COMPACT_SWEEP,  /* the next step of a sweep of everything into the bottom level */
    COMPACT_TIDY    /* a table with much that may go */
};

/* How far a sweep has come. */
struct compaction_sweep {
    uint32_t level;
};

void compaction_sweep_init(struct compaction_sweep *sweep);
void compaction_sweep_begin(struct compaction_sweep *sweep);
void compaction_sweep_deinit(struct compaction_sweep *sweep);

/* Does the most urgent piece of that kind. Errors: END (nothing to do), and as flush_oldest. */
enum status compaction_run(const struct job_context *context, enum compaction_kind kind,
                           struct compaction_sweep *sweep, struct compaction_stats *stats_out,
                           struct error *error) MUST_CHECK;

#endif
