/* backup_writer.c: see backup_writer.h. */
#include "client/kvcli/backup_writer.h"

#include "client/kvcli/backup_index.h"
#include "protocol/base/memory.h"

struct backup_writer {
    struct backup_sink sink;
    struct backup_codec codec;
    struct backup_index index;
    struct buffer content;   /* owned: of the block being filled */
    struct buffer first_row; /* owned: of that block */
    struct buffer last_key;  /* owned: of the namespace so far */
    struct backup_hash *hash;
    struct backup_end end; /* totals so far */
    char last_name[BACKUP_NAME_BYTES_MAX + 1];
    uint64_t offset; /* where the next block goes */
    uint64_t long_left;
    bool incremental;
    bool marks_new;
    bool in_new; /* the namespace at hand is */
    bool in_long;
};

static enum status out_of_memory(struct error *error, enum status status) {
    return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "%s", status_text(status));
}

static enum status out_of_order(struct error *error, const char *what) {
    return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "%s", what);
}

/* --- blocks --- */

static enum status write_block(struct backup_writer *writer, enum backup_kind kind,
                               struct slice content, struct error *error) {
    struct backup_block_head head = {
        .kind = kind, .number = writer->end.blocks, .offset = writer->offset};
    struct slice bytes;
    enum status status = backup_block_seal(&writer->codec, &head, content, &bytes);

    if (status != STATUS_OK) {
        return out_of_memory(error, status);
    }
    status = writer->sink.write_cb(writer->sink.arg, bytes, error);
    if (status == STATUS_OK) {
        writer->offset = backup_block_after(&head);
        writer->end.blocks++;
        writer->end.digest = backup_digest(writer->end.digest, head.checksum);
    }
    return status;
}

static enum status emit_index(void *arg, struct slice content, uint64_t *offset_out,
                              uint64_t *number_out, struct error *error) {
    struct backup_writer *writer = arg;

    *offset_out = writer->offset;
    *number_out = writer->end.blocks;
    return write_block(writer, BACKUP_INDEX, content, error);
}

/* Writes a block whose first row is writer->first_row, and names it in the index. */
static enum status write_indexed(struct backup_writer *writer, enum backup_kind kind,
                                 struct error *error) {
    struct backup_index_entry entry = {.row = buffer_slice(&writer->first_row),
                                       .offset = writer->offset,
                                       .number = writer->end.blocks};
    enum status status = write_block(writer, kind, buffer_slice(&writer->content), error);

    buffer_clear(&writer->content);
    if (status == STATUS_OK) {
        status = backup_index_add(&writer->index, &entry, error);
    }
    if (status == STATUS_NO_MEMORY) {
        return out_of_memory(error, status);
    }
    return status;
}

static enum status flush_entries(struct backup_writer *writer, struct error *error) {
    return writer->content.len ? write_indexed(writer, BACKUP_ENTRIES, error) : STATUS_OK;
}

/* --- begin and end --- */

static enum status begin(struct backup_writer *writer, const struct backup_header *header,
                         struct error *error) {
    uint64_t seed = 0;
    enum status status = backup_header_append(&writer->content, header, &seed);

    if (status != STATUS_OK || !writer->hash) {
        return out_of_memory(error, STATUS_NO_MEMORY);
    }
    status = writer->sink.write_cb(writer->sink.arg, buffer_slice(&writer->content), error);
    writer->offset = writer->content.len;
    writer->codec.seed = seed;
    writer->end.digest = seed;
    buffer_clear(&writer->content);
    return status;
}

enum status backup_writer_create(const struct backup_sink *sink, const struct backup_header *header,
                                 struct backup_writer **writer_out, struct error *error) {
    struct backup_writer *writer = memory_alloc_zeroed(sizeof *writer);
    enum status status;

    *writer_out = NULL;
    if (!writer) {
        return out_of_memory(error, STATUS_NO_MEMORY);
    }
    writer->sink = *sink;
    writer->incremental = header->since != 0;
    writer->marks_new = header->marks_new;
    writer->hash = backup_hash_create();
    backup_codec_init(&writer->codec, 0);
    backup_index_init(&writer->index, (struct backup_emitter){emit_index, writer});
    buffer_init(&writer->content, BACKUP_BLOCK_BYTES_MAX);
    buffer_init(&writer->first_row, BACKUP_ROW_BYTES_MAX);
    buffer_init(&writer->last_key, BACKUP_KEY_BYTES_MAX);
    status = begin(writer, header, error);
    if (status != STATUS_OK) {
        backup_writer_destroy(writer);
        return status;
    }
    *writer_out = writer;
    return STATUS_OK;
}

void backup_writer_destroy(struct backup_writer *writer) {
    if (!writer) {
        return;
    }
    backup_codec_deinit(&writer->codec);
    backup_index_deinit(&writer->index);
    buffer_deinit(&writer->content);
    buffer_deinit(&writer->first_row);
    buffer_deinit(&writer->last_key);
    backup_hash_destroy(writer->hash);
    memory_free(writer);
}

