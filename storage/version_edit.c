/* version_edit.c: see version_edit.h. */
#include "storage/version_edit.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

/* Tags. Bit 7: must be understood. Those from 0x10 on with bit 7 came with format 2. */
#define TAG_CRITICAL 0x80u
#define TAG_TABLE_ADDED (TAG_CRITICAL | 1u)
#define TAG_TABLE_REMOVED (TAG_CRITICAL | 2u)
#define TAG_SEGMENT_ADDED (TAG_CRITICAL | 3u)
#define TAG_SEGMENT_SEALED (TAG_CRITICAL | 4u)
#define TAG_SEGMENT_REMOVED (TAG_CRITICAL | 5u)
#define TAG_LOG_DURABLE (TAG_CRITICAL | 6u)
#define TAG_RELOCATION_ADDED (TAG_CRITICAL | 0x10u)
#define TAG_RELOCATION_REMOVED (TAG_CRITICAL | 0x11u)
#define TAG_SEGMENT_DAMAGED (TAG_CRITICAL | 0x12u)
#define TAG_SCALAR_FIRST (TAG_CRITICAL | 0x20u) /* and so on, in the order of enum edit_scalar */

enum {
    ARRAY_TABLES_ADDED,
    ARRAY_TABLES_REMOVED,
    ARRAY_SEGMENTS_ADDED,
    ARRAY_SEGMENTS_SEALED,
    ARRAY_SEGMENTS_REMOVED,
    ARRAY_SEGMENTS_DAMAGED,
    ARRAY_RELOCATIONS_ADDED,
    ARRAY_RELOCATIONS_REMOVED
};

void version_edit_init(struct version_edit *edit) {
    *edit = (struct version_edit){0};
}

void version_edit_clear(struct version_edit *edit) {
    for (uint32_t i = 0; i < edit->tables_added_count; i++) {
        table_info_deinit(&edit->tables_added[i].info);
    }
    edit->tables_added_count = 0;
    edit->tables_removed_count = 0;
    edit->segments_added_count = 0;
    edit->segments_sealed_count = 0;
    edit->segments_removed_count = 0;
    edit->segments_damaged_count = 0;
    edit->relocations_added_count = 0;
    edit->relocations_removed_count = 0;
    edit->scalars_set = 0;
    edit->log_durable_set = false;
}

void version_edit_deinit(struct version_edit *edit) {
    version_edit_clear(edit);
    memory_free(edit->tables_added);
    memory_free(edit->tables_removed);
    memory_free(edit->segments_added);
    memory_free(edit->segments_sealed);
    memory_free(edit->segments_removed);
    memory_free(edit->segments_damaged);
    memory_free(edit->relocations_added);
    memory_free(edit->relocations_removed);
    *edit = (struct version_edit){0};
}

bool version_edit_is_empty(const struct version_edit *edit) {
    return edit->tables_added_count == 0 && edit->tables_removed_count == 0 &&
           edit->segments_added_count == 0 && edit->segments_sealed_count == 0 &&
           edit->segments_removed_count == 0 && edit->segments_damaged_count == 0 &&
           edit->relocations_added_count == 0 && edit->relocations_removed_count == 0 &&
           edit->scalars_set == 0 && !edit->log_durable_set;
}

/* ---- filling ---- */

/* The array with room for one more element; NULL when there is no memory, and it is as it was. */
static void *with_room(void *array, uint32_t count, uint32_t *capacity, size_t element_bytes) {
    uint32_t larger = *capacity ? *capacity * 2 : 4;
    void *resized;

    if (count < *capacity) {
        return array;
    }
    ASSERT(*capacity < UINT32_MAX / 4);
    resized = memory_resize(array, larger * element_bytes);
    if (resized) {
        *capacity = larger;
    }
    return resized;
}

static bool room_for_table(struct version_edit *edit) {
    struct edit_table *array =
        with_room(edit->tables_added, edit->tables_added_count,
                  &edit->capacities[ARRAY_TABLES_ADDED], sizeof *edit->tables_added);
    edit->tables_added = array ? array : edit->tables_added;
    return array != NULL;
}

enum status version_edit_add_table(struct version_edit *edit, uint32_t level,
                                   const struct table_info *info) {
    struct edit_table table = {.level = level};
    enum status status;

    ASSERT(level < LEVELS_MAX);
    if (!room_for_table(edit)) {
        return STATUS_NO_MEMORY;
    }
    status = table_info_copy(info, &table.info);
    if (status == STATUS_OK) {
        edit->tables_added[edit->tables_added_count++] = table;
    }
    return status;
}

