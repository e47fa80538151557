/* entry.c: see entry.h. */
#include "storage/entry.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"

#define FLAG_KIND_MASK 0x03u
#define FLAG_EXPIRY 0x04u
#define FLAG_USER_FLAGS 0x08u
#define FLAG_COMPRESSED 0x10u
#define FLAG_ALIAS 0x20u
#define FLAG_DURABILITY_SHIFT 6

static size_t reference_bytes(const struct value_ref *ref) {
    return varint_bytes(ref->segment) + varint_bytes(ref->offset) + varint_bytes(ref->raw_bytes) +
           (ref->compressed ? varint_bytes(ref->stored_bytes) : 0) + 8;
}

size_t entry_bytes(const struct entry *entry) {
    size_t bytes = 1;

    bytes += entry->expiry_ms ? varint_bytes(entry->expiry_ms) : 0;
    bytes += entry->user_flags ? varint_bytes(entry->user_flags) : 0;
    if (entry->kind == ENTRY_INLINE) {
        bytes += entry->value.len;
    } else if (entry->kind == ENTRY_REFERENCE) {
        bytes += reference_bytes(&entry->ref);
    }
    return bytes;
}

static uint8_t *reference_store(uint8_t *ptr, const struct value_ref *ref) {
    ASSERT(ref->compressed || ref->stored_bytes == ref->raw_bytes);
    ptr += varint_store(ptr, ref->segment);
    ptr += varint_store(ptr, ref->offset);
    ptr += varint_store(ptr, ref->raw_bytes);
    if (ref->compressed) {
        ptr += varint_store(ptr, ref->stored_bytes);
    }
    store_u64(ptr, ref->checksum);
    return ptr + 8;
}

size_t entry_store(uint8_t *ptr, const struct entry *entry) {
    uint8_t *start = ptr;
    unsigned flags = (unsigned)entry->kind | (unsigned)entry->durability << FLAG_DURABILITY_SHIFT;

    flags |= entry->expiry_ms ? FLAG_EXPIRY : 0;
    flags |= entry->user_flags ? FLAG_USER_FLAGS : 0;
    flags |= entry->kind == ENTRY_REFERENCE && entry->ref.compressed ? FLAG_COMPRESSED : 0;
    *ptr++ = (uint8_t)flags;
    if (entry->expiry_ms) {
        ptr += varint_store(ptr, entry->expiry_ms);
    }
    if (entry->user_flags) {
        ptr += varint_store(ptr, entry->user_flags);
    }
    if (entry->kind == ENTRY_INLINE && entry->value.len > 0) {
        memcpy(ptr, entry->value.ptr, entry->value.len);
        ptr += entry->value.len;
    } else if (entry->kind == ENTRY_REFERENCE) {
        ptr = reference_store(ptr, &entry->ref);
    }
    return (size_t)(ptr - start);
}

static bool reference_load(struct reader *reader, bool compressed, struct value_ref *ref) {
    ref->compressed = compressed;
    if (!reader_take_varint(reader, &ref->segment) || !reader_take_varint(reader, &ref->offset) ||
        !reader_take_varint32(reader, &ref->raw_bytes)) {
        return false;
    }
    ref->stored_bytes = ref->raw_bytes;
    if (compressed && !reader_take_varint32(reader, &ref->stored_bytes)) {
        return false;
    }
    return reader_take_u64(reader, &ref->checksum) && ref->stored_bytes <= ref->raw_bytes;
}

enum status entry_load(struct slice bytes, struct entry *entry_out) {
    struct reader reader = reader_make(bytes);
    struct entry entry = {0};
    uint8_t flags;

    if (!reader_take_u8(&reader, &flags) || (flags & FLAG_ALIAS) ||
        (flags & FLAG_KIND_MASK) > ENTRY_REFERENCE ||
        flags >> FLAG_DURABILITY_SHIFT > DURABILITY_SYNCED) {
        return STATUS_CORRUPT;
    }
    entry.kind = (enum entry_kind)(flags & FLAG_KIND_MASK);
    entry.durability = (enum durability)(flags >> FLAG_DURABILITY_SHIFT);
    if ((flags & FLAG_COMPRESSED) && entry.kind != ENTRY_REFERENCE) {
        return STATUS_CORRUPT;
    }
    if ((flags & FLAG_EXPIRY) && !reader_take_varint(&reader, &entry.expiry_ms)) {
        return STATUS_CORRUPT;
    }
    if ((flags & FLAG_USER_FLAGS) && !reader_take_varint32(&reader, &entry.user_flags)) {
        return STATUS_CORRUPT;
    }
    if (entry.kind == ENTRY_INLINE) {
        entry.value = slice_make(reader.ptr, reader_left(&reader));
        reader.ptr = reader.end;
    } else if (entry.kind == ENTRY_REFERENCE &&
               !reference_load(&reader, flags & FLAG_COMPRESSED, &entry.ref)) {
        return STATUS_CORRUPT;
    }
    if (reader_left(&reader) != 0) {
        return STATUS_CORRUPT;
    }
    *entry_out = entry;
    return STATUS_OK;
}
