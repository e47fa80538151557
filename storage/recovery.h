/* recovery.h: from a directory to the state that a store starts with.
 *
 *      manifest -> state -> files that no edit names are removed
 *      log from the replay position -> memtable          (log_replay.h: what is whole, cut,
 * damaged) state with all segments sealed, the next incarnation and version ceiling -> a new
 * manifest
 *
 * After it, no old segment is appended to, and versions begin above every one that was ever
 * assigned. Nothing is changed on disk before the log has been read and found good, so a refusal
 * leaves the store as it was. One thread, before anything else runs. */
#ifndef KVD_STORAGE_RECOVERY_H
#define KVD_STORAGE_RECOVERY_H

#include "storage/log_replay.h"
#include "storage/manifest.h"
#include "storage/memtable.h"

#define RECOVERY_VERSIONS_AHEAD (UINT64_C(1) << 20) /* room below the first ceiling */

struct recovery_options {
    struct env *env;
    const char *dir;
    struct compression *compression;
    bool read_only; /* nothing on disk is changed: the manifest only holds what was found */
};

struct recovery {
    bool created;              /* there was no store */
    struct manifest *manifest; /* owned by the caller on success */
    struct memtable *memtable; /* likewise; NULL when there was nothing to replay */
    struct manifest_load_report manifest_report;
    struct log_replay_result replay;
    uint64_t next_version;
    uint64_t version_ceiling;
    uint64_t store_time_ms; /* time goes on from here */
    uint64_t removed_files; /* that no edit named */
};

/* Errors: CORRUPT (file and offset named), NEWER_FORMAT, NO_SPACE, IO, NO_MEMORY; NOT_FOUND
 * (read_only, and there is no store). */
enum status recovery_run(const struct recovery_options *options, struct recovery *recovery_out,
                         struct error *error) MUST_CHECK;

#endif
