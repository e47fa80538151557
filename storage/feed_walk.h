/* feed_walk.h: the durable commits of the log behind a version, in order.
 *
 *      segment 7 (sealed)      9 (sealed)      [10 was dropped]     12 (active)
 *      |==|==|==|==|           |==|==|==|                           |==|==|~~
 *            ^ from here ---------------> gap -------------------------->^ durable
 *
 * What recovery reads is read here again, by the same reader, but through the page cache, and no
 * further than what a sync has returned for. Group sequences ascend by one over all segments: where
 * one is missing, so are commits, and the walk says up to which version.
 *
 * One thread at a time. The version is held by the caller, so no file goes meanwhile. */
#ifndef KVD_STORAGE_FEED_WALK_H
#define KVD_STORAGE_FEED_WALK_H

#include "storage/feed_marks.h"
#include "storage/log_reader.h"
#include "storage/version.h"

/* What all walks over a store's log share. Constant after open, but for the marks. */
struct feed_log {
    struct env *env; /* borrowed, like the next */
    const char *dir;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t opened_segment; /* where the log goes on since the store was opened; 0: nowhere */
    uint64_t opened_after;   /* the last version that was committed before that */
    uint64_t opened_at;      /* versions since the open are above it */
    struct feed_marks marks;
};

/* The end of a walk. Take it before the version: so the version has its segment. */
struct feed_end {
    struct log_position durable;
    uint64_t version; /* durable; none of the commits that the position covers is missing */
};

struct feed_commit {
    uint64_t version;
    uint64_t time_ms; /* store time of its group */
    uint64_t segment;
    uint64_t values_offset; /* absolute, in the segment */
    uint64_t values_bytes;
    struct slice meta; /* verified; borrowed until the next call */
};

struct feed_walk {
    struct feed_log *log;          /* borrowed */
    const struct version *version; /* borrowed */
    struct feed_end end;
    struct log_reader reader; /* the segment at segment_index, unless a start is looked for */
    uint32_t segment_index;
    uint64_t offset;   /* of the group at hand, or of the next */
    uint64_t sequence; /* of the last group before `offset` */
    uint64_t passed;   /* version of the last commit before `offset` */
    uint64_t at;       /* commits up to this version are passed over */
    bool in_group;
    uint32_t commit_index; /* the next of the group at hand */
    uint64_t commit_offset;
    uint64_t looked_bytes; /* of headers and metas, so far */
    uint64_t gap_to;       /* with GONE: commits up to this version are not in the log any more */
    struct log_group group;
};

/* Begins behind `after`. Feed_walk_deinit after any result. Errors: GONE (see gap_to), END (there
 * is nothing behind it), CORRUPT, IO, NO_MEMORY. */
enum status feed_walk_init(struct feed_walk *walk, struct feed_log *log,
                           const struct version *version, const struct feed_end *end,
                           uint64_t after, struct error *error) MUST_CHECK;
void feed_walk_deinit(struct feed_walk *walk);

/* The next commit. Errors: END (all that is durable has been passed), GONE, CORRUPT, IO,
 * NO_MEMORY. */
enum status feed_walk_next(struct feed_walk *walk, struct feed_commit *commit_out,
                           struct error *error) MUST_CHECK;

#endif
