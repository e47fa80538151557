/* batch.c: see batch.h. */
#include "storage/batch.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "storage/format.h"

#define FLAG_KIND_MASK 0x03u
#define FLAG_EXPIRY 0x04u
#define FLAG_USER_FLAGS 0x08u
#define FLAG_COMPRESSED 0x10u
#define FLAG_ALIAS 0x20u
#define FLAG_EXTENT 0x80u
#define FLAGS_KNOWN 0xBFu

#define OP_FIXED_BYTES_MAX                                                                         \
    (1 + 4 * VARINT64_BYTES_MAX + 6 * VARINT32_BYTES_MAX + 8) /* all of an op but its blocks */

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
    batch->refers_elsewhere = false;
}

/* ---- encoding ---- */

static uint8_t *block_store(uint8_t *ptr, struct slice bytes) {
    ptr += varint_store(ptr, bytes.len);
    if (bytes.len > 0) {
        memcpy(ptr, bytes.ptr, bytes.len);
    }
    return ptr + bytes.len;
}

static uint8_t *reference_store(uint8_t *ptr, const struct batch_op *op) {
    if (op->alias) {
        ptr += varint_store(ptr, op->segment);
    }
    ptr += varint_store(ptr, op->alias ? op->offset : op->values_offset);
    ptr += varint_store(ptr, op->raw_bytes);
    if (op->compressed || op->extent) {
        ptr += varint_store(ptr, op->stored_bytes);
    }
    store_u64(ptr, op->checksum);
    return ptr + 8;
}

static uint8_t *large_store(uint8_t *ptr, const struct batch_op *op) {
    ptr += varint_store(ptr, op->large_bytes);
    store_u64(ptr, op->large_checksum);
    ptr += 8;
    ptr += varint_store(ptr, op->extent_count);
    return block_store(ptr, op->extents);
}

static uint8_t flags_of(const struct batch_op *op) {
    unsigned flags = (unsigned)op->kind;

    flags |= op->expiry_ms ? FLAG_EXPIRY : 0;
    flags |= op->user_flags ? FLAG_USER_FLAGS : 0;
    flags |= op->compressed ? FLAG_COMPRESSED : 0;
    flags |= op->alias ? FLAG_ALIAS : 0;
    flags |= op->extent ? FLAG_EXTENT : 0;
    return (uint8_t)flags;
}

static uint8_t *op_store(uint8_t *ptr, const struct batch_op *op) {
    *ptr++ = flags_of(op);
    ptr += varint_store(ptr, op->namespace_id);
    ptr = block_store(ptr, op->key);
    if (op->expiry_ms) {
        ptr += varint_store(ptr, op->expiry_ms);
    }
    if (op->user_flags) {
        ptr += varint_store(ptr, op->user_flags);
    }
    if (op->alias) {
        ptr += varint_store(ptr, op->record_version);
    }
    switch (op->kind) {
    case ENTRY_INLINE:
        return block_store(ptr, op->value);
    case ENTRY_REFERENCE:
        return reference_store(ptr, op);
    case ENTRY_LARGE:
        return large_store(ptr, op);
    case ENTRY_TOMBSTONE:
        break;
    }
    return ptr;
}

/* Clears what has no meaning for the kind, so that no flag of it is written. */
static struct batch_op normal_form(const struct batch_op *op) {
    struct batch_op normal = *op;

    if (op->kind == ENTRY_TOMBSTONE) {
        normal.expiry_ms = 0;
        normal.user_flags = 0;
    }
    if (op->kind != ENTRY_REFERENCE) {
        normal.compressed = false;
        normal.extent = false;
    }
    if (op->kind != ENTRY_REFERENCE && op->kind != ENTRY_LARGE) {
        normal.alias = false;
    }
    return normal;
}

/* Bytes of the blocks of the operation. */
static size_t blocks_bytes(const struct batch_op *op) {
    return op->key.len + (op->kind == ENTRY_INLINE ? op->value.len : 0) +
           (op->kind == ENTRY_LARGE ? op->extents.len : 0);
}

static enum status append_stored(struct batch *batch, struct batch_op *op, struct slice stored) {
    ASSERT(op->extent || stored.len <= op->raw_bytes);
    ASSERT(!op->extent || stored.len <= EXTENT_STORED_BYTES_MAX);
    op->values_offset = batch->values.len;
    op->stored_bytes = (uint32_t)stored.len;
    return buffer_append(&batch->values, stored.ptr, stored.len);
}

/* `placed` in normal form; if its stored bytes are to be copied, they are `stored`. */
static enum status append(struct batch *batch, struct batch_op *placed,
                          const struct slice *stored) {
    enum status status;

    ASSERT(placed->key.len <= KEY_BYTES_MAX);
    ASSERT(!placed->extent || (!placed->alias && !placed->compressed));
    if (batch->op_count == COMMIT_OPS_MAX) {
        return STATUS_TOO_LARGE;
    }
    status = buffer_reserve(&batch->meta, OP_FIXED_BYTES_MAX + blocks_bytes(placed));
    if (status == STATUS_OK && stored && batch_op_has_value(placed)) {
        status = append_stored(batch, placed, *stored);
    }
    if (status != STATUS_OK) {
        return status;
    }
    batch->meta.len =
        (size_t)(op_store(batch->meta.data + batch->meta.len, placed) - batch->meta.data);
    batch->op_count++;
    batch->finished = batch->op_count == 1;
    batch->refers_elsewhere |= placed->alias || placed->kind == ENTRY_LARGE;
    return STATUS_OK;
}

