/* bulk_writer.h: turns sorted entries into tables and value segments that no edit names yet.
 *
 *      add -> a batch, as of any commit -> about 1 MiB: values  -> one group in a segment
 *                                                       entries -> the table
 *      finish -> all files on the medium; the edit that adds them
 *
 * All entries have one version, given beforehand, which nobody can see before the edit is
 * installed. Values lie as log GC lays them: in segments of kind SURVIVOR, each record with its row
 * and version, but nothing has to be relocated, as entries name their place. Until the edit is
 * durable the files are like any that a crash leaves behind: the next open removes them. Their
 * segments are pinned (segment_pins.h), so that what lies on the disk can be told.
 *
 * Memory: a group, the open table, and what the edit tells of each table. One thread at a time; all
 * but the figures wait for the disk. */
#ifndef KVD_STORAGE_BULK_WRITER_H
#define KVD_STORAGE_BULK_WRITER_H

#include "storage/commit_log.h"
#include "storage/commit_request.h"
#include "storage/space_promise.h"
#include "storage/table_output.h"

/* What a load needs of the store; borrowed until it is ended; constant. */
struct bulk_context {
    struct store *store; /* for commit_request_create */
    const struct value_policy *policy;
    struct commit_log *log; /* env, dir, versions, clock */
    struct view_holder *views;
    struct space_guard *space;
    struct space_promise *promise; /* sizes, and the frames of segments */
    uint32_t block_bytes;
};

struct bulk_writer {
    struct bulk_context context; /* constant, as the next two */
    uint32_t namespace_id;
    uint64_t version;
    struct store_commit *staged; /* owned: the entries of the next group */
    struct batch frames;         /* meta of that group: of those with a value in the segment */
    struct buffer last_key;      /* keys have to be above it, once there is an entry */
    struct keep_rules rules;     /* nothing is hidden, nothing has expired */
    struct version *nothing;     /* owned: what lies below, to the table output */
    struct fate_judge judge;
    struct table_output output;
    struct version_edit edit;       /* tables, all in level 0, and segments, sealed */
    struct segment_writer *segment; /* owned; NULL: the next value begins one */
    uint64_t sequence;              /* of its last group */
    struct frame_note frames_now;   /* of that segment */
    struct buffer notes;            /* struct frame_note each, of the segments before */
    struct buffer segment_pins;     /* u64 each, as the next */
    struct buffer table_pins;
    uint8_t *ikey;       /* owned; IKEY_BYTES_MAX */
    struct buffer entry; /* encoded */
    uint64_t entries;
    uint64_t bytes;        /* of keys and values, as given */
    uint64_t stored_bytes; /* of keys and values, as they count against a quota */
};

/* Writes nothing yet. Errors: NO_MEMORY; bulk_writer_deinit is needed after those too. */
enum status bulk_writer_init(struct bulk_writer *writer, const struct bulk_context *context,
                             uint32_t namespace_id, uint64_t version) MUST_CHECK;

/* Adds an entry. Errors: see store_bulk_add; the writer can only be ended then. */
enum status bulk_writer_add(struct bulk_writer *writer, const struct store_put *put,
                            struct error *error) MUST_CHECK;

/* Ends the last table and segment. Once: nothing can be added after. Errors: NO_SPACE, NO_MEMORY,
 * IO, LOG_FAILED. */
enum status bulk_writer_finish(struct bulk_writer *writer, struct error *error) MUST_CHECK;

/* The edit is installed: its files stay. */
void bulk_writer_installed(struct bulk_writer *writer);

/* Memory that it holds, about. */
uint64_t bulk_writer_memory(const struct bulk_writer *writer);

/* Frees what it owns. Without `keep`, removes its files: when they are not installed, and no edit
 * that names them can be durable. */
void bulk_writer_deinit(struct bulk_writer *writer, bool keep);

#endif
