/* salvage_values.c: see salvage_values.h. */
#include "storage/salvage_values.h"

#include "storage/extent.h"
#include "storage/record_check.h"
#include "storage/relocation.h"

#define OPEN_SEGMENTS 16u

enum status salvage_values_init(struct salvage_values *values, struct salvage_files *files,
                                const struct salvage_plan *plan, const struct salvage_log *log,
                                struct compression *compression) {
    struct segment_source source = {
        .env = files->env, .dir = files->dir, .compression = compression};
    enum status status = STATUS_OK;

    *values = (struct salvage_values){
        .files = files, .plan = plan, .log = log, .compression = compression};
    buffer_init(&values->stored, SIZE_MAX / 2);
    buffer_init(&values->scratch, SIZE_MAX / 2);
    if (plan->by_manifest && plan->state.relocation_count > 0) {
        memcpy(source.store_id, plan->store_id, STORE_ID_BYTES);
        status = segment_cache_create(&source, OPEN_SEGMENTS, &values->segments);
    }
    return status;
}

void salvage_values_deinit(struct salvage_values *values) {
    segment_cache_destroy(values->segments);
    buffer_deinit(&values->stored);
    buffer_deinit(&values->scratch);
    *values = (struct salvage_values){0};
}

/* ---- Where it may lie -------------------------------------------------------------------------
 */

enum place_kind { PLACE_OWN, PLACE_RELOCATED, PLACE_NAMED, PLACE_END };

/* The places of one record, one after the other. */
struct places {
    const struct value_ref *ref;
    uint64_t name;
    enum place_kind next;
    const struct salvage_record *record; /* the next one of that name */
};

static struct places places_of(struct slice row, const struct value_ref *ref) {
    return (struct places){.ref = ref, .name = salvage_record_name(row, ref)};
}

static enum status relocated(struct salvage_values *values, struct value_ref *place) {
    const struct relocation *relocation =
        values->segments ? manifest_state_relocation(&values->plan->state, place->segment) : NULL;
    const struct relocation_source source = {.segments = values->segments};
    uint64_t offset;
    enum status status = STATUS_NOT_FOUND;

    if (relocation) {
        status =
            relocation_find(&source, relocation, place->offset, READ_WAIT_ALLOWED, &offset, NULL);
    }
    if (status == STATUS_OK) {
        place->segment = relocation->target;
        place->offset = offset;
    }
    return status;
}

static bool next_named(struct salvage_values *values, struct places *places,
                       struct value_ref *place) {
    const struct salvage_log *log = values->log;
    const struct salvage_record *record = places->record;

    record = record ? record + 1 : salvage_log_find(log, places->name);
    if (!record || record == log->records + log->record_count || record->name != places->name) {
        return false;
    }
    places->record = record;
    place->segment = record->segment;
    place->offset = record->offset;
    return true;
}

/* The next place to look at. Errors: END, NO_MEMORY. */
static enum status next_place(struct salvage_values *values, struct places *places,
                              struct value_ref *place_out) {
    *place_out = *places->ref;
    if (places->next == PLACE_OWN) {
        places->next = PLACE_RELOCATED;
        return STATUS_OK;
    }
    if (places->next == PLACE_RELOCATED) {
        enum status status = relocated(values, place_out);
        places->next = PLACE_NAMED;
        if (status == STATUS_OK || status == STATUS_NO_MEMORY) {
            return status;
        }
        *place_out = *places->ref;
    }
    return next_named(values, places, place_out) ? STATUS_OK : STATUS_END;
}

/* ---- Values -----------------------------------------------------------------------------------
 */

static enum status read_at(struct salvage_values *values, const struct value_ref *place,
                           struct buffer *out) {
    uint8_t *stored;
    enum status status;

    if (place->stored_bytes > VALUE_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    buffer_clear(&values->stored);
    status = buffer_extend(&values->stored, place->stored_bytes, &stored);
    if (status == STATUS_OK) {
        status = salvage_files_read(values->files, place->segment, place->offset,
                                    place->stored_bytes, stored);
    }
    if (status == STATUS_OK) {
        status = record_check_value(values->compression, place, stored, &values->scratch);
    }
    if (status == STATUS_OK) {
        buffer_clear(out);
        status =
            buffer_append(out, place->compressed ? values->scratch.data : stored, place->raw_bytes);
    }
    return status;
}

enum status salvage_values_read(struct salvage_values *values, struct slice row,
                                const struct value_ref *ref, struct buffer *out) {
    struct places places = places_of(row, ref);
    struct value_ref place;
    enum status status;

    while ((status = next_place(values, &places, &place)) == STATUS_OK) {
        status = read_at(values, &place, out);
        if (status == STATUS_OK || status == STATUS_NO_MEMORY) {
            return status;
        }
    }
    return status == STATUS_END ? STATUS_CORRUPT : status;
}

/* ---- Large values -----------------------------------------------------------------------------
 */

static enum status read_cb(void *arg, const struct value_ref *extent, uint64_t delta, size_t len,
                           uint8_t *out, struct error *error) {
    struct salvage_values *values = arg;

    (void)error;
    return salvage_files_read(values->files, extent->segment, extent->offset + delta, len, out);
}

static enum status stream_extent(struct salvage_values *values, const struct value_ref *place,
                                 salvage_piece_cb piece_cb, void *arg) {
    const struct extent_source source = {
        .read_cb = read_cb, .arg = values, .compression = values->compression};
    struct extent_reader reader = {
        .source = &source, .scratch = &values->scratch, .zstd_bytes_left = UINT64_MAX};
    enum status status = STATUS_OK;

    for (uint32_t from = 0; from < place->raw_bytes && status == STATUS_OK;) {
        uint32_t left = place->raw_bytes - from;
        uint32_t piece = left < EXTENT_BLOCK_BYTES ? left : EXTENT_BLOCK_BYTES;
        uint8_t *room;
        buffer_clear(&values->stored);
        status = buffer_extend(&values->stored, piece, &room);
        if (status == STATUS_OK) {
            status = extent_read(&reader, place, from, from + piece, room, NULL);
        }
        if (status == STATUS_OK) {
            status = piece_cb(arg, slice_make(room, piece));
        }
        from += piece;
    }
    return status;
}

/* The first place where all of the extent can be read. */
static enum status find_extent(struct salvage_values *values, struct slice row,
                               const struct value_ref *extent, struct value_ref *place_out) {
    const struct extent_source source = {
        .read_cb = read_cb, .arg = values, .compression = values->compression};
    struct extent_reader reader = {
        .source = &source, .scratch = &values->scratch, .zstd_bytes_left = UINT64_MAX};
    struct places places = places_of(row, extent);
    enum status status;

    while ((status = next_place(values, &places, place_out)) == STATUS_OK) {
        status = extent_verify(&reader, place_out, NULL);
        if (status == STATUS_OK || status == STATUS_NO_MEMORY) {
            return status;
        }
    }
    return status == STATUS_END ? STATUS_CORRUPT : status;
}

enum status salvage_values_stream(struct salvage_values *values, struct slice row,
                                  const struct entry *entry, salvage_piece_cb piece_cb, void *arg) {
    struct slice rest = entry->extents;
    struct value_ref extent;
    struct value_ref place;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && entry_extent_next(&rest, &extent)) {
        status = find_extent(values, row, &extent, &place);
        if (status == STATUS_OK) {
            status = stream_extent(values, &place, piece_cb, arg);
        }
    }
    return status;
}
