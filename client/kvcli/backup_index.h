/* backup_index.h: the index of a backup, built while it is written, in bounded memory.
 *
 * A tree: its leaves name the blocks of namespaces and entries by their first rows, the levels
 * above name blocks of the index. A block of the index is written as soon as it is long enough; so
 * it stands among the others, and the root comes last. A row is the number of the namespace in the
 * file (u32, big-endian, from 0) and a key; the block of the namespace itself has no key. What is
 * built depends on nothing but the blocks: a reader builds it anew and compares. One thread. */
#ifndef KVCLI_BACKUP_INDEX_H
#define KVCLI_BACKUP_INDEX_H

#include "client/kvcli/backup_block.h"

#define BACKUP_INDEX_LEVELS_MAX 12u
#define BACKUP_INDEX_ENTRIES_MIN 4u /* of a block, but for the last of a level: long keys */
#define BACKUP_SPACE_ROW_BYTES 4u
#define BACKUP_ROW_BYTES_MAX (BACKUP_SPACE_ROW_BYTES + BACKUP_KEY_BYTES_MAX)

/* Takes the content of a finished block of the index, and says where it is. */
struct backup_emitter {
    enum status (*emit_cb)(void *arg, struct slice content, uint64_t *offset_out,
                           uint64_t *number_out, struct error *error);
    void *arg;
};

struct backup_index {
    struct backup_emitter emitter;
    struct buffer levels[BACKUP_INDEX_LEVELS_MAX]; /* owned: what is not written yet */
    uint32_t counts[BACKUP_INDEX_LEVELS_MAX];      /* of its entries */
    uint32_t height;
};

/* One entry of a block of the index. */
struct backup_index_entry {
    struct slice row; /* borrowed from the content */
    uint64_t offset;
    uint64_t number;
};

void backup_index_init(struct backup_index *index, struct backup_emitter emitter);
void backup_index_deinit(struct backup_index *index);

/* Adds a block. Errors: of the emitter; NO_MEMORY, TOO_LARGE. */
enum status backup_index_add(struct backup_index *index, const struct backup_index_entry *entry,
                             struct error *error) MUST_CHECK;

/* Writes what is left; *root_out is the offset of the root, 0 if nothing was added. Errors as
 * above. */
enum status backup_index_finish(struct backup_index *index, uint64_t *root_out,
                                struct error *error) MUST_CHECK;

/* The level of a block of the index, 0 for leaves; what is left of the reader are entries. */
enum status backup_index_open(struct slice content, struct reader *entries_out,
                              uint8_t *level_out) MUST_CHECK;

/* The next entry. Errors: END, CORRUPT. */
enum status backup_index_take(struct reader *entries,
                              struct backup_index_entry *entry_out) MUST_CHECK;

/* Writes the row of a key at `row`, which is cleared before. Errors of buffer_append. */
enum status backup_row(struct buffer *row, uint32_t space, struct slice key) MUST_CHECK;

#endif
