/* backup_lookup.c: see backup_lookup.h. */
#include "client/kvcli/backup_lookup.h"

#include "client/kvcli/backup_index.h"
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

struct backup_lookup {
    struct backup_source source;
    struct backup_codec codec;
    struct backup_header header;
    struct backup_end end;
    uint64_t end_offset;
    uint64_t root_number;
    uint8_t root_level;
    struct backup_block levels[BACKUP_INDEX_LEVELS_MAX]; /* last used of each; number 0: none */
    struct backup_block block;                           /* at hand */
    struct backup_block piece;
    struct buffer starts; /* owned: where the entries of the block at hand begin, each a u32 */
    struct buffer row;    /* owned: of the block at hand */
    struct buffer wish;   /* owned: what is sought */
    struct backup_hash *hash;
    uint32_t space;
    size_t position; /* of the entry found last, among the starts */
};

static enum status damaged(const struct backup_lookup *lookup, const struct backup_block *block,
                           const char *how, struct error *error) {
    return backup_damaged(&lookup->source, block->head.offset, block->head.number, how, error);
}

static enum status no_memory(const struct backup_lookup *lookup, struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, 0, lookup->source.name, ERROR_NO_OFFSET,
                     "out of memory");
}

/* Reads a block that is expected to be of that kind, before the end. */
static enum status read_block(struct backup_lookup *lookup, uint64_t offset, uint64_t number,
                              struct backup_block *block, struct error *error) {
    if (offset >= lookup->end_offset || number >= lookup->end.blocks) {
        return backup_damaged(&lookup->source, offset, number, "is said to be behind the end",
                              error);
    }
    return backup_block_read(&lookup->codec, &lookup->source, offset, number, block, error);
}

/* --- opening --- */

static enum status read_root_level(struct backup_lookup *lookup, struct error *error) {
    struct reader entries;
    enum status status =
        read_block(lookup, lookup->end.root, lookup->root_number, &lookup->piece, error);

    if (status == STATUS_OK && (lookup->piece.head.kind != BACKUP_INDEX ||
                                backup_index_open(buffer_slice(&lookup->piece.content), &entries,
                                                  &lookup->root_level) != STATUS_OK)) {
        return damaged(lookup, &lookup->piece, "is not the index that it should be", error);
    }
    return status;
}

static enum status read_end(struct backup_lookup *lookup, size_t header_bytes,
                            struct error *error) {
    uint64_t size = lookup->source.size;
    uint8_t head[BACKUP_BLOCK_HEAD_BYTES];
    struct backup_block_head end;
    size_t got = 0;
    enum status status;

    if (size < header_bytes + BACKUP_BLOCK_HEAD_BYTES + BACKUP_END_BYTES) {
        return error_set(error, STATUS_CORRUPT, 0, lookup->source.name, size,
                         "the file is cut short: it has no end");
    }
    lookup->end_offset = size - BACKUP_BLOCK_HEAD_BYTES - BACKUP_END_BYTES;
    status = lookup->source.read_cb(lookup->source.arg, lookup->end_offset, head, sizeof head, &got,
                                    error);
    if (status != STATUS_OK) {
        return status;
    }
    if (got < sizeof head || backup_head_take(head, &end) != STATUS_OK || end.kind != BACKUP_END ||
        end.raw_bytes != BACKUP_END_BYTES || end.compressed) {
        return error_set(error, STATUS_CORRUPT, 0, lookup->source.name, lookup->end_offset,
                         "here is no end of a backup: the file is cut short or damaged");
    }
    status = backup_block_read(&lookup->codec, &lookup->source, lookup->end_offset, end.number,
                               &lookup->block, error);
    if (status != STATUS_OK) {
        return status;
    }
    backup_end_load(lookup->block.content.data, &lookup->end);
    if (lookup->end.blocks != end.number || lookup->end.namespaces > UINT32_MAX) {
        return damaged(lookup, &lookup->block, "tells wrong totals", error);
    }
    lookup->root_number = end.number - 1; /* the root is the last of the blocks before */
    return lookup->end.root == 0 ? STATUS_OK : read_root_level(lookup, error);
}

static enum status open_parts(struct backup_lookup *lookup, struct error *error) {
    size_t length = 0;
    uint64_t seed = 0;
    enum status status;