enum status batch_append(struct batch *batch, const struct batch_op *op, struct slice stored) {
    struct batch_op placed = normal_form(op);

    return append(batch, &placed, &stored);
}

enum status batch_append_placed(struct batch *batch, const struct batch_op *op) {
    struct batch_op placed = normal_form(op);

    ASSERT(batch_op_has_value(op));
    return append(batch, &placed, NULL);
}

/* ---- decoding ---- */

static bool reference_take(struct reader *meta, struct batch_op *op) {
    if ((op->alias && !reader_take_varint(meta, &op->segment)) ||
        !reader_take_varint(meta, op->alias ? &op->offset : &op->values_offset) ||
        !reader_take_varint32(meta, &op->raw_bytes)) {
        return false;
    }
    op->stored_bytes = op->raw_bytes;
    if ((op->compressed || op->extent) && !reader_take_varint32(meta, &op->stored_bytes)) {
        return false;
    }
    return op->stored_bytes <= (op->extent ? EXTENT_STORED_BYTES_MAX : op->raw_bytes) &&
           reader_take_u64(meta, &op->checksum);
}

static bool large_take(struct reader *meta, struct batch_op *op) {
    return reader_take_varint(meta, &op->large_bytes) &&
           reader_take_u64(meta, &op->large_checksum) &&
           reader_take_varint32(meta, &op->extent_count) && reader_take_block(meta, &op->extents) &&
           entry_extents_are_valid(op->extents, op->extent_count, op->large_bytes);
}

static bool flags_are_valid(unsigned flags) {
    unsigned kind = flags & FLAG_KIND_MASK;

    if (flags & ~FLAGS_KNOWN) {
        return false;
    }
    if ((flags & FLAG_EXTENT) && (flags & (FLAG_ALIAS | FLAG_COMPRESSED))) {
        return false;
    }
    if (kind == ENTRY_LARGE) {
        return !(flags & (FLAG_COMPRESSED | FLAG_EXTENT));
    }
    return kind == ENTRY_REFERENCE || !(flags & (FLAG_COMPRESSED | FLAG_EXTENT | FLAG_ALIAS));
}

/* All before what depends on the kind. */
static bool head_take(struct reader *meta, struct batch_op *op) {
    uint8_t flags;

    if (!reader_take_u8(meta, &flags) || !flags_are_valid(flags) ||
        !reader_take_varint32(meta, &op->namespace_id) || !reader_take_block(meta, &op->key) ||
        op->key.len > KEY_BYTES_MAX) {
        return false;
    }
    op->kind = (enum entry_kind)(flags & FLAG_KIND_MASK);
    op->compressed = (flags & FLAG_COMPRESSED) != 0;
    op->extent = (flags & FLAG_EXTENT) != 0;
    op->alias = (flags & FLAG_ALIAS) != 0;
    return (!(flags & FLAG_EXPIRY) || reader_take_varint(meta, &op->expiry_ms)) &&
           (!(flags & FLAG_USER_FLAGS) || reader_take_varint32(meta, &op->user_flags)) &&
           (!op->alias || reader_take_varint(meta, &op->record_version));
}

static bool op_take(struct reader *meta, struct batch_op *op) {
    if (!head_take(meta, op)) {
        return false;
    }
    switch (op->kind) {
    case ENTRY_INLINE:
        return reader_take_block(meta, &op->value);
    case ENTRY_REFERENCE:
        return reference_take(meta, op);
    case ENTRY_LARGE:
        return large_take(meta, op);
    case ENTRY_TOMBSTONE:
        break;
    }
    return true;
}

enum status batch_take(struct reader *meta, uint64_t values_bytes, struct batch_op *op_out) {
    struct batch_op op = {0};

    if (reader_left(meta) == 0) {
        return STATUS_END;
    }
    if (!op_take(meta, &op)) {
        return STATUS_CORRUPT;
    }
    if (batch_op_has_value(&op) &&
        (op.values_offset > values_bytes || op.stored_bytes > values_bytes - op.values_offset)) {
        return STATUS_CORRUPT;
    }
    *op_out = op;
    return STATUS_OK;
}

struct entry batch_op_entry(const struct batch_op *op, uint64_t segment, uint64_t values_offset,
                            enum durability durability) {
    struct entry entry = {.kind = op->kind,
                          .durability = durability,
                          .expiry_ms = op->expiry_ms,
                          .user_flags = op->user_flags,
                          .alias = op->alias,
                          .record_version = op->record_version,
                          .value = op->value,
                          .large_bytes = op->large_bytes,
                          .large_checksum = op->large_checksum,
                          .extent_count = op->extent_count,
                          .extents = op->extents};

    ASSERT(!op->extent);
    if (op->kind == ENTRY_REFERENCE) {
        entry.ref =
            (struct value_ref){.segment = op->alias ? op->segment : segment,
                               .offset = op->alias ? op->offset : values_offset + op->values_offset,
                               .raw_bytes = op->raw_bytes,
                               .stored_bytes = op->stored_bytes,
                               .checksum = op->checksum,
                               .compressed = op->compressed};
    }
    return entry;
}
