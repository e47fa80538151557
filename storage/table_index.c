/* table_index.c: see table_index.h. */
#include "storage/table_index.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/block_frame.h"
#include "storage/block_writer.h"
#include "storage/ikey.h"

#define INDEX_ENTRY_BYTES_MIN (1 + IKEY_BYTES_MIN + 1)

/* How many bytes of the row `first` it takes to be greater than the row `last`. */
static size_t separating_bytes(struct slice last, struct slice first) {
    size_t limit = last.len < first.len ? last.len : first.len;
    size_t same = 0;

    while (same < limit && last.ptr[same] == first.ptr[same]) {
        same++;
    }
    ASSERT(same < first.len);
    return same + 1 < IKEY_NAMESPACE_BYTES ? IKEY_NAMESPACE_BYTES : same + 1;
}

enum status table_index_append_separator(struct buffer *raw, struct slice last,
                                         struct slice first) {
    struct slice first_row = ikey_row(first);
    struct slice last_row = last.len > 0 ? ikey_row(last) : last;
    uint8_t version_field[IKEY_VERSION_BYTES] = {0}; /* sorts before every version */
    size_t row_bytes;
    enum status status;

    if (slice_equal(first_row, last_row)) {
        return buffer_append_block(raw, first);
    }
    row_bytes = separating_bytes(last_row, first_row);
    status = buffer_append_varint(raw, row_bytes + IKEY_VERSION_BYTES);
    if (status == STATUS_OK) {
        status = buffer_append(raw, first.ptr, row_bytes);
    }
    return status == STATUS_OK ? buffer_append(raw, version_field, IKEY_VERSION_BYTES) : status;
}

static struct slice separator(const struct table_index *index, uint32_t block) {
    uint32_t start = index->key_ends[block];
    return slice_make(index->keys + start, index->key_ends[block + 1] - start);
}

/* Lays the arrays out in one allocation that is large enough for `raw_bytes` of separators. */
static enum status index_alloc(struct table_index *index, size_t raw_bytes) {
    size_t slots = (size_t)index->count + 1;
    size_t arrays_bytes = slots * (sizeof(uint64_t) + sizeof(uint32_t));

    index->memory_bytes = arrays_bytes + raw_bytes;
    index->memory = memory_alloc(index->memory_bytes);
    return index->memory ? STATUS_OK : STATUS_NO_MEMORY;
}

struct index_arrays {
    uint64_t *offsets;
    uint32_t *key_ends;
    uint8_t *keys;
};

static bool take_block(struct reader *reader, const struct index_arrays *arrays, uint32_t block,
                       uint64_t end) {
    uint32_t stored_bytes;
    struct slice key;
    uint32_t key_start = arrays->key_ends[block];

    if (!reader_take_block(reader, &key) || !ikey_is_valid(key) ||
        !reader_take_varint32(reader, &stored_bytes) || stored_bytes < BLOCK_TRAILER_BYTES ||
        stored_bytes > BLOCK_RAW_BYTES_MAX + BLOCK_TRAILER_BYTES ||
        stored_bytes > end - arrays->offsets[block]) {
        return false;
    }
    memcpy(arrays->keys + key_start, key.ptr, key.len);
    arrays->key_ends[block + 1] = key_start + (uint32_t)key.len;
    arrays->offsets[block + 1] = arrays->offsets[block] + stored_bytes;
    return true;
}

static bool take_blocks(struct reader *reader, const struct index_arrays *arrays,
                        struct table_index *index, uint64_t end) {
    for (uint32_t block = 0; block < index->count; block++) {
        if (!take_block(reader, arrays, block, end)) {
            return false;
        }
        if (block > 0 && ikey_compare(separator(index, block - 1), separator(index, block)) >= 0) {
            return false;
        }
    }
    return reader_left(reader) == 0 && arrays->offsets[index->count] == end;
}

enum status table_index_load(struct slice raw, uint64_t offset, uint64_t end,
                             struct table_index *index_out) {
    struct reader reader = reader_make(raw);
    struct table_index index = {0};
    struct index_arrays arrays;
    enum status status;

    if (offset > end || raw.len > BLOCK_RAW_BYTES_MAX || !reader_take_u32(&reader, &index.count) ||
        index.count == 0 || index.count > reader_left(&reader) / INDEX_ENTRY_BYTES_MIN) {
        return STATUS_CORRUPT;
    }
    status = index_alloc(&index, raw.len);
    if (status != STATUS_OK) {
        return status;
    }
    arrays.offsets = index.memory;
    arrays.key_ends = (uint32_t *)(arrays.offsets + index.count + 1);
    arrays.keys = (uint8_t *)(arrays.key_ends + index.count + 1);
    arrays.offsets[0] = offset;
    arrays.key_ends[0] = 0;
    index.offsets = arrays.offsets;
    index.key_ends = arrays.key_ends;
    index.keys = arrays.keys;
    if (!take_blocks(&reader, &arrays, &index, end)) {
        table_index_deinit(&index);
        return STATUS_CORRUPT;
    }
    *index_out = index;
    return STATUS_OK;
}

void table_index_deinit(struct table_index *index) {
    memory_free(index->memory);
    *index = (struct table_index){0};
}

static int compare_to_target(struct slice key, struct slice row, uint64_t version) {
    int order = slice_compare(ikey_row(key), row);
    uint64_t key_version;

    if (order != 0) {
        return order;
    }
    key_version = ikey_version(key);
    return (key_version < version) - (key_version > version);
}

uint32_t table_index_find(const struct table_index *index, struct slice row, uint64_t version) {
    uint32_t low = 0; /* the answer is in [low, high) */
    uint32_t high = index->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_to_target(separator(index, middle), row, version) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

bool table_index_continues(const struct table_index *index, uint32_t block, struct slice row) {
    return block < index->count && slice_equal(ikey_row(separator(index, block)), row);
}
