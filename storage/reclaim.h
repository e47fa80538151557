/* reclaim.h: removes files that nothing holds any more.
 *
 * A table or segment ends up here when the manifest edit that drops it is durable *and* the last
 * version that could reach it is gone (rule R9). The last reference may go on a loop thread, which
 * must not wait for a disk: so the name is put on a list, and a background step unlinks it.
 *
 * Threads: any. No lock is held during I/O. */
#ifndef KVD_STORAGE_RECLAIM_H
#define KVD_STORAGE_RECLAIM_H

#include "storage/env.h"
#include "storage/file_name.h"
#include "storage/lock.h"
#include "storage/scheduler.h"

/* Embedded in what is to be removed; queued once. */
struct reclaim_item {
    enum file_kind kind;
    uint64_t number;
    /* Called on a background thread: forgets open descriptors and frees the item's owner. */
    void (*removed_cb)(struct reclaim_item *);
    struct reclaim_item *next;
};

struct reclaim {
    struct env *env;             /* borrowed; constant */
    const char *dir;             /* borrowed; constant */
    struct scheduler *scheduler; /* borrowed; constant */
    struct mutex mu;
    /* guarded by mu */
    struct reclaim_item *items;
    bool posted;
    uint64_t removed_files;
    uint64_t failed_removals; /* left to the next open, which removes what the manifest lacks */
    struct step step;
};

void reclaim_init(struct reclaim *reclaim, struct env *env, const char *dir,
                  struct scheduler *scheduler);

/* The scheduler must have been drained. */
void reclaim_deinit(struct reclaim *reclaim);

/* Takes the item; never fails. */
void reclaim_push(struct reclaim *reclaim, struct reclaim_item *item);

#endif
