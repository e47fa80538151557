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
};

/* Does the most urgent one, or, with `all`, the next step towards one sorted bottom level. Errors:
 * END (nothing to do), and as flush_oldest. */
enum status compaction_run(const struct job_context *context, bool all,
                           struct compaction_stats *stats_out, struct error *error) MUST_CHECK;

#endif
