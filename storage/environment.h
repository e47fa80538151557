/* environment.h: which env.h a store works on: the caller's, the disk, or files in memory.
 *
 * In memory, the files count against the store's memory limit: three quarters of it are the size of
 * the disk that the store sees, so that it answers NO_SPACE and not the kernel's killer; caches and
 * memtables share the rest. Clocks are the machine's in each case. One thread. */
#ifndef KVD_STORAGE_ENVIRONMENT_H
#define KVD_STORAGE_ENVIRONMENT_H

#include "storage/env.h"
#include "storage/store.h"

struct environment {
    struct env *env;    /* what the store works on */
    struct env *owned;  /* the same, if it is to be destroyed; else NULL */
    struct env *clocks; /* owned: where files in memory have their clocks from; else NULL */
};

/* Errors: NO_MEMORY, IO. */
enum status environment_open(const struct store_options *options,
                             struct environment *environment_out) MUST_CHECK;

/* All files are closed. A zeroed struct is allowed. */
void environment_close(struct environment *environment);

/* Whether files are on a real disk, whose directory is to be looked at. */
static inline bool environment_is_disk(const struct environment *environment) {
    return environment->owned && !environment->clocks;
}

/* The directory of a store whose files are in memory. */
#define ENVIRONMENT_MEMORY_DIR "/store"

/* What of the memory limit is left for caches and memtables. */
uint64_t environment_memory_left(const struct store_options *options);

#endif
