/* table_writer.c: see table_writer.h. */
#include "storage/table_writer.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/block_frame.h"
#include "storage/block_writer.h"
#include "storage/file_name.h"
#include "storage/filter.h"
#include "storage/ikey.h"
#include "storage/table_collector.h"
#include "storage/table_format.h"
#include "storage/table_index.h"

#define STAGING_BYTES_MAX (TABLE_STAGING_BYTES + 2 * (size_t)BLOCK_RAW_BYTES_MAX)
#define ENTRY_OVERHEAD_BYTES                                                                       \
    12 /* of an entry in a block, about: heads and a restart now and then */

struct table_writer {
    struct env *env;                 /* borrowed */
    struct compression *compression; /* borrowed; may be NULL */
    struct env_file *file;           /* owned; NULL once closed */
    uint64_t number;
    uint32_t block_bytes;
    bool failed; /* only abandon may follow */
    struct table_collector books;
    struct block_writer block;
    struct buffer index;   /* raw bytes of the index block so far */
    uint32_t block_count;  /* of data blocks ended */
    struct buffer staging; /* sealed bytes not yet appended */
    uint64_t appended_bytes;
    char path[ENV_PATH_MAX];
};

static void writer_free(struct table_writer *writer) {
    table_collector_deinit(&writer->books);
    block_writer_deinit(&writer->block);
    buffer_deinit(&writer->index);
    buffer_deinit(&writer->staging);
    memory_free(writer);
}

/* The offset in the file of the next byte staged. */
static uint64_t staged_end(const struct table_writer *writer) {
    return writer->appended_bytes + writer->staging.len;
}

static enum status writer_begin(struct table_writer *writer, struct error *error) {
    enum status status = buffer_append_u32(&writer->index, 0); /* the count, known at the end */
    uint8_t *header = NULL;

    if (status == STATUS_OK) {
        status = buffer_reserve(&writer->staging, TABLE_STAGING_BYTES + TABLE_BLOCK_BYTES_MAX);
    }
    if (status == STATUS_OK) {
        status = buffer_extend(&writer->staging, TABLE_HEADER_BYTES, &header);
    }
    if (status == STATUS_OK) {
        table_header_store(header, writer->number);
        status = env_create(writer->env, writer->path, &writer->file, error);
    }
    return status;
}

enum status table_writer_open(const struct table_writer_options *options,
                              struct table_writer **writer_out, struct error *error) {
    struct table_writer *writer = memory_alloc_zeroed(sizeof *writer);
    enum status status;

    if (!writer) {
        return error_set(error, STATUS_NO_MEMORY, 0, options->dir, ERROR_NO_OFFSET, "new table");
    }
    ASSERT(options->block_bytes <= TABLE_BLOCK_BYTES_MAX);
    writer->env = options->env;
    writer->compression = options->compression;
    writer->number = options->number;
    writer->block_bytes = options->block_bytes ? options->block_bytes : TABLE_BLOCK_BYTES_DEFAULT;
    table_collector_init(&writer->books, options->number);
    table_collector_set_rules(&writer->books, options->rules);
    block_writer_init(&writer->block);
    buffer_init(&writer->index, BLOCK_RAW_BYTES_MAX);
    buffer_init(&writer->staging, STAGING_BYTES_MAX);
    status = file_path_make(options->dir, FILE_TABLE, options->number, writer->path);
    if (status == STATUS_OK) {
        status = writer_begin(writer, error);
    }
    if (status != STATUS_OK) {
        writer_free(writer);
        return status;
    }
    *writer_out = writer;
    return STATUS_OK;
}

static enum status append_staged(struct table_writer *writer, struct error *error) {
    struct slice staged = buffer_slice(&writer->staging);
    enum status status;

    if (staged.len == 0) {
        return STATUS_OK;
    }
    status = env_append(writer->file, &staged, 1, error);
    if (status == STATUS_OK) {
        writer->appended_bytes += staged.len;
        buffer_clear(&writer->staging);
    }
    return status;
}

