/* space_walk.h: whose the bytes are: walks all entries of a view and says of each record whether it
 * is alive, and if not, who keeps it.
 *
 *      row     e9 (newest)     alive, or a deletion, or expired
 *              e7 hidden by e9 a snapshot sees it? retention keeps it? else nobody: dead
 *              e4 hidden by e7 ...
 *
 * A record that several entries refer to (aliases, entry.h) is counted once, for the one that
 * matters most: alive before a snapshot, before retention, before nobody. Reads all tables. One
 * thread; the view and the rules are held by the caller. */
#ifndef KVD_STORAGE_SPACE_WALK_H
#define KVD_STORAGE_SPACE_WALK_H

#include "storage/keep_rules.h"
#include "storage/view.h"

/* What a record counts for. Snapshots and namespaces are numbered as in the rules. */
enum space_kind { SPACE_LIVE, SPACE_SNAPSHOT, SPACE_RETENTION, SPACE_DEAD };

/* Figures of one namespace. */
struct space_namespace {
    uint32_t namespace_id;
    uint64_t keys;         /* alive */
    uint64_t live_bytes;   /* of those: keys, values in tables, records in the log */
    uint64_t pinned_bytes; /* kept by snapshots or retention alone; likewise */
};

struct space_walk {
    const struct view *view;        /* borrowed */
    const struct keep_rules *rules; /* borrowed */
    uint64_t live_bytes;            /* stored bytes of records in the log, as all three */
    uint64_t dead_bytes;
    uint64_t *snapshot_bytes;           /* owned; rules->snapshot_count */
    uint64_t *retention_bytes;          /* owned; rules->namespace_count */
    uint64_t *segment_bytes;            /* owned; sum of all four for each segment of the version */
    struct space_namespace *namespaces; /* owned; ascending by id */
    uint32_t namespace_count;
    uint32_t namespace_capacity;
};

/* Walks. Errors: CORRUPT, IO (the entry's table is named), NO_MEMORY; space_walk_deinit is due in
 * any case. */
enum status space_walk_run(struct space_walk *walk, const struct view *view,
                           const struct keep_rules *rules, struct error *error) MUST_CHECK;

/* A zeroed struct is allowed. */
void space_walk_deinit(struct space_walk *walk);

#endif
