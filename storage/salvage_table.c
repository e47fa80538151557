/* salvage_table.c: see salvage_table.h. */
#include "storage/salvage_table.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/block.h"
#include "storage/block_frame.h"
#include "storage/entry.h"
#include "storage/file_name.h"
#include "storage/ikey.h"
#include "storage/load_row.h"
#include "storage/salvage_block.h"
#include "storage/table_index.h"

#define BLOCKS_FIRST 64u
#define FOOTER_CHECKSUM_AT (TABLE_FOOTER_BYTES - 8)

/* A table that is being opened. */
struct opening {
    const struct salvage_table_options *options;
    struct salvage_table *table;
    struct buffer stored; /* of a block */
    struct buffer raw;    /* the same, unpacked */
    struct buffer row;    /* where the gap began */
};

/* ---- Blocks -----------------------------------------------------------------------------------
 */

static enum status read_exactly(const struct salvage_table *table, uint64_t offset, size_t len,
                                struct buffer *bytes) {
    size_t got = 0;
    uint8_t *start;
    enum status status;

    buffer_clear(bytes);
    status = buffer_extend(bytes, len, &start);
    if (status == STATUS_OK) {
        status = env_read(table->file, offset, start, len, &got, NULL);
    }
    return status == STATUS_OK && got < len ? STATUS_CORRUPT : status;
}

/* Reads a block and unpacks it: *raw_out borrows from one of the two buffers. Errors: NO_MEMORY;
 * anything else means that it cannot be read. */
static enum status block_load(const struct salvage_table *table, const struct table_place *at,
                              enum block_type type, struct buffer *stored, struct buffer *raw,
                              struct slice *raw_out) {
    const struct block_place place = {table->number, at->offset, type};
    struct block_payload payload = {0};
    enum status status = read_exactly(table, at->offset, at->stored_bytes, stored);

    if (status == STATUS_OK) {
        status = block_frame_open(&place, buffer_slice(stored), &payload);
    }
    if (status != STATUS_OK || payload.storing == BLOCK_PLAIN) {
        *raw_out = payload.bytes;
        return status;
    }
    buffer_clear(raw);
    status = buffer_reserve(raw, payload.raw_bytes);
    if (status == STATUS_OK) {
        status =
            compression_decompress(table->compression, payload.bytes, raw->data, payload.raw_bytes);
    }
    *raw_out = slice_make(raw->data, payload.raw_bytes);
    return status;
}

static enum status add_block(struct salvage_table *table, uint64_t offset, size_t stored_bytes) {
    if (table->block_count == table->block_capacity) {
        uint32_t capacity = table->block_capacity ? 2 * table->block_capacity : BLOCKS_FIRST;
        struct salvage_block *grown = memory_resize(table->blocks, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        table->blocks = grown;
        table->block_capacity = capacity;
    }
    table->blocks[table->block_count++] =
        (struct salvage_block){.offset = offset, .stored_bytes = (uint32_t)stored_bytes};
    return STATUS_OK;
}

static void note_bad(struct salvage_table *table, uint64_t offset) {
    table->bad_offset = table->bad_blocks == 0 ? offset : table->bad_offset;
    table->bad_blocks++;
}

static uint64_t newest_of(const struct salvage_table *table) {
    return table->has_info ? table->info.version_max : UINT64_MAX;
}

static enum status add_gap(struct opening *opening, struct slice from, struct slice to,
                           uint64_t offset) {
    note_bad(opening->table, offset);
    return salvage_gaps_add(opening->options->gaps, from, to, newest_of(opening->table));
}

/* The row of the first, or last, entry of a good block, into opening->row; empty when the block has
 * none after all. */
static enum status edge_row(struct opening *opening, const struct salvage_block *at, bool last) {
    const struct table_place place = {at->offset, at->stored_bytes};
    struct block_cursor cursor;
    struct block block;
    struct slice raw;
    enum status status =
        block_load(opening->table, &place, BLOCK_DATA, &opening->stored, &opening->raw, &raw);

    block_cursor_init(&cursor);
    buffer_clear(&opening->row);
    if (status == STATUS_OK) {
        status = block_open(raw, &block);
    }
    if (status == STATUS_OK) {
        block_cursor_set(&cursor, &block);
        status = last ? block_cursor_last(&cursor) : block_cursor_first(&cursor);
    }
    if (status == STATUS_OK && ikey_is_valid(buffer_slice(&cursor.key))) {
        struct slice row = ikey_row(buffer_slice(&cursor.key));
        status = buffer_append(&opening->row, row.ptr, row.len);
    }
    block_cursor_deinit(&cursor);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- By the index -----------------------------------------------------------------------------
 */

static struct slice separator_row(const struct table_index *index, uint32_t block) {
    struct slice key = slice_make(index->keys + index->key_ends[block],
                                  index->key_ends[block + 1] - index->key_ends[block]);

