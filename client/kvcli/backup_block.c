/* backup_block.c: see backup_block.h. */
#include "client/kvcli/backup_block.h"

#include "protocol/base/assert.h"

#include <inttypes.h>
#include <zstd.h>

#define COMPRESSION_LEVEL 1
#define STORED_BYTES_MAX (BACKUP_BLOCK_HEAD_BYTES + BACKUP_BLOCK_BYTES_MAX)

void backup_codec_init(struct backup_codec *codec, uint64_t seed) {
    *codec = (struct backup_codec){.seed = seed};
    buffer_init(&codec->stored, STORED_BYTES_MAX);
}

void backup_codec_deinit(struct backup_codec *codec) {
    ZSTD_freeCCtx(codec->compressor);
    ZSTD_freeDCtx(codec->decompressor);
    buffer_deinit(&codec->stored);
    *codec = (struct backup_codec){0};
}

void backup_block_init(struct backup_block *block) {
    *block = (struct backup_block){0};
    buffer_init(&block->content, BACKUP_BLOCK_BYTES_MAX);
}

void backup_block_deinit(struct backup_block *block) {
    buffer_deinit(&block->content);
}

uint64_t backup_block_after(const struct backup_block_head *head) {
    return head->offset + BACKUP_BLOCK_HEAD_BYTES + head->stored_bytes;
}

/* --- writing --- */

/* Compresses behind the head, if that saves an eighth; else false. */
static bool compress(struct backup_codec *codec, struct slice content, size_t *bytes_out) {
    size_t room = content.len - content.len / 8;
    size_t bytes;

    if (room >= content.len) {
        return false; /* too short */
    }
    if (!codec->compressor) {
        codec->compressor = ZSTD_createCCtx();
    }
    if (!codec->compressor) {
        return false; /* no memory: as it is */
    }
    bytes = ZSTD_compressCCtx(codec->compressor, codec->stored.data + BACKUP_BLOCK_HEAD_BYTES, room,
                              content.ptr, content.len, COMPRESSION_LEVEL);
    *bytes_out = bytes;
    return !ZSTD_isError(bytes);
}

enum status backup_block_seal(struct backup_codec *codec, struct backup_block_head *head,
                              struct slice content, struct slice *bytes_out) {
    size_t bytes = content.len;
    struct slice stored;
    uint8_t *start;
    enum status status;

    ASSERT(content.len <= BACKUP_BLOCK_BYTES_MAX);
    buffer_clear(&codec->stored);
    status = buffer_extend(&codec->stored, BACKUP_BLOCK_HEAD_BYTES + content.len, &start);
    if (status != STATUS_OK) {
        return status;
    }
    /* the END block is found by its length from the end of the file */
    head->compressed = head->kind != BACKUP_END && compress(codec, content, &bytes);
    if (!head->compressed && content.len > 0) {
        bytes = content.len;
        memcpy(start + BACKUP_BLOCK_HEAD_BYTES, content.ptr, content.len);
    }
    head->stored_bytes = (uint32_t)bytes;
    head->raw_bytes = (uint32_t)content.len;
    head->checksum = 0;
    backup_head_store(start, head);
    stored = slice_make(start + BACKUP_BLOCK_HEAD_BYTES, bytes);
    head->checksum = backup_head_checksum(start, stored, codec->seed);
    backup_head_store(start, head);
    *bytes_out = slice_make(start, BACKUP_BLOCK_HEAD_BYTES + bytes);
    return STATUS_OK;
}

/* --- reading --- */

enum status backup_damaged(const struct backup_source *source, uint64_t offset, uint64_t number,
                           const char *how, struct error *error) {
    return error_set(error, STATUS_CORRUPT, 0, source->name, offset, "block %" PRIu64 " %s", number,
                     how);
}

