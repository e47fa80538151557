/* table.c: see table.h. */
#include "storage/table.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/block.h"
#include "storage/file_name.h"
#include "storage/filter.h"
#include "storage/table_blocks.h"
#include "storage/table_format.h"

static enum status open_file(struct table *table, const struct table_info *info,
                             struct error *error) {
    char path[ENV_PATH_MAX];
    uint64_t file_bytes = 0;
    enum status status = file_path_make(table->source.dir, FILE_TABLE, table->number, path);

    if (status != STATUS_OK) {
        return table_fail(table, status, ERROR_NO_OFFSET, "path too long", error);
    }
    status = env_open(table->source.env, path, ENV_READ_CACHED, &table->file, error);
    if (status == STATUS_NOT_FOUND) { /* which would read as: no such key */
        return table_fail(table, STATUS_CORRUPT, ERROR_NO_OFFSET, "the file is missing", error);
    }
    if (status == STATUS_OK) {
        status = env_size(table->file, &file_bytes, error);
    }
    if (status == STATUS_OK &&
        (file_bytes != info->file_bytes || file_bytes < TABLE_HEADER_BYTES + TABLE_FOOTER_BYTES)) {
        return table_fail(table, STATUS_CORRUPT, file_bytes, "the file has another size", error);
    }
    return status;
}