    if (!lookup->hash) {
        return no_memory(lookup, error);
    }
    status = backup_header_read(&lookup->source, &lookup->header, &seed, &length, error);
    lookup->codec.seed = seed;
    return status == STATUS_OK ? read_end(lookup, length, error) : status;
}

enum status backup_lookup_create(const struct backup_source *source,
                                 struct backup_lookup **lookup_out, struct error *error) {
    struct backup_lookup *lookup = memory_alloc_zeroed(sizeof *lookup);
    enum status status;

    *lookup_out = NULL;
    if (!lookup) {
        return error_set(error, STATUS_NO_MEMORY, 0, source->name, ERROR_NO_OFFSET,
                         "out of memory");
    }
    lookup->source = *source;
    lookup->hash = backup_hash_create();
    backup_codec_init(&lookup->codec, 0);
    backup_block_init(&lookup->block);
    backup_block_init(&lookup->piece);
    for (uint32_t i = 0; i < BACKUP_INDEX_LEVELS_MAX; i++) {
        backup_block_init(&lookup->levels[i]);
        lookup->levels[i].head.number = UINT64_MAX;
    }
    buffer_init(&lookup->starts, BACKUP_BLOCK_BYTES_MAX * sizeof(uint32_t));
    buffer_init(&lookup->row, BACKUP_ROW_BYTES_MAX);
    buffer_init(&lookup->wish, BACKUP_ROW_BYTES_MAX);
    status = open_parts(lookup, error);
    if (status != STATUS_OK) {
        backup_lookup_destroy(lookup);
        return status;
    }
    *lookup_out = lookup;
    return STATUS_OK;
}

void backup_lookup_destroy(struct backup_lookup *lookup) {
    if (!lookup) {
        return;
    }
    backup_codec_deinit(&lookup->codec);
    backup_block_deinit(&lookup->block);
    backup_block_deinit(&lookup->piece);
    for (uint32_t i = 0; i < BACKUP_INDEX_LEVELS_MAX; i++) {
        backup_block_deinit(&lookup->levels[i]);
    }
    buffer_deinit(&lookup->starts);
    buffer_deinit(&lookup->row);
    buffer_deinit(&lookup->wish);
    backup_hash_destroy(lookup->hash);
    memory_free(lookup);
}

const struct backup_header *backup_lookup_header(const struct backup_lookup *lookup) {
    return &lookup->header;
}

const struct backup_end *backup_lookup_end(const struct backup_lookup *lookup) {
    return &lookup->end;
}

/* --- the index --- */

/* Which entry of the index is wanted, seen from a row. */
enum wish {
    WISH_AT_OR_BELOW, /* the greatest row not above: the block that would hold it */
    WISH_BELOW,       /* the greatest row below: the block before */
    WISH_ABOVE,       /* the least row above: the block behind */
};

struct choice {
    struct backup_index_entry entry;  /* to follow; row NULL: none */
    struct backup_index_entry behind; /* the next one in the same block */
};

/* Among the entries of a block of the index. The row of a subtree is its least: so it is the last
 * one that is not above; what is above and not in it begins with the one behind it. */