static enum status decompress(struct backup_codec *codec, const struct backup_block_head *head,
                              struct slice stored, struct buffer *content) {
    uint8_t *start = NULL;
    enum status status;

    buffer_clear(content);
    if (head->raw_bytes == 0) {
        return buffer_reserve(content, 1); /* nothing, but somewhere */
    }
    status = buffer_extend(content, head->raw_bytes, &start);
    if (status != STATUS_OK) {
        return status;
    }
    if (!head->compressed) {
        memcpy(start, stored.ptr, stored.len);
        return STATUS_OK;
    }
    if (!codec->decompressor) {
        codec->decompressor = ZSTD_createDCtx();
    }
    if (!codec->decompressor) {
        return STATUS_NO_MEMORY;
    }
    return ZSTD_decompressDCtx(codec->decompressor, start, head->raw_bytes, stored.ptr,
                               stored.len) == head->raw_bytes
               ? STATUS_OK
               : STATUS_CORRUPT;
}

/* Appends `len` bytes from the source to codec->stored. */
static enum status fetch(struct backup_codec *codec, const struct backup_source *source,
                         uint64_t offset, size_t len, struct error *error) {
    uint8_t *start = NULL;
    size_t got = 0;
    enum status status;

    if (len == 0) {
        return STATUS_OK;
    }
    status = buffer_extend(&codec->stored, len, &start);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, source->name, offset, "out of memory");
    }
    status = source->read_cb(source->arg, offset, start, len, &got, error);
    return status == STATUS_OK && got < len ? STATUS_END : status;
}

static enum status fetch_block(struct backup_codec *codec, const struct backup_source *source,
                               uint64_t offset, uint64_t number, struct backup_block_head *head,
                               struct error *error) {
    enum status status;

    buffer_clear(&codec->stored);
    status = fetch(codec, source, offset, BACKUP_BLOCK_HEAD_BYTES, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (backup_head_take(codec->stored.data, head) != STATUS_OK || head->offset != offset ||
        head->number != number) {
        return backup_damaged(source, offset, number, "is damaged: its head is not its own", error);
    }
    return fetch(codec, source, offset + BACKUP_BLOCK_HEAD_BYTES, head->stored_bytes, error);
}

enum status backup_block_read(struct backup_codec *codec, const struct backup_source *source,
                              uint64_t offset, uint64_t number, struct backup_block *block,
                              struct error *error) {
    struct slice stored;
    enum status status = fetch_block(codec, source, offset, number, &block->head, error);

    if (status == STATUS_END) {
        return backup_damaged(source, offset, number, "is cut short: the file ends in it", error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    stored = slice_make(codec->stored.data + BACKUP_BLOCK_HEAD_BYTES, block->head.stored_bytes);
    if (backup_head_checksum(codec->stored.data, stored, codec->seed) != block->head.checksum) {
        return backup_damaged(source, offset, number, "is damaged: its checksum differs", error);
    }
    status = decompress(codec, &block->head, stored, &block->content);
    if (status == STATUS_CORRUPT) {
        return backup_damaged(source, offset, number, "is damaged: it does not decompress", error);
    }
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, source->name, offset, "out of memory");
}

static enum status bad_header(const struct backup_source *source, enum status status,
                              struct error *error) {
    return error_set(error, status, 0, source->name, ERROR_NO_OFFSET,
                     status == STATUS_UNSUPPORTED
                         ? "a backup in a format of a later kvcli; use that one"
                         : "no backup of kvd, or its header is damaged");
}

enum status backup_header_read(const struct backup_source *source, struct backup_header *header_out,
                               uint64_t *seed_out, size_t *length_out, struct error *error) {
    uint8_t bytes[BACKUP_HEADER_BYTES_MAX];
    size_t got = 0;
    size_t length = 0;
    enum status status =
        source->read_cb(source->arg, 0, bytes, BACKUP_HEADER_BYTES_MIN, &got, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = got < BACKUP_HEADER_BYTES_MIN ? STATUS_CORRUPT
                                           : backup_header_length(slice_make(bytes, got), &length);
    if (status != STATUS_OK) {
        return bad_header(source, status, error);
    }
    got = 0;
    if (length > BACKUP_HEADER_BYTES_MIN) {
        status =
            source->read_cb(source->arg, BACKUP_HEADER_BYTES_MIN, bytes + BACKUP_HEADER_BYTES_MIN,
                            length - BACKUP_HEADER_BYTES_MIN, &got, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status =
        backup_header_take(slice_make(bytes, BACKUP_HEADER_BYTES_MIN + got), header_out, seed_out);
    *length_out = length;
    return status == STATUS_OK ? STATUS_OK : bad_header(source, status, error);
}