void version_edit_place_table(struct version_edit *edit, uint32_t index, uint32_t level) {
    ASSERT(index < edit->tables_added_count);
    ASSERT(level < LEVELS_MAX);
    edit->tables_added[index].level = level;
}

enum status version_edit_remove_table(struct version_edit *edit, uint32_t level, uint64_t number) {
    struct edit_table_removed *array =
        with_room(edit->tables_removed, edit->tables_removed_count,
                  &edit->capacities[ARRAY_TABLES_REMOVED], sizeof *edit->tables_removed);

    ASSERT(level < LEVELS_MAX);
    if (!array) {
        return STATUS_NO_MEMORY;
    }
    edit->tables_removed = array;
    array[edit->tables_removed_count++] = (struct edit_table_removed){level, number};
    return STATUS_OK;
}

enum status version_edit_add_segment(struct version_edit *edit, uint64_t number,
                                     enum segment_kind kind) {
    struct edit_segment *array =
        with_room(edit->segments_added, edit->segments_added_count,
                  &edit->capacities[ARRAY_SEGMENTS_ADDED], sizeof *edit->segments_added);

    if (!array) {
        return STATUS_NO_MEMORY;
    }
    edit->segments_added = array;
    array[edit->segments_added_count++] = (struct edit_segment){number, kind};
    return STATUS_OK;
}

enum status version_edit_seal_segment(struct version_edit *edit, uint64_t number,
                                      uint64_t length_bytes) {
    struct edit_segment_sealed *array =
        with_room(edit->segments_sealed, edit->segments_sealed_count,
                  &edit->capacities[ARRAY_SEGMENTS_SEALED], sizeof *edit->segments_sealed);

    if (!array) {
        return STATUS_NO_MEMORY;
    }
    edit->segments_sealed = array;
    array[edit->segments_sealed_count++] = (struct edit_segment_sealed){number, length_bytes};
    return STATUS_OK;
}

/* Adds a number to one of the lists of numbers. */
static enum status add_number(struct version_edit *edit, unsigned array_index, uint64_t **array_io,
                              uint32_t *count_io, uint64_t number) {
    uint64_t *array =
        with_room(*array_io, *count_io, &edit->capacities[array_index], sizeof **array_io);

    if (!array) {
        return STATUS_NO_MEMORY;
    }
    *array_io = array;
    array[(*count_io)++] = number;
    return STATUS_OK;
}

enum status version_edit_remove_segment(struct version_edit *edit, uint64_t number) {
    return add_number(edit, ARRAY_SEGMENTS_REMOVED, &edit->segments_removed,
                      &edit->segments_removed_count, number);
}

enum status version_edit_mark_damaged(struct version_edit *edit, uint64_t number) {
    return add_number(edit, ARRAY_SEGMENTS_DAMAGED, &edit->segments_damaged,
                      &edit->segments_damaged_count, number);
}

enum status version_edit_remove_relocation(struct version_edit *edit, uint64_t home) {
    return add_number(edit, ARRAY_RELOCATIONS_REMOVED, &edit->relocations_removed,
                      &edit->relocations_removed_count, home);
}

enum status version_edit_add_relocation(struct version_edit *edit,
                                        const struct relocation *relocation) {
    struct relocation *array =
        with_room(edit->relocations_added, edit->relocations_added_count,
                  &edit->capacities[ARRAY_RELOCATIONS_ADDED], sizeof *edit->relocations_added);

    ASSERT(relocation_is_valid(relocation));
    if (!array) {
        return STATUS_NO_MEMORY;
    }
    edit->relocations_added = array;
    array[edit->relocations_added_count++] = *relocation;
    return STATUS_OK;
}

void version_edit_set(struct version_edit *edit, enum edit_scalar scalar, uint64_t value) {
    ASSERT((unsigned)scalar < EDIT_SCALARS);
    edit->scalars[scalar] = value;
    edit->scalars_set |= 1u << scalar;
}

void version_edit_set_log_durable(struct version_edit *edit, struct log_position durable) {
    edit->log_durable = durable;
    edit->log_durable_set = true;
}

/* ---- encoding ---- */

#define NUMBERS_MAX 5 /* in one field */

