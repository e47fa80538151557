/* gc_live.c: see gc_live.h. */
#include "storage/gc_live.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"

enum status gc_live_init(struct gc_live *live, const struct view *view, uint64_t segment,
                         bool has_aliases) {
    const struct version_files *files =
        view->version->segment_count > 0 ? view->version->segments[0]->files : NULL;

    *live = (struct gc_live){.view = view, .segment = segment, .has_aliases = has_aliases};
    ASSERT(files); /* a segment of the version is looked at */
    live->source = (struct relocation_source){files->segments, files->blocks};
    live->ikey = memory_alloc(IKEY_BYTES_MAX);
    return live->ikey ? STATUS_OK : STATUS_NO_MEMORY;
}

void gc_live_deinit(struct gc_live *live) {
    if (live->iter) {
        iterator_destroy(live->iter);
    }
    memory_free(live->ikey);
    *live = (struct gc_live){0};
}

enum status gc_live_place(struct gc_live *live, const struct value_ref *ref, uint64_t *offset_out,
                          struct error *error) {
    const struct relocation *relocation;
    enum status status;

    if (ref->segment == live->segment) {
        *offset_out = ref->offset;
        return STATUS_OK;
    }
    if (version_resolve(live->view->version, ref->segment, &relocation) != SEGMENT_RELOCATED ||
        relocation->target != live->segment) {
        return STATUS_NOT_FOUND;
    }
    status = relocation_find(&live->source, relocation, ref->offset, READ_WAIT_ALLOWED, offset_out,
                             error);
    live->place_failed = live->place_failed || status != STATUS_OK;
    return status;
}

static enum status iterator_of(struct gc_live *live, struct error *error) {
    enum status status =
        live->iter ? STATUS_OK : view_iterator_create(live->view, READ_WAIT_ALLOWED, &live->iter);

    return status == STATUS_OK
               ? status
               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "walking the tree for GC");
}

static enum status move_failed(const struct gc_live *live, enum status status,
                               struct error *error) {
    if (error) {
        *error = live->iter->error;
        error->status = status;
    }
    return status;
}

/* ---- References to one record -----------------------------------------------------------------
 */

/* Adds the references of one entry to the record. A plain record is only that of its own version;
 * an extent carries the version of its upload. */
static enum status count_entry(struct gc_live *live, const struct gc_record *record,
                               const struct entry *entry, uint64_t version,
                               struct gc_references *references, struct error *error) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;

    if (record->op.extent != (entry->kind == ENTRY_LARGE) ||
        (!record->op.extent && entry_record_version(entry, version) != record->version)) {
        return STATUS_OK;
    }
    while (entry_refs_next(&refs, &ref)) {
        uint64_t offset;
        enum status status = gc_live_place(live, &ref, &offset, error);
        if (status == STATUS_OK && offset == record->ref.offset) {
            *(entry->alias ? &references->alias_records : &references->records) += 1;
        } else if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return STATUS_OK;
}

/* The entry of exactly the record's row and version. */
static enum status count_exact(struct gc_live *live, const struct gc_record *record,
                               struct gc_references *references, struct error *error) {
    struct view_hit hit;
    enum status status =
        view_find(live->view, record->row, record->version, READ_WAIT_ALLOWED, &hit, error);

    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (hit.version == record->version) {
        status = count_entry(live, record, &hit.entry, hit.version, references, error);
    }
    view_hit_release(&hit);
    return status;
}