static enum status choose(struct reader *entries, struct slice row, enum wish wish,
                          struct choice *choice) {
    struct backup_index_entry entry;
    enum status status;

    *choice = (struct choice){0};
    while ((status = backup_index_take(entries, &entry)) == STATUS_OK) {
        int order = slice_compare(entry.row, row);
        if (order > 0 || (wish == WISH_BELOW && order == 0)) {
            choice->behind = entry;
            return STATUS_OK;
        }
        choice->entry = entry;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_index(struct backup_lookup *lookup, const struct backup_index_entry *at,
                              uint8_t level, struct reader *entries, struct error *error) {
    struct backup_block *block = &lookup->levels[level];
    uint8_t real_level = 0;
    enum status status = STATUS_OK;

    if (block->head.number != at->number || block->head.offset != at->offset) {
        status = read_block(lookup, at->offset, at->number, block, error);
    }
    if (status != STATUS_OK) {
        block->head.number = UINT64_MAX;
        return status;
    }
    if (block->head.kind != BACKUP_INDEX ||
        backup_index_open(buffer_slice(&block->content), entries, &real_level) != STATUS_OK ||
        real_level != level) {
        return damaged(lookup, block, "is not the index that it should be", error);
    }
    return STATUS_OK;
}

/* Walks down from the root to the leaf where the row would be. choice->behind is then the nearest
 * entry to the right of the path, and *level its level. */
static enum status descend(struct backup_lookup *lookup, enum wish wish, uint8_t *level,
                           struct choice *choice, struct error *error) {
    struct slice row = buffer_slice(&lookup->wish);
    struct backup_index_entry at = {.offset = lookup->end.root, .number = lookup->root_number};
    struct backup_index_entry behind = {.row = {NULL, 0}};
    struct reader entries;
    uint8_t behind_level = 0;
    enum status status;

    for (*level = lookup->root_level;; (*level)--) {
        status = read_index(lookup, &at, *level, &entries, error);
        if (status == STATUS_OK && choose(&entries, row, wish, choice) != STATUS_OK) {
            status = damaged(lookup, &lookup->levels[*level], "has a wrong entry", error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (choice->behind.row.ptr) {
            behind = choice->behind;
            behind_level = *level;
        }
        if (*level == 0 || !choice->entry.row.ptr) {
            break;
        }
        at = choice->entry;
    }
    choice->behind = behind;
    *level = behind.row.ptr ? behind_level : 0;
    return STATUS_OK;
}

/* The first leaf entry under an entry of that level. */
static enum status leftmost(struct backup_lookup *lookup, uint8_t level,
                            struct backup_index_entry *entry, struct error *error) {
    struct reader entries;
    enum status status = STATUS_OK;

    while (level > 0 && status == STATUS_OK) {
        level--;
        status = read_index(lookup, entry, level, &entries, error);
        if (status == STATUS_OK && backup_index_take(&entries, entry) != STATUS_OK) {
            status = damaged(lookup, &lookup->levels[level], "has a wrong entry", error);
        }
    }
    return status;
}

/* The entry of the index that is wished for, seen from lookup->wish. Errors: END if there is
 * none. */
static enum status find_leaf(struct backup_lookup *lookup, enum wish wish,
                             struct backup_index_entry *entry_out, struct error *error) {
    struct choice choice = {0};
    uint8_t level = 0;
    enum status status;

    if (lookup->end.root == 0) {
        return STATUS_END;
    }
    status = descend(lookup, wish, &level, &choice, error);
    *entry_out = wish == WISH_ABOVE ? choice.behind : choice.entry;
    if (status == STATUS_OK && !entry_out->row.ptr) {
        return STATUS_END;
    }
    return status == STATUS_OK && wish == WISH_ABOVE ? leftmost(lookup, level, entry_out, error)
                                                     : status;
}

/* --- blocks of entries --- */

/* Notes where the entries of the block at hand begin, each of which is checked. */
static enum status note_starts(struct backup_lookup *lookup, struct error *error) {
    struct slice content = buffer_slice(&lookup->block.content);
    struct reader reader = reader_make(content);
    struct backup_entry entry;

    buffer_clear(&lookup->starts);
    do {
        if (buffer_append_u32(&lookup->starts, (uint32_t)(reader.ptr - content.ptr)) != STATUS_OK) {
            return no_memory(lookup, error);
        }
        if (backup_entry_take(&reader, &entry) != STATUS_OK) {
            return damaged(lookup, &lookup->block, "has an entry that cannot be", error);
        }
    } while (reader_left(&reader) > 0);
    return STATUS_OK;
}

/* Reads a block that a leaf of the index names. Errors: END if it is no block of entries of the
 * namespace. */
static enum status load(struct backup_lookup *lookup, const struct backup_index_entry *at,
                        struct error *error) {
    enum status status;

    buffer_clear(&lookup->row);
    buffer_clear(&lookup->starts);
    if (buffer_append(&lookup->row, at->row.ptr, at->row.len) != STATUS_OK) {
        return no_memory(lookup, error);
    }
    status = read_block(lookup, at->offset, at->number, &lookup->block, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (memcmp(lookup->row.data, lookup->wish.data, BACKUP_SPACE_ROW_BYTES) != 0 ||
        lookup->row.len == BACKUP_SPACE_ROW_BYTES) {
        return STATUS_END;
    }
    return lookup->block.head.kind == BACKUP_ENTRIES
               ? note_starts(lookup, error)
               : damaged(lookup, &lookup->block, "has no entries", error);
}

static size_t entry_count(const struct backup_lookup *lookup) {
    return lookup->starts.len / sizeof(uint32_t);
}

/* The entry at lookup->position, which was decoded before. */
static void entry_at(const struct backup_lookup *lookup, struct backup_entry *entry_out) {
    struct slice content = buffer_slice(&lookup->block.content);
    size_t start = load_u32(lookup->starts.data + lookup->position * sizeof(uint32_t));
    struct reader reader = reader_make(slice_make(content.ptr + start, content.len - start));
    enum status status = backup_entry_take(&reader, entry_out);

    ASSERT(status == STATUS_OK);
}

/* lookup->wish = the row of the key; of the empty key with `behind`, the row behind all keys. */
static enum status wish_key(struct backup_lookup *lookup, struct slice key, bool behind,
                            struct error *error) {
    uint32_t space = lookup->space + (behind && key.len == 0);

    return backup_row(&lookup->wish, space, key) == STATUS_OK ? STATUS_OK
                                                              : no_memory(lookup, error);
}

/* Sets the wish to the row of the block at hand, and loads the block that is wished for from
 * there. */
static enum status load_beside(struct backup_lookup *lookup, enum wish wish, struct error *error) {
    struct backup_index_entry leaf;
    enum status status;

    buffer_clear(&lookup->wish);
    if (buffer_append(&lookup->wish, lookup->row.data, lookup->row.len) != STATUS_OK) {
        return no_memory(lookup, error);
    }
    status = find_leaf(lookup, wish, &leaf, error);
    return status == STATUS_OK ? load(lookup, &leaf, error) : status;
}

/* --- namespaces --- */

enum status backup_lookup_space(struct backup_lookup *lookup, uint32_t index,
                                struct backup_space *space_out, struct error *error) {
    struct backup_index_entry leaf;
    enum status status;

    buffer_clear(&lookup->starts);
    if (backup_row(&lookup->wish, index, slice_make(NULL, 0)) != STATUS_OK) {
        return no_memory(lookup, error);
    }
    status = find_leaf(lookup, WISH_AT_OR_BELOW, &leaf, error);
    if (status == STATUS_OK && slice_equal(leaf.row, buffer_slice(&lookup->wish))) {
        status = read_block(lookup, leaf.offset, leaf.number, &lookup->block, error);
    } else if (status == STATUS_OK || status == STATUS_END) {
        return error_set(error, STATUS_CORRUPT, 0, lookup->source.name, lookup->end.root,
                         "the index has no namespace %lu", (unsigned long)index);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return lookup->block.head.kind == BACKUP_SPACE &&
                   backup_space_take(buffer_slice(&lookup->block.content), lookup->header.marks_new,
                                     space_out) == STATUS_OK
               ? STATUS_OK
               : damaged(lookup, &lookup->block, "is no namespace", error);
}

enum status backup_lookup_use(struct backup_lookup *lookup, const char *name, struct error *error) {
    uint32_t low = 0;
    uint32_t high = (uint32_t)lookup->end.namespaces;
    struct backup_space space;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        enum status status = backup_lookup_space(lookup, middle, &space, error);
        int order;
        if (status != STATUS_OK) {
            return status;
        }
        order = strcmp(space.name, name);
        if (order == 0) {
            lookup->space = middle;
            return STATUS_OK;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return STATUS_NOT_FOUND;
}

/* --- keys --- */

/* The first entry of the block at hand that is at or above the key; the number of entries if there
 * is none. */
static size_t position_of(struct backup_lookup *lookup, struct slice key) {
    size_t low = 0;
    size_t high = entry_count(lookup);
    struct backup_entry entry;

    while (low < high) {
        lookup->position = low + (high - low) / 2;
        entry_at(lookup, &entry);
        if (slice_compare(entry.key, key) < 0) {
            low = lookup->position + 1;
        } else {
            high = lookup->position;
        }
    }
    return low;
}

static enum status first_of_next_block(struct backup_lookup *lookup, struct backup_entry *entry_out,
                                       struct error *error) {
    enum status status = load_beside(lookup, WISH_ABOVE, error);

    if (status == STATUS_OK) {
        lookup->position = 0;
        entry_at(lookup, entry_out);
    }
    return status;
}

static enum status last_of(struct backup_lookup *lookup, struct backup_entry *entry_out) {
    lookup->position = entry_count(lookup) - 1;
    entry_at(lookup, entry_out);
    return STATUS_OK;
}

static enum status seek_back(struct backup_lookup *lookup, struct slice key,
                             struct backup_entry *entry_out, struct error *error) {
    struct backup_index_entry leaf;
    enum status status = wish_key(lookup, key, true, error);

    if (status == STATUS_OK) {
        status = find_leaf(lookup, WISH_BELOW, &leaf, error);
    }
    if (status == STATUS_OK) { /* the block belongs to the namespace, not to the one behind */
        status = wish_key(lookup, slice_make(NULL, 0), false, error);
    }
    if (status == STATUS_OK) {
        status = load(lookup, &leaf, error);
    }
    if (status != STATUS_OK || key.len == 0) {
        return status == STATUS_OK ? last_of(lookup, entry_out) : status;
    }
    lookup->position = position_of(lookup, key);
    return backup_lookup_prev(lookup, entry_out, error);
}

enum status backup_lookup_seek(struct backup_lookup *lookup, struct slice key, bool reverse,
                               struct backup_entry *entry_out, struct error *error) {
    struct backup_index_entry leaf;
    enum status status;

    if (reverse) {
        return seek_back(lookup, key, entry_out, error);
    }
    status = wish_key(lookup, key, false, error);
    if (status == STATUS_OK) {
        status = find_leaf(lookup, WISH_AT_OR_BELOW, &leaf, error);
    }
    if (status == STATUS_OK) {
        status = load(lookup, &leaf, error);
    }
    if (status == STATUS_END) { /* of the namespace: its keys begin behind */
        return first_of_next_block(lookup, entry_out, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    lookup->position = position_of(lookup, key);
    if (lookup->position == entry_count(lookup)) {
        return first_of_next_block(lookup, entry_out, error);
    }
    entry_at(lookup, entry_out);
    return STATUS_OK;
}

enum status backup_lookup_next(struct backup_lookup *lookup, struct backup_entry *entry_out,
                               struct error *error) {
    if (lookup->position + 1 >= entry_count(lookup)) {
        return first_of_next_block(lookup, entry_out, error);
    }
    lookup->position++;
    entry_at(lookup, entry_out);
    return STATUS_OK;
}

enum status backup_lookup_prev(struct backup_lookup *lookup, struct backup_entry *entry_out,
                               struct error *error) {
    enum status status;

    if (lookup->position == 0) {
        status = load_beside(lookup, WISH_BELOW, error);
        return status == STATUS_OK ? last_of(lookup, entry_out) : status;
    }
    lookup->position--;
    entry_at(lookup, entry_out);
    return STATUS_OK;
}

/* --- long values --- */

static enum status end_long(const struct backup_lookup *lookup, uint64_t left,
                            uint64_t *checksum_out, struct error *error) {
    struct slice content = buffer_slice(&lookup->piece.content);

    if (lookup->piece.head.kind != BACKUP_VALUE_END || content.len != BACKUP_VALUE_END_BYTES ||
        left > 0) {
        return damaged(lookup, &lookup->piece, "is not the rest of a long value", error);
    }
    *checksum_out = load_u64(content.ptr);
    return *checksum_out == backup_hash_value(lookup->hash)
               ? STATUS_OK
               : damaged(lookup, &lookup->piece, "ends a value that differs from its checksum",
                         error);
}

enum status backup_lookup_long(struct backup_lookup *lookup, backup_piece_cb piece_cb, void *arg,
                               uint64_t *checksum_out, struct error *error) {
    struct backup_block_head before = lookup->block.head;
    struct backup_entry entry;
    enum status status = STATUS_OK;

    entry_at(lookup, &entry);
    backup_hash_reset(lookup->hash);
    while (status == STATUS_OK) {
        struct slice content;
        status = read_block(lookup, backup_block_after(&before), before.number + 1, &lookup->piece,
                            error);
        before = lookup->piece.head;
        content = buffer_slice(&lookup->piece.content);
        if (status != STATUS_OK || before.kind == BACKUP_INDEX) {
            continue;
        }
        if (before.kind != BACKUP_PIECE || content.len == 0 || content.len > entry.length) {
            return end_long(lookup, entry.length, checksum_out, error);
        }
        entry.length -= content.len;
        backup_hash_add(lookup->hash, content);
        status = piece_cb(arg, content);
    }
    return status;
}