/* Puts the payload of a block, compressed where that pays, at `out`. */
static enum status store_payload(struct compression *compression, struct slice raw, uint8_t *out,
                                 struct block_payload *payload_out) {
    size_t stored_bytes = raw.len;
    enum status status = STATUS_TOO_LARGE;

    if (compression) {
        status = compression_compress(compression, raw, out, &stored_bytes);
    }
    if (status == STATUS_TOO_LARGE) {
        memcpy(out, raw.ptr, raw.len);
        stored_bytes = raw.len;
    } else if (status != STATUS_OK) {
        return status;
    }
    *payload_out = (struct block_payload){
        .bytes = slice_make(out, stored_bytes),
        .storing = status == STATUS_OK ? BLOCK_ZSTD : BLOCK_PLAIN,
        .raw_bytes = (uint32_t)raw.len,
    };
    return STATUS_OK;
}

/* Stages one block with its trailer and says where it will lie. */
static enum status stage_block(struct table_writer *writer, enum block_type type, struct slice raw,
                               struct table_place *place_out) {
    const struct block_place place = {writer->number, staged_end(writer), type};
    size_t mark = buffer_mark(&writer->staging);
    struct block_payload payload;
    enum status status;
    uint8_t *out;

    status = buffer_extend(&writer->staging, raw.len + BLOCK_TRAILER_BYTES, &out);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_payload(type == BLOCK_FILTER ? NULL : writer->compression, raw, out, &payload);
    if (status != STATUS_OK) {
        return status;
    }
    block_frame_seal(&place, &payload, out + payload.bytes.len);
    *place_out =
        (struct table_place){place.offset, (uint32_t)(payload.bytes.len + BLOCK_TRAILER_BYTES)};
    buffer_rollback(&writer->staging, mark + place_out->stored_bytes);
    return STATUS_OK;
}

/* Ends the open data block and appends what is staged once that is enough. */
static enum status end_block(struct table_writer *writer, struct error *error) {
    struct table_place place;
    struct slice raw;
    enum status status = block_writer_end(&writer->block, &raw);

    if (status == STATUS_OK) {
        status = stage_block(writer, BLOCK_DATA, raw, &place);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(&writer->index, place.stored_bytes);
    }
    if (status != STATUS_OK) {
        return status;
    }
    block_writer_clear(&writer->block);
    writer->block_count++;
    return writer->staging.len >= TABLE_STAGING_BYTES ? append_staged(writer, error) : STATUS_OK;
}

/* Only abandon may follow. Says what went wrong where no file was touched. */
static enum status writer_fail(struct table_writer *writer, enum status status,
                               struct error *error) {
    writer->failed = true;
    if (status == STATUS_NO_MEMORY || status == STATUS_CORRUPT || status == STATUS_TOO_LARGE) {
        return error_set(error, status, 0, writer->path, ERROR_NO_OFFSET, "writing a table: %s",
                         status_text(status));
    }
    return status;
}

static bool block_is_full(const struct table_writer *writer, struct slice ikey,
                          struct slice entry) {
    return writer->block.entry_count > 0 &&
           block_writer_bytes(&writer->block) + ikey.len + entry.len + ENTRY_OVERHEAD_BYTES >
               writer->block_bytes;
}

static enum status add_entry(struct table_writer *writer, struct slice ikey, struct slice entry,
                             struct error *error) {
    struct slice last = table_collector_last_key(&writer->books);
    enum status status = STATUS_OK;

    if (block_is_full(writer, ikey, entry)) {
        status = end_block(writer, error);
    }
    if (status == STATUS_OK && writer->block.entry_count == 0) {
        status = table_index_append_separator(&writer->index, last, ikey);
    }
    if (status == STATUS_OK) {
        status = table_collector_add(&writer->books, ikey, entry);
    }
    if (status == STATUS_OK) {
        status = block_writer_add(&writer->block, ikey_row(ikey), ikey_version(ikey), entry);
    }
    return status;
}

enum status table_writer_add(struct table_writer *writer, struct slice ikey, struct slice entry,
                             struct error *error) {
    enum status status;

    ASSERT(!writer->failed);
    status = add_entry(writer, ikey, entry, error);
    return status == STATUS_OK ? STATUS_OK : writer_fail(writer, status, error);
}

uint64_t table_writer_bytes(const struct table_writer *writer) {
    return staged_end(writer) +
           (writer->block.entry_count > 0 ? block_writer_bytes(&writer->block) : 0);
}

uint64_t table_writer_log_bytes(const struct table_writer *writer) {
    return writer->books.figures.log_bytes;
}

uint64_t table_writer_entries(const struct table_writer *writer) {
    return writer->books.figures.entries;
}

