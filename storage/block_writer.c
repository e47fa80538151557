/* block_writer.c: see block_writer.h. */
#include "storage/block_writer.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

#define ENTRY_HEAD_BYTES_MAX (3 * VARINT32_BYTES_MAX + VARINT64_BYTES_MAX)

void block_writer_init(struct block_writer *writer) {
    *writer = (struct block_writer){0};
    buffer_init(&writer->bytes, BLOCK_RAW_BYTES_MAX);
    buffer_init(&writer->restarts, BLOCK_RAW_BYTES_MAX);
    buffer_init(&writer->last_row, ROW_BYTES_MAX);
}

void block_writer_deinit(struct block_writer *writer) {
    buffer_deinit(&writer->bytes);
    buffer_deinit(&writer->restarts);
    buffer_deinit(&writer->last_row);
}

void block_writer_clear(struct block_writer *writer) {
    buffer_clear(&writer->bytes);
    buffer_clear(&writer->restarts);
    buffer_clear(&writer->last_row);
    writer->entry_count = 0;
}

size_t block_writer_bytes(const struct block_writer *writer) {
    return writer->bytes.len + writer->restarts.len + sizeof(uint32_t);
}

static size_t shared_bytes(struct slice a, struct slice b) {
    size_t limit = a.len < b.len ? a.len : b.len;
    size_t shared = 0;

    while (shared < limit && a.ptr[shared] == b.ptr[shared]) {
        shared++;
    }
    return shared;
}

/* Makes room for all that one entry can change, so that the rest cannot fail. */
static enum status reserve(struct block_writer *writer, size_t row_bytes, size_t entry_bytes) {
    enum status status =
        buffer_reserve(&writer->bytes, ENTRY_HEAD_BYTES_MAX + row_bytes + entry_bytes);

    if (status == STATUS_OK) {
        status = buffer_reserve(&writer->restarts, sizeof(uint32_t));
    }
    if (status == STATUS_OK && row_bytes > writer->last_row.len) {
        status = buffer_reserve(&writer->last_row, row_bytes - writer->last_row.len);
    }
    return status;
}

static void put(struct buffer *reserved, const void *ptr, size_t len) {
    enum status status = buffer_append(reserved, ptr, len);
    ASSERT(status == STATUS_OK);
}

static void put_varint(struct buffer *reserved, uint64_t value) {
    enum status status = buffer_append_varint(reserved, value);
    ASSERT(status == STATUS_OK);
}

enum status block_writer_add(struct block_writer *writer, struct slice row, uint64_t version,
                             struct slice entry) {
    enum status status = reserve(writer, row.len, entry.len);
    size_t shared = 0;

    if (status != STATUS_OK) {
        return status;
    }
    if (writer->entry_count % BLOCK_RESTART_INTERVAL == 0) {
        uint8_t offset[4];
        store_u32(offset, (uint32_t)writer->bytes.len);
        put(&writer->restarts, offset, sizeof offset);
    } else {
        shared = shared_bytes(buffer_slice(&writer->last_row), row);
    }
    put_varint(&writer->bytes, shared);
    put_varint(&writer->bytes, row.len - shared);
    put_varint(&writer->bytes, version);
    put_varint(&writer->bytes, entry.len);
    put(&writer->bytes, row.ptr + shared, row.len - shared);
    put(&writer->bytes, entry.ptr, entry.len);
    buffer_rollback(&writer->last_row,
                    shared < writer->last_row.len ? shared : writer->last_row.len);
    put(&writer->last_row, row.ptr + shared, row.len - shared);
    writer->entry_count++;
    return STATUS_OK;
}

enum status block_writer_end(struct block_writer *writer, struct slice *raw_out) {
    uint32_t restart_count = (uint32_t)(writer->restarts.len / sizeof(uint32_t));
    enum status status =
        buffer_reserve(&writer->bytes, writer->restarts.len + sizeof restart_count);

    ASSERT(writer->entry_count > 0);
    if (status != STATUS_OK) {
        return status;
    }
    put(&writer->bytes, writer->restarts.data, writer->restarts.len);
    status = buffer_append_u32(&writer->bytes, restart_count);
    ASSERT(status == STATUS_OK);
    *raw_out = buffer_slice(&writer->bytes);
    return STATUS_OK;
}
