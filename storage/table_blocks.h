/* table_blocks.h: what an open table is made of, and how its blocks come into memory: from the
 * block cache, or read, verified, decompressed and put into it. For table.c and table_iterator.c
 * only. */
#ifndef KVD_STORAGE_TABLE_BLOCKS_H
#define KVD_STORAGE_TABLE_BLOCKS_H

#include "storage/block_frame.h"
#include "storage/table.h"
#include "storage/table_index.h"

#define LOOP_UNPACK_BYTES_MAX (64u * 1024) /* larger blocks are decompressed off the loops only */

struct table_handle;

/* Constant once open. */
struct table {
    struct table_handle *handle; /* the table cache's, set before anybody else sees the table */
    struct table_source source;  /* borrowed parts */
    struct env_file *file;       /* owned */
    uint64_t number;
    struct table_index index; /* owned */
    struct slice filter;      /* whole lines; points into filter_memory */
    uint8_t *filter_memory;   /* owned, aligned to a line */
};

/* Fills the error with the table's path and returns `status`. */
enum status table_fail(const struct table *table, enum status status, uint64_t offset,
                       const char *what, struct error *error);

/* Reads exactly `len` bytes; fewer are CORRUPT. May wait. */
enum status table_read(const struct table *table, uint64_t offset, void *ptr, size_t len,
                       struct error *error) MUST_CHECK;

/* Checks the stored bytes of a block. Errors: CORRUPT, NEWER_FORMAT, with detail. */
enum status table_frame_open(const struct table *table, const struct block_place *place,
                             struct slice stored, struct block_payload *payload_out,
                             struct error *error) MUST_CHECK;

/* Writes payload->raw_bytes raw bytes at `out`. Errors: CORRUPT, NO_MEMORY, with detail. */
enum status table_unpack(const struct table *table, const struct block_place *place,
                         const struct block_payload *payload, uint8_t *out,
                         struct error *error) MUST_CHECK;

/* How table_block_pin is asked. */
struct block_request {
    uint32_t block; /* its number in the index */
    enum read_wait wait;
    bool fill_cache;
};

/* The data block, pinned; end with cached_block_unref. *was_cached_out (may be NULL) is set on OK.
 * Errors: WOULD_BLOCK, CORRUPT, NEWER_FORMAT, IO, NO_MEMORY. */
enum status table_block_pin(const struct table *table, const struct block_request *request,
                            struct cached_block **block_out, bool *was_cached_out,
                            struct error *error) MUST_CHECK;

#endif
