/* entry.c: see entry.h. */
#include "storage/entry.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "storage/format.h"

#define FLAG_KIND_MASK 0x03u
#define FLAG_EXPIRY 0x04u
#define FLAG_USER_FLAGS 0x08u
#define FLAG_COMPRESSED 0x10u
#define FLAG_ALIAS 0x20u
#define FLAG_DURABILITY_SHIFT 6

#define EXTENT_BYTES_MIN 12 /* four varints and a checksum */

/* ---- extents ---- */

static uint8_t *extent_store(uint8_t *ptr, const struct value_ref *extent) {
    ptr += varint_store(ptr, extent->segment);
    ptr += varint_store(ptr, extent->offset);
    ptr += varint_store(ptr, extent->raw_bytes);
    ptr += varint_store(ptr, extent->stored_bytes);
    store_u64(ptr, extent->checksum);
    return ptr + 8;
}

enum status entry_extent_append(struct buffer *extents, const struct value_ref *extent) {
    uint8_t bytes[ENTRY_EXTENT_BYTES_MAX];

    ASSERT(extent->raw_bytes > 0);
    ASSERT(extent->raw_bytes <= EXTENT_RAW_BYTES_MAX);
    return buffer_append(extents, bytes, (size_t)(extent_store(bytes, extent) - bytes));
}

bool entry_extent_next(struct slice *rest, struct value_ref *extent_out) {
    struct value_ref extent = {0};
    struct reader reader;

    if (rest->len == 0) { /* and perhaps without a pointer */
        return false;
    }
    reader = reader_make(*rest);
    if (!reader_take_varint(&reader, &extent.segment) ||
        !reader_take_varint(&reader, &extent.offset) ||
        !reader_take_varint32(&reader, &extent.raw_bytes) ||
        !reader_take_varint32(&reader, &extent.stored_bytes) ||
        !reader_take_u64(&reader, &extent.checksum) || extent.raw_bytes == 0 ||
        extent.raw_bytes > EXTENT_RAW_BYTES_MAX || extent.stored_bytes > EXTENT_STORED_BYTES_MAX) {
        return false;
    }
    *rest = slice_make(reader.ptr, reader_left(&reader));
    *extent_out = extent;
    return true;
}

bool entry_extents_are_valid(struct slice extents, uint32_t count, uint64_t large_bytes) {
    struct value_ref extent;
    uint64_t bytes = 0;

    if (count == 0 || count > extents.len / EXTENT_BYTES_MIN || count > LARGE_EXTENTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!entry_extent_next(&extents, &extent)) {
            return false;
        }
        bytes += extent.raw_bytes;
    }
    return extents.len == 0 && bytes == large_bytes;
}

/* ---- figures ---- */

uint64_t entry_value_bytes(const struct entry *entry) {
    switch (entry->kind) {
    case ENTRY_INLINE:
        return entry->value.len;
    case ENTRY_REFERENCE:
        return entry->ref.raw_bytes;
    case ENTRY_LARGE:
        return entry->large_bytes;
    case ENTRY_TOMBSTONE:
        break;
    }
    return 0;
}

uint64_t entry_log_bytes(const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;
    uint64_t bytes = 0;

    while (entry_refs_next(&refs, &ref)) {
        bytes += ref.stored_bytes;
    }
    return bytes;
}

/* ---- encoding ---- */

static size_t reference_bytes(const struct value_ref *ref) {
    return varint_bytes(ref->segment) + varint_bytes(ref->offset) + varint_bytes(ref->raw_bytes) +
           (ref->compressed ? varint_bytes(ref->stored_bytes) : 0) + 8;
}

static bool has_records(const struct entry *entry) {
    return entry->kind == ENTRY_REFERENCE || entry->kind == ENTRY_LARGE;
}