/* A field of varints. */
static enum status append_numbers(struct buffer *buffer, unsigned tag, const uint64_t *numbers,
                                  size_t number_count) {
    uint8_t field[NUMBERS_MAX * VARINT64_BYTES_MAX];
    size_t len = 0;
    enum status status;

    ASSERT(number_count <= NUMBERS_MAX);
    for (size_t i = 0; i < number_count; i++) {
        len += varint_store(field + len, numbers[i]);
    }
    status = buffer_append_u8(buffer, (uint8_t)tag);
    return status == STATUS_OK ? buffer_append_block(buffer, slice_make(field, len)) : status;
}

static enum status append_pair(struct buffer *buffer, unsigned tag, uint64_t first,
                               uint64_t second) {
    uint64_t numbers[2] = {first, second};
    return append_numbers(buffer, tag, numbers, 2);
}

/* The length of what a table takes is known only afterwards: it is encoded beside first. */
static enum status append_table(struct buffer *buffer, const struct edit_table *table) {
    struct buffer field;
    enum status status;

    buffer_init(&field, buffer->cap);
    status = buffer_append_varint(&field, table->level);
    if (status == STATUS_OK) {
        status = table_info_append(&field, &table->info);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u8(buffer, TAG_TABLE_ADDED);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, buffer_slice(&field));
    }
    buffer_deinit(&field);
    return status;
}

static enum status append_tables(struct buffer *buffer, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->tables_removed_count && status == STATUS_OK; i++) {
        status = append_pair(buffer, TAG_TABLE_REMOVED, edit->tables_removed[i].level,
                             edit->tables_removed[i].number);
    }
    for (uint32_t i = 0; i < edit->tables_added_count && status == STATUS_OK; i++) {
        status = append_table(buffer, &edit->tables_added[i]);
    }
    return status;
}

static enum status append_segments(struct buffer *buffer, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->segments_added_count && status == STATUS_OK; i++) {
        status = append_pair(buffer, TAG_SEGMENT_ADDED, edit->segments_added[i].number,
                             (uint64_t)edit->segments_added[i].kind);
    }
    for (uint32_t i = 0; i < edit->segments_sealed_count && status == STATUS_OK; i++) {
        status = append_pair(buffer, TAG_SEGMENT_SEALED, edit->segments_sealed[i].number,
                             edit->segments_sealed[i].length_bytes);
    }
    for (uint32_t i = 0; i < edit->segments_removed_count && status == STATUS_OK; i++) {
        status = append_numbers(buffer, TAG_SEGMENT_REMOVED, &edit->segments_removed[i], 1);
    }
    return status;
}

static enum status append_relocations(struct buffer *buffer, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->segments_damaged_count && status == STATUS_OK; i++) {
        status = append_numbers(buffer, TAG_SEGMENT_DAMAGED, &edit->segments_damaged[i], 1);
    }
    for (uint32_t i = 0; i < edit->relocations_removed_count && status == STATUS_OK; i++) {
        status = append_numbers(buffer, TAG_RELOCATION_REMOVED, &edit->relocations_removed[i], 1);
    }
    for (uint32_t i = 0; i < edit->relocations_added_count && status == STATUS_OK; i++) {
        const struct relocation *added = &edit->relocations_added[i];
        const uint64_t numbers[] = {added->home, added->target, added->section_offset,
                                    added->section_bytes, added->entries};
        status = append_numbers(buffer, TAG_RELOCATION_ADDED, numbers, 5);
    }
    return status;
}

static enum status append_scalars(struct buffer *buffer, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < EDIT_SCALARS && status == STATUS_OK; i++) {
        if (edit->scalars_set >> i & 1u) {
            status = append_numbers(buffer, TAG_SCALAR_FIRST + i, &edit->scalars[i], 1);
        }
    }
    if (edit->log_durable_set && status == STATUS_OK) {
        status = append_pair(buffer, TAG_LOG_DURABLE, edit->log_durable.segment,
                             edit->log_durable.offset);
    }
    return status;
}

enum status version_edit_append(struct buffer *buffer, const struct version_edit *edit) {
    size_t mark = buffer_mark(buffer);
    enum status status = append_tables(buffer, edit);

