/* table_iterator.c: the iterator of table.h: a block cursor, carried from block to block.
 *
 * For reading, it holds a pinned block of the cache; as a job (TABLE_ITERATOR_SEQUENTIAL) it reads
 * a window of many blocks at a time, past the cache, and unpacks each into a buffer of its own. */
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/block.h"
#include "storage/block_writer.h"
#include "storage/ikey.h"
#include "storage/table_blocks.h"

#define BLOCK_NONE UINT32_MAX

struct table_iterator {
    struct iterator base;
    const struct table *table; /* borrowed */
    enum read_wait wait;
    unsigned flags;
    uint32_t block;              /* the one loaded, or BLOCK_NONE */
    struct cached_block *pinned; /* its bytes, unless sequential */
    struct block_cursor cursor;
    struct buffer window; /* sequential: stored bytes of some blocks */
    uint64_t window_offset;
    struct buffer raw; /* sequential: the block loaded, if it was compressed */
};

static struct table_iterator *self_of(struct iterator *iter) {
    return (struct table_iterator *)iter;
}

static void unload(struct table_iterator *self) {
    cached_block_unref(self->pinned);
    self->pinned = NULL;
    self->block = BLOCK_NONE;
}

/* Makes the window hold the stored bytes of `block`, and as many behind it as are worth one read.
 */
static enum status fill_window(struct table_iterator *self, uint32_t block) {
    const struct table_index *index = &self->table->index;
    uint64_t offset = index->offsets[block];
    uint64_t end = index->offsets[block + 1];
    uint64_t wanted = offset + TABLE_READ_AHEAD_BYTES;
    uint8_t *start;
    enum status status;

    if (offset >= self->window_offset && end <= self->window_offset + self->window.len) {
        return STATUS_OK;
    }
    if (wanted > index->offsets[index->count]) {
        wanted = index->offsets[index->count];
    }
    end = end > wanted ? end : wanted;
    buffer_clear(&self->window);
    status = buffer_extend(&self->window, (size_t)(end - offset), &start);
    if (status != STATUS_OK) {
        return status;
    }
    self->window_offset = offset;
    status = table_read(self->table, offset, start, (size_t)(end - offset), &self->base.error);
    if (status != STATUS_OK) {
        buffer_clear(&self->window);
    }
    return status;
}

/* The raw bytes of a block that the window holds. */
static enum status unpack_from_window(struct table_iterator *self, uint32_t block,
                                      struct slice *raw_out) {
    const uint64_t *offsets = self->table->index.offsets + block;
    const struct block_place place = {self->table->number, offsets[0], BLOCK_DATA};
    struct slice stored = slice_make(self->window.data + (offsets[0] - self->window_offset),
                                     (size_t)(offsets[1] - offsets[0]));
    struct block_payload payload;
    uint8_t *raw;
    enum status status = table_frame_open(self->table, &place, stored, &payload, &self->base.error);

    if (status != STATUS_OK) {
        return status;
    }
    if (payload.storing == BLOCK_PLAIN) {
        *raw_out = payload.bytes;
        return STATUS_OK;
    }
    buffer_clear(&self->raw);
    status = buffer_extend(&self->raw, payload.raw_bytes, &raw);
    if (status == STATUS_OK) {
        status = table_unpack(self->table, &place, &payload, raw, &self->base.error);
    }
    *raw_out = buffer_slice(&self->raw);
    return status;
}

static enum status raw_sequential(struct table_iterator *self, uint32_t block,
                                  struct slice *raw_out) {
    enum status status = fill_window(self, block);
    return status == STATUS_OK ? unpack_from_window(self, block, raw_out) : status;
}

static enum status raw_cached(struct table_iterator *self, uint32_t block, struct slice *raw_out) {
    const struct block_request request = {
        .block = block,
        .wait = self->wait,
        .fill_cache = (self->flags & TABLE_ITERATOR_FILL_CACHE) != 0,
    };
    enum status status =
        table_block_pin(self->table, &request, &self->pinned, NULL, &self->base.error);

    if (status == STATUS_OK) {
        *raw_out = slice_make(self->pinned->data, self->pinned->len);
    }
    return status;
}

static enum status load(struct table_iterator *self, uint32_t number) {
    struct slice raw = {0};
    struct block block;
    enum status status;

    if (self->block == number) {
        return STATUS_OK;
    }
    unload(self);
    status = self->flags & TABLE_ITERATOR_SEQUENTIAL ? raw_sequential(self, number, &raw)
                                                     : raw_cached(self, number, &raw);
    if (status == STATUS_OK) {
        status = block_open(raw, &block);
        if (status == STATUS_CORRUPT) {
            return table_fail(self->table, status, self->table->index.offsets[number],
                              "block is not well formed", &self->base.error);
        }
    }
    if (status == STATUS_OK) {
        self->block = number;
        block_cursor_set(&self->cursor, &block);
    }
    return status;
}

