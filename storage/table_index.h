/* table_index.h: finds the data block of a key.
 *
 *      on disk:    | block count u32 | separator: length varint, bytes | stored bytes varint | ...
 *      in memory:  offsets[count + 1], separator ends[count + 1], separators, one allocation
 *
 * Data blocks lie one after the other, so their lengths say where they are. The separator of a
 * block is an internal key greater than the last key before the block and not greater than its
 * first one; it is the shortest row that does this, with the version field that sorts first, or the
 * first key itself when a row continues from the block before. Constant once loaded. */
#ifndef KVD_STORAGE_TABLE_INDEX_H
#define KVD_STORAGE_TABLE_INDEX_H

#include "protocol/base/buffer.h"

struct table_index {
    uint32_t count;           /* of data blocks; at least 1 */
    const uint64_t *offsets;  /* of block i, with trailer: [offsets[i], offsets[i + 1]) */
    const uint32_t *key_ends; /* separator i: keys + [key_ends[i], key_ends[i + 1]) */
    const uint8_t *keys;
    void *memory; /* owned: all three */
    size_t memory_bytes;
};

/* Appends the separator between two keys; `last` is empty before the first block. Errors:
 * NO_MEMORY, TOO_LARGE. */
enum status table_index_append_separator(struct buffer *raw, struct slice last,
                                         struct slice first) MUST_CHECK;

/* Loads the raw bytes of an index block. `offset` is where the first data block starts and `end`
 * where the last must end. Errors: CORRUPT, NO_MEMORY. */
enum status table_index_load(struct slice raw, uint64_t offset, uint64_t end,
                             struct table_index *index_out) MUST_CHECK;

void table_index_deinit(struct table_index *index);

/* The last block whose separator is <= (row, version); 0 when there is none. A key that is in the
 * table is in that block, and the first key >= (row, version) in it or first in the next. */
uint32_t table_index_find(const struct table_index *index, struct slice row, uint64_t version);

/* Whether the block starts with a later version of `row`, continued from the block before. */
bool table_index_continues(const struct table_index *index, uint32_t block, struct slice row);

#endif
