/* backup_reader.c: see backup_reader.h. */
#include "client/kvcli/backup_reader.h"

#include "client/kvcli/backup_index.h"
#include "protocol/base/memory.h"

struct backup_reader {
    struct backup_source source;
    struct backup_codec codec;
    struct backup_header header;
    struct backup_index index;    /* built anew, to be compared */
    struct backup_block block;    /* at hand */
    struct backup_block of_index; /* at hand, while one is compared */
    struct reader entries;        /* left of the block at hand */
    struct buffer row;            /* owned: first of the block at hand */
    struct buffer last_key;       /* owned: of the namespace so far */
    struct backup_hash *hash;
    struct backup_end end; /* totals so far */
    char last_name[BACKUP_NAME_BYTES_MAX + 1];
    uint64_t offset; /* of the next block */
    uint64_t long_left;
    bool in_long;
    bool in_new;     /* the namespace at hand is: it has no deletions */
    bool index_read; /* of_index is the next block of the index */
};

static enum status damaged(const struct backup_reader *reader, const struct backup_block *block,
                           const char *how, struct error *error) {
    return backup_damaged(&reader->source, block->head.offset, block->head.number, how, error);
}

static enum status no_memory(const struct backup_reader *reader, struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, 0, reader->source.name, ERROR_NO_OFFSET,
                     "out of memory");
}

static enum status read_block(struct backup_reader *reader, struct backup_block *block,
                              struct error *error) {
    enum status status = backup_block_read(&reader->codec, &reader->source, reader->offset,
                                           reader->end.blocks, block, error);

    if (status == STATUS_OK && block->head.kind != BACKUP_END) {
        reader->offset = backup_block_after(&block->head);
        reader->end.blocks++;
        reader->end.digest = backup_digest(reader->end.digest, block->head.checksum);
    }
    return status;
}

/* The writer wrote this block of the index here: it must come now, byte for byte. */
static enum status compare_index(void *arg, struct slice content, uint64_t *offset_out,
                                 uint64_t *number_out, struct error *error) {
    struct backup_reader *reader = arg;
    enum status status =
        reader->index_read ? STATUS_OK : read_block(reader, &reader->of_index, error);

    reader->index_read = false;
    *offset_out = reader->of_index.head.offset;
    *number_out = reader->of_index.head.number;
    if (status == STATUS_OK && (reader->of_index.head.kind != BACKUP_INDEX ||
                                !slice_equal(buffer_slice(&reader->of_index.content), content))) {
        return damaged(reader, &reader->of_index, "is not the index of the blocks before", error);
    }
    return status;
}

enum status backup_reader_create(const struct backup_source *source,
                                 struct backup_reader **reader_out, struct error *error) {
    struct backup_reader *reader = memory_alloc_zeroed(sizeof *reader);
    size_t length = 0;
    uint64_t seed = 0;
    enum status status;

    *reader_out = NULL;
    if (!reader) {
        return error_set(error, STATUS_NO_MEMORY, 0, source->name, ERROR_NO_OFFSET,
                         "out of memory");
    }
    reader->source = *source;
    reader->hash = backup_hash_create();
    backup_index_init(&reader->index, (struct backup_emitter){compare_index, reader});
    backup_block_init(&reader->block);
    backup_block_init(&reader->of_index);
    buffer_init(&reader->row, BACKUP_ROW_BYTES_MAX);
    buffer_init(&reader->last_key, BACKUP_KEY_BYTES_MAX);
    status = reader->hash ? backup_header_read(source, &reader->header, &seed, &length, error)
                          : no_memory(reader, error);
    backup_codec_init(&reader->codec, seed);
    reader->offset = length;
    reader->end.digest = seed;
    if (status != STATUS_OK) {
        backup_reader_destroy(reader);
        return status;
    }
    *reader_out = reader;
    return STATUS_OK;
}

