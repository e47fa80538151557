/* batch.c: see batch.h. */
#include "storage/batch.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "protocol/base/memory.h"
#include "storage/format.h"

#include <stdlib.h>

#define FLAG_KIND_MASK 0x03u
#define FLAG_EXPIRY 0x04u
#define FLAG_USER_FLAGS 0x08u
#define FLAG_COMPRESSED 0x10u
#define FLAGS_KNOWN 0x1Fu

#define OP_FIXED_BYTES_MAX                                                                         \
    (1 + 3 * VARINT64_BYTES_MAX + 6 * VARINT32_BYTES_MAX + 8) /* all of an op but key and value */

void batch_init(struct batch *batch) {
    *batch = (struct batch){0};
    buffer_init(&batch->meta, COMMIT_BYTES_MAX);
    buffer_init(&batch->values, COMMIT_BYTES_MAX);
}

void batch_deinit(struct batch *batch) {
    buffer_deinit(&batch->meta);
    buffer_deinit(&batch->values);
    batch->op_count = 0;
}

void batch_clear(struct batch *batch) {
    buffer_clear(&batch->meta);
    buffer_clear(&batch->values);
    batch->op_count = 0;
    batch->finished = false;
}

static uint8_t *block_store(uint8_t *ptr, struct slice bytes) {
    ptr += varint_store(ptr, bytes.len);
    if (bytes.len > 0) {
        memcpy(ptr, bytes.ptr, bytes.len);
    }
    return ptr + bytes.len;
}

static uint8_t *op_store(uint8_t *ptr, const struct batch_op *op) {
    unsigned flags = (unsigned)op->kind;

    flags |= op->expiry_ms ? FLAG_EXPIRY : 0;
    flags |= op->user_flags ? FLAG_USER_FLAGS : 0;
    flags |= op->kind == ENTRY_REFERENCE && op->compressed ? FLAG_COMPRESSED : 0;
    *ptr++ = (uint8_t)flags;
    ptr += varint_store(ptr, op->namespace_id);
    ptr = block_store(ptr, op->key);
    if (op->expiry_ms) {
        ptr += varint_store(ptr, op->expiry_ms);
    }
    if (op->user_flags) {
        ptr += varint_store(ptr, op->user_flags);
    }
    if (op->kind == ENTRY_INLINE) {
        return block_store(ptr, op->value);
    }
    if (op->kind == ENTRY_REFERENCE) {
        ptr += varint_store(ptr, op->values_offset);
        ptr += varint_store(ptr, op->raw_bytes);
        if (op->compressed) {
            ptr += varint_store(ptr, op->stored_bytes);
        }
        store_u64(ptr, op->checksum);
        ptr += 8;
    }
    return ptr;
}

enum status batch_append(struct batch *batch, const struct batch_op *op, struct slice stored) {
    struct batch_op placed = *op;
    size_t room = OP_FIXED_BYTES_MAX + op->key.len;
    enum status status;

    ASSERT(op->key.len <= KEY_BYTES_MAX);
    if (batch->op_count == COMMIT_OPS_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (op->kind == ENTRY_TOMBSTONE) {
        placed.expiry_ms = 0;
        placed.user_flags = 0;
    }
    room += op->kind == ENTRY_INLINE ? op->value.len : 0;
    status = buffer_reserve(&batch->meta, room);
    if (status != STATUS_OK) {
        return status;
    }
    if (op->kind == ENTRY_REFERENCE) {
        ASSERT(stored.len <= op->raw_bytes);
        placed.values_offset = batch->values.len;
        placed.stored_bytes = (uint32_t)stored.len;
        status = buffer_append(&batch->values, stored.ptr, stored.len);
        if (status != STATUS_OK) {
            return status;
        }
    }
    batch->meta.len =
        (size_t)(op_store(batch->meta.data + batch->meta.len, &placed) - batch->meta.data);
    batch->op_count++;
    batch->finished = batch->op_count == 1;
    return STATUS_OK;
}

/* Where one encoded operation lies in meta, for sorting. */
struct op_place {
    struct slice key; /* borrowed from meta */
    uint32_t namespace_id;
    uint32_t start; /* offset in meta */
    uint32_t end;
    bool keep;
};

_Static_assert(COMMIT_BYTES_MAX <= UINT32_MAX, "offsets in meta fit 32 bits");

static int place_order(const void *left, const void *right) {
    const struct op_place *a = *(const struct op_place *const *)left;
    const struct op_place *b = *(const struct op_place *const *)right;
    int order;

    if (a->namespace_id != b->namespace_id) {
        return a->namespace_id < b->namespace_id ? -1 : 1;
    }
    order = slice_compare(a->key, b->key);
    return order ? order : (a->start > b->start) - (a->start < b->start);
}

static void places_collect(const struct batch *batch, struct op_place *places,
                           struct op_place **sorted) {
    struct reader reader = reader_make(buffer_slice(&batch->meta));