    return ikey_is_valid(key) ? ikey_row(key) : slice_make(NULL, 0);
}

static enum status survey_block(struct opening *opening, const struct table_index *index,
                                uint32_t block) {
    struct salvage_table *table = opening->table;
    const struct table_place place = {
        index->offsets[block], (uint32_t)(index->offsets[block + 1] - index->offsets[block])};
    bool is_last = block + 1 == index->count;
    struct slice raw;
    enum status status =
        block_load(table, &place, BLOCK_DATA, &opening->stored, &opening->raw, &raw);

    if (status == STATUS_OK) {
        return add_block(table, place.offset, place.stored_bytes);
    }
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    return add_gap(opening, separator_row(index, block),
                   is_last ? (table->has_info ? ikey_row(table->info.largest) : slice_make(NULL, 0))
                           : separator_row(index, block + 1),
                   place.offset);
}

/* Footer, properties (unless the manifest has told) and index. Errors: NO_MEMORY; anything else
 * means that blocks must be searched for. */
static enum status load_index(struct opening *opening, struct table_footer *footer,
                              struct table_index *index) {
    struct salvage_table *table = opening->table;
    struct table_info named = {.number = table->number, .file_bytes = table->file_bytes};
    struct slice raw;
    enum status status = table->file_bytes < TABLE_HEADER_BYTES + TABLE_FOOTER_BYTES
                             ? STATUS_CORRUPT
                             : read_exactly(table, table->file_bytes - TABLE_FOOTER_BYTES,
                                            TABLE_FOOTER_BYTES, &opening->stored);

    if (status == STATUS_OK) {
        named.footer_checksum = load_u64(opening->stored.data + FOOTER_CHECKSUM_AT);
        status = table_footer_load(opening->stored.data, &named, footer);
    }
    if (status == STATUS_OK && !table->has_info) {
        status = block_load(table, &footer->properties, BLOCK_PROPERTIES, &opening->stored,
                            &opening->raw, &raw);
        status = status == STATUS_OK ? table_properties_load(raw, &table->info) : status;
        table->has_info = status == STATUS_OK;
        status = status == STATUS_NO_MEMORY ? status : STATUS_OK;
    }
    if (status == STATUS_OK) {
        status =
            block_load(table, &footer->index, BLOCK_INDEX, &opening->stored, &opening->raw, &raw);
    }
    return status == STATUS_OK
               ? table_index_load(raw, TABLE_HEADER_BYTES, footer->filter.offset, index)
               : status;
}

static enum status survey_by_index(struct opening *opening, const struct table_index *index) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < index->count && status == STATUS_OK; i++) {
        status = survey_block(opening, index, i);
    }
    return status;
}

/* ---- By searching -----------------------------------------------------------------------------
 */

/* The stretch from the end of the good block before to `to_block` (NULL: to the end) has none. */
static enum status gap_between(struct opening *opening, const struct salvage_block *to_block,
                               uint64_t offset) {
    struct salvage_table *table = opening->table;
    struct buffer from = {.cap = ROW_BYTES_MAX};
    enum status status = STATUS_OK;

    if (table->block_count > 0) {
        status = edge_row(opening, &table->blocks[table->block_count - 1], true);
    } else if (table->has_info) {
        struct slice row = ikey_row(table->info.smallest);
        buffer_clear(&opening->row);
        status = buffer_append(&opening->row, row.ptr, row.len);
    }
    if (status == STATUS_OK) {
        status = buffer_append(&from, opening->row.data, opening->row.len);
    }
    buffer_clear(&opening->row);
    if (status == STATUS_OK && to_block) {
        status = edge_row(opening, to_block, false);
    } else if (status == STATUS_OK && table->has_info) {
        struct slice row = ikey_row(table->info.largest);
        status = buffer_append(&opening->row, row.ptr, row.len);
    }
    if (status == STATUS_OK) {
        status = add_gap(opening, buffer_slice(&from), buffer_slice(&opening->row), offset);
    }
    buffer_deinit(&from);
    return status;
}

/* What follows the data: filter, index, properties, one behind the other. If the filter is there,
 * no data is missing before it. */
