/* lost_segments.h: segments that hold commits, and that the manifest does not know.
 *
 * A segment is written to only after the edit that adds it is durable (R3), and leaves the manifest
 * only below the replay position. So one at or above it, with commits in it and in no edit, says
 * that the manifest has lost its end: its last edits are damaged, or it is an older copy. What
 * looks like a torn tail of the manifest then is the loss of acknowledged data: refused, and no
 * file is touched (R6). An empty one is what a crash left of a rotation: fine. */
#ifndef KVD_STORAGE_LOST_SEGMENTS_H
#define KVD_STORAGE_LOST_SEGMENTS_H

#include "storage/env.h"
#include "storage/manifest_state.h"

/* Errors: CORRUPT (the segment is named), IO, NO_MEMORY. */
enum status lost_segments_check(struct env *env, const char *dir,
                                const struct manifest_state *state, struct error *error) MUST_CHECK;

#endif
