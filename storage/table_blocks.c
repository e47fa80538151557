/* table_blocks.c: see table_blocks.h. */
#include "storage/table_blocks.h"

#include "storage/file_name.h"

enum status table_fail(const struct table *table, enum status status, uint64_t offset,
                       const char *what, struct error *error) {
    char path[ENV_PATH_MAX];

    if (!error) {
        return status;
    }
    if (file_path_make(table->source.dir, FILE_TABLE, table->number, path) != STATUS_OK) {
        path[0] = '\0';
    }
    return error_set(error, status, 0, path, offset, "%s", what);
}

enum status table_read(const struct table *table, uint64_t offset, void *ptr, size_t len,
                       struct error *error) {
    size_t got = 0;
    enum status status = env_read(table->file, offset, ptr, len, &got, error);

    if (status == STATUS_OK && got < len) {
        return table_fail(table, STATUS_CORRUPT, offset + got, "the file ends too early", error);
    }
    return status;
}

enum status table_frame_open(const struct table *table, const struct block_place *place,
                             struct slice stored, struct block_payload *payload_out,
                             struct error *error) {
    enum status status = block_frame_open(place, stored, payload_out);

    if (status == STATUS_CORRUPT) {
        return table_fail(table, status, place->offset, "block checksum differs", error);
    }
    if (status == STATUS_NEWER_FORMAT) {
        return table_fail(table, status, place->offset, "block stored in an unknown way", error);
    }
    return status;
}

enum status table_unpack(const struct table *table, const struct block_place *place,
                         const struct block_payload *payload, uint8_t *out, struct error *error) {
    enum status status = STATUS_OK;

    if (payload->storing == BLOCK_PLAIN) {
        memcpy(out, payload->bytes.ptr, payload->bytes.len);
    } else {
        status = compression_decompress(table->source.compression, payload->bytes, out,
                                        payload->raw_bytes);
    }
    return status == STATUS_OK
               ? STATUS_OK
               : table_fail(table, status, place->offset, "block does not decompress", error);
}

static enum status read_stored(const struct table *table, enum read_wait wait, uint64_t offset,
                               struct cached_block *stored, struct error *error) {
    if (wait == READ_WAIT_NEVER) {
        return env_read_nowait(table->file, offset, stored->data, stored->capacity, error);
    }
    return table_read(table, offset, stored->data, stored->capacity, error);
}

/* Turns the stored bytes of a block into raw ones, in a block of their own if they are compressed.
 * On OK *block_io is the raw block, and the stored one is let go. */
static enum status make_raw(const struct table *table, const struct block_place *place,
                            enum read_wait wait, struct cached_block **block_io,
                            struct error *error) {
    struct cached_block *stored = *block_io;
    struct block_payload payload;
    struct cached_block *raw;
    enum status status =
        table_frame_open(table, place, slice_make(stored->data, stored->capacity), &payload, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (payload.storing == BLOCK_PLAIN) {
        stored->len = payload.raw_bytes;
        return STATUS_OK;
    }
    if (wait == READ_WAIT_NEVER && payload.raw_bytes > LOOP_UNPACK_BYTES_MAX) {
        return STATUS_WOULD_BLOCK;
    }
    raw = cached_block_create(payload.raw_bytes);
    if (!raw) {
        return table_fail(table, STATUS_NO_MEMORY, place->offset, "reading a block", error);
    }
    raw->len = payload.raw_bytes;
    status = table_unpack(table, place, &payload, raw->data, error);
    cached_block_unref(status == STATUS_OK ? stored : raw);
    if (status == STATUS_OK) {
        *block_io = raw;
    }
    return status;
}

static enum status read_block(const struct table *table, const struct block_request *request,
                              struct cached_block **block_out, struct error *error) {
    const uint64_t *offsets = table->index.offsets + request->block;
    const struct block_place place = {table->number, offsets[0], BLOCK_DATA};
    struct cached_block *block = cached_block_create((size_t)(offsets[1] - offsets[0]));
    enum status status;

    if (!block) {
        return table_fail(table, STATUS_NO_MEMORY, place.offset, "reading a block", error);
    }
    status = read_stored(table, request->wait, place.offset, block, error);
    if (status == STATUS_OK) {
        status = make_raw(table, &place, request->wait, &block, error);
    }
    if (status != STATUS_OK) {
        cached_block_unref(block);
        return status;
    }
    *block_out = block;
    return STATUS_OK;
}

enum status table_block_pin(const struct table *table, const struct block_request *request,
                            struct cached_block **block_out, bool *was_cached_out,
                            struct error *error) {
    struct block_cache *cache = table->source.cache;
    uint64_t offset = table->index.offsets[request->block];
    struct cached_block *found = cache ? block_cache_find(cache, table->number, offset) : NULL;
    enum status status = STATUS_OK;

    if (was_cached_out) {
        *was_cached_out = found != NULL;
    }
    if (!found) {
        status = read_block(table, request, &found, error);
        if (status == STATUS_OK && cache && request->fill_cache) {
            block_cache_insert(cache, table->number, offset, found);
        }
    }
    if (status == STATUS_OK) {
        *block_out = found;
    }
    return status;
}
