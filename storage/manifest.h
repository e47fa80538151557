/* manifest.h: the files MANIFEST-NNNN: the durable record of what the store is made of.
 *
 *      | header, 64 | snapshot part | ... | snapshot end | edit | edit | ...
 *      record: | magic u32 | length u32 | kind u32 | 0 u32 | sequence u64 | checksum u64 | payload
 * |
 *
 * A manifest begins with a complete snapshot. It is synced, then its directory, and only then the
 * older ones are removed; there is no rename. An edit counts when its sync has returned. The record
 * checksum is bound to the manifest's number and the record's offset.
 *
 * After a restart: manifest_load reads the highest-numbered manifest with a complete snapshot. A
 * newer one without is what a crash left of its creation: it is ignored. A bad record with nothing
 * valid behind it is the edit that the crash interrupted: it is cut. With valid records behind it,
 * it is damage: CORRUPT, naming file and offset. manifest_load writes nothing;
 * manifest_start then begins a new manifest (no file is ever appended to by two incarnations).
 *
 * Failures: a failed write or sync is final (R1): later calls answer LOG_FAILED. NO_SPACE comes
 * before anything is written, and is not. Reading goes past the page cache. One thread at a time
 * (the owner's lock). */
#ifndef KVD_STORAGE_MANIFEST_H
#define KVD_STORAGE_MANIFEST_H

#include "storage/env.h"
#include "storage/manifest_state.h"

struct manifest;

struct manifest_load_report {
    uint64_t number;            /* of the manifest that was read */
    uint64_t edits;             /* applied after its snapshot */
    uint64_t cut_bytes;         /* of an interrupted edit behind the last valid one */
    uint64_t manifests_ignored; /* newer ones without a complete snapshot */
};

/* Reads the state of the store in `dir`, and syncs the file that it was read from, so that what was
 * read stays. EDIT_NEXT_FILE_NUMBER is raised above every file number
 * found in the directory. Errors: NOT_FOUND (no manifest, and no table or segment either: a new
 * store), CORRUPT, NEWER_FORMAT, READ_ONLY (a feature that allows reading only), IO, NO_MEMORY. */
enum status manifest_load(struct env *env, const char *dir, struct manifest_state *state_out,
                          struct manifest_load_report *report_out, struct error *error) MUST_CHECK;

struct manifest_options {
    struct env *env;       /* borrowed until close */
    const char *dir;       /* copied */
    uint64_t rotate_bytes; /* a longer manifest (and 4 times its snapshot) begins anew; 0: 4 MiB */
};

/* Begins a new manifest with `state` (taken on success; init it for a new store), makes it durable
 * and removes the older ones. Its number is one more than that of any manifest in the directory:
 * manifests have numbers of their own. Errors: NO_SPACE, NO_MEMORY, IO; the older manifests are as
 * they were then, and the new one is removed or, if even that fails, perhaps complete and of the
 * same meaning. */
enum status manifest_start(const struct manifest_options *options, struct manifest_state *state,
                           struct manifest **manifest_out, struct error *error) MUST_CHECK;

/* One that only holds `state` (taken on success) and writes nothing, for a store that is opened to
 * be read: appending answers READ_ONLY. Errors: NO_MEMORY. */
enum status manifest_hold(const struct manifest_options *options, struct manifest_state *state,
                          struct manifest **manifest_out) MUST_CHECK;

/* Closes the file. NULL is allowed. */
void manifest_close(struct manifest *manifest);

/* The sum of the snapshot and all appended edits. Borrowed until the next append. Without meaning
 * after a final failure. */
const struct manifest_state *manifest_state(const struct manifest *manifest);

uint64_t manifest_number(const struct manifest *manifest);

/* Applies the edit to the state, appends and syncs it; rotates first if the file has grown long.
 * Errors: CORRUPT (the edit does not fit the state; nothing was done), NO_SPACE, NO_MEMORY (nothing
 * was done), IO (final), LOG_FAILED. */
enum status manifest_append(struct manifest *manifest, const struct version_edit *edit,
                            struct error *error) MUST_CHECK;

/* Begins a new manifest file with the present state. Errors: NO_SPACE, NO_MEMORY, IO when the old
 * one goes on; LOG_FAILED when none can (final). */
enum status manifest_rotate(struct manifest *manifest, struct error *error) MUST_CHECK;

#endif
