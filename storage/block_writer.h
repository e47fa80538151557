/* block_writer.h: builds the raw bytes of one data block.
 *
 *      | entry | entry | ... | restart offset u32 | ... | restart count u32 |
 *
 *      entry: | shared varint | rest varint | version varint | entry bytes varint |
 *             | rest of the row | encoded entry (entry.h) |
 *
 * `shared` is how many bytes the row has in common with the row before it: all that it can. Every
 * BLOCK_RESTART_INTERVAL entries a row is written whole (shared 0), and the restart array at the
 * end says where, so that a reader can search it by halves. One thread at a time. */
#ifndef KVD_STORAGE_BLOCK_WRITER_H
#define KVD_STORAGE_BLOCK_WRITER_H

#include "protocol/base/buffer.h"

#define BLOCK_RESTART_INTERVAL 16u
#define BLOCK_RAW_BYTES_MAX (64u * 1024 * 1024) /* beyond what one entry of any settings takes */

struct block_writer {
    struct buffer bytes;    /* entries so far; with the restart array once ended */
    struct buffer restarts; /* u32 offsets */
    struct buffer last_row;
    uint32_t entry_count;
};

/* Allocates nothing. */
void block_writer_init(struct block_writer *writer);
void block_writer_deinit(struct block_writer *writer);

/* Empties it for the next block and keeps the memory. */
void block_writer_clear(struct block_writer *writer);

/* Adds an entry; (row, version) must come after the one before (the caller's to assert). Errors:
 * NO_MEMORY, TOO_LARGE (BLOCK_RAW_BYTES_MAX); the block is unchanged then. */
enum status block_writer_add(struct block_writer *writer, struct slice row, uint64_t version,
                             struct slice entry) MUST_CHECK;

/* What the block would take if it ended now. */
size_t block_writer_bytes(const struct block_writer *writer);

/* Ends the block, which must have entries; *raw_out is borrowed until clear. Errors: as add. */
enum status block_writer_end(struct block_writer *writer, struct slice *raw_out) MUST_CHECK;

#endif
