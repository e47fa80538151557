/* buffer.c: see buffer.h. */
#include "protocol/base/buffer.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"

#define BUFFER_FIRST_BYTES 256 /* below this a growth would only be repeated at once */

void buffer_init(struct buffer *buffer, size_t cap) {
    *buffer = (struct buffer){.cap = cap};
}

void buffer_deinit(struct buffer *buffer) {
    memory_free(buffer->data);
    buffer->data = NULL;
    buffer->len = 0;
    buffer->capacity = 0;
}

static enum status buffer_grow(struct buffer *buffer, size_t needed) {
    size_t capacity =
        buffer->capacity < BUFFER_FIRST_BYTES / 2 ? BUFFER_FIRST_BYTES : buffer->capacity * 2;
    uint8_t *data;

    if (capacity < needed) {
        capacity = needed;
    }
    if (capacity > buffer->cap) {
        capacity = buffer->cap;
    }
    data = memory_resize(buffer->data, capacity);
    if (!data) {
        return STATUS_NO_MEMORY;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return STATUS_OK;
}

enum status buffer_reserve(struct buffer *buffer, size_t bytes) {
    size_t needed;

    if (__builtin_expect(bytes <= buffer->capacity - buffer->len, 1)) {
        return STATUS_OK;
    }
    if (!checked_add_size(buffer->len, bytes, &needed) || needed > buffer->cap) {
        return STATUS_TOO_LARGE;
    }
    return buffer_grow(buffer, needed);
}

enum status buffer_extend(struct buffer *buffer, size_t bytes, uint8_t **start_out) {
    enum status status = buffer_reserve(buffer, bytes);

    if (status == STATUS_OK) {
        *start_out = buffer->data + buffer->len;
        buffer->len += bytes;
    }
    return status;
}

enum status buffer_append(struct buffer *buffer, const void *ptr, size_t len) {
    enum status status;

    if (len == 0) {
        return STATUS_OK;
    }
    status = buffer_reserve(buffer, len);
    if (status == STATUS_OK) {
        memcpy(buffer->data + buffer->len, ptr, len);
        buffer->len += len;
    }
    return status;
}

enum status buffer_append_u8(struct buffer *buffer, uint8_t value) {
    return buffer_append(buffer, &value, sizeof value);
}

enum status buffer_append_u16(struct buffer *buffer, uint16_t value) {
    uint8_t bytes[sizeof value];
    store_u16(bytes, value);
    return buffer_append(buffer, bytes, sizeof bytes);
}

enum status buffer_append_u32(struct buffer *buffer, uint32_t value) {
    uint8_t bytes[sizeof value];
    store_u32(bytes, value);
    return buffer_append(buffer, bytes, sizeof bytes);
}

enum status buffer_append_u64(struct buffer *buffer, uint64_t value) {
    uint8_t bytes[sizeof value];
    store_u64(bytes, value);
    return buffer_append(buffer, bytes, sizeof bytes);
}

enum status buffer_append_varint(struct buffer *buffer, uint64_t value) {
    uint8_t bytes[VARINT64_BYTES_MAX];
    return buffer_append(buffer, bytes, varint_store(bytes, value));
}

enum status buffer_append_block(struct buffer *buffer, struct slice bytes) {
    size_t mark = buffer_mark(buffer);
    enum status status = buffer_append_varint(buffer, bytes.len);

    if (status == STATUS_OK) {
        status = buffer_append(buffer, bytes.ptr, bytes.len);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

void buffer_rollback(struct buffer *buffer, size_t mark) {
    ASSERT(mark <= buffer->len);
    buffer->len = mark;
}

void buffer_consume(struct buffer *buffer, size_t bytes) {
    ASSERT(bytes <= buffer->len);
    if (bytes > 0) {
        memmove(buffer->data, buffer->data + bytes, buffer->len - bytes);
        buffer->len -= bytes;
    }
}