size_t entry_bytes(const struct entry *entry) {
    size_t bytes = 1;

    bytes += entry->expiry_ms ? varint_bytes(entry->expiry_ms) : 0;
    bytes += entry->user_flags ? varint_bytes(entry->user_flags) : 0;
    bytes += has_records(entry) && entry->alias ? varint_bytes(entry->record_version) : 0;
    if (entry->kind == ENTRY_INLINE) {
        bytes += entry->value.len;
    } else if (entry->kind == ENTRY_REFERENCE) {
        bytes += reference_bytes(&entry->ref);
    } else if (entry->kind == ENTRY_LARGE) {
        bytes += varint_bytes(entry->large_bytes) + 8 + varint_bytes(entry->extent_count) +
                 entry->extents.len;
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

static uint8_t *large_store(uint8_t *ptr, const struct entry *entry) {
    ASSERT(entry->extents.len > 0);
    ptr += varint_store(ptr, entry->large_bytes);
    store_u64(ptr, entry->large_checksum);
    ptr += 8;
    ptr += varint_store(ptr, entry->extent_count);
    memcpy(ptr, entry->extents.ptr, entry->extents.len);
    return ptr + entry->extents.len;
}

static uint8_t flags_of(const struct entry *entry) {
    unsigned flags = (unsigned)entry->kind | (unsigned)entry->durability << FLAG_DURABILITY_SHIFT;

    flags |= entry->expiry_ms ? FLAG_EXPIRY : 0;
    flags |= entry->user_flags ? FLAG_USER_FLAGS : 0;
    flags |= entry->kind == ENTRY_REFERENCE && entry->ref.compressed ? FLAG_COMPRESSED : 0;
    flags |= has_records(entry) && entry->alias ? FLAG_ALIAS : 0;
    return (uint8_t)flags;
}

size_t entry_store(uint8_t *ptr, const struct entry *entry) {
    uint8_t *start = ptr;
    uint8_t flags = flags_of(entry);

    *ptr++ = flags;
    if (entry->expiry_ms) {
        ptr += varint_store(ptr, entry->expiry_ms);
    }
    if (entry->user_flags) {
        ptr += varint_store(ptr, entry->user_flags);
    }
    if (flags & FLAG_ALIAS) {
        ptr += varint_store(ptr, entry->record_version);
    }
    if (entry->kind == ENTRY_INLINE && entry->value.len > 0) {
        memcpy(ptr, entry->value.ptr, entry->value.len);
        ptr += entry->value.len;
    } else if (entry->kind == ENTRY_REFERENCE) {
        ptr = reference_store(ptr, &entry->ref);
    } else if (entry->kind == ENTRY_LARGE) {
        ptr = large_store(ptr, entry);
    }
    return (size_t)(ptr - start);
}

/* ---- decoding ---- */

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

static bool large_load(struct reader *reader, struct entry *entry) {
    if (!reader_take_varint(reader, &entry->large_bytes) ||
        !reader_take_u64(reader, &entry->large_checksum) ||
        !reader_take_varint32(reader, &entry->extent_count)) {
        return false;
    }
    entry->extents = slice_make(reader->ptr, reader_left(reader));
    reader->ptr = reader->end;
    return entry_extents_are_valid(entry->extents, entry->extent_count, entry->large_bytes);
}

static bool flags_are_valid(unsigned flags) {
    unsigned kind = flags & FLAG_KIND_MASK;

    return flags >> FLAG_DURABILITY_SHIFT <= DURABILITY_SYNCED &&
           (!(flags & FLAG_COMPRESSED) || kind == ENTRY_REFERENCE) &&
           (!(flags & FLAG_ALIAS) || kind == ENTRY_REFERENCE || kind == ENTRY_LARGE);
}

static bool head_load(struct reader *reader, struct entry *entry, uint8_t *flags_out) {
    uint8_t flags;

    if (!reader_take_u8(reader, &flags) || !flags_are_valid(flags)) {
        return false;
    }
    entry->kind = (enum entry_kind)(flags & FLAG_KIND_MASK);
    entry->durability = (enum durability)(flags >> FLAG_DURABILITY_SHIFT);
    entry->alias = (flags & FLAG_ALIAS) != 0;
    *flags_out = flags;
    return (!(flags & FLAG_EXPIRY) || reader_take_varint(reader, &entry->expiry_ms)) &&
           (!(flags & FLAG_USER_FLAGS) || reader_take_varint32(reader, &entry->user_flags)) &&
           (!entry->alias || reader_take_varint(reader, &entry->record_version));
}

enum status entry_load(struct slice bytes, struct entry *entry_out) {
    struct reader reader = reader_make(bytes);
    struct entry entry = {0};
    uint8_t flags;
    bool good = head_load(&reader, &entry, &flags);

    if (good && entry.kind == ENTRY_INLINE) {
        entry.value = slice_make(reader.ptr, reader_left(&reader));
        reader.ptr = reader.end;
    } else if (good && entry.kind == ENTRY_REFERENCE) {
        good = reference_load(&reader, flags & FLAG_COMPRESSED, &entry.ref);
    } else if (good && entry.kind == ENTRY_LARGE) {
        good = large_load(&reader, &entry);
    }
    if (!good || reader_left(&reader) != 0) {
        return STATUS_CORRUPT;
    }
    *entry_out = entry;
    return STATUS_OK;
}
