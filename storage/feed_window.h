/* feed_window.h: which segments the feed keeps: the newest of the log, `bytes` of them or a little
 * more.
 *
 *      segment     4    7    9   12   15 (active)
 *      bytes      64   64   64   64    -              kept for 100: from 9 on
 *
 * A pure function of the version: the window moves when the log does. */
#ifndef KVD_STORAGE_FEED_WINDOW_H
#define KVD_STORAGE_FEED_WINDOW_H

#include "storage/version.h"

/* Whether the feed keeps a segment, given the first that it keeps. */
static inline bool feed_window_has(uint64_t first, enum segment_kind kind, uint64_t segment) {
    return kind == SEGMENT_COMMIT && segment >= first;
}

/* The first commit segment that is kept; UINT64_MAX when bytes is 0. */
uint64_t feed_window_first(const struct version *version, uint64_t bytes);

/* Puts the segments of the window into a list, ascending, from memory_alloc, that it takes and
 * gives. Errors: NO_MEMORY (the list is as it was). */
enum status feed_window_merge(const struct version *version, uint64_t bytes,
                              uint64_t **segments_inout, size_t *count_inout) MUST_CHECK;

#endif