void backup_reader_destroy(struct backup_reader *reader) {
    if (!reader) {
        return;
    }
    backup_codec_deinit(&reader->codec);
    backup_index_deinit(&reader->index);
    backup_block_deinit(&reader->block);
    backup_block_deinit(&reader->of_index);
    buffer_deinit(&reader->row);
    buffer_deinit(&reader->last_key);
    backup_hash_destroy(reader->hash);
    memory_free(reader);
}

const struct backup_header *backup_reader_header(const struct backup_reader *reader) {
    return &reader->header;
}

uint64_t backup_reader_bytes(const struct backup_reader *reader) {
    return reader->offset;
}

/* Adds the block at hand, which begins with `key`, to the index. */
static enum status index_block(struct backup_reader *reader, struct slice key,
                               struct error *error) {
    struct backup_index_entry entry = {.offset = reader->block.head.offset,
                                       .number = reader->block.head.number};
    enum status status = backup_row(&reader->row, (uint32_t)(reader->end.namespaces - 1), key);

    if (status != STATUS_OK) {
        return no_memory(reader, error);
    }
    entry.row = buffer_slice(&reader->row);
    status = backup_index_add(&reader->index, &entry, error);
    return status == STATUS_NO_MEMORY ? no_memory(reader, error) : status;
}

/* --- what may come --- */

static enum status take_space(struct backup_reader *reader, struct backup_item *item,
                              struct error *error) {
    if (backup_space_take(buffer_slice(&reader->block.content), reader->header.marks_new,
                          &item->space) != STATUS_OK ||
        reader->end.namespaces == UINT32_MAX ||
        (reader->end.namespaces > 0 && strcmp(reader->last_name, item->space.name) >= 0)) {
        return damaged(reader, &reader->block, "is no namespace in its order", error);
    }
    item->event = BACKUP_EVENT_SPACE;
    reader->in_new = item->space.is_new;
    memcpy(reader->last_name, item->space.name, sizeof reader->last_name);
    reader->end.namespaces++;
    buffer_clear(&reader->last_key);
    return index_block(reader, slice_make(NULL, 0), error);
}

static void begin_long(struct backup_reader *reader, const struct backup_entry *entry) {
    reader->in_long = true;
    reader->long_left = entry->length;
    backup_hash_reset(reader->hash);
}

/* The next entry of the block at hand, which has one. */
static enum status take_entry(struct backup_reader *reader, struct backup_item *item,
                              struct error *error) {
    struct backup_entry *entry = &item->entry;
    enum status status = backup_entry_take(&reader->entries, entry);

    if (status != STATUS_OK || (entry->deleted && (reader->header.since == 0 || reader->in_new)) ||
        (entry->is_long && reader_left(&reader->entries) > 0) ||
        slice_compare(buffer_slice(&reader->last_key), entry->key) >= 0) {
        return damaged(reader, &reader->block, "has an entry that cannot be", error);
    }
    item->event = BACKUP_EVENT_ENTRY;
    buffer_clear(&reader->last_key);
    if (buffer_append(&reader->last_key, entry->key.ptr, entry->key.len) != STATUS_OK) {
        return no_memory(reader, error);
    }
    reader->end.values += !entry->deleted;
    reader->end.deletions += entry->deleted;
    reader->end.bytes += entry->key.len + entry->length;
    if (entry->is_long) {
        begin_long(reader, entry);
    }
    return STATUS_OK;
}

static enum status begin_entries(struct backup_reader *reader, struct backup_item *item,
                                 struct error *error) {
    enum status status;

    reader->entries = reader_make(buffer_slice(&reader->block.content));
    if (reader->end.namespaces == 0) {
        return damaged(reader, &reader->block, "is of no namespace", error);
    }
    status = take_entry(reader, item, error);
    return status == STATUS_OK ? index_block(reader, item->entry.key, error) : status;
}

