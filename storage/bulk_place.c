/* bulk_place.c: see bulk_place.h. */
#include "storage/bulk_place.h"

#include "storage/ikey.h"
#include "storage/level_iterator.h"

/* The rows of a new table: from its first to its last. */
struct span {
    struct slice from; /* internal key */
    struct slice to;   /* row */
};

/* Whether any of the tables, disjoint and in order, has a row in the span. Errors: NOT_FOUND: none;
 * CORRUPT, IO, NO_MEMORY. */
static enum status find_row(const struct level *level, uint32_t first, uint32_t count,
                            const struct span *span, struct error *error) {
    uint8_t ikey[IKEY_BYTES_MAX];
    size_t len = ikey_store(ikey, ikey_row(span->from), VERSION_MAX);
    struct iterator *iter;
    enum status status =
        level_iterator_create(level->tables[0]->files->tables, level->infos + first, count,
                              READ_WAIT_ALLOWED, TABLE_ITERATOR_FILL_CACHE, &iter);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "placing a table");
    }
    status = iterator_seek(iter, slice_make(ikey, len));
    if (status == STATUS_OK && slice_compare(ikey_row(iter->key), span->to) > 0) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_CORRUPT || status == STATUS_IO) {
        *error = iter->error;
        error->status = status;
    }
    iterator_destroy(iter);
    return status == STATUS_END ? STATUS_NOT_FOUND : status;
}

static bool overlaps(const struct table_info *info, const struct span *span) {
    return slice_compare(ikey_row(info->smallest), span->to) <= 0 &&
           slice_compare(ikey_row(info->largest), ikey_row(span->from)) >= 0;
}

/* Whether a level has a row in the span; as find_row. Tables of level 0 overlap: one by one. */
static enum status find_in_level(const struct version *version, uint32_t index,
                                 const struct span *span, struct error *error) {
    const struct level *level = &version->levels[index];
    enum status status = STATUS_NOT_FOUND;

    for (uint32_t i = 0; i < level->count && status == STATUS_NOT_FOUND; i++) {
        if (overlaps(level->infos[i], span)) {
            status = find_row(level, i, 1, span, error);
        }
    }
    return status;
}

/* The deepest level that the table may go to. */
static enum status find_level(const struct version *version, const struct span *span,
                              uint32_t *level_out, struct error *error) {
    uint32_t deepest = 0;
    enum status status = STATUS_NOT_FOUND;

    for (uint32_t i = 1; i < LEVELS_MAX && status == STATUS_NOT_FOUND; i++) {
        status = find_in_level(version, i - 1, span, error);
        if (status == STATUS_NOT_FOUND &&
            !level_overlaps(&version->levels[i], ikey_row(span->from), span->to)) {
            deepest = i;
        }
    }
    *level_out = deepest;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status bulk_place_tables(const struct version *version, struct version_edit *edit,
                              struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->tables_added_count && status == STATUS_OK; i++) {
        const struct table_info *info = &edit->tables_added[i].info;
        struct span span = {info->smallest, ikey_row(info->largest)};
        uint32_t level;
        status = find_level(version, &span, &level, error);
        if (status == STATUS_OK) {
            version_edit_place_table(edit, i, level);
        }
    }
    return status;
}