/* All versions of the record's row that may name it: newest first. */
static enum status count_row(struct gc_live *live, const struct gc_record *record,
                             struct gc_references *references, struct error *error) {
    size_t len = ikey_store(live->ikey, record->row, VERSION_MAX);
    enum status status = iterator_of(live, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = iterator_seek(live->iter, slice_make(live->ikey, len));
    while (status == STATUS_OK && slice_compare(ikey_row(live->iter->key), record->row) == 0) {
        uint64_t version = ikey_version(live->iter->key);
        struct entry entry;
        if (!record->op.extent && version < record->version) {
            break;
        }
        status = entry_load(live->iter->entry, &entry);
        if (status != STATUS_OK) {
            return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "an entry is malformed");
        }
        status = count_entry(live, record, &entry, version, references, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = iterator_next(live->iter);
    }
    return status == STATUS_OK || status == STATUS_END ? STATUS_OK
                                                       : move_failed(live, status, error);
}

enum status gc_live_count(struct gc_live *live, const struct gc_record *record,
                          struct gc_references *references_out, struct error *error) {
    *references_out = (struct gc_references){0, 0};
    return record->op.extent || live->has_aliases
               ? count_row(live, record, references_out, error)
               : count_exact(live, record, references_out, error);
}

/* ---- All references ---------------------------------------------------------------------------
 */

/* Offsets that entries of the present row have named already: all references to one record are of
 * one row. */
struct seen {
    struct buffer row;
    struct buffer offsets; /* of uint64_t */
};

static enum status seen_enter_row(struct seen *seen, struct slice row) {
    if (slice_compare(buffer_slice(&seen->row), row) == 0) {
        return STATUS_OK;
    }
    buffer_clear(&seen->row);
    buffer_clear(&seen->offsets);
    return buffer_append(&seen->row, row.ptr, row.len);
}

static bool seen_has(const struct seen *seen, uint64_t offset) {
    for (size_t i = 0; i + sizeof offset <= seen->offsets.len; i += sizeof offset) {
        if (memcmp(seen->offsets.data + i, &offset, sizeof offset) == 0) {
            return true;
        }
    }
    return false;
}

/* A search under way. */
struct searching {
    struct gc_live *live;
    gc_record_cb record_cb;
    void *arg;
    struct gc_references *references;
    struct seen seen;
};

static enum status found(struct searching *searching, const struct entry *entry, uint64_t version,
                         const struct value_ref *place) {
    struct slice row = buffer_slice(&searching->seen.row);
    struct gc_record record = {.row = row,
                               .version = entry_record_version(entry, version),
                               .ref = *place,
                               .op = {.namespace_id = row_namespace(row),
                                      .key = row_user_key(row),
                                      .kind = ENTRY_REFERENCE,
                                      .expiry_ms = entry->expiry_ms,
                                      .user_flags = entry->user_flags,
                                      .raw_bytes = place->raw_bytes,
                                      .stored_bytes = place->stored_bytes,
                                      .checksum = place->checksum,
                                      .compressed = place->compressed,
                                      .extent = entry->kind == ENTRY_LARGE}};
    enum status status =
        buffer_append(&searching->seen.offsets, &place->offset, sizeof place->offset);

    return status == STATUS_OK ? searching->record_cb(searching->arg, &record) : status;
}

static enum status search_entry(struct searching *searching, const struct entry *entry,
                                uint64_t version, struct error *error) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;

    while (entry_refs_next(&refs, &ref)) {
        struct value_ref place = ref;
        enum status status = gc_live_place(searching->live, &ref, &place.offset, error);
        if (status == STATUS_NOT_FOUND) {
            continue;
        }
        place.segment = searching->live->segment;
        if (status == STATUS_OK) {
            *(entry->alias ? &searching->references->alias_records
                           : &searching->references->records) += 1;
        }
        if (status == STATUS_OK && !seen_has(&searching->seen, place.offset)) {
            status = found(searching, entry, version, &place);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status search(struct searching *searching, struct error *error) {
    struct iterator *iter = searching->live->iter;
    enum status status = iterator_seek_first(iter);

    while (status == STATUS_OK) {
        struct entry entry;
        status = entry_load(iter->entry, &entry);
        if (status == STATUS_OK) {
            status = seen_enter_row(&searching->seen, ikey_row(iter->key));
        }
        if (status == STATUS_OK) {
            status = search_entry(searching, &entry, ikey_version(iter->key), error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        status = iterator_next(iter);
    }
    return status == STATUS_END ? STATUS_OK : move_failed(searching->live, status, error);
}

enum status gc_live_search(struct gc_live *live, gc_record_cb record_cb, void *arg,
                           struct gc_references *references_out, struct error *error) {
    struct searching searching = {
        .live = live, .record_cb = record_cb, .arg = arg, .references = references_out};
    enum status status = iterator_of(live, error);

    *references_out = (struct gc_references){0, 0};
    buffer_init(&searching.seen.row, ROW_BYTES_MAX);
    buffer_init(&searching.seen.offsets, SIZE_MAX);
    if (status == STATUS_OK) {
        status = search(&searching, error);
    }
    buffer_deinit(&searching.seen.row);
    buffer_deinit(&searching.seen.offsets);
    return status;
}
