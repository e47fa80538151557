/* backup_index.c: see backup_index.h. */
#include "client/kvcli/backup_index.h"

void backup_index_init(struct backup_index *index, struct backup_emitter emitter) {
    *index = (struct backup_index){.emitter = emitter};
    for (uint32_t i = 0; i < BACKUP_INDEX_LEVELS_MAX; i++) {
        buffer_init(&index->levels[i], BACKUP_BLOCK_BYTES_MAX);
    }
}

void backup_index_deinit(struct backup_index *index) {
    for (uint32_t i = 0; i < BACKUP_INDEX_LEVELS_MAX; i++) {
        buffer_deinit(&index->levels[i]);
    }
}

/* The level stands in front of its first entry. */
static enum status append(struct backup_index *index, uint32_t level,
                          const struct backup_index_entry *entry) {
    struct buffer *buffer = &index->levels[level];
    enum status status = buffer->len ? STATUS_OK : buffer_append_u8(buffer, (uint8_t)level);

    index->counts[level]++;
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, entry->row);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, entry->offset);
    }
    return status == STATUS_OK ? buffer_append_u64(buffer, entry->number) : status;
}

/* Writes a level and names it in the one above. Its first row is borrowed from its content, which
 * is cleared last. */
static enum status flush_level(struct backup_index *index, uint32_t level, bool is_root,
                               uint64_t *offset_out, struct error *error) {
    struct buffer *content = &index->levels[level];
    struct backup_index_entry first;
    struct reader entries;
    uint8_t unused;
    enum status status = backup_index_open(buffer_slice(content), &entries, &unused);

    if (status == STATUS_OK) {
        status = backup_index_take(&entries, &first);
    }
    if (status == STATUS_OK) {
        status = index->emitter.emit_cb(index->emitter.arg, buffer_slice(content), &first.offset,
                                        &first.number, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *offset_out = first.offset;
    if (!is_root && level + 1 == BACKUP_INDEX_LEVELS_MAX) {
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET,
                         "the index has too many levels");
    }
    if (!is_root) {
        status = append(index, level + 1, &first);
        index->height = index->height < level + 2 ? level + 2 : index->height;
    }
    index->counts[level] = 0;
    buffer_clear(content);
    return status;
}

static bool is_full(const struct backup_index *index, uint32_t level) {
    return level < index->height && index->levels[level].len > BACKUP_INDEX_BYTES &&
           index->counts[level] >= BACKUP_INDEX_ENTRIES_MIN;
}

enum status backup_index_add(struct backup_index *index, const struct backup_index_entry *entry,
                             struct error *error) {
    uint64_t unused;
    enum status status = append(index, 0, entry);

    index->height = index->height ? index->height : 1;
    for (uint32_t level = 0; status == STATUS_OK && is_full(index, level); level++) {
        status = flush_level(index, level, false, &unused, error);
    }
    return status;
}

enum status backup_index_finish(struct backup_index *index, uint64_t *root_out,
                                struct error *error) {
    enum status status = STATUS_OK;

    *root_out = 0;
    for (uint32_t level = 0; level < index->height && status == STATUS_OK; level++) {
        if (index->levels[level].len > 0) {
            status = flush_level(index, level, level + 1 == index->height, root_out, error);
        }
    }
    return status;
}

enum status backup_index_open(struct slice content, struct reader *entries_out,
                              uint8_t *level_out) {
    *entries_out = reader_make(content);
    return reader_take_u8(entries_out, level_out) && *level_out < BACKUP_INDEX_LEVELS_MAX
               ? STATUS_OK
               : STATUS_CORRUPT;
}

enum status backup_index_take(struct reader *entries, struct backup_index_entry *entry_out) {
    if (reader_left(entries) == 0) {
        return STATUS_END;
    }
    return reader_take_block(entries, &entry_out->row) &&
                   entry_out->row.len >= BACKUP_SPACE_ROW_BYTES &&
                   entry_out->row.len <= BACKUP_ROW_BYTES_MAX &&
                   reader_take_u64(entries, &entry_out->offset) &&
                   reader_take_u64(entries, &entry_out->number)
               ? STATUS_OK
               : STATUS_CORRUPT;
}

enum status backup_row(struct buffer *row, uint32_t space, struct slice key) {
    const uint8_t number[BACKUP_SPACE_ROW_BYTES] = {(uint8_t)(space >> 24), (uint8_t)(space >> 16),
                                                    (uint8_t)(space >> 8), (uint8_t)space};
    enum status status;

    buffer_clear(row);
    status = buffer_append(row, number, sizeof number);
    return status == STATUS_OK ? buffer_append(row, key.ptr, key.len) : status;
}
