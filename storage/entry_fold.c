/* entry_fold.c: see entry_fold.h. */
#include "storage/entry_fold.h"

#include "storage/format.h"

#define FOLDED_BYTES_MAX (UINT32_C(64) << 20) /* a large value of 16 GiB has 4,096 extents */

void entry_fold_init(struct entry_fold *fold, const struct version *version) {
    *fold = (struct entry_fold){.version = version};
    buffer_init(&fold->extents, FOLDED_BYTES_MAX);
    buffer_init(&fold->bytes, FOLDED_BYTES_MAX);
}

void entry_fold_deinit(struct entry_fold *fold) {
    buffer_deinit(&fold->extents);
    buffer_deinit(&fold->bytes);
}

static bool is_relocated(const struct version *version, const struct value_ref *ref) {
    const struct relocation *relocation;

    return version_resolve(version, ref->segment, &relocation) == SEGMENT_RELOCATED;
}

static bool needs_folding(const struct version *version, const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;

    while (version->relocation_count > 0 && entry_refs_next(&refs, &ref)) {
        if (is_relocated(version, &ref)) {
            return true;
        }
    }
    return false;
}

static enum status fold_ref(const struct version *version, struct value_ref *ref,
                            struct error *error) {
    struct value_ref found;
    enum status status;

    if (!is_relocated(version, ref)) {
        return STATUS_OK;
    }
    status = value_reader_resolve(version, ref, READ_WAIT_ALLOWED, &found, error);
    if (status == STATUS_OK) {
        *ref = found;
    }
    return status == STATUS_CORRUPT ? STATUS_OK : status;
}

static enum status fold_extents(struct entry_fold *fold, struct entry *entry, struct error *error) {
    struct slice rest = entry->extents;
    enum status status = STATUS_OK;
    struct value_ref extent;

    buffer_clear(&fold->extents);
    while (status == STATUS_OK && entry_extent_next(&rest, &extent)) {
        status = fold_ref(fold->version, &extent, error);
        if (status == STATUS_OK) {
            status = entry_extent_append(&fold->extents, &extent);
        }
    }
    entry->extents = buffer_slice(&fold->extents);
    return status;
}

enum status entry_fold_next(struct entry_fold *fold, const struct entry *entry, struct slice bytes,
                            struct slice *bytes_out, struct error *error) {
    struct entry folded = *entry;
    uint8_t *ptr;
    enum status status;

    if (!needs_folding(fold->version, entry)) {
        *bytes_out = bytes;
        return STATUS_OK;
    }
    status = entry->kind == ENTRY_LARGE ? fold_extents(fold, &folded, error)
                                        : fold_ref(fold->version, &folded.ref, error);
    buffer_clear(&fold->bytes);
    if (status == STATUS_OK) {
        status = buffer_extend(&fold->bytes, entry_bytes(&folded), &ptr);
    }
    if (status == STATUS_OK) {
        entry_store(ptr, &folded);
        *bytes_out = buffer_slice(&fold->bytes);
    }
    return status;
}