    for (uint32_t i = 0; i < batch->op_count; i++) {
        struct batch_op op;
        uint32_t start = (uint32_t)(reader.ptr - batch->meta.data);
        enum status status = batch_take(&reader, batch->values.len, &op);
        ASSERT(status == STATUS_OK); /* our own encoding */
        places[i] = (struct op_place){op.key, op.namespace_id, start,
                                      (uint32_t)(reader.ptr - batch->meta.data), true};
        sorted[i] = &places[i];
    }
}

enum status batch_finish(struct batch *batch) {
    struct op_place *places;
    struct op_place **sorted;
    size_t len = 0;
    uint32_t kept = 0;

    if (batch->finished || batch->op_count <= 1) {
        batch->finished = true;
        return STATUS_OK;
    }
    places = memory_alloc_array(batch->op_count, sizeof *places);
    sorted = memory_alloc_array(batch->op_count, sizeof *sorted);
    if (!places || !sorted) {
        memory_free(places);
        memory_free(sorted);
        return STATUS_NO_MEMORY;
    }
    places_collect(batch, places, sorted);
    qsort(sorted, batch->op_count, sizeof(struct op_place *), place_order);
    for (uint32_t i = 0; i + 1 < batch->op_count; i++) {
        sorted[i]->keep = sorted[i]->namespace_id != sorted[i + 1]->namespace_id ||
                          !slice_equal(sorted[i]->key, sorted[i + 1]->key);
    }
    for (uint32_t i = 0; i < batch->op_count; i++) {
        if (places[i].keep) {
            size_t op_len = places[i].end - places[i].start;
            memmove(batch->meta.data + len, batch->meta.data + places[i].start, op_len);
            len += op_len;
            kept++;
        }
    }
    batch->meta.len = len;
    batch->op_count = kept;
    batch->finished = true;
    memory_free(places);
    memory_free(sorted);
    return STATUS_OK;
}

static bool reference_take(struct reader *meta, struct batch_op *op) {
    if (!reader_take_varint(meta, &op->values_offset) ||
        !reader_take_varint32(meta, &op->raw_bytes)) {
        return false;
    }
    op->stored_bytes = op->raw_bytes;
    if (op->compressed && !reader_take_varint32(meta, &op->stored_bytes)) {
        return false;
    }
    return op->stored_bytes <= op->raw_bytes && reader_take_u64(meta, &op->checksum);
}

static bool op_take(struct reader *meta, struct batch_op *op) {
    uint8_t flags;

    if (!reader_take_u8(meta, &flags) || (flags & ~FLAGS_KNOWN) ||
        (flags & FLAG_KIND_MASK) > ENTRY_REFERENCE ||
        !reader_take_varint32(meta, &op->namespace_id) || !reader_take_block(meta, &op->key) ||
        op->key.len > KEY_BYTES_MAX) {
        return false;
    }
    op->kind = (enum entry_kind)(flags & FLAG_KIND_MASK);
    op->compressed = (flags & FLAG_COMPRESSED) != 0;
    if (op->compressed && op->kind != ENTRY_REFERENCE) {
        return false;
    }
    if ((flags & FLAG_EXPIRY) && !reader_take_varint(meta, &op->expiry_ms)) {
        return false;
    }
    if ((flags & FLAG_USER_FLAGS) && !reader_take_varint32(meta, &op->user_flags)) {
        return false;
    }
    if (op->kind == ENTRY_INLINE) {
        return reader_take_block(meta, &op->value);
    }
    return op->kind == ENTRY_TOMBSTONE || reference_take(meta, op);
}

enum status batch_take(struct reader *meta, uint64_t values_bytes, struct batch_op *op_out) {
    struct batch_op op = {0};

    if (reader_left(meta) == 0) {
        return STATUS_END;
    }
    if (!op_take(meta, &op)) {
        return STATUS_CORRUPT;
    }
    if (op.kind == ENTRY_REFERENCE &&
        (op.values_offset > values_bytes || op.stored_bytes > values_bytes - op.values_offset)) {
        return STATUS_CORRUPT;
    }
    *op_out = op;
    return STATUS_OK;
}
