/* version_edit.h: one change of what the store is made of, and its codec: the payload of a manifest
 * record.
 *
 *      field: | tag u8 | block (varint length, bytes) |         fields in any order, tags repeat
 *
 * A tag with bit 7 set must be understood: a reader that does not know it refuses (NEWER_FORMAT). A
 * reader skips unknown tags without it. Removals take effect before additions, so that a file can
 * move between levels in one edit. Owned by one thread at a time. */
#ifndef KVD_STORAGE_VERSION_EDIT_H
#define KVD_STORAGE_VERSION_EDIT_H

#include "protocol/base/buffer.h"
#include "storage/log_format.h"
#include "storage/relocation_format.h"
#include "storage/table_info.h"

struct edit_table {
    uint32_t level;
    struct table_info info; /* owned */
};

struct edit_table_removed {
    uint32_t level;
    uint64_t number;
};

struct edit_segment {
    uint64_t number;
    enum segment_kind kind;
};

struct edit_segment_sealed {
    uint64_t number;
    uint64_t length_bytes; /* where its groups end */
};

/* Numbers that an edit may set; what is not set stays as it is. */
enum edit_scalar {
    EDIT_REPLAY_SEGMENT,   /* commit segments below this number are flushed */
    EDIT_NEXT_FILE_NUMBER, /* none from here on was ever used */
    EDIT_VERSION_CEILING,  /* all versions ever assigned are below it */
    EDIT_FLUSHED_VERSION,  /* all commits up to it are in tables */
    EDIT_STORE_TIME_MS,
    EDIT_INCARNATION,  /* how often the store was opened */
    EDIT_LOG_SEQUENCE, /* a group with this sequence was written */
    EDIT_SCALARS
};

struct version_edit {
    /* owned arrays; read them, and change them by the functions below */
    struct edit_table *tables_added;
    struct edit_table_removed *tables_removed;
    struct edit_segment *segments_added;
    struct edit_segment_sealed *segments_sealed;
    uint64_t *segments_removed;
    uint64_t *segments_damaged; /* numbers of segments that are not wholly readable any more */
    struct relocation *relocations_added;
    uint64_t *relocations_removed; /* their homes */
    uint32_t tables_added_count;
    uint32_t tables_removed_count;
    uint32_t segments_added_count;
    uint32_t segments_sealed_count;
    uint32_t segments_removed_count;
    uint32_t segments_damaged_count;
    uint32_t relocations_added_count;
    uint32_t relocations_removed_count;
    uint32_t capacities[8]; /* of the arrays, in this order */
    uint32_t scalars_set;   /* bit per enum edit_scalar */
    uint64_t scalars[EDIT_SCALARS];
    bool log_durable_set;
    struct log_position log_durable; /* the log up to here is on the medium */
};

/* An empty edit; allocates nothing. A zeroed struct is one too. */
void version_edit_init(struct version_edit *edit);
void version_edit_deinit(struct version_edit *edit);

/* Empties it and keeps the arrays. */
void version_edit_clear(struct version_edit *edit);

bool version_edit_is_empty(const struct version_edit *edit);

/* Each adds one change. Errors: NO_MEMORY; the edit is unchanged then. */
enum status version_edit_add_table(struct version_edit *edit, uint32_t level,
                                   const struct table_info *info) MUST_CHECK; /* copies */
enum status version_edit_remove_table(struct version_edit *edit, uint32_t level,
                                      uint64_t number) MUST_CHECK;
enum status version_edit_add_segment(struct version_edit *edit, uint64_t number,
                                     enum segment_kind kind) MUST_CHECK;
enum status version_edit_seal_segment(struct version_edit *edit, uint64_t number,
                                      uint64_t length_bytes) MUST_CHECK;
enum status version_edit_remove_segment(struct version_edit *edit, uint64_t number) MUST_CHECK;
enum status version_edit_mark_damaged(struct version_edit *edit, uint64_t number) MUST_CHECK;
enum status version_edit_add_relocation(struct version_edit *edit,
                                        const struct relocation *relocation) MUST_CHECK;
enum status version_edit_remove_relocation(struct version_edit *edit, uint64_t home) MUST_CHECK;

/* Puts a table that was added into another level. */
void version_edit_place_table(struct version_edit *edit, uint32_t index, uint32_t level);

/* Sets a number. Cannot fail. */
void version_edit_set(struct version_edit *edit, enum edit_scalar scalar, uint64_t value);
void version_edit_set_log_durable(struct version_edit *edit, struct log_position durable);

static inline bool version_edit_has(const struct version_edit *edit, enum edit_scalar scalar) {
    return (edit->scalars_set >> scalar & 1u) != 0;
}

/* Appends the encoded edit. Errors: NO_MEMORY, TOO_LARGE (the buffer's cap). */
enum status version_edit_append(struct buffer *buffer, const struct version_edit *edit) MUST_CHECK;

/* Decodes into an initialised, empty edit; what is in it after a failure must still be freed by
 * deinit. Errors: CORRUPT, NEWER_FORMAT, NO_MEMORY. */
enum status version_edit_load(struct slice bytes, struct version_edit *edit) MUST_CHECK;

#endif