void table_writer_set_ranges_applied(struct table_writer *writer, uint64_t version) {
    writer->books.figures.ranges_applied = version;
}

struct slice table_writer_last_row(const struct table_writer *writer) {
    struct slice last = table_collector_last_key(&writer->books);
    return last.len > 0 ? ikey_row(last) : last;
}

static enum status stage_filter(struct table_writer *writer, struct table_place *place_out) {
    const struct table_collector *books = &writer->books;
    size_t bytes = filter_bytes(books->row_count);
    uint8_t *lines;
    enum status status;

    if (bytes > BLOCK_RAW_BYTES_MAX) {
        bytes = BLOCK_RAW_BYTES_MAX; /* passes more, but still right */
    }
    lines = memory_alloc_zeroed(bytes);
    if (!lines) {
        return STATUS_NO_MEMORY;
    }
    filter_build(lines, bytes, books->row_hashes, books->row_count);
    status = stage_block(writer, BLOCK_FILTER, slice_make(lines, bytes), place_out);
    memory_free(lines);
    return status;
}

static enum status stage_index(struct table_writer *writer, struct table_place *place_out) {
    store_u32(writer->index.data, writer->block_count);
    return stage_block(writer, BLOCK_INDEX, buffer_slice(&writer->index), place_out);
}

static enum status stage_properties(struct table_writer *writer, struct table_place *place_out) {
    struct table_info info = table_collector_view(&writer->books);
    struct buffer raw;
    enum status status;

    buffer_init(&raw, BLOCK_RAW_BYTES_MAX);
    status = table_properties_append(&raw, &info, writer->block_bytes);
    if (status == STATUS_OK) {
        status = stage_block(writer, BLOCK_PROPERTIES, buffer_slice(&raw), place_out);
    }
    buffer_deinit(&raw);
    return status;
}

/* Stages all that follows the data blocks, and completes `info`. */
static enum status stage_tail(struct table_writer *writer, struct table_info *info) {
    struct table_footer footer = {.number = writer->number};
    enum status status = stage_filter(writer, &footer.filter);
    uint8_t *bytes = NULL;

    if (status == STATUS_OK) {
        status = stage_index(writer, &footer.index);
    }
    if (status == STATUS_OK) {
        status = stage_properties(writer, &footer.properties);
    }
    if (status == STATUS_OK) {
        status = buffer_extend(&writer->staging, TABLE_FOOTER_BYTES, &bytes);
    }
    if (status == STATUS_OK) {
        footer.file_bytes = staged_end(writer);
        info->file_bytes = footer.file_bytes;
        info->footer_checksum = table_footer_store(bytes, &footer);
    }
    return status;
}

static enum status make_durable(struct table_writer *writer, struct error *error) {
    struct env_file *file = writer->file;
    enum status status = append_staged(writer, error);

    if (status == STATUS_OK) {
        status = env_sync(file, error);
    }
    if (status == STATUS_OK) {
        status = env_finish(file, error);
    }
    if (status == STATUS_OK) {
        writer->file = NULL;
        status = env_file_close(file, error);
    }
    return status;
}

static enum status write_rest(struct table_writer *writer, struct table_info *info_out,
                              struct error *error) {
    struct table_info view;
    enum status status = end_block(writer, error);

    if (status != STATUS_OK) {
        return status;
    }
    view = table_collector_view(&writer->books);
    status = stage_tail(writer, &view);
    if (status == STATUS_OK) {
        status = make_durable(writer, error);
    }
    return status == STATUS_OK ? table_info_copy(&view, info_out) : status;
}

enum status table_writer_finish(struct table_writer *writer, struct table_info *info_out,
                                struct error *error) {
    enum status status;

    ASSERT(!writer->failed);
    ASSERT(writer->books.figures.entries > 0);
    status = write_rest(writer, info_out, error);
    if (status != STATUS_OK) {
        return writer_fail(writer, status, error);
    }
    writer_free(writer);
    return STATUS_OK;
}

void table_writer_abandon(struct table_writer *writer) {
    enum status status;

    if (!writer) {
        return;
    }
    if (writer->file) {
        status = env_file_close(writer->file, NULL);
        (void)status; /* the file goes anyway */
    }
    status = env_remove(writer->env, writer->path, NULL);
    (void)status;
    writer_free(writer);
}
