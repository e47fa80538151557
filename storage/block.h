/* block.h: reads one raw data block (the layout is in block_writer.h).
 *
 * Two ways: block_find, for one key, which compares without ever putting a row together and
 * allocates nothing; and struct block_cursor, which walks. The bytes have passed their checksum
 * before they come here; still every length is checked, so that no bytes at all can make a read
 * outside the block: CORRUPT is the answer then. Pure functions over borrowed bytes. */
#ifndef KVD_STORAGE_BLOCK_H
#define KVD_STORAGE_BLOCK_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

struct block {
    const uint8_t *data;    /* borrowed; entries, then restarts */
    uint32_t entries_bytes; /* where the restart array starts */
    uint32_t restart_count; /* at least 1 */
};

/* Errors: CORRUPT. */
enum status block_open(struct slice raw, struct block *block_out) MUST_CHECK;

/* The first entry at or after (row, version), if it is of that row: then OK, *version_out, and
 * *entry_out, which borrows from the block. Errors: NOT_FOUND (it is of another row), END (there is
 * none in this block), CORRUPT. */
enum status block_find(const struct block *block, struct slice row, uint64_t version,
                       uint64_t *version_out, struct slice *entry_out) MUST_CHECK;

/* Stands on an entry or nowhere. Moves return OK, END (stands nowhere) or CORRUPT, NO_MEMORY
 * (stands nowhere). */
struct block_cursor {
    struct block block;
    struct buffer key;    /* owned: the internal key stood on */
    struct slice entry;   /* borrowed from the block */
    uint32_t offset;      /* of the entry stood on; entries_bytes: nowhere */
    uint32_t offset_next; /* of the one after it */
};

/* A cursor without a block: only set and deinit may follow. */
void block_cursor_init(struct block_cursor *cursor);
void block_cursor_deinit(struct block_cursor *cursor);

/* Gives it a block to walk; it stands nowhere. */
void block_cursor_set(struct block_cursor *cursor, const struct block *block);

/* To the first entry >= ikey. */
enum status block_cursor_seek(struct block_cursor *cursor, struct slice ikey) MUST_CHECK;

/* To the last entry < ikey. */
enum status block_cursor_seek_before(struct block_cursor *cursor, struct slice ikey) MUST_CHECK;
enum status block_cursor_first(struct block_cursor *cursor) MUST_CHECK;
enum status block_cursor_last(struct block_cursor *cursor) MUST_CHECK;

/* Only when standing on an entry. */
enum status block_cursor_next(struct block_cursor *cursor) MUST_CHECK;
enum status block_cursor_prev(struct block_cursor *cursor) MUST_CHECK;

#endif
