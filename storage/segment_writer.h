/* segment_writer.h: appends groups of commits to one segment file.
 *
 *      layout -> where each commit's values will lie     (references go into the memtable)
 *      reserve -> room on the disk, or NO_SPACE          (before anything is appended)
 *      append -> one env_append: | header | small parts staged | large values as they are |
 *      sync   -> on another thread
 *      seal   -> no more appends; what was reserved and not used is given back
 *
 * The file is created empty; the segment header goes out with the first group. Creation makes the
 * directory entry durable (R2), so that a sync of the file is all that an acknowledgement needs.
 *
 * Threads: one at a time for all but segment_writer_sync and segment_writer_position, which any
 * thread may call beside it, as long as the writer is not closed meanwhile.
 *
 * Failures: a failed append or sync is final (R1): from then on append and sync answer LOG_FAILED.
 * A failed reservation is not: nothing was written. Once warm, appending allocates nothing. */
#ifndef KVD_STORAGE_SEGMENT_WRITER_H
#define KVD_STORAGE_SEGMENT_WRITER_H

#include "storage/env.h"
#include "storage/log_format.h"

struct segment_writer;

struct segment_writer_options {
    struct env *env; /* borrowed until close */
    const char *dir; /* borrowed during create */
    uint64_t number; /* file number, never used before */
    enum segment_kind kind;
    uint64_t incarnation;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t preallocate_bytes; /* of each step of reserving space; at least what a group needs is
                                   reserved anyway. Small for small stores */
};

/* One commit of a group: the two areas of a finished batch. */
struct log_commit {
    struct slice meta;   /* borrowed until append returns */
    struct slice values; /* likewise */
    uint32_t op_count;
    uint64_t version;
    uint64_t values_offset; /* set by layout: where its values will begin in the segment */
};

struct group_info {
    uint64_t sequence;                  /* one more than the last group of the log */
    struct log_position synced_through; /* known durable now */
    uint64_t store_time_ms;
};

/* Creates the file, reserves the first step and syncs the directory. Errors: EXISTS, NO_SPACE
 * (nothing is left behind), IO, NO_MEMORY. */
enum status segment_writer_create(const struct segment_writer_options *options,
                                  struct segment_writer **writer_out,
                                  struct error *error) MUST_CHECK;

/* Sets values_offset of each commit as if the group were appended now; returns by how many bytes
 * the segment would grow. At most GROUP_COMMITS_MAX commits and GROUP_BYTES_MAX bytes (asserted).
 * Does no I/O. */
uint64_t segment_writer_layout(const struct segment_writer *writer, struct log_commit *commits,
                               size_t commit_count);

/* Makes sure that `bytes` more can be appended without meeting a full disk (where the file system
 * can reserve). Errors: NO_SPACE, IO; nothing is written then, and the writer goes on. */
enum status segment_writer_reserve(struct segment_writer *writer, uint64_t bytes,
                                   struct error *error) MUST_CHECK;

/* Appends one group with the commits laid out before (0 commits: an empty group). Versions ascend
 * in a commit segment; in the others each record has the version that it was written with. Reserves
 * first, if that was not done. Errors: NO_SPACE, NO_MEMORY (both before anything is written; not
 * final), IO (final), LOG_FAILED. */
enum status segment_writer_append(struct segment_writer *writer, const struct group_info *group,
                                  const struct log_commit *commits, size_t commit_count,
                                  struct error *error) MUST_CHECK;

/* Appends bytes that are no group, behind the last group (there must be one): a piece of a
 * relocation section. No group may follow. Reserves first. Errors: NO_SPACE (not final), IO
 * (final), LOG_FAILED. */
enum status segment_writer_append_section(struct segment_writer *writer, struct slice bytes,
                                          struct error *error) MUST_CHECK;

/* What checksums in this segment are seeded with (segment_seed). */
uint64_t segment_writer_seed(const struct segment_writer *writer);

/* Where the next group would begin: all before it is appended. 0 while nothing is. Any thread. */
uint64_t segment_writer_position(const struct segment_writer *writer);

uint64_t segment_writer_number(const struct segment_writer *writer);

/* Makes durable what was appended before the call. Any thread. Errors: IO (final), LOG_FAILED. */
enum status segment_writer_sync(struct segment_writer *writer, struct error *error) MUST_CHECK;

/* Ends appending: syncs, then gives back what was reserved. The position is its length, to be
 * recorded in the manifest. Errors: IO (final), LOG_FAILED. */
enum status segment_writer_seal(struct segment_writer *writer, struct error *error) MUST_CHECK;

/* Closes the file and frees the writer, sealed or not. NULL is allowed. */
void segment_writer_close(struct segment_writer *writer);

#endif
