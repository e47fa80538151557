/* block.c: see block.h. */
#include "storage/block.h"

#include "protocol/base/assert.h"
#include "storage/block_writer.h"
#include "storage/ikey.h"

/* One entry as it stands in the block. */
struct raw_entry {
    uint32_t shared;
    struct slice rest;
    uint64_t version;
    struct slice entry;
};

enum status block_open(struct slice raw, struct block *block_out) {
    uint32_t restart_count;
    size_t tail;

    if (raw.len < sizeof(uint32_t) || raw.len > BLOCK_RAW_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    restart_count = load_u32(raw.ptr + raw.len - sizeof(uint32_t));
    tail = ((size_t)restart_count + 1) * sizeof(uint32_t);
    if (restart_count == 0 || tail >= raw.len) {
        return STATUS_CORRUPT;
    }
    *block_out = (struct block){raw.ptr, (uint32_t)(raw.len - tail), restart_count};
    return STATUS_OK;
}

/* Where an entry with a whole row starts; entries_bytes for index == restart_count. */
static uint32_t restart_offset(const struct block *block, uint32_t index) {
    if (index == block->restart_count) {
        return block->entries_bytes;
    }
    return load_u32(block->data + block->entries_bytes + index * sizeof(uint32_t));
}

static inline bool take_small(struct reader *reader, uint32_t *value_out) {
    if (reader->ptr < reader->end && *reader->ptr < 0x80) {
        *value_out = *reader->ptr++;
        return true;
    }
    return reader_take_varint32(reader, value_out);
}

/* Takes the entry at `offset`; *next_out is where the one after it starts. */
static bool take_entry(const struct block *block, uint32_t offset, struct raw_entry *entry_out,
                       uint32_t *next_out) {
    struct reader reader;
    uint32_t rest_bytes;
    uint32_t entry_bytes;

    if (offset >= block->entries_bytes) {
        return false;
    }
    reader = reader_make(slice_make(block->data + offset, block->entries_bytes - offset));
    if (!take_small(&reader, &entry_out->shared) || !take_small(&reader, &rest_bytes) ||
        !reader_take_varint(&reader, &entry_out->version) || !take_small(&reader, &entry_bytes) ||
        !reader_take_bytes(&reader, rest_bytes, &entry_out->rest) ||
        !reader_take_bytes(&reader, entry_bytes, &entry_out->entry)) {
        return false;
    }
    *next_out = (uint32_t)(reader.ptr - block->data);
    return true;
}

/* Takes the entry of a restart, whose row is whole. */
static bool take_restart(const struct block *block, uint32_t index, struct raw_entry *entry_out,
                         uint32_t *next_out) {
    return take_entry(block, restart_offset(block, index), entry_out, next_out) &&
           entry_out->shared == 0 && entry_out->rest.len >= IKEY_NAMESPACE_BYTES;
}

/* The order of the tree for (row, version) pairs. */
static int compare_parts(struct slice a_row, uint64_t a_version, struct slice b_row,
                         uint64_t b_version) {
    int order = slice_compare(a_row, b_row);
    return order ? order : (a_version < b_version) - (a_version > b_version);
}

/* The last restart whose key is < (row, version), or 0 if none is. */
static bool find_restart(const struct block *block, struct slice row, uint64_t version,
                         uint32_t *index_out) {
    uint32_t low = 0; /* the answer is in [low, high) */
    uint32_t high = block->restart_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        struct raw_entry entry;
        uint32_t next;
        if (!take_restart(block, middle, &entry, &next)) {
            return false;
        }
        if (compare_parts(entry.rest, entry.version, row, version) < 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *index_out = low;
    return true;
}

/* Walks from a whole row on, knowing only how much of the sought row is matched so far: an entry
 * that shares more than that with its forerunner is still too small; one that shares less has left
 * the sought row's prefix upwards, so the row is not here. (Sound because `shared` is always all
 * that two rows have in common.) */
struct row_match {
    size_t matched;
    bool passed;      /* the row stood on is greater than the sought one */
    bool equal;       /* it is the sought one */
    size_t row_bytes; /* of the row stood on */
};

static void match_row(struct row_match *match, const struct raw_entry *entry, struct slice row) {
    struct slice left = slice_make(row.ptr + match->matched, row.len - match->matched);
    size_t limit = left.len < entry->rest.len ? left.len : entry->rest.len;
    size_t same = 0;

    if (entry->shared != match->matched) {
        match->passed = entry->shared < match->matched;
        match->equal = false;
        return;
    }
    while (same < limit && left.ptr[same] == entry->rest.ptr[same]) {
        same++;
    }
    match->matched += same;
    match->equal = same == left.len && same == entry->rest.len;
    match->passed = same == left.len
                        ? same < entry->rest.len
                        : same < entry->rest.len && entry->rest.ptr[same] > left.ptr[same];
}

/* Walks one restart interval, [offset, end). Errors: NOT_FOUND, END (all of it is before), CORRUPT.
 */
static enum status find_in_interval(const struct block *block, uint32_t offset, uint32_t end,
                                    const struct raw_entry *sought, struct raw_entry *found_out) {
    struct row_match match = {0};
    struct raw_entry entry;

    while (offset < end) {
        if (!take_entry(block, offset, &entry, &offset) || entry.shared > match.row_bytes) {
            return STATUS_CORRUPT;
        }
        match.row_bytes = entry.shared + entry.rest.len;
        match_row(&match, &entry, sought->rest);
        if (match.passed) {
            return STATUS_NOT_FOUND;
        }
        if (match.equal && entry.version <= sought->version) {
            *found_out = entry;
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

/* The entry of a restart, known to be at or after the sought key. */
static enum status find_at_restart(const struct block *block, uint32_t index,
                                   const struct raw_entry *sought, struct raw_entry *found_out) {
    uint32_t next;

    if (index == block->restart_count) {
        return STATUS_END;
    }
    if (!take_restart(block, index, found_out, &next)) {
        return STATUS_CORRUPT;
    }
    return slice_equal(found_out->rest, sought->rest) && found_out->version <= sought->version
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

enum status block_find(const struct block *block, struct slice row, uint64_t version,
                       uint64_t *version_out, struct slice *entry_out) {
    const struct raw_entry sought = {.rest = row, .version = version};
    struct raw_entry found = {0};
    enum status status;
    uint32_t index;

    if (!find_restart(block, row, version, &index)) {
        return STATUS_CORRUPT;
    }
    status = find_in_interval(block, restart_offset(block, index), restart_offset(block, index + 1),
                              &sought, &found);
    if (status == STATUS_END) {
        status = find_at_restart(block, index + 1, &sought, &found);
    }
    if (status == STATUS_OK) {
        *version_out = found.version;
        *entry_out = found.entry;
    }
    return status;
}

void block_cursor_init(struct block_cursor *cursor) {
    *cursor = (struct block_cursor){0};
    buffer_init(&cursor->key, IKEY_BYTES_MAX);
}

void block_cursor_deinit(struct block_cursor *cursor) {
    buffer_deinit(&cursor->key);
}

static enum status stand_nowhere(struct block_cursor *cursor, enum status status) {
    cursor->offset = cursor->block.entries_bytes;
    cursor->offset_next = cursor->block.entries_bytes;
    buffer_clear(&cursor->key);
    return status;
}

void block_cursor_set(struct block_cursor *cursor, const struct block *block) {
    enum status status;

    cursor->block = *block;
    status = stand_nowhere(cursor, STATUS_OK);
    ASSERT(status == STATUS_OK);
}

/* Makes the key of the entry from the one before it. */
static enum status build_key(struct buffer *key, const struct raw_entry *entry) {
    size_t row_bytes_before = key->len < IKEY_VERSION_BYTES ? 0 : key->len - IKEY_VERSION_BYTES;
    size_t row_bytes = entry->shared + entry->rest.len;
    enum status status;
    uint8_t *tail;

    if (entry->shared > row_bytes_before || row_bytes < IKEY_NAMESPACE_BYTES ||
        row_bytes > ROW_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    buffer_rollback(key, entry->shared);
    status = buffer_extend(key, entry->rest.len + IKEY_VERSION_BYTES, &tail);
    if (status == STATUS_OK) {
        memcpy(tail, entry->rest.ptr, entry->rest.len);
        ikey_version_store(tail + entry->rest.len, entry->version);
    }
    return status;
}

/* To the entry at offset_next. */
static enum status step(struct block_cursor *cursor) {
    struct raw_entry entry;
    enum status status;
    uint32_t offset = cursor->offset_next;

    if (offset == cursor->block.entries_bytes) {
        return stand_nowhere(cursor, STATUS_END);
    }
    if (!take_entry(&cursor->block, offset, &entry, &cursor->offset_next)) {
        return stand_nowhere(cursor, STATUS_CORRUPT);
    }
    status = build_key(&cursor->key, &entry);
    if (status != STATUS_OK) {
        return stand_nowhere(cursor, status);
    }
    cursor->offset = offset;
    cursor->entry = entry.entry;
    return STATUS_OK;
}

static enum status step_to_restart(struct block_cursor *cursor, uint32_t index) {
    buffer_clear(&cursor->key);
    cursor->offset_next = restart_offset(&cursor->block, index);
    return step(cursor);
}

/* Steps on while the next entry starts before `offset`. */
static enum status step_until(struct block_cursor *cursor, uint32_t offset) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && cursor->offset_next < offset) {
        status = step(cursor);
    }
    return status;
}

enum status block_cursor_first(struct block_cursor *cursor) {
    return step_to_restart(cursor, 0);
}

enum status block_cursor_last(struct block_cursor *cursor) {
    enum status status = step_to_restart(cursor, cursor->block.restart_count - 1);
    return status == STATUS_OK ? step_until(cursor, cursor->block.entries_bytes) : status;
}

enum status block_cursor_next(struct block_cursor *cursor) {
    return step(cursor);
}

enum status block_cursor_seek(struct block_cursor *cursor, struct slice ikey) {
    enum status status;
    uint32_t index;

    if (!find_restart(&cursor->block, ikey_row(ikey), ikey_version(ikey), &index)) {
        return stand_nowhere(cursor, STATUS_CORRUPT);
    }
    status = step_to_restart(cursor, index);
    while (status == STATUS_OK && ikey_compare(buffer_slice(&cursor->key), ikey) < 0) {
        status = step(cursor);
    }
    return status;
}

/* To the entry before the one at `offset`; its restart is found by halves. */
static enum status step_before(struct block_cursor *cursor, uint32_t offset) {
    uint32_t low = 0; /* the last restart below offset is in [low, high) */
    uint32_t high = cursor->block.restart_count;
    enum status status;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (restart_offset(&cursor->block, middle) < offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (offset <= restart_offset(&cursor->block, low)) {
        return stand_nowhere(cursor, STATUS_END);
    }
    status = step_to_restart(cursor, low);
    return status == STATUS_OK ? step_until(cursor, offset) : status;
}

enum status block_cursor_prev(struct block_cursor *cursor) {
    return step_before(cursor, cursor->offset);
}

enum status block_cursor_seek_before(struct block_cursor *cursor, struct slice ikey) {
    enum status status = block_cursor_seek(cursor, ikey);

    if (status == STATUS_END) {
        return block_cursor_last(cursor);
    }
    return status == STATUS_OK ? block_cursor_prev(cursor) : status;
}
