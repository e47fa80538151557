/* salvage_segment.h: walks what can be read of one segment: its commits, over all that is damaged.
 * One thread. */
#ifndef KVD_STORAGE_SALVAGE_SEGMENT_H
#define KVD_STORAGE_SALVAGE_SEGMENT_H

#include "storage/log_reader.h"

/* One commit. */
struct salvage_commit {
    enum segment_kind kind; /* of the segment */
    uint64_t segment;
    uint64_t sequence; /* of its group */
    uint64_t time_ms;  /* of its group */
    uint64_t version;
    uint64_t values_offset; /* absolute */
    uint64_t values_bytes;
    uint32_t op_count;
    bool is_readable;  /* false: `meta` cannot be read */
    struct slice meta; /* borrowed during the callback */
};

struct salvage_group {
    enum segment_kind kind;
    uint64_t sequence;
    uint64_t first_version; /* 0: it has no commits */
    uint64_t next_version;  /* behind its last commit */
    uint64_t skipped_bytes; /* before it, that cannot be read */
};

/* Called for each group, and then for each of its commits. Anything but OK ends the walk. */
struct salvage_segment_callbacks {
    enum status (*group_cb)(void *arg, const struct salvage_group *group);
    enum status (*commit_cb)(void *arg, const struct salvage_commit *commit);
    void *arg;
};

struct salvage_segment {
    struct env *env; /* borrowed, as all here */
    const char *dir;
    const uint8_t *store_id; /* STORE_ID_BYTES */
    uint64_t number;
    uint64_t limit_bytes; /* where it ends, by the manifest; else UINT64_MAX */
};

struct salvage_segment_result {
    enum segment_kind kind;
    uint64_t groups;
    uint64_t commits;
    uint64_t bad_commits;   /* whose operations cannot be read */
    uint64_t skipped_bytes; /* in front of a group that can be read */
    uint64_t skipped_at;    /* the first of them */
    uint64_t tail_bytes;    /* behind the last group */
};

/* Errors: NO_MEMORY, the callbacks'; CORRUPT, IO, NOT_FOUND: nothing of it can be read; *error says
 * why. */
enum status salvage_segment_walk(const struct salvage_segment *segment,
                                 const struct salvage_segment_callbacks *callbacks,
                                 struct salvage_segment_result *result_out,
                                 struct error *error) MUST_CHECK;

#endif