static bool find_tail(struct opening *opening, const struct salvage_bytes *bytes, size_t from) {
    struct salvage_table *table = opening->table;
    struct block_place place = {table->number, 0, BLOCK_PROPERTIES};
    struct block_payload payload;
    size_t start;
    size_t end;
    bool found = salvage_block_find(bytes, from, BLOCK_FILTER, true, &start, &end);

    if (found && !table->has_info &&
        salvage_block_find(bytes, end, BLOCK_PROPERTIES, false, &start, &end)) {
        place.offset = bytes->offset + start;
        table->has_info =
            block_frame_open(&place, slice_make(bytes->bytes.ptr + start, end - start), &payload) ==
                STATUS_OK &&
            payload.storing == BLOCK_PLAIN &&
            table_properties_load(payload.bytes, &table->info) == STATUS_OK;
    }
    return found;
}

static enum status search_blocks(struct opening *opening, const struct salvage_bytes *bytes) {
    struct salvage_table *table = opening->table;
    size_t at = 0;
    size_t start;
    size_t end;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && salvage_block_find(bytes, at, BLOCK_DATA, false, &start, &end)) {
        struct salvage_block found = {bytes->offset + start, (uint32_t)(end - start)};
        if (start > at) {
            status = gap_between(opening, &found, bytes->offset + at);
        }
        if (status == STATUS_OK) {
            status = add_block(table, found.offset, found.stored_bytes);
        }
        at = end;
    }
    if (status == STATUS_OK && !find_tail(opening, bytes, at)) {
        status = gap_between(opening, NULL, bytes->offset + at);
    }
    return status;
}

static enum status survey_by_search(struct opening *opening) {
    struct salvage_table *table = opening->table;
    struct buffer all = {.cap = SIZE_MAX / 2};
    enum status status = STATUS_OK;

    if (table->file_bytes <= TABLE_HEADER_BYTES) {
        return gap_between(opening, NULL, 0);
    }
    status = read_exactly(table, TABLE_HEADER_BYTES,
                          (size_t)(table->file_bytes - TABLE_HEADER_BYTES), &all);
    if (status == STATUS_OK) {
        struct salvage_bytes bytes = {table->number, TABLE_HEADER_BYTES, buffer_slice(&all)};
        status = search_blocks(opening, &bytes);
    } else if (status != STATUS_NO_MEMORY) {
        status = gap_between(opening, NULL, TABLE_HEADER_BYTES);
    }
    buffer_deinit(&all);
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

/* What is in it: versions from `oldest` to `newest`, and a row that begins it or is as good. */
static void note_versions(struct salvage_table *table, uint64_t oldest, uint64_t newest,
                          struct slice ikey) {
    table->version_min = oldest < table->version_min ? oldest : table->version_min;
    table->version_max = newest > table->version_max ? newest : table->version_max;
    table->has_system_rows |= row_namespace(ikey_row(ikey)) == NAMESPACE_SYSTEM;
}

/* Whether the row tells that a bulk load has come as far as its end, at least. */
static void note_load(struct salvage_table *table, struct slice row, struct slice bytes) {
    struct entry entry;
    struct load_row load;

    if (row_namespace(row) == NAMESPACE_SYSTEM && load_row_is_key(row_user_key(row)) &&
        entry_load(bytes, &entry) == STATUS_OK && entry.kind == ENTRY_INLINE &&
        load_row_parse(entry.value, &load) == STATUS_OK && load.state != LOAD_NONE &&
        load.version > table->load_version) {
        table->load_version = load.version;
    }
}

static enum status count_entries(struct salvage_table *table) {
    struct iterator *iter;
    enum status status = salvage_table_iterator(table, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        table->entries++;
        note_versions(table, ikey_version(iter->key), ikey_version(iter->key), iter->key);
        note_load(table, ikey_row(iter->key), iter->entry);
        status = iterator_next(iter);
    }
    iterator_destroy(iter);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status survey(struct opening *opening) {
    struct salvage_table *table = opening->table;
    struct table_footer footer;
    struct table_index index = {0};
    size_t gaps_before = opening->options->gaps->count;
    enum status status = load_index(opening, &footer, &index);

    if (status == STATUS_OK) {
        status = survey_by_index(opening, &index);
        table_index_deinit(&index);
    } else if (status != STATUS_NO_MEMORY) {
        status = survey_by_search(opening);
    }
    if (status == STATUS_OK) {
        status = count_entries(table);
    }
    if (table->has_info) {
        note_versions(table, table->info.version_min, table->info.version_max,
                      table->info.smallest);
    }
    if (status == STATUS_OK && table->has_info && table->entries >= table->info.entries) {
        opening->options->gaps->count = gaps_before; /* all is there */
        table->bad_blocks = 0;
    }
    if (status == STATUS_OK && table->has_info && table->entries < table->info.entries) {
        table->lost = table->info.entries - table->entries;
    } else if (status == STATUS_OK) {
        table->lost = table->bad_blocks;
    }
    table->first_gap = gaps_before;
    table->gap_count = opening->options->gaps->count - gaps_before;
    return status;
}

enum status salvage_table_open(const struct salvage_table_options *options, uint64_t number,
                               struct salvage_table *table) {
    struct opening opening = {.options = options,
                              .table = table,
                              .stored = {.cap = SIZE_MAX / 2},
                              .raw = {.cap = SIZE_MAX / 2},
                              .row = {.cap = ROW_BYTES_MAX}};
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(options->dir, FILE_TABLE, number, path);

