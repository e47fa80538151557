/* version_set.h: the way from one version to the next: durable first, then visible.
 *
 *      edit -> next version is built -> manifest append + sync -> view swapped -> old files marked
 *
 * All that can fail for want of memory happens before the manifest is written, so that what is
 * durable is always also installed. One installer at a time: commit thread (segments, ceilings),
 * flush and compaction. Dead segments are dropped on the way (holders.h).
 *
 * Threads: any, but not from under a lock. The mutex is held during the manifest's I/O on purpose:
 * edits have one order, and nobody on a read path ever takes it. Lock order: this mutex before the
 * view holder's and the table cache's.
 *
 * Failures: a failed manifest is final (R1): every later install answers LOG_FAILED. */
#ifndef KVD_STORAGE_VERSION_SET_H
#define KVD_STORAGE_VERSION_SET_H

#include "storage/alias_gate.h"
#include "storage/manifest.h"
#include "storage/segment_pins.h"
#include "storage/view.h"

#include <stdatomic.h>

struct version_set {
    const struct version_files *files; /* borrowed; constant */
    struct view_holder *views;         /* borrowed; constant */
    struct alias_gate gate;            /* commits that make aliases, and installs that drop */
    struct segment_pins pins;          /* segments that stay though nothing refers to them yet */
    _Atomic uint64_t feed_bytes;       /* relaxed: so much of the log stays for the feed */
    struct mutex mu;
    /* guarded by mu */
    struct manifest *manifest; /* owned */
    struct version *current;   /* one reference */
    /* atomic: relaxed; file numbers below it are used or being used; an edit persists it */
    _Atomic uint64_t next_file_number;
    _Atomic uint64_t
        installs; /* atomic: relaxed; counts versions, to see that there is a new one */
};

/* Takes over `manifest` and the caller's reference on `current`, which must be what the manifest's
 * state says. */
void version_set_init(struct version_set *set, const struct version_files *files,
                      struct view_holder *views, struct manifest *manifest,
                      struct version *current);
void version_set_deinit(struct version_set *set);

/* A file number never used before. Recovery removes files that no edit names, and counts on from
 * the highest number found, so it need not be durable first. */
uint64_t version_set_new_number(struct version_set *set);

/* Installs an edit. Adds to it the removal of segments that nothing holds any more, and the next
 * file number. `flushed`: the memtable whose content the edit's tables hold, or NULL. Errors:
 * NO_SPACE, NO_MEMORY, CORRUPT (the edit does not fit): nothing was done. LOG_FAILED: the manifest
 * has failed, now or earlier; the edit may or may not be durable, so the files that it names must
 * stay. */
enum status version_set_install(struct version_set *set, struct version_edit *edit,
                                const struct memtable *flushed, struct error *error) MUST_CHECK;

/* Drops the segments and relocations that nothing holds any more, without any other change. Errors:
 * END (there are none, or a commit that makes aliases is under way), and as above. */
enum status version_set_sweep(struct version_set *set, struct error *error) MUST_CHECK;

/* The number of the segment that is being appended to, as the manifest has it; 0 before the first.
 */
uint64_t version_set_active_segment(struct version_set *set);

/* Commit segments below this number are flushed: nothing that a memtable was written for lies
 * there. */
uint64_t version_set_replay_segment(struct version_set *set);

/* The segments that stay whatever refers to them: those that are pinned, and those that the feed
 * keeps (feed_window.h). Ascending; *segments_out (NULL when there are none) is the caller's to
 * free. Take the view after it: see segment_pins.h. Errors: NO_MEMORY. */
enum status version_set_kept(struct version_set *set, uint64_t **segments_out,
                             size_t *count_out) MUST_CHECK;

/* The current view, referenced, for whoever adds up and does not read. */
struct view *version_set_view(struct version_set *set);

/* The current version, referenced. */
struct version *version_set_take(struct version_set *set);

/* The current version, referenced, and a copy of the state that describes it, for the caller to
 * deinit. Errors: NO_MEMORY. */
enum status version_set_capture(struct version_set *set, struct manifest_state *state_out,
                                struct version **version_out) MUST_CHECK;

/* Builds the version that a manifest state describes. Errors: CORRUPT, NO_MEMORY. */
enum status version_from_state(const struct version_files *files,
                               const struct manifest_state *state,
                               struct version **version_out) MUST_CHECK;

#endif
