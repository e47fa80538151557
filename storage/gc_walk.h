/* gc_walk.h: walks the records of one segment, of any kind, in the order in which they lie.
 *
 * Reads headers and metas, verified, and no values. A survivor's groups end where its first
 * relocation page begins. Owned by one thread at a time. */
#ifndef KVD_STORAGE_GC_WALK_H
#define KVD_STORAGE_GC_WALK_H

#include "storage/batch.h"
#include "storage/env.h"
#include "storage/log_format.h"

/* One record: an operation that has its bytes in the segment. */
struct gc_record {
    struct slice row;     /* borrowed during the callback, as all in `op` */
    uint64_t version;     /* of its commit */
    struct value_ref ref; /* where it lies, in this segment */
    struct batch_op op;
};

typedef enum status (*gc_record_cb)(void *arg, const struct gc_record *record);

/* What is walked. */
struct gc_walk {
    struct env *env; /* borrowed, as all here */
    const char *dir;
    const uint8_t *store_id; /* STORE_ID_BYTES */
    uint64_t segment;
    uint64_t length_bytes; /* of the sealed segment */
};

/* Calls back for each record. Stops when the callback returns anything but OK (not END). Errors:
 * CORRUPT (something on the way cannot be read; *error names file and offset), IO, NO_MEMORY, the
 * callback's. */
enum status gc_walk_records(const struct gc_walk *walk, gc_record_cb record_cb, void *arg,
                            struct error *error) MUST_CHECK;

#endif