    *table = (struct salvage_table){
        .compression = options->compression, .number = number, .version_min = UINT64_MAX};
    if (status == STATUS_OK && options->info) {
        status = table_info_copy(options->info, &table->info);
        table->has_info = status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = env_open(options->env, path, ENV_READ_CACHED, &table->file, NULL);
        table->file = status == STATUS_OK ? table->file : NULL;
    }
    if (status == STATUS_OK) {
        status = env_size(table->file, &table->file_bytes, NULL);
    }
    if (status == STATUS_OK) {
        status = survey(&opening);
    }
    buffer_deinit(&opening.stored);
    buffer_deinit(&opening.raw);
    buffer_deinit(&opening.row);
    if (status != STATUS_OK) {
        salvage_table_close(table);
    }
    return status;
}

void salvage_table_close(struct salvage_table *table) {
    if (table->file) {
        (void)env_file_close(table->file, NULL); /* was only read */
    }
    table_info_deinit(&table->info);
    memory_free(table->blocks);
    *table = (struct salvage_table){0};
}

/* ---- Walking ----------------------------------------------------------------------------------
 */

struct table_walk {
    struct iterator base;
    const struct salvage_table *table; /* borrowed */
    uint32_t block;                    /* the next one */
    struct buffer stored;
    struct buffer raw;
    struct block_cursor cursor;
};

/* To the first entry of the next block that has any. */
static enum status next_block(struct table_walk *walk) {
    while (walk->block < walk->table->block_count) {
        const struct salvage_block *at = &walk->table->blocks[walk->block++];
        const struct table_place place = {at->offset, at->stored_bytes};
        struct block block;
        struct slice raw;
        enum status status =
            block_load(walk->table, &place, BLOCK_DATA, &walk->stored, &walk->raw, &raw);
        if (status == STATUS_OK) {
            status = block_open(raw, &block);
        }
        if (status == STATUS_OK) {
            block_cursor_set(&walk->cursor, &block);
            status = block_cursor_first(&walk->cursor);
        }
        if (status != STATUS_CORRUPT && status != STATUS_END) {
            return status; /* IO: it could be read before */
        }
    }
    return STATUS_END;
}

/* Goes on from where the cursor came to: over what is no key, and into the next block. */
static enum status settle(struct table_walk *walk, enum status status) {
    while (true) {
        if (status == STATUS_OK && ikey_is_valid(buffer_slice(&walk->cursor.key))) {
            walk->base.key = buffer_slice(&walk->cursor.key);
            walk->base.entry = walk->cursor.entry;
            return STATUS_OK;
        }
        if (status == STATUS_OK) {
            status = block_cursor_next(&walk->cursor);
        } else if (status == STATUS_NO_MEMORY) {
            return status;
        } else {
            status = next_block(walk);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
}

static enum status walk_first(struct iterator *iter) {
    struct table_walk *walk = (struct table_walk *)iter;

    walk->block = 0;
    return settle(walk, STATUS_END);
}

static enum status walk_next(struct iterator *iter) {
    struct table_walk *walk = (struct table_walk *)iter;

    return settle(walk, block_cursor_next(&walk->cursor));
}

static void walk_destroy(struct iterator *iter) {
    struct table_walk *walk = (struct table_walk *)iter;

    buffer_deinit(&walk->stored);
    buffer_deinit(&walk->raw);
    block_cursor_deinit(&walk->cursor);
    memory_free(walk);
}

enum status salvage_table_iterator(const struct salvage_table *table, struct iterator **iter_out) {
    static const struct iterator_ops ops = {
        .seek_first = walk_first, .next = walk_next, .destroy = walk_destroy};
    struct table_walk *walk = memory_alloc_zeroed(sizeof *walk);

    if (!walk) {
        return STATUS_NO_MEMORY;
    }
    walk->base.ops = &ops;
    walk->table = table;
    buffer_init(&walk->stored, SIZE_MAX / 2);
    buffer_init(&walk->raw, SIZE_MAX / 2);
    block_cursor_init(&walk->cursor);
    *iter_out = &walk->base;
    return STATUS_OK;
}
