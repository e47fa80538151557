/* salvage_block.h: finds the blocks of a table of which only the bytes are known.
 *
 * A block has no header: where it ends is told by its trailer alone (block_frame.h). So each place
 * is tried at which a trailer could stand: one that says the block is plain says its length as
 * well; one that says zstd goes with each place before it where a zstd frame begins. What passes
 * the checksum, which is seeded by file and offset, is a block. Pure functions. */
#ifndef KVD_STORAGE_SALVAGE_BLOCK_H
#define KVD_STORAGE_SALVAGE_BLOCK_H

#include "storage/block_frame.h"

#include <stdbool.h>

/* The bytes of a file from `offset` on. */
struct salvage_bytes {
    uint64_t file_number;
    uint64_t offset;
    struct slice bytes;
};

/* The first block of the type that begins at or after `from` (counted in bytes->bytes) and ends
 * within them; *end_out is behind its trailer. False when there is none. With `exact` only one that
 * begins at `from`. */
bool salvage_block_find(const struct salvage_bytes *bytes, size_t from, enum block_type type,
                        bool exact, size_t *start_out, size_t *end_out);

#endif