/* What every move ends with: takes key and entry over, or stands nowhere. */
static enum status arrive(struct table_iterator *self, enum status status) {
    if (status == STATUS_OK) {
        self->base.key = buffer_slice(&self->cursor.key);
        self->base.entry = self->cursor.entry;
        return STATUS_OK;
    }
    if (status == STATUS_CORRUPT && self->block != BLOCK_NONE) {
        table_fail(self->table, status, self->table->index.offsets[self->block],
                   "block is not well formed", &self->base.error);
    }
    unload(self);
    self->base.key = (struct slice){0};
    self->base.entry = (struct slice){0};
    return status;
}

/* While the cursor has run off its block, goes on with the blocks behind. */
static enum status go_on_forward(struct table_iterator *self, enum status status) {
    while (status == STATUS_END && self->block + 1 < self->table->index.count) {
        status = load(self, self->block + 1);
        if (status == STATUS_OK) {
            status = block_cursor_first(&self->cursor);
        }
    }
    return arrive(self, status);
}

static enum status go_on_backward(struct table_iterator *self, enum status status) {
    while (status == STATUS_END && self->block > 0) {
        status = load(self, self->block - 1);
        if (status == STATUS_OK) {
            status = block_cursor_last(&self->cursor);
        }
    }
    return arrive(self, status);
}

static enum status iterator_seek_op(struct iterator *iter, struct slice ikey) {
    struct table_iterator *self = self_of(iter);
    uint32_t block = table_index_find(&self->table->index, ikey_row(ikey), ikey_version(ikey));
    enum status status = load(self, block);

    if (status == STATUS_OK) {
        status = block_cursor_seek(&self->cursor, ikey);
    }
    return go_on_forward(self, status);
}

static enum status iterator_seek_before_op(struct iterator *iter, struct slice ikey) {
    struct table_iterator *self = self_of(iter);
    uint32_t block = table_index_find(&self->table->index, ikey_row(ikey), ikey_version(ikey));
    enum status status = load(self, block);

    if (status == STATUS_OK) {
        status = block_cursor_seek_before(&self->cursor, ikey);
    }
    return go_on_backward(self, status);
}

static enum status iterator_first_op(struct iterator *iter) {
    struct table_iterator *self = self_of(iter);
    enum status status = load(self, 0);
    return go_on_forward(self, status == STATUS_OK ? block_cursor_first(&self->cursor) : status);
}

static enum status iterator_last_op(struct iterator *iter) {
    struct table_iterator *self = self_of(iter);
    enum status status = load(self, self->table->index.count - 1);
    return go_on_backward(self, status == STATUS_OK ? block_cursor_last(&self->cursor) : status);
}

static enum status iterator_next_op(struct iterator *iter) {
    struct table_iterator *self = self_of(iter);
    ASSERT(self->block != BLOCK_NONE);
    return go_on_forward(self, block_cursor_next(&self->cursor));
}

static enum status iterator_prev_op(struct iterator *iter) {
    struct table_iterator *self = self_of(iter);
    ASSERT(self->block != BLOCK_NONE);
    return go_on_backward(self, block_cursor_prev(&self->cursor));
}

static void iterator_destroy_op(struct iterator *iter) {
    struct table_iterator *self = self_of(iter);

    unload(self);
    block_cursor_deinit(&self->cursor);
    buffer_deinit(&self->window);
    buffer_deinit(&self->raw);
    memory_free(self);
}

static const struct iterator_ops table_iterator_ops = {
    .seek = iterator_seek_op,
    .seek_before = iterator_seek_before_op,
    .seek_first = iterator_first_op,
    .seek_last = iterator_last_op,
    .next = iterator_next_op,
    .prev = iterator_prev_op,
    .destroy = iterator_destroy_op,
};

enum status table_iterator_create(const struct table *table, enum read_wait wait, unsigned flags,
                                  struct iterator **iterator_out) {
    struct table_iterator *self = memory_alloc_zeroed(sizeof *self);

    ASSERT(!(flags & TABLE_ITERATOR_SEQUENTIAL) || wait == READ_WAIT_ALLOWED);
    if (!self) {
        return STATUS_NO_MEMORY;
    }
    self->base.ops = &table_iterator_ops;
    self->table = table;
    self->wait = wait;
    self->flags = flags;
    self->block = BLOCK_NONE;
    block_cursor_init(&self->cursor);
    buffer_init(&self->window, TABLE_READ_AHEAD_BYTES + BLOCK_RAW_BYTES_MAX + BLOCK_TRAILER_BYTES);
    buffer_init(&self->raw, BLOCK_RAW_BYTES_MAX);
    *iterator_out = &self->base;
    return STATUS_OK;
}
