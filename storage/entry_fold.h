/* entry_fold.h: gives an entry the present addresses of its records.
 *
 * Log GC moves records and leaves the entries as they are; a relocation says where the records of a
 * segment that is gone lie now. Compaction, which writes entries anew anyway, folds that in: so
 * reads need one step less, and a relocation goes when no table needs it any more. Only for jobs
 * that never run beside GC: the version must be the newest one until their result is installed. */
#ifndef KVD_STORAGE_ENTRY_FOLD_H
#define KVD_STORAGE_ENTRY_FOLD_H

#include "storage/entry.h"
#include "storage/value_reader.h"

struct entry_fold {
    const struct version *version; /* borrowed; constant */
    struct buffer extents;         /* owned: of a large value, folded */
    struct buffer bytes;           /* owned: the last entry that was changed */
};

void entry_fold_init(struct entry_fold *fold, const struct version *version);
void entry_fold_deinit(struct entry_fold *fold);

/* `bytes` is `entry` encoded. *bytes_out is the same, or the folded entry, until the next call. An
 * address that cannot be found for damage stays as it is: who reads the value will be told. Errors:
 * IO, NO_MEMORY, TOO_LARGE. */
enum status entry_fold_next(struct entry_fold *fold, const struct entry *entry, struct slice bytes,
                            struct slice *bytes_out, struct error *error) MUST_CHECK;

#endif
