/* backup_block.h: the blocks of a backup, one after another: compressed and sealed, read and
 * checked.
 *
 * A block is sealed with its number, its offset and the seed of its file, so that one from another
 * place or another file is as wrong as a damaged one. One thread. */
#ifndef KVCLI_BACKUP_BLOCK_H
#define KVCLI_BACKUP_BLOCK_H

#include "client/kvcli/backup_format.h"
#include "protocol/base/error.h"

#define BACKUP_SIZE_UNKNOWN UINT64_MAX

/* Where a backup is read from: `got_out` below `len` is the end. A source without a size is a pipe:
 * it is read from its start to its end. Errors of read_cb: IO, with *error filled. */
struct backup_source {
    enum status (*read_cb)(void *arg, uint64_t offset, void *data, size_t len, size_t *got_out,
                           struct error *error);
    void *arg;
    const char *name; /* borrowed; for errors */
    uint64_t size;    /* or BACKUP_SIZE_UNKNOWN */
};

/* Where one is written to, from its start to its end. Errors of write_cb: with *error filled. */
struct backup_sink {
    enum status (*write_cb)(void *arg, struct slice bytes, struct error *error);
    void *arg;
};

/* Contexts and memory that are used for each block. */
struct backup_codec {
    uint64_t seed;
    void *compressor;     /* owned; zstd's */
    void *decompressor;   /* owned */
    struct buffer stored; /* of the block at hand: head and content as in the file */
};

struct backup_block {
    struct backup_block_head head;
    struct buffer content;
};

void backup_codec_init(struct backup_codec *codec, uint64_t seed);
void backup_codec_deinit(struct backup_codec *codec);

/* The bytes of a block, valid until the next call. `head` has kind, number and offset, and is
 * completed. Errors: NO_MEMORY. */
enum status backup_block_seal(struct backup_codec *codec, struct backup_block_head *head,
                              struct slice content, struct slice *bytes_out) MUST_CHECK;

/* Offset of what is behind the block. */
uint64_t backup_block_after(const struct backup_block_head *head);

void backup_block_init(struct backup_block *block);
void backup_block_deinit(struct backup_block *block);

/* Reads the block at `offset`, which must say that it is there and has that number, and checks it.
 * Errors: CORRUPT (also when it is cut short), IO, NO_MEMORY, with *error. */
enum status backup_block_read(struct backup_codec *codec, const struct backup_source *source,
                              uint64_t offset, uint64_t number, struct backup_block *block,
                              struct error *error) MUST_CHECK;

/* The header at the start. Errors: CORRUPT (no backup, or damaged), UNSUPPORTED, IO, NO_MEMORY. */
enum status backup_header_read(const struct backup_source *source, struct backup_header *header_out,
                               uint64_t *seed_out, size_t *length_out,
                               struct error *error) MUST_CHECK;

/* Fills *error: block `number` of this source is damaged so. Returns CORRUPT. */
enum status backup_damaged(const struct backup_source *source, uint64_t offset, uint64_t number,
                           const char *how, struct error *error);

#endif
