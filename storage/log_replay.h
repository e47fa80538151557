/* log_replay.h: reads the log after a restart: what is whole, what was cut, what is damaged.
 *
 *      segment 7 (sealed)        segment 8                        segment 9
 *      |=====|====|=====|        |====|=====|====|====|~~?        (empty)
 *                                          ^          ^
 *                                          frontier   end: the tail behind it was never synced
 *
 * How: (1) group headers are walked, over all segments, to the first bad record. The frontier is
 * the largest position known durable: a group's synced_through, the end of a sealed segment, the
 * manifest's, or the start of a segment in which a group is found (R3: it begins only after the one
 * before is synced). (2) At a bad record, the bytes behind it and the segments behind are searched
 * for group headers, which may raise the frontier. A bad record below the frontier is damage to
 * acknowledged bytes: CORRUPT, naming file and offset. At or above it, the log ends there (R6).
 * (3) Groups at or above the frontier may have holes anywhere: everything in them is verified,
 * separated values too, and the log ends at the first that fails. (4) Segments without a recorded
 * end are synced, and the directory. (5) Only then commits are handed out, in order; below the
 * frontier everything but separated values is verified on the way.
 *
 * All reads go past the page cache (R1). Memory: one window of LOG_REPLAY_WINDOW_BYTES, grown to
 * the largest meta or value found (each at most COMMIT_BYTES_MAX). One thread. */
#ifndef KVD_STORAGE_LOG_REPLAY_H
#define KVD_STORAGE_LOG_REPLAY_H

#include "storage/compression.h"
#include "storage/env.h"
#include "storage/log_format.h"

#define LOG_REPLAY_WINDOW_BYTES (256u * 1024)

/* A segment to be replayed. */
struct log_replay_segment {
    /* in */
    uint64_t number;
    bool known;            /* the manifest names it: then a missing file is damage */
    bool sealed;           /* the manifest knows its end */
    uint64_t sealed_bytes; /* that end; bytes behind it are no part of the log */
    /* out */
    bool commits;       /* it is a commit segment (false: of another kind; or without a header) */
    uint64_t end_bytes; /* where its valid groups end; 0 if none. Seal it there */
    uint64_t cut_bytes; /* bytes behind that, in a segment that was not sealed */
};

struct log_replay_commit {
    uint64_t version;
    uint64_t segment;
    uint64_t values_offset; /* absolute, in the segment */
    uint64_t values_bytes;
    struct slice meta; /* borrowed during the callback; its checksum has been verified */
    uint32_t op_count;
    uint64_t store_time_ms; /* of its group */
    uint64_t sequence;      /* of its group */
};

/* Anything but OK stops the replay, which returns it. May fill *error. */
typedef enum status (*log_replay_cb)(void *arg, const struct log_replay_commit *commit,
                                     struct error *error);

struct log_replay_options {
    struct env *env;
    const char *dir;
    struct compression *compression; /* for values of groups that nothing vouches for */
    uint8_t store_id[STORE_ID_BYTES];
    struct log_position durable; /* known by the manifest; zeroed: nothing */
    uint64_t last_sequence;      /* known by the manifest: of the last group before the segments
                                    that it does not know to be sealed, or of a later one; 0: none.
                                    The first segment with groups starts at most one above it */
    uint64_t version_ceiling;    /* all versions must be below it; 0: not checked */
    log_replay_cb commit_cb;
    void *arg;
};

struct log_replay_result {
    uint64_t commits; /* handed out */
    uint64_t groups;
    uint64_t last_version; /* 0: none */
    uint64_t last_sequence;
    uint64_t last_store_time_ms; /* largest seen; 0: none */
    struct log_position end;     /* of the last group; zeroed if there is none */
    struct log_position frontier;
    uint64_t cut_bytes; /* sum over the segments */
};

/* Replays `segments`, ascending by number, and fills their out fields. Segments of another kind are
 * left out (kind is known from the header only). Errors: CORRUPT with file and offset (a hole in
 * what was acknowledged; versions or sequences out of order; a known segment missing),
 * NEWER_FORMAT, IO, NO_MEMORY, and what the callback returned. On an error commits may have been
 * handed out already; they must be dropped. */
enum status log_replay(const struct log_replay_options *options,
                       struct log_replay_segment *segments, size_t segment_count,
                       struct log_replay_result *result_out, struct error *error) MUST_CHECK;

#endif