    if (status == STATUS_OK) {
        status = append_segments(buffer, edit);
    }
    if (status == STATUS_OK) {
        status = append_relocations(buffer, edit);
    }
    if (status == STATUS_OK) {
        status = append_scalars(buffer, edit);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

/* ---- decoding ---- */

static enum status take_table(struct reader *field, struct version_edit *edit) {
    struct edit_table table;
    enum status status;

    if (!reader_take_varint32(field, &table.level) || table.level >= LEVELS_MAX) {
        return STATUS_CORRUPT;
    }
    if (!room_for_table(edit)) {
        return STATUS_NO_MEMORY;
    }
    status = table_info_take(field, &table.info);
    if (status == STATUS_OK) {
        edit->tables_added[edit->tables_added_count++] = table;
    }
    return status;
}

/* A field of `number_count` varints, of which none but those is left. */
static bool take_numbers(struct reader *field, uint64_t *numbers_out, size_t number_count) {
    for (size_t i = 0; i < number_count; i++) {
        if (!reader_take_varint(field, &numbers_out[i])) {
            return false;
        }
    }
    return true;
}

static enum status take_pair_field(struct reader *field, unsigned tag, struct version_edit *edit) {
    uint64_t pair[2];

    if (!take_numbers(field, pair, 2)) {
        return STATUS_CORRUPT;
    }
    switch (tag) {
    case TAG_TABLE_REMOVED:
        return pair[0] < LEVELS_MAX ? version_edit_remove_table(edit, (uint32_t)pair[0], pair[1])
                                    : STATUS_CORRUPT;
    case TAG_SEGMENT_ADDED:
        return pair[1] >= SEGMENT_COMMIT && pair[1] <= SEGMENT_EXTENT
                   ? version_edit_add_segment(edit, pair[0], (enum segment_kind)pair[1])
                   : STATUS_CORRUPT;
    case TAG_SEGMENT_SEALED:
        return version_edit_seal_segment(edit, pair[0], pair[1]);
    default:
        ASSERT(tag == TAG_LOG_DURABLE);
        version_edit_set_log_durable(edit, (struct log_position){pair[0], pair[1]});
        return STATUS_OK;
    }
}

static enum status take_number_field(struct reader *field, unsigned tag,
                                     struct version_edit *edit) {
    uint64_t number;

    if (!take_numbers(field, &number, 1)) {
        return STATUS_CORRUPT;
    }
    switch (tag) {
    case TAG_SEGMENT_REMOVED:
        return version_edit_remove_segment(edit, number);
    case TAG_SEGMENT_DAMAGED:
        return version_edit_mark_damaged(edit, number);
    case TAG_RELOCATION_REMOVED:
        return version_edit_remove_relocation(edit, number);
    default:
        break;
    }
    version_edit_set(edit, (enum edit_scalar)(tag - TAG_SCALAR_FIRST), number);
    return STATUS_OK;
}

static enum status take_relocation(struct reader *field, struct version_edit *edit) {
    struct relocation relocation;
    uint64_t numbers[5];

    if (!take_numbers(field, numbers, 5)) {
        return STATUS_CORRUPT;
    }
    relocation = (struct relocation){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    return relocation_is_valid(&relocation) ? version_edit_add_relocation(edit, &relocation)
                                            : STATUS_CORRUPT;
}

static bool is_number_tag(unsigned tag) {
    return tag == TAG_SEGMENT_REMOVED || tag == TAG_SEGMENT_DAMAGED ||
           tag == TAG_RELOCATION_REMOVED ||
           (tag >= TAG_SCALAR_FIRST && tag < TAG_SCALAR_FIRST + EDIT_SCALARS);
}

static enum status take_field(struct slice bytes, unsigned tag, struct version_edit *edit) {
    struct reader field = reader_make(bytes);
    enum status status;

    if (tag == TAG_TABLE_ADDED) {
        status = take_table(&field, edit);
    } else if (tag == TAG_RELOCATION_ADDED) {
        status = take_relocation(&field, edit);
    } else if (is_number_tag(tag)) {
        status = take_number_field(&field, tag, edit);
    } else if (tag >= TAG_TABLE_REMOVED && tag <= TAG_LOG_DURABLE) {
        status = take_pair_field(&field, tag, edit);
    } else {
        return tag & TAG_CRITICAL ? STATUS_NEWER_FORMAT : STATUS_OK;
    }
    return status == STATUS_OK && reader_left(&field) > 0 ? STATUS_CORRUPT : status;
}

enum status version_edit_load(struct slice bytes, struct version_edit *edit) {
    struct reader reader = reader_make(bytes);
    enum status status = STATUS_OK;

    ASSERT(version_edit_is_empty(edit));
    while (reader_left(&reader) > 0 && status == STATUS_OK) {
        struct slice field;
        uint8_t tag;
        if (!reader_take_u8(&reader, &tag) || !reader_take_block(&reader, &field)) {
            return STATUS_CORRUPT;
        }
        status = take_field(field, tag, edit);
    }
    return status;
}