static enum status check_ends(struct table *table, const struct table_info *info,
                              struct table_footer *footer_out, struct error *error) {
    uint64_t footer_offset = info->file_bytes - TABLE_FOOTER_BYTES;
    uint8_t header[TABLE_HEADER_BYTES];
    uint8_t footer[TABLE_FOOTER_BYTES];
    enum status status = table_read(table, 0, header, sizeof header, error);

    if (status == STATUS_OK) {
        status = table_read(table, footer_offset, footer, sizeof footer, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = table_header_check(header, info->number);
    if (status != STATUS_OK) {
        return table_fail(table, status, 0, "table header", error);
    }
    status = table_footer_load(footer, info, footer_out);
    return status == STATUS_OK ? STATUS_OK
                               : table_fail(table, status, footer_offset, "table footer", error);
}

/* The blocks behind the data, as read in one piece. */
struct tail {
    uint64_t offset;
    const uint8_t *bytes; /* borrowed */
};

/* Checks one block of the tail and unpacks it to memory of its own, aligned for the filter. */
static enum status unpack_tail(const struct table *table, const struct tail *tail,
                               const struct table_place *at, enum block_type type,
                               struct slice *raw_out, struct error *error) {
    const struct block_place place = {table->number, at->offset, type};
    struct slice stored = slice_make(tail->bytes + (at->offset - tail->offset), at->stored_bytes);
    struct block_payload payload = {0};
    uint8_t *raw;
    enum status status = table_frame_open(table, &place, stored, &payload, error);

    if (status != STATUS_OK) {
        return status;
    }
    raw = memory_alloc_aligned(FILTER_LINE_BYTES, payload.raw_bytes ? payload.raw_bytes : 1);
    if (!raw) {
        return table_fail(table, STATUS_NO_MEMORY, at->offset, "opening a table", error);
    }
    status = table_unpack(table, &place, &payload, raw, error);
    if (status != STATUS_OK) {
        memory_free(raw);
        return status;
    }
    *raw_out = slice_make(raw, payload.raw_bytes);
    return STATUS_OK;
}

static void raw_free(struct slice raw) {
    memory_free((void *)(uintptr_t)raw.ptr); /* made by unpack_tail */
}

static enum status load_filter(struct table *table, const struct tail *tail,
                               const struct table_footer *footer, struct error *error) {
    struct slice raw = {0};
    enum status status = unpack_tail(table, tail, &footer->filter, BLOCK_FILTER, &raw, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (!filter_size_is_valid(raw.len)) {
        raw_free(raw);
        return table_fail(table, STATUS_CORRUPT, footer->filter.offset, "filter size", error);
    }
    table->filter_memory = (uint8_t *)(uintptr_t)raw.ptr;
    table->filter = raw;
    return STATUS_OK;
}

static enum status load_index(struct table *table, const struct tail *tail,
                              const struct table_footer *footer, struct error *error) {
    struct slice raw = {0};
    enum status status = unpack_tail(table, tail, &footer->index, BLOCK_INDEX, &raw, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = table_index_load(raw, TABLE_HEADER_BYTES, footer->filter.offset, &table->index);
    raw_free(raw);
    return status == STATUS_OK
               ? STATUS_OK
               : table_fail(table, status, footer->index.offset, "table index", error);
}

/* Nothing in the properties is needed to read; they must be understood and fit the manifest. */
static enum status check_properties(struct table *table, const struct tail *tail,
                                    const struct table_footer *footer,
                                    const struct table_info *info, struct error *error) {
    struct table_info own = {0};
    struct slice raw = {0};
    enum status status =
        unpack_tail(table, tail, &footer->properties, BLOCK_PROPERTIES, &raw, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = table_properties_load(raw, &own);
    raw_free(raw);
    if (status == STATUS_OK) {
        bool same = own.number == info->number && own.entries == info->entries &&
                    slice_equal(own.smallest, info->smallest) &&
                    slice_equal(own.largest, info->largest);
        table_info_deinit(&own);
        status = same ? STATUS_OK : STATUS_CORRUPT;
    }
    return status == STATUS_OK
               ? STATUS_OK
               : table_fail(table, status, footer->properties.offset, "table properties", error);
}

static enum status load_tail(struct table *table, const struct table_footer *footer,
                             const struct table_info *info, struct error *error) {
    size_t tail_bytes = (size_t)(info->file_bytes - TABLE_FOOTER_BYTES - footer->filter.offset);
    uint8_t *bytes = memory_alloc(tail_bytes);
    const struct tail tail = {footer->filter.offset, bytes};
    enum status status;

    if (!bytes) {
        return table_fail(table, STATUS_NO_MEMORY, tail.offset, "opening a table", error);
    }
    status = table_read(table, tail.offset, bytes, tail_bytes, error);
    if (status == STATUS_OK) {
        status = check_properties(table, &tail, footer, info, error);
    }
    if (status == STATUS_OK) {
        status = load_filter(table, &tail, footer, error);
    }
    if (status == STATUS_OK) {
        status = load_index(table, &tail, footer, error);
    }
    memory_free(bytes);
    return status;
}

enum status table_open(const struct table_source *source, const struct table_info *info,
                       struct table **table_out, struct error *error) {
    struct table *table = memory_alloc_zeroed(sizeof *table);
    struct table_footer footer = {0};
    enum status status;

    ASSERT(source->compression);
    if (!table) {
        return error_set(error, STATUS_NO_MEMORY, 0, source->dir, ERROR_NO_OFFSET, "table");
    }
    table->source = *source;
    table->number = info->number;
    status = open_file(table, info, error);
    if (status == STATUS_OK) {
        status = check_ends(table, info, &footer, error);
    }
    if (status == STATUS_OK) {
        status = load_tail(table, &footer, info, error);
    }
    if (status != STATUS_OK) {
        table_close(table);
        return status;
    }
    *table_out = table;
    return STATUS_OK;
}

void table_close(struct table *table) {
    enum status status;

    if (!table) {
        return;
    }
    if (table->file) {
        status = env_file_close(table->file, NULL);
        (void)status; /* only read from: nothing can be lost */
    }
    table_index_deinit(&table->index);
    memory_free(table->filter_memory);
    memory_free(table);
}

uint64_t table_number(const struct table *table) {
    return table->number;
}

size_t table_memory_bytes(const struct table *table) {
    return sizeof *table + table->index.memory_bytes + table->filter.len;
}

/* Looks into one block. Errors: as table_get, and END (the row may go on in the next block). */
static enum status get_in_block(const struct table *table, const struct block_request *request,
                                const struct table_target *target, struct table_hit *hit_out,
                                struct table_trace *trace, struct error *error) {
    uint64_t offset = table->index.offsets[request->block];
    struct cached_block *pinned;
    struct block block;
    struct table_hit hit;
    enum status status = table_block_pin(table, request, &pinned, &trace->block_cached, error);

    trace->blocks++;
    trace->block_offset = offset;
    if (status != STATUS_OK) {
        return status;
    }
    status = block_open(slice_make(pinned->data, pinned->len), &block);
    if (status == STATUS_OK) {
        status = block_find(&block, target->row, target->version, &hit.version, &hit.entry);
    }
    if (status == STATUS_OK) {
        hit.block = pinned;
        *hit_out = hit;
        return STATUS_OK;
    }
    cached_block_unref(pinned);
    return status == STATUS_CORRUPT
               ? table_fail(table, status, offset, "block is not well formed", error)
               : status;
}

static enum status get_in_blocks(const struct table *table, enum read_wait wait,
                                 const struct table_target *target, struct table_hit *hit_out,
                                 struct table_trace *trace, struct error *error) {
    struct block_request request = {.wait = wait, .fill_cache = true};
    enum status status;

    request.block = table_index_find(&table->index, target->row, target->version);
    do {
        status = get_in_block(table, &request, target, hit_out, trace, error);
        request.block++;
    } while (status == STATUS_END &&
             table_index_continues(&table->index, request.block, target->row));
    return status == STATUS_END ? STATUS_NOT_FOUND : status;
}

enum status table_get(const struct table *table, enum read_wait wait,
                      const struct table_target *target, struct table_hit *hit_out,
                      struct table_trace *trace, struct error *error) {
    struct table_trace unwanted = {0};

    if (trace) {
        *trace = unwanted;
    } else {
        trace = &unwanted;
    }
    if (!filter_may_contain(table->filter, target->row_hash)) {
        trace->filter_negative = true;
        return STATUS_NOT_FOUND;
    }
    return get_in_blocks(table, wait, target, hit_out, trace, error);
}
