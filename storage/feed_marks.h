/* feed_marks.h: where in the log which version stands, so that a feed need not walk to it.
 *
 *      segment 12:  |start|----1 MiB----|mark|----1 MiB----|mark|--|page end|
 *
 * A mark says that every commit at or behind its place has a larger version, and those before it in
 * the segment have not. One stands at the start of each segment that has been looked at, one about
 * every MiB that has been walked over, and one where each of the last pages ended. Nothing depends
 * on a mark being there: they are notes, made by readers, thinned out when there are too many, and
 * gone at a restart.
 *
 * Threads: any. The mutex is a leaf. */
#ifndef KVD_STORAGE_FEED_MARKS_H
#define KVD_STORAGE_FEED_MARKS_H

#include "storage/lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_MARKS_MAX 4096u
#define FEED_MARK_BYTES (UINT64_C(1) << 20) /* between two marks of one segment */
#define FEED_RECENT_MAX 16u

struct feed_mark {
    uint64_t segment;
    uint64_t offset;   /* where a group begins */
    uint64_t version;  /* commits from here on have larger ones */
    uint64_t sequence; /* of the last group before it; 0: it is the first of the segment */
};

struct feed_marks {
    struct mutex mu;
    /* guarded by mu */
    struct feed_mark *marks; /* owned; ascending by segment and offset; NULL before the first */
    size_t count;
    struct feed_mark recent[FEED_RECENT_MAX]; /* a ring; segment 0: none */
    size_t recent_next;
};

void feed_marks_init(struct feed_marks *marks);
void feed_marks_deinit(struct feed_marks *marks);

/* Without memory, or where there are too many, the note is lost, which only costs work later. */
void feed_marks_note(struct feed_marks *marks, const struct feed_mark *mark);

/* Where a page ended. */
void feed_marks_note_page(struct feed_marks *marks, const struct feed_mark *mark);

/* The furthest mark in `segment` that has nothing above `version` before it. */
bool feed_marks_find(struct feed_marks *marks, uint64_t segment, uint64_t version,
                     struct feed_mark *mark_out);

/* The mark at the start of `segment`. */
bool feed_marks_start(struct feed_marks *marks, uint64_t segment, struct feed_mark *mark_out);

/* Forgets segments below `segment`. */
void feed_marks_drop_below(struct feed_marks *marks, uint64_t segment);

#endif
