/* buffer.h: growable bytes with a cap, and marks to roll back to.
 *
 *      data                    data+len            data+capacity
 *       |======= written ========|----- room --------|
 *
 * A zeroed struct is a valid empty buffer without a cap set: set `cap` (or use buffer_init) before
 * writing. Growth doubles, so a warmed buffer no longer allocates. A pointer into the buffer is
 * valid until the next call that may grow it. Owned by one thread at a time. */
#ifndef KVD_BASE_BUFFER_H
#define KVD_BASE_BUFFER_H

#include "protocol/base/bytes.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

struct buffer {
    uint8_t *data;   /* owned; NULL until the first growth */
    size_t len;      /* bytes written */
    size_t capacity; /* bytes allocated */
    size_t cap;      /* len never exceeds this */
};

/* An empty buffer that will never hold more than `cap` bytes. Cannot fail: nothing is allocated. */
void buffer_init(struct buffer *buffer, size_t cap);

/* Frees the memory; the buffer is empty and usable again. A zeroed struct is allowed. */
void buffer_deinit(struct buffer *buffer);

/* Makes room for `bytes` more. Errors: TOO_LARGE beyond the cap, NO_MEMORY. */
enum status buffer_reserve(struct buffer *buffer, size_t bytes) MUST_CHECK;

/* Appends `bytes` uninitialised bytes and hands out where they start. Errors as buffer_reserve. */
enum status buffer_extend(struct buffer *buffer, size_t bytes, uint8_t **start_out) MUST_CHECK;

/* Appends. Errors as buffer_reserve; nothing is written then. */
enum status buffer_append(struct buffer *buffer, const void *ptr, size_t len) MUST_CHECK;
enum status buffer_append_u8(struct buffer *buffer, uint8_t value) MUST_CHECK;
enum status buffer_append_u16(struct buffer *buffer, uint16_t value) MUST_CHECK;
enum status buffer_append_u32(struct buffer *buffer, uint32_t value) MUST_CHECK;
enum status buffer_append_u64(struct buffer *buffer, uint64_t value) MUST_CHECK;
enum status buffer_append_varint(struct buffer *buffer, uint64_t value) MUST_CHECK;

/* A varint length and the bytes; what reader_take_block takes. */
enum status buffer_append_block(struct buffer *buffer, struct slice bytes) MUST_CHECK;

/* A mark is the length at a time; rolling back forgets all that was written since. */
static inline size_t buffer_mark(const struct buffer *buffer) {
    return buffer->len;
}

void buffer_rollback(struct buffer *buffer, size_t mark);

/* Drops the first `bytes` (<= len) and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t bytes);

static inline struct slice buffer_slice(const struct buffer *buffer) {
    return slice_make(buffer->data, buffer->len);
}

static inline void buffer_clear(struct buffer *buffer) {
    buffer->len = 0;
}

#endif