static enum status take_piece(struct backup_reader *reader, struct backup_item *item,
                              struct error *error) {
    struct slice content = buffer_slice(&reader->block.content);

    if (reader->block.head.kind == BACKUP_PIECE && content.len > 0 &&
        content.len <= reader->long_left) {
        item->event = BACKUP_EVENT_PIECE;
        item->piece = content;
        reader->long_left -= content.len;
        backup_hash_add(reader->hash, content);
        return STATUS_OK;
    }
    item->event = BACKUP_EVENT_VALUE_END;
    reader->in_long = false;
    if (reader->block.head.kind != BACKUP_VALUE_END || content.len != BACKUP_VALUE_END_BYTES ||
        reader->long_left > 0) {
        return damaged(reader, &reader->block, "is not the rest of a long value", error);
    }
    item->checksum = load_u64(content.ptr);
    return item->checksum == backup_hash_value(reader->hash)
               ? STATUS_OK
               : damaged(reader, &reader->block, "ends a value that differs from its checksum",
                         error);
}

static bool same_end(const struct backup_end *a, const struct backup_end *b) {
    return a->root == b->root && a->blocks == b->blocks && a->namespaces == b->namespaces &&
           a->values == b->values && a->deletions == b->deletions && a->bytes == b->bytes &&
           a->digest == b->digest;
}

static enum status check_nothing_follows(const struct backup_reader *reader, struct error *error) {
    uint8_t byte;
    size_t got = 0;
    enum status status =
        reader->source.read_cb(reader->source.arg, reader->offset, &byte, 1, &got, error);

    if (status == STATUS_OK && got > 0) {
        return error_set(error, STATUS_CORRUPT, 0, reader->source.name, reader->offset,
                         "bytes follow the end of the backup");
    }
    return status;
}

static enum status take_end(struct backup_reader *reader, struct backup_item *item,
                            struct error *error) {
    item->event = BACKUP_EVENT_END;
    if (reader->block.content.len != BACKUP_END_BYTES) {
        return damaged(reader, &reader->block, "is no end", error);
    }
    backup_end_load(reader->block.content.data, &item->end);
    if (!same_end(&item->end, &reader->end)) {
        return damaged(reader, &reader->block, "tells other totals than were read", error);
    }
    reader->offset = backup_block_after(&reader->block.head);
    return check_nothing_follows(reader, error);
}

/* The block at hand is of the index, where an entry or a namespace could have come: so what is left
 * of the index follows, and then the end. */
static enum status take_rest_of_index(struct backup_reader *reader, struct backup_item *item,
                                      struct error *error) {
    struct backup_block swapped = reader->of_index;
    enum status status;

    reader->of_index = reader->block;
    reader->block = swapped;
    reader->index_read = true;
    status = backup_index_finish(&reader->index, &reader->end.root, error);
    if (status == STATUS_NO_MEMORY) {
        return no_memory(reader, error);
    }
    if (status == STATUS_OK && reader->index_read) {
        return damaged(reader, &reader->of_index, "is an index of nothing", error);
    }
    if (status == STATUS_OK) {
        status = read_block(reader, &reader->block, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return reader->block.head.kind == BACKUP_END
               ? take_end(reader, item, error)
               : damaged(reader, &reader->block, "is not the end", error);
}

static enum status take_block(struct backup_reader *reader, struct backup_item *item,
                              struct error *error) {
    if (reader->in_long) {
        return take_piece(reader, item, error);
    }
    switch (reader->block.head.kind) {
    case BACKUP_SPACE:
        return take_space(reader, item, error);
    case BACKUP_ENTRIES:
        return begin_entries(reader, item, error);
    case BACKUP_INDEX:
        return take_rest_of_index(reader, item, error);
    case BACKUP_END:
        return reader->index.height == 0
                   ? take_end(reader, item, error)
                   : damaged(reader, &reader->block, "is an end without an index", error);
    case BACKUP_PIECE:
    case BACKUP_VALUE_END:
        break;
    }
    return damaged(reader, &reader->block, "belongs to no value", error);
}

enum status backup_reader_next(struct backup_reader *reader, struct backup_item *item,
                               struct error *error) {
    enum status status;

    *item = (struct backup_item){0};
    if (reader_left(&reader->entries) > 0) {
        return take_entry(reader, item, error);
    }
    status = read_block(reader, &reader->block, error);
    return status == STATUS_OK ? take_block(reader, item, error) : status;
}
