/* upload.h: a large value on its way in: what the door calls struct store_upload.
 *
 *      append -> blocks -> an extent, in memory -> one group in an EXTENT segment of the upload's
 * own segment full, or finish -> sync, seal -> one manifest edit that adds it, sealed finish -> the
 * list of extents, ready to be named by a commit
 *
 * While a segment is written no edit names it, so that after a crash it is a file like any that the
 * next open removes. It is added to the manifest when all of it is on the medium; from before that
 * until the upload is destroyed its number is pinned (segment_pins.h), so that it stays although no
 * entry refers to it. An upload that no commit was filled from takes its segments away again when
 * it is destroyed; what else is left over is dropped by whoever next drops segments (holders.h).
 *
 * Memory: one extent and the list of them. Where the memory limit is small, extents are short,
 * until there are so many that the list would grow too long (LARGE_EXTENTS_MAX).
 *
 * Threads: one at a time. All but destroy and the figures wait for the disk; what destroy leaves to
 * be done runs as a step of the background lane, before the store is closed.
 *
 * Failures: an upload that met one can only be destroyed. A full disk, or a failed write of an
 * extent segment, is the upload's misfortune alone; a failed manifest fails the log (R1). */
#ifndef KVD_STORAGE_UPLOAD_H
#define KVD_STORAGE_UPLOAD_H

#include "storage/batch.h"
#include "storage/checksum.h"
#include "storage/commit_log.h"
#include "storage/extent.h"
#include "storage/scheduler.h"
#include "storage/space_guard.h"

/* What uploads need of the store; borrowed until they are destroyed; constant. */
struct upload_context {
    struct commit_log *log; /* env, dir, versions, marks, clock; and fails with the manifest */
    struct view_holder *views;
    struct space_guard *space;
    struct scheduler *scheduler;
    struct compression *compression; /* NULL: blocks are stored as they are */
    uint64_t segment_bytes_min;
    uint64_t segment_bytes_max;
    bool memory_is_scarce; /* extents begin short */
};

struct store_upload {
    struct upload_context context; /* constant, as the next two */
    uint32_t namespace_id;
    struct buffer key;
    struct extent_builder builder;
    struct checksum_stream checksum; /* of all bytes so far */
    uint64_t bytes;
    struct buffer extents; /* entry_extent_append each */
    uint32_t extent_count;
    uint64_t stored_bytes;  /* of all segments */
    struct buffer segments; /* u64 each: numbers, all pinned; the last is `writer`'s, if any */
    struct segment_writer *writer; /* owned; NULL: the next extent begins a segment */
    uint64_t sequence;             /* of its last group */
    struct batch batch;            /* the meta of an extent's commit */
    enum status broken;            /* OK, or what it met */
    bool finished;
    bool named;       /* a commit was filled from it: entries may refer to its extents */
    struct step step; /* for what destroy leaves */
};

/* Writes nothing yet. Errors: NO_MEMORY. */
enum status upload_create(const struct upload_context *context, uint32_t namespace_id,
                          struct slice key, struct store_upload **upload_out) MUST_CHECK;

/* See store.h. */
enum status upload_append(struct store_upload *upload, struct slice bytes,
                          struct error *error) MUST_CHECK;
enum status upload_finish(struct store_upload *upload, struct error *error) MUST_CHECK;
uint64_t upload_memory(const struct store_upload *upload);
void upload_destroy(struct store_upload *upload);

/* The entry that names the value of a finished upload of at least one byte; its list of extents is
 * borrowed. */
struct entry upload_entry(const struct store_upload *upload);

#endif