enum status backup_writer_finish(struct backup_writer *writer, struct backup_end *end_out,
                                 struct error *error) {
    uint8_t bytes[BACKUP_END_BYTES];
    enum status status = flush_entries(writer, error);

    if (status == STATUS_OK) {
        status = backup_index_finish(&writer->index, &writer->end.root, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *end_out = writer->end;
    backup_end_store(bytes, end_out);
    return write_block(writer, BACKUP_END, slice_make(bytes, sizeof bytes), error);
}

uint64_t backup_writer_bytes(const struct backup_writer *writer) {
    return writer->offset;
}

/* --- namespaces and entries --- */

static uint32_t space_number(const struct backup_writer *writer) {
    return (uint32_t)(writer->end.namespaces - 1);
}

enum status backup_writer_space(struct backup_writer *writer, const struct backup_space *space,
                                struct error *error) {
    enum status status = flush_entries(writer, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (writer->in_long || writer->end.namespaces == UINT32_MAX ||
        (writer->end.namespaces > 0 && strcmp(writer->last_name, space->name) >= 0)) {
        return out_of_order(error, "the namespaces are not in order");
    }
    if (space->is_new && !writer->marks_new) {
        return out_of_order(error, "a new namespace in a backup that marks none");
    }
    writer->in_new = space->is_new;
    memcpy(writer->last_name, space->name, sizeof writer->last_name);
    writer->end.namespaces++;
    buffer_clear(&writer->last_key);
    status = backup_space_append(&writer->content, space, writer->marks_new);
    if (status == STATUS_OK) {
        status = backup_row(&writer->first_row, space_number(writer), slice_make(NULL, 0));
    }
    return status == STATUS_OK ? write_indexed(writer, BACKUP_SPACE, error)
                               : out_of_memory(error, status);
}

static enum status check_entry(const struct backup_writer *writer, const struct backup_entry *entry,
                               struct error *error) {
    if (writer->in_long || writer->end.namespaces == 0 || entry->key.len == 0 ||
        entry->key.len > BACKUP_KEY_BYTES_MAX ||
        slice_compare(buffer_slice(&writer->last_key), entry->key) >= 0) {
        return out_of_order(error, "the keys did not come in order");
    }
    if (entry->deleted && (!writer->incremental || writer->in_new)) {
        return out_of_order(error, "a deletion in what is complete");
    }
    return STATUS_OK;
}

static enum status append_entry(struct backup_writer *writer, const struct backup_entry *entry) {
    enum status status = STATUS_OK;

    if (writer->content.len == 0) {
        status = backup_row(&writer->first_row, space_number(writer), entry->key);
    }
    buffer_clear(&writer->last_key);
    if (status == STATUS_OK) {
        status = buffer_append(&writer->last_key, entry->key.ptr, entry->key.len);
    }
    return status == STATUS_OK ? backup_entry_append(&writer->content, entry) : status;
}

enum status backup_writer_put(struct backup_writer *writer, const struct backup_entry *entry,
                              struct error *error) {
    enum status status = check_entry(writer, entry, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = append_entry(writer, entry);
    if (status != STATUS_OK) {
        return out_of_memory(error, status);
    }
    writer->end.values += !entry->deleted;
    writer->end.deletions += entry->deleted;
    writer->end.bytes += entry->key.len + entry->value.len;
    return writer->content.len > BACKUP_ENTRIES_BYTES ? flush_entries(writer, error) : STATUS_OK;
}

/* --- long values --- */

enum status backup_writer_begin_long(struct backup_writer *writer, const struct backup_entry *entry,
                                     struct error *error) {
    enum status status = check_entry(writer, entry, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = append_entry(writer, entry);
    if (status != STATUS_OK) {
        return out_of_memory(error, status);
    }
    writer->in_long = true;
    writer->long_left = entry->length;
    writer->end.values++;
    writer->end.bytes += entry->key.len + entry->length;
    backup_hash_reset(writer->hash);
    return flush_entries(writer, error);
}

/* The content holds the piece being filled meanwhile. */
static enum status flush_piece(struct backup_writer *writer, struct error *error) {
    enum status status = write_block(writer, BACKUP_PIECE, buffer_slice(&writer->content), error);

    buffer_clear(&writer->content);
    return status;
}

enum status backup_writer_piece(struct backup_writer *writer, struct slice bytes,
                                struct error *error) {
    enum status status = STATUS_OK;

    if (!writer->in_long || bytes.len > writer->long_left) {
        return out_of_order(error, "a value is longer than was said");
    }
    writer->long_left -= bytes.len;
    backup_hash_add(writer->hash, bytes);
    while (status == STATUS_OK && bytes.len > 0) {
        size_t room = BACKUP_BLOCK_BYTES_MAX - writer->content.len;
        size_t some = bytes.len < room ? bytes.len : room;
        if (buffer_append(&writer->content, bytes.ptr, some) != STATUS_OK) {
            return out_of_memory(error, STATUS_NO_MEMORY);
        }
        bytes = slice_make(bytes.ptr + some, bytes.len - some);
        if (writer->content.len == BACKUP_BLOCK_BYTES_MAX) {
            status = flush_piece(writer, error);
        }
    }
    return status;
}

enum status backup_writer_end_long(struct backup_writer *writer, struct error *error) {
    uint8_t bytes[BACKUP_VALUE_END_BYTES];
    enum status status = STATUS_OK;

    if (!writer->in_long || writer->long_left > 0) {
        return out_of_order(error, "a value is shorter than was said");
    }
    if (writer->content.len > 0) {
        status = flush_piece(writer, error);
    }
    store_u64(bytes, backup_hash_value(writer->hash));
    writer->in_long = false;
    return status == STATUS_OK
               ? write_block(writer, BACKUP_VALUE_END, slice_make(bytes, sizeof bytes), error)
               : status;
}
