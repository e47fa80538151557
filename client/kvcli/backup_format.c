/* backup_format.c: see backup_format.h. xxhash is compiled in. */
#include "client/kvcli/backup_format.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAGIC UINT64_C(0x3150554244564B89) /* the bytes 89 "KVDBUP1" */
#define FEATURE_MARKS_NEW UINT64_C(1)
#define FEATURES_KNOWN FEATURE_MARKS_NEW
#define HEADER_FIXED_BYTES 60u /* up to the source */
#define HASH_ALIGNMENT 64u

#define ENTRY_DELETED 1u
#define ENTRY_EXPIRES 2u
#define ENTRY_USER_FLAGS 4u
#define ENTRY_LONG 8u
#define ENTRY_FLAGS_ALL 15u

struct backup_hash {
    XXH3_state_t state;
};

uint64_t backup_checksum(struct slice bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

uint64_t backup_digest(uint64_t digest, uint64_t checksum) {
    uint8_t bytes[8];

    store_u64(bytes, checksum);
    return backup_checksum(slice_make(bytes, sizeof bytes), digest);
}

struct backup_hash *backup_hash_create(void) {
    struct backup_hash *hash = memory_alloc_aligned(HASH_ALIGNMENT, sizeof *hash);

    if (hash) {
        XXH3_INITSTATE(&hash->state);
        backup_hash_reset(hash);
    }
    return hash;
}

void backup_hash_destroy(struct backup_hash *hash) {
    memory_free(hash);
}

void backup_hash_reset(struct backup_hash *hash) {
    XXH3_64bits_reset(&hash->state);
}

void backup_hash_add(struct backup_hash *hash, struct slice bytes) {
    XXH3_64bits_update(&hash->state, bytes.ptr, bytes.len);
}

uint64_t backup_hash_value(const struct backup_hash *hash) {
    return XXH3_64bits_digest(&hash->state);
}

/* --- the header ---
 *
 * magic u64, format u32, bytes of the header u32, features u64, version u64, since u64, time u64,
 * created u64, whole u8, 3 bytes 0, length of the source u8 and it, 0s, checksum u64 */

enum status backup_header_append(struct buffer *buffer, const struct backup_header *header,
                                 uint64_t *seed_out) {
    size_t source_len = strnlen(header->source, sizeof header->source - 1);
    size_t length = HEADER_FIXED_BYTES + 1 + source_len + 8;
    uint8_t *bytes;
    enum status status;

    ASSERT(header->since != 0 || !header->marks_new);
    length = length < BACKUP_HEADER_BYTES_MIN ? BACKUP_HEADER_BYTES_MIN : length;
    status = buffer_extend(buffer, length, &bytes);
    if (status != STATUS_OK) {
        return status;
    }
    memset(bytes, 0, length);
    store_u64(bytes, MAGIC);
    store_u32(bytes + 8, BACKUP_FORMAT_VERSION);
    store_u32(bytes + 12, (uint32_t)length);
    store_u64(bytes + 16, header->marks_new ? FEATURE_MARKS_NEW : 0);
    store_u64(bytes + 24, header->version);
    store_u64(bytes + 32, header->since);
    store_u64(bytes + 40, header->time_ms);
    store_u64(bytes + 48, header->created_ms);
    bytes[56] = header->whole;
    bytes[HEADER_FIXED_BYTES] = (uint8_t)source_len;
    memcpy(bytes + HEADER_FIXED_BYTES + 1, header->source, source_len);
    *seed_out = backup_checksum(slice_make(bytes, length - 8), 0);
    store_u64(bytes + length - 8, *seed_out);
    return STATUS_OK;
}

enum status backup_header_length(struct slice bytes, size_t *length_out) {
    uint32_t length;

    ASSERT(bytes.len >= BACKUP_HEADER_BYTES_MIN);
    if (load_u64(bytes.ptr) != MAGIC) {
        return STATUS_CORRUPT;
    }
    if (load_u32(bytes.ptr + 8) != BACKUP_FORMAT_VERSION) {
        return STATUS_UNSUPPORTED;
    }
    length = load_u32(bytes.ptr + 12);
    if (length < BACKUP_HEADER_BYTES_MIN || length > BACKUP_HEADER_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    *length_out = length;
    return STATUS_OK;
}

enum status backup_header_take(struct slice bytes, struct backup_header *header_out,
                               uint64_t *seed_out) {
    const uint8_t *at = bytes.ptr;
    size_t length = 0;
    size_t source_len;
    enum status status;

    if (bytes.len < BACKUP_HEADER_BYTES_MIN) {
        return STATUS_CORRUPT;
    }
    status = backup_header_length(bytes, &length);
    if (status != STATUS_OK) {
        return status;
    }
    source_len = at[HEADER_FIXED_BYTES];
    if (length != bytes.len || HEADER_FIXED_BYTES + 1 + source_len + 8 > length ||
        backup_checksum(slice_make(at, length - 8), 0) != load_u64(at + length - 8)) {
        return STATUS_CORRUPT;
    }
    if ((load_u64(at + 16) & ~FEATURES_KNOWN) != 0) {
        return STATUS_UNSUPPORTED;
    }
    *header_out = (struct backup_header){
        .version = load_u64(at + 24),
        .since = load_u64(at + 32),
        .time_ms = load_u64(at + 40),
        .created_ms = load_u64(at + 48),
        .whole = at[56] != 0,
        .marks_new = (load_u64(at + 16) & FEATURE_MARKS_NEW) != 0,
    };
    if (header_out->marks_new && header_out->since == 0) {
        return STATUS_CORRUPT;
    }
    memcpy(header_out->source, at + HEADER_FIXED_BYTES + 1, source_len);
    *seed_out = load_u64(at + length - 8);
    return STATUS_OK;
}

/* --- in front of each block --- */

void backup_head_store(uint8_t *bytes, const struct backup_block_head *head) {
    memset(bytes, 0, BACKUP_BLOCK_HEAD_BYTES);
    bytes[0] = (uint8_t)head->kind;
    bytes[1] = head->compressed;
    store_u32(bytes + 4, head->stored_bytes);
    store_u32(bytes + 8, head->raw_bytes);
    store_u64(bytes + 16, head->number);
    store_u64(bytes + 24, head->offset);
    store_u64(bytes + 32, head->checksum);
}

enum status backup_head_take(const uint8_t *bytes, struct backup_block_head *head_out) {
    uint32_t stored = load_u32(bytes + 4);
    uint32_t raw = load_u32(bytes + 8);

    if (bytes[0] < BACKUP_SPACE || bytes[0] > BACKUP_END || bytes[1] > 1 ||
        load_u16(bytes + 2) != 0 || load_u32(bytes + 12) != 0 || raw > BACKUP_BLOCK_BYTES_MAX ||
        (bytes[1] ? stored >= raw : stored != raw)) {
        return STATUS_CORRUPT;
    }
    *head_out = (struct backup_block_head){
        .kind = (enum backup_kind)bytes[0],
        .compressed = bytes[1] != 0,
        .stored_bytes = stored,
        .raw_bytes = raw,
        .number = load_u64(bytes + 16),
        .offset = load_u64(bytes + 24),
        .checksum = load_u64(bytes + 32),
    };
    return STATUS_OK;
}

uint64_t backup_head_checksum(const uint8_t *head, struct slice stored, uint64_t seed) {
    uint64_t of_head = backup_checksum(slice_make(head, BACKUP_BLOCK_HEAD_BYTES - 8), seed);

    return backup_checksum(stored, of_head);
}

/* --- a namespace: id u32, quota u64, keep u64, versions u32, flags u8 if marked, rest: its name
 * --- */

#define SPACE_FIXED_BYTES 24u
#define SPACE_NEW 0x01u

enum status backup_space_append(struct buffer *buffer, const struct backup_space *space,
                                bool marked) {
    size_t name_len = strnlen(space->name, BACKUP_NAME_BYTES_MAX);
    size_t fixed = SPACE_FIXED_BYTES + marked;
    uint8_t *bytes;
    enum status status = buffer_extend(buffer, fixed + name_len, &bytes);

    ASSERT(marked || !space->is_new);

    if (status == STATUS_OK) {
        store_u32(bytes, space->id);
        store_u64(bytes + 4, space->settings.quota_bytes);
        store_u64(bytes + 12, space->settings.keep_ms);
        store_u32(bytes + 20, space->settings.keep_versions);
        if (marked) {
            bytes[SPACE_FIXED_BYTES] = space->is_new ? SPACE_NEW : 0;
        }
        memcpy(bytes + fixed, space->name, name_len);
    }
    return status;
}

enum status backup_space_take(struct slice content, bool marked, struct backup_space *space_out) {
    size_t fixed = SPACE_FIXED_BYTES + marked;
    size_t name_len = content.len - fixed;

    if (content.len < fixed || name_len > BACKUP_NAME_BYTES_MAX ||
        memchr(content.ptr + fixed, 0, name_len) ||
        (marked && content.ptr[SPACE_FIXED_BYTES] > SPACE_NEW)) {
        return STATUS_CORRUPT;
    }
    *space_out = (struct backup_space){
        .id = load_u32(content.ptr),
        .settings = {.quota_bytes = load_u64(content.ptr + 4),
                     .keep_ms = load_u64(content.ptr + 12),
                     .keep_versions = load_u32(content.ptr + 20)},
    };
    space_out->is_new = marked && content.ptr[SPACE_FIXED_BYTES] == SPACE_NEW;
    memcpy(space_out->name, content.ptr + fixed, name_len);
    return STATUS_OK;
}

/* --- an entry: flags u8, key block, and unless deleted: version varint, expiry varint if there is
 * one, user flags varint if there are, length varint, and unless long: checksum u64, value --- */

static uint8_t entry_flags(const struct backup_entry *entry) {
    uint8_t flags = 0;

    if (entry->deleted) {
        return ENTRY_DELETED;
    }
    flags |= entry->expires_at_ms ? ENTRY_EXPIRES : 0;
    flags |= entry->user_flags ? ENTRY_USER_FLAGS : 0;
    flags |= entry->is_long ? ENTRY_LONG : 0;
    return flags;
}

static enum status append_value(struct buffer *buffer, const struct backup_entry *entry) {
    enum status status = buffer_append_varint(buffer, entry->version);

    if (status == STATUS_OK && entry->expires_at_ms) {
        status = buffer_append_varint(buffer, entry->expires_at_ms);
    }
    if (status == STATUS_OK && entry->user_flags) {
        status = buffer_append_varint(buffer, entry->user_flags);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, entry->length);
    }
    if (status == STATUS_OK && !entry->is_long) {
        status = buffer_append_u64(buffer, entry->checksum);
    }
    if (status == STATUS_OK && !entry->is_long) {
        status = buffer_append(buffer, entry->value.ptr, entry->value.len);
    }
    return status;
}

enum status backup_entry_append(struct buffer *buffer, const struct backup_entry *entry) {
    size_t mark = buffer_mark(buffer);
    enum status status = buffer_append_u8(buffer, entry_flags(entry));

    ASSERT(entry->is_long || entry->deleted || entry->length == entry->value.len);
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, entry->key);
    }
    if (status == STATUS_OK && !entry->deleted) {
        status = append_value(buffer, entry);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

static bool take_value(struct reader *reader, uint8_t flags, struct backup_entry *entry) {
    return reader_take_varint(reader, &entry->version) &&
           (!(flags & ENTRY_EXPIRES) ||
            (reader_take_varint(reader, &entry->expires_at_ms) && entry->expires_at_ms > 0)) &&
           (!(flags & ENTRY_USER_FLAGS) ||
            (reader_take_varint32(reader, &entry->user_flags) && entry->user_flags > 0)) &&
           reader_take_varint(reader, &entry->length) &&
           (entry->is_long || (entry->length <= BACKUP_INLINE_BYTES_MAX &&
                               reader_take_u64(reader, &entry->checksum) &&
                               reader_take_bytes(reader, (size_t)entry->length, &entry->value) &&
                               backup_checksum(entry->value, 0) == entry->checksum));
}

enum status backup_entry_take(struct reader *reader, struct backup_entry *entry_out) {
    uint8_t flags = 0;
    bool good;

    *entry_out = (struct backup_entry){0};
    good = reader_take_u8(reader, &flags) && flags <= ENTRY_FLAGS_ALL &&
           (!(flags & ENTRY_DELETED) || flags == ENTRY_DELETED) &&
           reader_take_block(reader, &entry_out->key) && entry_out->key.len > 0 &&
           entry_out->key.len <= BACKUP_KEY_BYTES_MAX;
    entry_out->deleted = (flags & ENTRY_DELETED) != 0;
    entry_out->is_long = (flags & ENTRY_LONG) != 0;
    if (good && !entry_out->deleted) {
        good = take_value(reader, flags, entry_out);
    }
    return good ? STATUS_OK : STATUS_CORRUPT;
}

/* --- the end --- */

void backup_end_store(uint8_t bytes[BACKUP_END_BYTES], const struct backup_end *end) {
    store_u64(bytes, end->root);
    store_u64(bytes + 8, end->blocks);
    store_u64(bytes + 16, end->namespaces);
    store_u64(bytes + 24, end->values);
    store_u64(bytes + 32, end->deletions);
    store_u64(bytes + 40, end->bytes);
    store_u64(bytes + 48, end->digest);
}

void backup_end_load(const uint8_t bytes[BACKUP_END_BYTES], struct backup_end *end_out) {
    *end_out = (struct backup_end){
        .root = load_u64(bytes),
        .blocks = load_u64(bytes + 8),
        .namespaces = load_u64(bytes + 16),
        .values = load_u64(bytes + 24),
        .deletions = load_u64(bytes + 32),
        .bytes = load_u64(bytes + 40),
        .digest = load_u64(bytes + 48),
    };
}
